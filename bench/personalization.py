"""Cards per second on one core, written and read back, against the cipher work alone."""

from __future__ import annotations

import secrets
from pathlib import Path

from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.keystore import add_factory_key, key_orders
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.specimen import REGION
from kaguan.personalization.station.check import check_card
from kaguan.personalization.station.recipe import KEYS_AT_ONCE, make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.script import converse
from kaguan.vault.ceremony import hold_test_ceremony
from kaguan.vault.ciphers import Algorithm, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, session_key
from kaguan.vault.mac import mac4
from measure import Figure, best_rate, show

ORDER = Path(__file__).parents[1] / "examples" / "order-3.zip"
PROFILE = load_profile("ssc-v2")
AUTHENTICATIONS = 35  # the transport key, the internal key, and each external key where the order wrote something
HEADER_AND_KEY = 21


class Bench:
    """One holder's card made over and over, each time on a fresh chip with a number of its own."""

    def __init__(self) -> None:
        self.vault, _ = hold_test_ceremony(key_orders(PROFILE), secrets.token_bytes)  # each key another, as in life
        add_factory_key(self.vault)
        self.masters = [secrets.token_bytes(16) for _ in PROFILE.keys()]
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
        """What both ends of one card must work out: keys down from the city, wrapped, unwrapped and shown."""
        self.chips += 1
        factor = self.chips.to_bytes(8, "big")
        transport = cipher(diversify(bytes(16), factor), Algorithm.TDES)
        keys = [diversify(master, factor) for master in self.masters]
        for start in range(0, len(keys), KEYS_AT_ONCE):
            packed = transport.encrypt(bytes(len(keys[start : start + KEYS_AT_ONCE]) * HEADER_AND_KEY // 8 * 8 + 8))
            mac4(transport, packed)
            transport.decrypt(packed)
            mac4(transport, packed)
        for key in keys[:AUTHENTICATIONS]:
            for _ in ("terminal", "card"):
                fresh_cipher(session_key(key, factor), Algorithm.DES).encrypt(bytes(8))


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
