"""What an order of refusals is: a command that is served, and what may be wrong with it, the first wrong first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from card.scene import Scene, Violation

Make: TypeAlias = Callable[[], Scene]


class Order(NamedTuple):
    """The refusals of a command with one way to come by each. `otherwise`: of its other handler (`card.manual`)."""

    name: str
    make: Make
    violations: Sequence[tuple[str, Violation]]
    otherwise: bool = False

    def __str__(self) -> str:
        return self.name + (" (otherwise)" if self.otherwise else "")
