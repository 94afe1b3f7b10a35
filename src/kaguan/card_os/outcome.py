"""What a command comes to: an answer, the session after it, and the writes that must be committed before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kaguan.card_os.image import CardImage
from kaguan.card_os.profile.model import Behaviour
from kaguan.card_os.session import ModuleState, PendingTransaction, Session
from kaguan.card_os.writes import Group


class Chip(NamedTuple):
    """What a pure chip cannot have in itself: a source of random bytes, and its settings."""

    random: Callable[[int], bytes]
    behaviour: Behaviour = Behaviour()


class Outcome(NamedTuple):
    """The answer's data and status word, the next session, and ordered groups of writes, each committed whole."""

    data: bytes
    sw: int
    session: Session
    groups: tuple[Group, ...] = ()

    def __repr__(self) -> str:
        return f"<Outcome {self.sw:04X}, {len(self.data)} bytes, {len(self.groups)} groups>"


class View(NamedTuple):
    """What a handler sees.

    `session` is the one that an ordinary command leaves: challenge and pending transaction are already gone from it,
    because they serve the next command only; what they were stands beside it.
    """

    image: CardImage
    session: Session
    challenge: bytes
    pending: PendingTransaction | None
    chip: Chip
    module: ModuleState | None = None


class Refuse(Exception):
    """The command is refused: nothing is written, and one place makes a response of it."""

    def __init__(self, sw: int) -> None:
        self.sw = sw
        super().__init__(f"{sw:04X}")
