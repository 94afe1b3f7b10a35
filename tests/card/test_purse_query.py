"""GET BALANCE and GET TRANSACTION PROVE: how a terminal learns what became of a transaction (JR/T 0025.2)."""

from __future__ import annotations

import pytest

from card.cards import SELECT_DF04, SELECT_SSSE, funded, terminal
from card.purses import load, purchase


def test_the_balance_is_free_to_read() -> None:
    assert terminal(funded(123456), at="DF04").send("805C000104") == "0001E2409000"
    card = terminal(funded(123456), at="DF04")
    assert card.go("805C0001", "00C0000004") == "0001E2409000"


@pytest.mark.parametrize(
    ("at", "command", "sw"),
    [
        ("DF04", "805C010104", "6A86"),
        ("DF04", "805C000304", "6A86"),
        ("DF04", "805C000204", "6A82"),
        ("SSSE", "805C000104", "6A82"),
        ("DF04", "805C000101AA", "6700"),
        ("DF04", "805A01010200FF", "6A86"),
        ("DF04", "805A000901FF", "6700"),
        ("DF04", "805A000902FFFF", "6A86"),
        ("DF04", "805A0002020000", "6A82"),
        ("SSSE", "805A0001020000", "6A82"),
        ("DF04", "805A0001020000", "9406"),
        ("DF04", "805A0005020000", "9406"),
    ],
)
def test_refusals(at: str, command: str, sw: str) -> None:
    assert terminal(at=at, pin=at == "DF04").send(command) == sw


def test_the_last_transaction_is_proven_after_a_power_loss_without_a_pin() -> None:
    for kind, do in (("01", load), ("05", purchase)):
        card = terminal(funded(), at="DF04", pin=True)
        do(card, 7)
        done = do(card, 9)
        card.card.reset()
        card.go(SELECT_SSSE, SELECT_DF04)
        assert card.send(f"805A00{kind}02{done.sequence}08") == done.mac + done.tac + "9000"
        for other in (f"805A00{kind}020000", f"805A00{kind}020002", f"805A00{'05' if kind == '01' else '01'}020001"):
            assert card.send(other + "08") == "9406"


def test_only_the_last_transaction_is_kept() -> None:
    card = terminal(funded(), at="DF04", pin=True)
    first = load(card, 5)
    purchase(card, 5)
    assert card.send(f"805A000102{first.sequence}08") == "9406"
