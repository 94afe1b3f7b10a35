"""Playing a tape on cards, one exchange at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from kaguan.apdu.errors import InputError, LinkError, PlacedInputError, RuleBroken, TapeError
from kaguan.apdu.link import Link
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.status import OK
from kaguan.apdu.tape.model import Define, Pattern, Place, Reset, Send, Statuses, SwitchCard, Tape
from kaguan.apdu.tape.scope import Functions, Scope

NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})
NO_FUNCTIONS: Final[Functions] = MappingProxyType({})


class Verdict(Enum):
    """What the tape says of an answer."""

    MATCHED = "matched"
    MISMATCHED = "mismatched"
    UNCHECKED = "unchecked"


class Exchange(NamedTuple):
    """One command and its answer. A reset has an empty command, and the ATR for its response."""

    command: bytes
    response: bytes
    line: int
    verdict: Verdict
    file: str = ""
    card: int = 0

    def __repr__(self) -> str:
        """The place and the verdict alone: a command may hold a PIN, a response a person."""
        return f"<{self.file or '<input>'}:{self.line} card {self.card} {self.verdict.value}>"


def run(
    tape: Tape,
    links: Sequence[Link],
    *,
    functions: Functions = NO_FUNCTIONS,
    names: Mapping[str, bytes] = NOTHING,
) -> Iterator[Exchange]:
    """Each exchange of the tape as soon as it has happened; `.card N` speaks on `links[N]`.

    The exchange that does not match is given too, and the error follows it; nothing is sent after that.

    Raises:
        TapeError: an answer is not the expected one, or a statement cannot be carried out.
        LinkError, RuleBroken: a card did not answer, or was not asked; the place is a note on it.
    """
    scope = Scope(names, functions)
    card = 0
    for step in tape.steps():
        match step:
            case Define():
                scope.define(step)
            case SwitchCard(number, place):
                if number >= len(links):
                    raise place.error(f"no card {number}: {len(links)} connected, counted from 0")
                card = number
            case Send() | Reset():
                if not links:
                    raise step.place.error("no card connected")
                try:
                    exchange, error = _exchange(step, links[card], scope)
                except (LinkError, RuleBroken) as lost:
                    lost.add_note(str(step.place))
                    raise
                except TapeError as unmade:
                    unmade.card = card
                    raise
                yield exchange._replace(card=card)
                if error is not None:
                    raise error


def _exchange(step: Send | Reset, link: Link, scope: Scope) -> tuple[Exchange, TapeError | None]:
    statuses = None
    if isinstance(step, Send):
        command, data = _made(step, scope)
        raw = _sent(step, link, command)
        response = ResponseApdu.parse(raw)
        statuses = step.statuses
    else:
        data = None if step.data is None else scope.pattern(step.data)
        command, raw = b"", link.reset()
        response = ResponseApdu(raw, OK)
    error = _complaint(response, data, (step.data or step).place, statuses)
    if error is not None:
        verdict = Verdict.MISMATCHED
    elif data is None and statuses is None:
        verdict = Verdict.UNCHECKED
    else:
        verdict = Verdict.MATCHED
    exchange = Exchange(command, raw, step.place.line, verdict, step.place.file)
    if error is None:
        try:
            scope.capture(step.captures, response.data)
        except TapeError as too_short:
            return exchange._replace(verdict=Verdict.MISMATCHED), too_short
    return exchange, error


def _made(step: Send, scope: Scope) -> tuple[bytes, Pattern | None]:
    """The command, and what data are expected: both are known before anything is sent."""
    try:
        command = scope.exact(step.command, "a command to be sent")
        return command, None if step.data is None else scope.pattern(step.data)
    except TapeError as error:
        error.unsent = scope.beginning(step.command)
        raise


def _sent(step: Send, link: Link, command: bytes) -> bytes:
    """The card's answer. What an emulated card lacks (a random number) is told with the tape's place."""
    try:
        return link.transceive(command)
    except PlacedInputError:
        raise
    except InputError as error:
        raise step.place.error(str(error)) from error


def _complaint(
    response: ResponseApdu, data: Pattern | None, data_place: Place, statuses: Statuses | None
) -> TapeError | None:
    """The error that this response deserves; None when it is what the tape expects.

    A wrong status word is told first: it usually explains the data.
    """
    received = f"{response.sw} ({response.sw.meaning})"
    if statuses is not None and not any(p.matches(bytes(response.sw)) for p in statuses.patterns):
        return statuses.place.error(f"expected {statuses}, received {received}")
    if data is not None and not data.matches(response.data):
        shown, at = response.data.hex().upper(), data.differs_at(response.data)
        error = data_place.error(f"expected [{data}], received [{shown}] {received}: different from byte {at} on")
        error.differs_at = at
        return error
    return None
