"""What goes wrong with readers, told apart.

Law. When a command was under way, the error says which one: nobody knows what the card did.
"""

from __future__ import annotations

from kaguan.apdu.errors import CardLost, LinkError, NoReader

READ_BACK = "read the card's state back before doing anything again"
SERVICE_PACKAGE = "apt-get install pcscd, then start pcscd"


class ServiceGone(NoReader):
    """The PC/SC service does not run, or ended while it was needed; `during` is empty when no command was under way."""

    def __init__(self, during: str = "") -> None:
        self.during = during
        super().__init__(
            f"the PC/SC service ended during {during}: start pcscd again and {READ_BACK}"
            if during
            else f"the PC/SC service does not answer: {SERVICE_PACKAGE}"
        )


class ReaderUnplugged(NoReader):
    """The reader was there and is not any more; `during` is empty when no command was under way."""

    def __init__(self, reader: str, during: str = "") -> None:
        self.reader = reader
        self.during = during
        super().__init__(
            f"reader '{reader}' was unplugged during {during}: plug it in and {READ_BACK}"
            if during
            else f"reader '{reader}' was unplugged"
        )


class CardInUse(LinkError):
    """Another program holds the card; it has not been touched."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        super().__init__(f"the card in reader '{reader}' is in use by another program: end it and try again")


class CardMute(LinkError):
    """The card does not answer a reset."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        super().__init__(f"the card in reader '{reader}' is mute: turn it round, or clean its contacts")


class CardPulledOut(CardLost):
    """The card was pulled out while a command was under way."""

    def __init__(self, reader: str, during: str) -> None:
        super().__init__(during)
        self.reader = reader
        self.args = (f"the card was pulled out of reader '{reader}' during {during}: put it in and {READ_BACK}",)


class CardSilent(CardLost):
    """The card is in the reader and did not answer a command."""

    def __init__(self, reader: str, during: str) -> None:
        super().__init__(during)
        self.reader = reader
        self.args = (f"the card in reader '{reader}' did not answer {during}: reset it and {READ_BACK}",)


class CardResetElsewhere(CardLost):
    """Another program, or the reader, has reset the card: what the session had won is forgotten."""

    def __init__(self, reader: str, during: str) -> None:
        super().__init__(during)
        self.reader = reader
        self.args = (f"the card in reader '{reader}' was reset by somebody else before {during}: begin again",)
