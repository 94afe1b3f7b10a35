"""Five families of errors, each with the exit code that `kaguan` ends with.

A refusal's outcome is known: the card said no. A link error's outcome is unknown: reconcile, never repeat blindly.
"""

from __future__ import annotations

from typing import ClassVar


class KaguanError(Exception):
    """Something that a user can understand and act on; its text says what, where and what to do."""

    exit_code: ClassVar[int] = 70


class InputError(KaguanError):
    """A file, an APDU or a record does not have the form it should have."""

    exit_code = 7


class ApduSyntaxError(InputError):
    """Bytes that are no command or no response APDU."""


class TlvSyntaxError(InputError):
    """Bytes that are no TLV."""


class CodecError(InputError):
    """A value that does not fit its field, or bytes that are no value of the field's format."""


class PlacedInputError(InputError):
    """An input error with a place: file, line and column (1-based; 0 means the file as a whole)."""

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: int = 0) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        place = ":".join([file or "<input>", *(str(n) for n in (line, column) if n)])
        super().__init__(f"{place}: {message}")


class TapeError(PlacedInputError):
    """A tape that cannot be read, or that did not get the answer it expects.

    `differs_at` is the index of the first byte of an answer's data that is not as expected; None when it is not that.
    `unsent` is how the command begins that could not be made, `card` the number of the card that it was for.
    """

    differs_at: int | None = None
    unsent: bytes = b""
    card: int = 0


class ProfileError(PlacedInputError):
    """A card profile that contradicts itself or names something unknown."""


class OrderError(PlacedInputError):
    """An order file whose structure is wrong, so that none of its rows can be trusted."""


class LinkError(KaguanError):
    """The card did not answer, so what it did is unknown."""

    exit_code = 4


class NoReader(LinkError):
    """No reader of that name is connected."""


class NoCard(LinkError):
    """The reader is empty."""


class CardLost(LinkError):
    """The card was pulled out, or lost its power, before it answered."""

    def __init__(self, during: str) -> None:
        self.during = during
        super().__init__(f"the card was lost during {during}: read its state back before doing anything again")


class RuleBroken(KaguanError):
    """A rule of card management forbids it; nothing was changed."""

    exit_code = 5


class NeedsSecondPerson(RuleBroken):
    """Somebody else has to approve it, or to do it; nothing was changed."""


class VaultError(KaguanError):
    """A key is absent, may not do that, or is not the key it should be."""

    exit_code = 6
