"""A card that remembers what it was asked, and scripts played on it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kaguan.apdu.link import Link
from kaguan.card_os.profile import load_profile
from kaguan.terminal.scripts import Dialect, Played, ScriptSyntaxError, play_script, read_script
from kaguan.terminal.scripts.script import Say

PROFILE = load_profile("ssc-v2")
KEY = "5043F22D5FF3CC247F3110B141E2FD7E"
RESET = "reset"


class Wire:
    """A card that answers what it was told to answer, then 9000, and remembers what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.atr = bytes.fromhex("3B6D000000FFFF001122334455667788")
        self.asked: list[str] = []
        self._answers = list(answers)

    def transceive(self, command: bytes) -> bytes:
        self.asked.append(command.hex().upper())
        return bytes.fromhex(self._answers.pop(0) if self._answers else "9000")

    def reset(self) -> bytes:
        self.asked.append(RESET)
        return self.atr

    def close(self) -> None:
        """Nothing is held."""


def sent(text: str, dialect: Dialect, *answers: str) -> list[str]:
    """What a script sends to a card that answers so."""
    wire = Wire(*answers)
    played_on(text, dialect, [wire])
    return wire.asked


def played_on(text: str, dialect: Dialect, links: Sequence[Link]) -> list[Played | Say]:
    script = read_script(text, "s", dialect)
    return list(play_script(script, links, [PROFILE] * len(links), lambda _seconds: None))


def refused(text: str, dialect: Dialect) -> str:
    """The complaint about a script that is none."""
    with pytest.raises(ScriptSyntaxError) as caught:
        read_script(text, "s", dialect)
    return str(caught.value)
