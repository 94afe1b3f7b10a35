"""Blank chips as the card factory delivers them."""

from __future__ import annotations

from kaguan.card_os.image import CardImage, CardKey, blank_image
from kaguan.card_os.profile import CardProfile
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.diversify import diversify
from kaguan.vault.vault import Usage

FACTORY_TRANSPORT_KEY = bytes(range(0x40, 0x50))
"""The transport master key of every emulated factory. Like the default keys of test cards it is public on purpose: an
emulated chip is never a real person's card, and a sealed one holds it no more."""

TRANSPORT_REFERENCE = 0x00
TRANSPORT_TRIES = 10
SERIAL_SIZE = 6


def blank_chip(profile: CardProfile, serial: bytes) -> CardImage:
    """A chip without files, with this 6-byte serial number and its own transport key."""
    atr = profile.atr(serial)
    key = CardKey(
        usage=Usage.TRANSPORT,
        reference=TRANSPORT_REFERENCE,
        version=0,
        algorithm=Algorithm.TDES,
        value=diversify(FACTORY_TRANSPORT_KEY, atr[-8:]),
        tries_left=TRANSPORT_TRIES,
        tries=TRANSPORT_TRIES,
    )
    return blank_image(profile.name, atr, key)
