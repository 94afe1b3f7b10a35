"""A counter for tests: specimen cards, their keys, and wires that fail."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TypeVar

from card.cards import PROFILE, funded
from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost
from kaguan.apdu.link import Link
from kaguan.emulator.card import EmulatedCard
from kaguan.personalization.specimen import specimen_keys
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.pin import verify_pin
from kaguan.terminal.conversations.purse import read_balance, select_medical
from kaguan.terminal.script import Script, converse
from kaguan.vault.secret import Pin

TERMINAL = bytes.fromhex("112233445566")
WHEN = datetime(2024, 1, 1, 12, 0, 0)
PIN = Pin.of("123456")
WRONG_PIN = Pin.of("654321")

_Result = TypeVar("_Result")


@cache
def keys() -> CardKeys:
    """The specimen's keys."""
    return specimen_keys(PROFILE, funded(0).atr)


def new_card(balance_fen: int = 0) -> EmulatedCard:
    """A specimen with so much in its wallet."""
    return EmulatedCard(funded(balance_fen))


def in_ssse() -> Script[None]:
    """The card stands in SSSE."""
    yield from select_dedicated(PROFILE.by_name["SSSE"])


def ready_to_pay() -> Script[None]:
    """The card stands in DF04 and holds the PIN's right."""
    yield from in_ssse()
    yield from verify_pin(PIN)
    yield from select_medical(PROFILE)


def balance_fen(link: Link) -> int:
    """What the card says it holds, after a reset."""
    link.reset()
    converse(link, ready_to_pay())
    return converse(link, read_balance())


class Counting(Layer):
    """A link that counts its commands."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.commands = 0

    def transceive(self, command: bytes) -> bytes:
        self.commands += 1
        return self.link.transceive(command)


class Losing(Layer):
    """A wire that breaks at one command, counted from 0: before the card hears it, or before its answer arrives."""

    def __init__(self, link: Link, at: int, *, heard: bool) -> None:
        super().__init__(link)
        self._left = at
        self._heard = heard

    def transceive(self, command: bytes) -> bytes:
        if self._left == 0:
            if self._heard:
                self.link.transceive(command)
            raise CardLost("a test")
        self._left -= 1
        return self.link.transceive(command)
