"""An axis of a card's life: named states, and the only steps between them.

Law. A step that is not in the table raises and changes nothing.
Law. `validate` refuses a table with unknown, unreachable or doubly defined states before the program starts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from kaguan.cms.rules.guards import GUARDS, Circumstances, Guard
from kaguan.cms.rules.refusals import IllegalTransition, NotEligible, RuleTableError
from kaguan.cms.rules.rights import Right


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: in any of `sources`, `event` leads to `target`, if every guard agrees and the reason is known.

    An empty `reasons` means that the event takes no reason code.
    """

    event: str
    sources: frozenset[StrEnum]
    target: StrEnum
    right: Right
    guards: tuple[Guard, ...] = ()
    reasons: frozenset[StrEnum] = frozenset()


def row(
    event: str,
    sources: Iterable[StrEnum],
    target: StrEnum,
    right: Right,
    *guards: Guard,
    reasons: Iterable[StrEnum] = (),
) -> Transition:
    """Return the row as a table writes it: its guards are asked in the order given."""
    return Transition(event, frozenset(sources), target, right, guards, frozenset(reasons))


@dataclass(frozen=True, slots=True)
class Axis:
    """One of the independent state machines that a card walks through."""

    name: str
    states: type[StrEnum]
    initial: StrEnum
    final: frozenset[StrEnum]
    transitions: tuple[Transition, ...]
    refusals: dict[StrEnum, str] = field(default_factory=dict)

    def events(self) -> frozenset[str]:
        """Return the names of all events of the axis."""
        return frozenset(row.event for row in self.transitions)

    def find(self, state: str, event: str) -> Transition:
        """Return the row for the event in the state.

        Raises:
            IllegalTransition: the state does not allow the event; the text gives the state's own reason.
        """
        current = self.states(state)
        for row in self.transitions:
            if row.event == event and current in row.sources:
                return row
        because = self.refusals.get(current, f"the {self.name} state is {current.name}")
        raise IllegalTransition(f"{event} refused: {because}")

    def step(self, state: str, event: str, circumstances: Circumstances, *, reason: str = "") -> Transition:
        """Return the row that is taken, after its guards and its reason codes agreed.

        Refuses, in this order: no such row in this state, a guard's objection, a missing or unknown reason.
        """
        row = self.find(state, event)
        for guard in row.guards:
            objection = GUARDS[guard](circumstances)
            if objection is not None:
                raise NotEligible(f"{event} refused: {objection}")
        if row.reasons and reason not in row.reasons:
            known = ", ".join(f"{code.value} {code.name}" for code in sorted(row.reasons))
            raise NotEligible(f"{event} refused: reason {reason!r} is none of {known}")
        return row


def validate(axes: Collection[Axis]) -> None:
    """Return when every table is sound.

    Raises:
        RuleTableError: naming the axis and what is wrong with it.
    """
    for axis in axes:
        known = frozenset(axis.states)
        _check_rows(axis, known)
        for state in sorted(known - _reachable(axis)):
            raise RuleTableError(f"axis {axis.name}: state {state.name} cannot be reached from {axis.initial.name}")
        for state in sorted(known - axis.final):
            if not any(state in row.sources for row in axis.transitions):
                raise RuleTableError(f"axis {axis.name}: state {state.name} has no way out and is not final")


def _check_rows(axis: Axis, known: frozenset[StrEnum]) -> None:
    seen: set[tuple[StrEnum, str]] = set()
    for state in {axis.initial, *axis.final, *axis.refusals}:
        if state not in known:
            raise RuleTableError(f"axis {axis.name}: unknown state {state!r}")
    for row in axis.transitions:
        if not row.sources:
            raise RuleTableError(f"axis {axis.name}: {row.event} starts nowhere")
        for guard in row.guards:
            if guard not in GUARDS:
                raise RuleTableError(f"axis {axis.name}: {row.event} names the unknown guard {guard!r}")
        for state in (*row.sources, row.target):
            if state not in known:
                raise RuleTableError(f"axis {axis.name}: {row.event} names the unknown state {state!r}")
        for source in row.sources:
            if source in axis.final:
                raise RuleTableError(f"axis {axis.name}: {row.event} leaves the final state {source.name}")
            if (source, row.event) in seen:
                raise RuleTableError(f"axis {axis.name}: {row.event} in {source.name} is defined twice")
            seen.add((source, row.event))


def _reachable(axis: Axis) -> frozenset[StrEnum]:
    found = {axis.initial}
    while True:
        more = {row.target for row in axis.transitions if row.sources & found} - found
        if not more:
            return frozenset(found)
        found |= more
