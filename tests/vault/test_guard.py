"""States and counters: only active keys work, and none beyond its limit, whatever is killed when."""

from __future__ import annotations

import pickle
import random as seeded
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.command import CommandApdu
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.guard import LEASE_SECONDS, NEXT_STATES, GuardedVault, KeyState
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealing import StoreKind
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyAbsent, KeyNotActive, KeyRef, KeyUsedUp, Usage

LUCK = seeded.Random(9).randbytes
CARD = KeyRef("DLK").diversified(bytes(8))
COMMAND = CommandApdu.of("84 D4 01 00", bytes(5))


@dataclass
class Book:
    """A register in memory, with what it handed out."""

    most: int
    at_once: int = 10
    used: int = 0
    state: KeyState = KeyState.ACTIVE
    asked: list[tuple[str, int]] = field(default_factory=list)

    def reserve(self, label: str, version: int) -> int:
        self.asked.append((label, version))
        if self.state is not KeyState.ACTIVE:
            raise KeyNotActive
        given = min(self.at_once, self.most - self.used)
        if not given:
            raise KeyUsedUp
        self.used += given
        return given

    def give_back(self, label: str, version: int, unused: int) -> None:
        self.used -= unused

    def active(self) -> frozenset[tuple[str, int]]:
        return frozenset(self.asked if self.state is KeyState.ACTIVE else ())


def guarded(book: Book, clock: list[float] | None = None) -> GuardedVault:
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.generate("DLK", Usage.LOAD, Algorithm.TDES, LUCK)
    vault.generate("TK", Usage.TRANSPORT, Algorithm.TDES, LUCK)
    now = clock or [0.0]
    return GuardedVault(vault, vault.kind, book, lambda: now[0])


@given(st.integers(0, 60), st.integers(1, 20), st.lists(st.booleans(), max_size=80))
@settings(max_examples=100)
def test_no_key_works_beyond_its_counter(most: int, at_once: int, kills: list[bool]) -> None:
    """A process that is killed is replaced by another: what it reserved is gone, what it did was reserved."""
    book, done = Book(most, at_once), 0
    vault = guarded(book)
    for killed in kills:
        if killed:
            vault = guarded(book)
        try:
            vault.mac(CARD, b"message")
        except KeyUsedUp:
            assert book.used == most
            continue
        done += 1
        assert done <= book.used <= most
    vault.close()
    assert book.used >= done
    if not any(kills):
        assert book.used == done == min(most, len(kills))


def test_every_verb_is_a_use_and_looking_is_none() -> None:
    book = Book(100, at_once=1)
    vault = guarded(book)
    vault.check_value(CARD)
    vault.prepare([CARD])
    assert [info.label for info in vault.infos()] == ["DLK", "TK"]
    assert vault.info(CARD).usage is Usage.LOAD
    assert book.used == 0
    vault.verify_mac(CARD, b"", vault.mac(CARD, b""))
    transport = KeyRef("TK").diversified(bytes(8))
    vault.encipher(transport.session(bytes(8)), bytes(8))
    assert book.used == 3
    vault.protect(transport, Scheme.PBOC, COMMAND, bytes(8), encrypted=True, append=CARD)
    vault.protect(transport, Scheme.PBOC, COMMAND, bytes(8), encrypted=True, append=(b"header", CARD, CARD))
    vault.protect(transport, Scheme.PBOC, COMMAND, bytes(8), encrypted=False)
    assert book.used == 3 + 2 + 3 + 1


def test_a_suspended_key_stops_within_the_lease() -> None:
    book, clock = Book(100), [0.0]
    vault = guarded(book, clock)
    vault.mac(CARD, b"")
    book.state = KeyState.SUSPENDED
    vault.mac(CARD, b"")
    clock[0] = LEASE_SECONDS
    for _ in range(2):
        with pytest.raises(KeyNotActive):
            vault.mac(CARD, b"")
    assert book.used == 2, "what was reserved and not used went back, once"
    book.state = KeyState.ACTIVE
    vault.mac(CARD, b"")
    assert book.used == 12
    clock[0] *= 2
    vault.mac(CARD, b"")
    assert (book.used, len(book.asked)) == (12, 4), "a key that is still active keeps what it has"


def test_an_absent_key_is_told_first_and_costs_nothing() -> None:
    book = Book(100)
    with pytest.raises(KeyAbsent):
        guarded(book).mac(KeyRef("DPK"), b"")
    assert book.asked == []


def test_states_lead_to_destruction_and_never_back() -> None:
    assert set(NEXT_STATES) == set(KeyState)
    reached = {KeyState.PRE_ACTIVE}
    while (more := reached.union(*(NEXT_STATES[state] for state in reached))) != reached:
        reached = more
    assert reached == set(KeyState)
    assert not NEXT_STATES[KeyState.DESTROYED]
    assert all(KeyState.ACTIVE not in NEXT_STATES[state] for state in (KeyState.RETIRED, KeyState.DESTROYED))


def test_a_guarded_vault_is_not_pickled_and_shows_nothing() -> None:
    vault = guarded(Book(1))
    assert repr(vault) == "<GuardedVault <SoftwareVault test, 2 keys>>"
    with pytest.raises(TypeError):
        pickle.dumps(vault)
