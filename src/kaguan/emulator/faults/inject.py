"""Faults at work on a link.

Law 1. Without its turn a fault changes nothing: bytes, order and number of exchanges are those of the link below.
Law 2. Every fault that strikes is told, before its consequence is seen.
Law 3. The same seed, faults and commands bring the same consequences.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence

from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost, NoCard
from kaguan.apdu.instruction import instruction_of
from kaguan.apdu.link import Link
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults.fault import Fault, FaultError, FaultKind

MOST_RANDOM_WRITES = 12
"""A tear at random strikes within so many physical writes: those of the longest commands that terminals send."""

_STATUS_SIZE = 2


class Faults:
    """A plan of faults with a seed; `on` puts it into action, for each card from the beginning."""

    def __init__(self, *faults: Fault | str, seed: int = 0, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises: FaultError: a text that is no fault."""
        self.faults = tuple(Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults)
        self.seed = seed
        self._sleep = sleep

    def on(self, link: Link) -> FaultyCard:
        """The card with these faults.

        Raises:
            FaultError: as `FaultyCard.put_in`.
        """
        faulty = FaultyCard(link, random.Random(self.seed), self._sleep)
        faulty.put_in(*self.faults)
        return faulty


def tearing(card: EmulatedCard, *, during: str, after_writes: int) -> FaultyCard:
    """The card that loses its power once: during the first command of this name, after so many physical writes."""
    return Faults(Fault(FaultKind.TEAR, str(after_writes), number=1, name=during)).on(card)


class FaultyCard(Layer):
    """A card that the faults of a plan strike."""

    def __init__(self, link: Link, chance: random.Random, sleep: Callable[[float], None]) -> None:
        super().__init__(link)
        self._chance = chance
        self._sleep = sleep
        self._tell: Callable[[str], object] = lambda _text: None
        self._faults: tuple[Fault, ...] = ()
        self._commands = 0
        self._named: Counter[str] = Counter()
        self._mute = False
        self._out = False
        self.struck: list[str] = []

    def put_in(self, *faults: Fault) -> None:
        """The card has these faults besides those that it has; commands are counted from here on.

        Raises:
            FaultError: `tear` and `worn` on a card that is not emulated, or `worn` where the card has no such place.
        """
        for fault in faults:
            if fault.kind not in (FaultKind.TEAR, FaultKind.WORN):
                continue
            if not isinstance(self.link, EmulatedCard):
                raise FaultError(f"fault {fault}: only an emulated card can have it")
            if fault.kind is FaultKind.WORN:
                self.link.nvm.wear(_address(self.link, fault))
        self._faults += tuple(fault for fault in faults if fault.kind is not FaultKind.WORN)
        self._commands = 0
        self._named.clear()

    def tell_faults_to(self, tell: Callable[[str], object]) -> None:
        """Every fault that strikes from now on is told there."""
        self._tell = tell

    def transceive(self, command: bytes) -> bytes:
        """The card's answer, unless a fault has its turn.

        Raises:
            CardLost: the card was torn, is mute, or its answer was lost; `reset` brings it back.
            NoCard: the card is pulled out; `reset` puts it in again.
        """
        row = instruction_of(*command[:3]) if len(command) > 3 else None
        name = row.name if row else "a command"
        self._commands += 1
        self._named[name] += 1
        due = [fault for fault in self._faults if self._is_due(fault, name)]
        self._before(due, name)
        self._tear(due)
        try:
            response = self.link.transceive(command)
        finally:
            if isinstance(self.link, EmulatedCard):
                self.link.power.restore()
        for fault in due:
            response = self._after(fault, response, name)
        return response

    def reset(self) -> bytes:
        """The card is in, has power again and hears."""
        self._mute = self._out = False
        return self.link.reset()

    def _is_due(self, fault: Fault, name: str) -> bool:
        if fault.name:
            return fault.name == name and self._named[name] == fault.number
        if fault.number:
            return self._commands == fault.number
        return fault.probability >= 1 or self._chance.random() < fault.probability

    def _before(self, due: Sequence[Fault], name: str) -> None:
        for fault in due:
            if fault.kind is FaultKind.REMOVE and not self._out:
                self._strike(f"the card is pulled out before {name}")
                self._out = True
            elif fault.kind is FaultKind.MUTE and not self._mute:
                self._strike(f"the card is mute from {name} on")
                self._mute = True
        if self._out:
            raise NoCard("the card was pulled out: put it in again (reset) and read its state")
        if self._mute:
            raise CardLost(name)

    def _tear(self, due: Sequence[Fault]) -> None:
        for fault in due:
            if fault.kind is FaultKind.TEAR and isinstance(self.link, EmulatedCard):
                writes = self._chance.randrange(MOST_RANDOM_WRITES) if fault.writes is None else fault.writes
                self._strike(f"the power will fail after {writes} physical writes")
                self.link.power.cut_after(writes)

    def _after(self, fault: Fault, response: bytes, name: str) -> bytes:
        match fault.kind:
            case FaultKind.LATE:
                self._strike(f"the answer to {name} is {fault.seconds:g} s late")
                self._sleep(fault.seconds)
            case FaultKind.LOSE:
                self._strike(f"the answer to {name} is lost")
                raise CardLost(name)
            case FaultKind.STATUS:
                self._strike(f"{name} answers {fault.status.hex().upper()} instead of {response[-2:].hex().upper()}")
                return fault.status
            case FaultKind.GARBLE:
                self._strike(f"{fault.bits} bits of the answer to {name} are wrong")
                return self._garbled(response, fault.bits)
        return response

    def _garbled(self, response: bytes, bits: int) -> bytes:
        size = len(response) * 8
        wrong = sum(1 << place for place in self._chance.sample(range(size), min(bits, size)))
        return (int.from_bytes(response, "big") ^ wrong).to_bytes(len(response), "big")

    def _strike(self, what: str) -> None:
        self.struck.append(what)
        self._tell(what)


def _address(card: EmulatedCard, fault: Fault) -> bytes:
    """The address that a worn place has on this card."""
    if fault.value == "*":
        return b""
    profile = load_profile(card.image.profile)
    dedicated, _, name = fault.value.partition("/")
    if dedicated in profile.by_name:
        address = profile.path(dedicated)
        if not name:
            return address
        files = (file for file in profile.by_name[dedicated].files if file.name == name)
        file = next(files, None)
        if file is not None:
            return address + file.fid.to_bytes(2, "big")
    raise FaultError(f"fault {fault}: profile {profile.name} has no {fault.value}")
