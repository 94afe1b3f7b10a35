"""Tapes as tests: one `.apdu` file is one test, played on a specimen; `.card 1` is a security module."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from os import PathLike
from typing import Any

import pytest

from kaguan.apdu.errors import KaguanError
from kaguan.apdu.tape import Tape
from kaguan.apdu.tape.model import SwitchCard
from kaguan.terminal.playback import play
from kaguan.terminal.scripts.files import tape_file
from kaguan.terminal.scripts.functions import FUNCTIONS
from kaguan.testing.build import Slot, Wish, card_under_test
from kaguan.testing.card import CardUnderTest
from kaguan.testing.options import slot_of, wish_of

_MODULE_PROFILE = "psam"


class TapeFile(pytest.File):
    """One tape."""

    def collect(self) -> Iterable[TapeItem]:
        """The tape's only test."""
        yield TapeItem.from_parent(self, name=self.path.stem)


class TapeItem(pytest.Item):
    """A tape that is played; it fails at the first answer that is not as it says."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.cards: list[CardUnderTest] = []

    def runtest(self) -> None:
        """Play the tape on fresh cards."""
        tape = tape_file(self.path)
        with ExitStack() as stack:
            for number in range(_cards(tape)):
                wish = Wish(profile=_MODULE_PROFILE, seed=self.nodeid) if number else wish_of(self)
                slot = Slot() if number else slot_of(self.config)
                self.cards.append(stack.enter_context(card_under_test(wish, slot)))
            for _ in play(tape, self.cards, functions=FUNCTIONS):
                pass

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The place and the reason alone, when the tape, or the card, is at fault."""
        return str(excinfo.value) if isinstance(excinfo.value, KaguanError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[PathLike[str], int | None, str]:
        """Where the test stands."""
        return self.path, None, f"tape {self.path.name}"


def _cards(tape: Tape) -> int:
    return 1 + max((step.number for step in tape.steps() if isinstance(step, SwitchCard)), default=0)
