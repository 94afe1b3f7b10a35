"""Writing a tape of what is said on links.

Law 1. What is written parses, and `run` on a `replay` of it matches throughout.
Law 2. The data of a secret command is written as wildcards, so that no PIN and no key reaches the tape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from kaguan.apdu.chaining import Layer
from kaguan.apdu.instruction import INSTRUCTIONS
from kaguan.apdu.link import Link
from kaguan.apdu.response import ResponseApdu

_SECRET_INS: Final = frozenset(row.ins for row in INSTRUCTIONS if row.secret)


def record(links: Sequence[Link], write: Callable[[str], object]) -> tuple[Link, ...]:
    """Links that do what these do and give each exchange to `write` as one line of a tape.

    What counts as secret is what the table of commands says of the INS, whatever the class.
    A tape with wildcards for a secret can be replayed, not run.
    A command that got no answer is written as a comment.
    """
    writer = _Writer(write)
    return tuple(_Recorded(link, writer, card) for card, link in enumerate(links))


class _Writer:
    """The one text that all links are written to, and the card that its last line was about."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._card = 0

    def line(self, card: int, text: str) -> None:
        """Write one statement about this card, after a `.card` when the last was about another."""
        if card != self._card:
            self._card = card
            self._write(f".card {card}\n")
        self._write(f"{text}\n")


def _hidden(command: bytes) -> str:
    """The command in hex; of a secret one, all that follows its fifth byte is hidden."""
    text = command.hex().upper()
    if len(command) <= 5 or command[1] not in _SECRET_INS:
        return text
    return text[:10] + "X" * (len(text) - 10)


class _Recorded(Layer):
    """A link whose every reset and exchange is on the tape."""

    def __init__(self, link: Link, writer: _Writer, card: int) -> None:
        super().__init__(link)
        self._writer = writer
        self._card = card
        self._write_reset(link.atr)

    def _write_reset(self, atr: bytes) -> None:
        self._writer.line(self._card, f".reset [{atr.hex().upper()}]")

    def transceive(self, command: bytes) -> bytes:
        line = _hidden(command)
        try:
            raw = self.link.transceive(command)
        except BaseException:
            self._writer.line(self._card, f"# no answer to {line}")
            raise
        response = ResponseApdu.parse(raw)
        self._writer.line(self._card, f"{line} [{response.data.hex().upper()}] ({response.sw})")
        return raw

    def reset(self) -> bytes:
        atr = self.link.reset()
        self._write_reset(atr)
        return atr
