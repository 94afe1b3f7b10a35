"""Cards per second on one core, written and read back, against the cipher work alone."""

from __future__ import annotations

import secrets
from pathlib import Path

from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.check import check_card
from kaguan.personalization.order import open_order
from kaguan.personalization.recipe import make_card
from kaguan.personalization.record import prepare
from kaguan.personalization.specimen import REGION, specimen_vault
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.script import converse
from kaguan.vault.ciphers import Algorithm, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, session_key
from kaguan.vault.mac import mac4
from measure import Figure, best_rate, show

ORDER = Path(__file__).parents[1] / "examples" / "order-3.zip"
PROFILE = load_profile("ssc-v2")
AUTHENTICATIONS = 3  # transport key, the medical application's reading key, the photo's key


class Bench:
    """One holder's card made over and over, each time on a fresh chip with a number of its own."""

    def __init__(self) -> None:
        self.vault = specimen_vault(PROFILE)
        with open_order(ORDER) as order:
            self.holder = next(order.holders())
            self.photo = order.photo(self.holder)
        self.chips = 0

    def card(self, *, checked: bool) -> None:
        """One card."""
        self.chips += 1
        card = EmulatedCard(blank_chip(PROFILE, self.chips.to_bytes(6, "big")))
        keys = CardKeys(self.vault, PROFILE, REGION, card.atr)
        record = prepare(PROFILE, self.holder, self.photo)
        converse(card, make_card(keys, record))
        if checked:
            card.reset()
            check = check_card(
                keys, self.holder, self.photo, record.pin, secrets.token_bytes(8), secrets.token_bytes(8)
            )
            verdict = converse(card, check)
            assert verdict.good, verdict

    def ciphers(self) -> None:
        """What both ends of one card must work out: keys down from the city, wrapped and unwrapped, authentications."""
        self.chips += 1
        factor = self.chips.to_bytes(8, "big")
        transport = cipher(diversify(bytes(16), factor), Algorithm.TDES)
        for _ in PROFILE.keys():
            key = diversify(bytes(range(16)), factor)
            packed = transport.encrypt(bytes(8) + key)
            mac4(transport, packed)
            transport.decrypt(packed)
            mac4(transport, packed)
        for _ in range(2 * AUTHENTICATIONS):
            fresh_cipher(session_key(bytes(range(16)), factor), Algorithm.DES).encrypt(bytes(8))


def main() -> None:
    """Measure and print."""
    bench = Bench()
    floor = best_rate(bench.ciphers, 1)
    show(
        "personalization, one core",
        [
            Figure("cipher work alone", floor),
            Figure("written", best_rate(lambda: bench.card(checked=False), 1), floor),
            Figure("written and read back", best_rate(lambda: bench.card(checked=True), 1), floor, aim=150),
        ],
    )


if __name__ == "__main__":
    main()
