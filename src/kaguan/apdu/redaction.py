"""What may be shown of the wire: PINs, keys and what a module deciphers become wildcards, everything else stays.

Law 1. What counts as secret is what the table of commands says of the INS, whatever the class: a PIN in a command that
the card will refuse is a PIN.
Law 2. What is hidden keeps its length, so that a redacted exchange can be matched and replayed.
"""

from __future__ import annotations

from typing import Final

from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS
from kaguan.apdu.tape.model import Pattern

_HEADER_SIZE = 5
"""CLA INS P1 P2 and Lc are shown of every command."""

_STATUS_SIZE = 2

_SECRET: Final = frozenset(row.ins for row in INSTRUCTIONS if row.secret)
_SECRET_ANSWER: Final = frozenset(row.ins for row in INSTRUCTIONS if row.secret_answer)


class Redaction:
    """Follows the wire of one card: what GET RESPONSE brings is as secret as the command that it is the answer to."""

    def __init__(self) -> None:
        self._answer_hidden = False

    def command(self, raw: bytes) -> Pattern:
        """The command as it may be shown. To be called for every command, in their order."""
        ins = raw[1] if len(raw) > 1 else None
        if ins != GET_RESPONSE.ins:
            self._answer_hidden = ins in _SECRET_ANSWER
        return _hidden(raw, _HEADER_SIZE, len(raw)) if ins in _SECRET else Pattern.exactly(raw)

    def response(self, raw: bytes) -> Pattern:
        """The answer to the command that was last shown; its status word is never hidden."""
        return _hidden(raw, 0, len(raw) - _STATUS_SIZE) if self._answer_hidden else Pattern.exactly(raw)


def redacted(command: bytes) -> Pattern:
    """One command alone, as it may be shown."""
    return Redaction().command(command)


def _hidden(raw: bytes, start: int, stop: int) -> Pattern:
    if stop <= start:
        return Pattern.exactly(raw)
    mask = b"\xff" * start + bytes(stop - start) + b"\xff" * (len(raw) - stop)
    return Pattern(raw[:start] + bytes(stop - start) + raw[stop:], mask)
