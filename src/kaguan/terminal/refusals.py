"""The card said no: what a terminal makes of a status word."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import KaguanError
from kaguan.apdu.instruction import instruction_of
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.status import StatusWord


class CardRefused(KaguanError):
    """The card refused a command; its outcome is known."""

    exit_code = 3

    def __init__(self, command: str, sw: StatusWord) -> None:
        self.command = command
        self.sw = sw
        super().__init__(f"the card refused {command}: {sw}, {sw.meaning}")


class PinRefused(CardRefused):
    """The PIN was wrong; `tries_left` tries are left."""

    def __init__(self, command: str, sw: StatusWord) -> None:
        super().__init__(command, sw)
        self.tries_left = sw.tries_left or 0


class PinBlocked(CardRefused):
    """The PIN is blocked: an outlet must unblock it."""


class NotAuthorised(CardRefused):
    """A PIN or a key has to be shown first."""


class FileAbsent(CardRefused):
    """The card has no such file or record."""


class CardBlocked(CardRefused):
    """The application, or the whole card, is blocked."""


class NotProven(CardRefused):
    """The card's last transaction is another one than was asked for."""


class NotGenuine(KaguanError):
    """The card's cryptogram is not the one its keys would make: it is another card, or a forged one."""

    exit_code = 3


_BY_WORD: dict[int, type[CardRefused]] = {
    0x6982: NotAuthorised,
    0x6983: PinBlocked,
    0x6A81: CardBlocked,
    0x6A82: FileAbsent,
    0x6A83: FileAbsent,
    0x9303: CardBlocked,
    0x9406: NotProven,
}


def accepted(command: CommandApdu, response: ResponseApdu) -> bytes:
    """The response's data, when the card did what it was told.

    Raises:
        CardRefused: any status word but 9000, as the narrowest class that fits.
    """
    sw = response.sw
    if sw == 0x9000:
        return response.data
    row = instruction_of(command.cla, command.ins, command.p1)
    name = row.name if row else f"{command.cla:02X}{command.ins:02X}"
    kind = PinRefused if sw & 0xFFF0 == 0x63C0 else _BY_WORD.get(sw, CardRefused)
    raise kind(name, sw)
