"""Commands per second in process, against the crypto alone and against a call that does nothing.

Every figure is the best of several short runs, and the floors are measured in the same run: read the ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.personalization.specimen import MASTER_KEY, REGION, specimen_card, specimen_keys
from kaguan.terminal.cardkeys import card_factor, region_factors
from kaguan.terminal.conversations.load import begin_load, credit_load
from kaguan.terminal.conversations.pin import verify_pin
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.script import converse
from kaguan.vault.ciphers import Algorithm, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, fold, session_key
from kaguan.vault.mac import mac4
from kaguan.vault.secret import Pin
from measure import Figure, best_rate, show

PROFILE = load_profile("ssc-v2")
TERMINAL = bytes.fromhex("112233445566")
TIME = bytes.fromhex("20261101120000")
PIN = Pin.of("123456")
FEN = (1).to_bytes(4, "big")
OPENING = [
    bytes.fromhex(text) for text in ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "0020000003123456", "00A4000002DF04")
]
PAIRS = 2_000


def standing_card() -> EmulatedCard:
    """A specimen with money on it, its PIN verified, standing in DF04; its random numbers are zeros."""
    card = EmulatedCard(specimen_card(PROFILE).image, random=bytes)
    keys = specimen_keys(PROFILE, card.atr)
    card.transceive(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    converse(card, verify_pin(PIN))
    converse(card, select_medical(PROFILE))
    offer = converse(card, begin_load(keys, 9_000_000, TERMINAL))
    converse(card, credit_load(keys, offer, datetime(2026, 11, 1, 12)))
    return card


def card_key() -> bytes:
    """The one key that every key of a specimen is."""
    key = MASTER_KEY
    for factor in (*region_factors(REGION), card_factor(specimen_card(PROFILE).atr)):
        key = diversify(key, factor)
    return key


def do_nothing(command: bytes) -> bytes:
    """A card that thinks of nothing."""
    return b"\x90\x00"


def commands(transceive: Callable[[bytes], bytes], *texts: str) -> Callable[[], None]:
    """One call sends all of them."""
    raw = [bytes.fromhex(text) for text in texts]

    def send() -> None:
        for command in raw:
            transceive(command)

    return send


def purchase_pairs(count: int) -> Callable[[], None]:
    """One call is so many pairs of INITIALIZE and DEBIT on a card begun anew; what the terminal sends is ready."""
    image, key = standing_card().image, card_key()
    initialize = bytes.fromhex("805001010B01") + FEN + TERMINAL + b"\x0f"
    fields = FEN + b"\x05" + TERMINAL + TIME
    debits = []
    for sequence in range(count):
        block = bytes(4) + sequence.to_bytes(2, "big") + b"\0\1"
        mac1 = mac4(fresh_cipher(session_key(key, block), Algorithm.DES), fields)
        debits.append(b"\x80\x54\x01\x00\x0f\0\0\0\1" + TIME + mac1 + b"\x08")

    def pay() -> None:
        card = EmulatedCard(image, random=bytes)
        for opening in OPENING:
            card.transceive(opening)
        for debit in debits:
            card.transceive(initialize)
            answer = card.transceive(debit)
            assert answer[-2:] == b"\x90\0", answer.hex()

    return pay


def purchase_crypto() -> Callable[[], None]:
    """What the card must work out for a purchase: session key, MAC1, MAC2, TAC."""
    key = card_key()
    tac = cipher(fold(key), Algorithm.DES)
    fields, whole = FEN + b"\x05" + TERMINAL + TIME, FEN + b"\x05" + TERMINAL + b"\0\0\0\1" + TIME

    def work() -> None:
        worker = fresh_cipher(session_key(key, bytes(8)), Algorithm.DES)
        mac4(worker, fields)
        mac4(worker, FEN)
        mac4(tac, whole)

    return work


def main() -> None:
    """Measure and print."""
    card = standing_card()
    select_read = ("00A4000002EF06", "00B2080014")
    card.transceive(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    nothing = best_rate(commands(do_nothing, *select_read), 2)
    show(
        "card commands",
        [
            Figure("do-nothing call", nothing),
            Figure(
                "SELECT EF + READ RECORD", best_rate(commands(card.transceive, *select_read), 2), nothing, aim=150_000
            ),
            Figure("VERIFY", best_rate(commands(card.transceive, "0020000003123456"), 1), nothing, aim=80_000),
        ],
    )
    pairs = best_rate(purchase_pairs(PAIRS), PAIRS, calls_at_once=1)
    crypto = best_rate(purchase_crypto(), 1)
    show(
        "purchase pairs",
        [
            Figure("crypto alone", crypto),
            Figure("INITIALIZE + DEBIT", pairs, crypto, aim=15_000),
        ],
    )


if __name__ == "__main__":
    main()
