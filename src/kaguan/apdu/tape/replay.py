"""Cards that say what a tape says they said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kaguan.apdu.errors import TapeError
from kaguan.apdu.link import Link
from kaguan.apdu.tape.model import Define, Pattern, Reset, Send, SwitchCard, Tape
from kaguan.apdu.tape.run import NO_FUNCTIONS, NOTHING
from kaguan.apdu.tape.scope import Functions, Scope


class Replay:
    """All cards of a tape. They share one order: what is sent must be what the tape has next.

    A card that heard nothing since its last reset may be reset as often as one likes.
    """

    def __init__(
        self, tape: Tape, *, functions: Functions = NO_FUNCTIONS, names: Mapping[str, bytes] = NOTHING
    ) -> None:
        self._scope = Scope(names, functions)
        self._file = tape.file
        self._coming = self._exchanges(tape)
        self._next = next(self._coming, None)
        self._atrs: dict[int, bytes] = {}
        self._used: set[int] = set()
        self._play_resets()

    def link(self, card: int = 0) -> Link:
        """The card of this number."""
        return _Replayed(self, card)

    def finish(self) -> None:
        """Nothing is left on the tape.

        Raises:
            TapeError: some of it was never asked for.
        """
        if self._next is not None:
            _, step = self._next
            raise step.place.error("expected this next, received nothing more")

    def atr(self, card: int) -> bytes:
        """The answer to the card's last reset; empty when the tape tells none."""
        return self._atrs.get(card, b"")

    def reset(self, card: int) -> bytes:
        """The card has forgotten its session, as the tape says it did here."""
        self._play_resets()
        if card in self._used:
            raise self._mismatch(f"a reset of card {card}")
        return self.atr(card)

    def answer(self, card: int, command: bytes) -> bytes:
        """What the tape answers to this command, which must be the next one on it.

        Raises:
            TapeError: it is not, or its answer is left open by wildcards.
        """
        if self._next is None or self._next[0] != card or not isinstance(self._next[1], Send):
            raise self._mismatch(f"card {card}: {command[:4].hex().upper()}")
        step = self._next[1]
        pattern = self._scope.pattern(step.command)
        if not pattern.matches(command):
            raise self._mismatch(f"{command[:4].hex().upper()}, different at byte {pattern.differs_at(command)}")
        data = b"" if step.data is None else self._scope.exact(step.data, "a replayed answer")
        word = next((p.exact for p in _status_patterns(step) if p.exact), None)
        if word is None:
            raise step.place.error("a replayed answer needs a status word without wildcards")
        self._scope.capture(step.captures, data)
        self._used.add(card)
        self._next = next(self._coming, None)
        return data + word

    def _exchanges(self, tape: Tape) -> Iterator[tuple[int, Send | Reset]]:
        card = 0
        for step in tape.steps():
            match step:
                case Define():
                    self._scope.define(step)
                case SwitchCard(number):
                    card = number
                case Send() | Reset():
                    yield card, step

    def _play_resets(self) -> None:
        while self._next is not None and isinstance(self._next[1], Reset):
            card, step = self._next
            if step.data is not None:
                self._atrs[card] = self._scope.exact(step.data, "a replayed ATR")
            self._scope.capture(step.captures, self.atr(card))
            self._used.discard(card)
            self._next = next(self._coming, None)

    def _mismatch(self, received: str) -> TapeError:
        """Shows headers alone: the data may be a PIN."""
        if self._next is None:
            return TapeError(f"expected nothing more, received {received}", file=self._file)
        card, step = self._next
        wanted = str(self._scope.pattern(step.command))[:8] if isinstance(step, Send) else "a reset"
        return step.place.error(f"expected card {card}: {wanted}, received {received}")


def _status_patterns(step: Send) -> tuple[Pattern, ...]:
    return () if step.statuses is None else step.statuses.patterns


class _Replayed:
    """One card of a replay."""

    def __init__(self, replay: Replay, card: int) -> None:
        self._replay = replay
        self._card = card

    @property
    def atr(self) -> bytes:
        return self._replay.atr(self._card)

    def transceive(self, command: bytes) -> bytes:
        return self._replay.answer(self._card, command)

    def reset(self) -> bytes:
        return self._replay.reset(self._card)

    def close(self) -> None:
        """Nothing is held, so nothing is let go."""
