"""Whole lives of purses on every card that has one, each command's sums done by the table in `purse_facts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import purse_facts as facts
from card.banks import SELECT, VERIFY, bank, bank_key
from card.cards import CARD_KEY, SELECT_DF04, SELECT_SSSE, Terminal, specimen
from card.cards import VERIFY as HOLDER
from card.wallets import LABELS, WALLET, WALLET_KEYS, wallet
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile

WHEN = {"date": "20260401", "time": "101112", "terminal": "666666666666", "number": "00001212"}
RECORD = "80DC02B830022E" + "5A" * 46


def _city_key(label: str) -> bytes:
    return bank_key(label, load_profile("cjt-purse"))


class Kind(NamedTuple):
    """A card with a purse: how it is entered, its keys, their index, what it does, and where its logs are."""

    image: Callable[[], CardImage]
    entered: tuple[str, ...]
    keys: Mapping[str, bytes]
    index: str
    rows: tuple[str, ...]
    logs: Mapping[str, str]
    logged: str = "sequence"
    unblocks: str = "DAMK"


_ALL = tuple(name for name in facts.ROWS if name != "composite with card code")
_CITY = {"load purse": "D4", "purchase purse": "C4", "composite with card code": "C4"}
KINDS = {
    "pboc-purse": Kind(
        bank, (SELECT, VERIFY), {label: bank_key(label) for label in LABELS}, "01", _ALL, dict.fromkeys(_ALL, "C4")
    ),
    "cjt-purse": Kind(
        lambda: bank("cjt-purse"),
        (SELECT, VERIFY),
        {label: _city_key(label) for label in (*LABELS, "DAUK")},
        "01",
        tuple(_CITY),
        _CITY,
        "next",
        "DAUK",
    ),
    "fmcos-blank": Kind(wallet, ("00A404000A" + WALLET, VERIFY), WALLET_KEYS, "00", _ALL, dict.fromkeys(_ALL, "C4")),
    "ssc-v2": Kind(
        specimen,
        (SELECT_SSSE, HOLDER, SELECT_DF04),
        dict.fromkeys(LABELS, CARD_KEY),
        "01",
        ("load deposit", "purchase deposit"),
        {},
    ),
}
BANKS = tuple(name for name in KINDS if name != "ssc-v2")


def entered(kind: Kind) -> Terminal:
    terminal = Terminal(kind.image())
    terminal.go(*kind.entered)
    return terminal


def done(terminal: Terminal, kind: Kind, name: str, amount_fen: int, limit_fen: int = 0) -> facts.Machine | None:
    """The transaction, every byte of it as the table says; None when the card has not the money for it."""
    given_values = WHEN | {"index": kind.index, "amount": f"{amount_fen:08X}", "new_limit": f"{amount_fen:06X}"}
    given_values["limit"] = f"{limit_fen:06X}"
    if name != "overdraft":
        del given_values["new_limit"]
    if not facts.ROWS[name].brought.startswith("number"):
        del given_values["number"]
    if name.endswith("card code"):
        given_values["card_code"] = "8588D32B7688D32B76"
    machine = facts.Machine(facts.ROWS[name], dict(kind.keys), **given_values)
    offer = terminal.send(machine.first())
    if len(offer) == 4:
        if offer[:2] == "61":
            offer = terminal.send("00C00000" + offer[2:])
        else:
            assert offer in ("9401", "6985")
            return None
    assert offer.endswith("9000")
    machine.hear(bytes.fromhex(offer[:-4]))
    if name.startswith("composite"):
        assert terminal.send(RECORD) == "9000"
    answer = terminal.send(machine.second())
    if len(answer) == 4 and answer[:2] == "61":
        answer = terminal.send("00C00000" + answer[2:])
    if not machine.covered:
        assert answer == "9401", "a limit that is used is not taken back"
        return None
    assert answer == machine.expected().hex().upper() + "9000"
    return machine


def checked_afterwards(terminal: Terminal, kind: Kind, name: str, machine: facts.Machine) -> None:
    """The proof, the log and the balance say the same."""
    proof = terminal.send(f"805A00{machine.row.type}02{machine.values['sequence'].hex()}08")
    assert proof == machine.proven().hex().upper() + "9000"
    assert terminal.send(f"805A00{machine.row.type}02{machine.values['next'].hex()}08") == "9406"
    if name in kind.logs:
        record = terminal.send(f"00B201{kind.logs[name]}17")
        assert record == machine.logged(kind.logged).hex().upper() + "9000"
    purse = "02" if machine.row.begin[6:8] == "02" else "01"
    assert terminal.send(f"805C00{purse}04") == machine.values["new_balance"].hex().upper() + "9000"


def _lives() -> st.SearchStrategy[tuple[str, list[tuple[str, int]]]]:
    return st.sampled_from(sorted(KINDS)).flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            st.lists(st.tuples(st.sampled_from(KINDS[kind].rows), st.integers(0, 40_000)), min_size=1, max_size=12),
        )
    )


@given(life=_lives())
def test_a_life_of_transactions(life: tuple[str, list[tuple[str, int]]]) -> None:
    kind = KINDS[life[0]]
    terminal = entered(kind)
    balances: dict[str, int] = {}
    limit_fen = 0
    for name, amount_fen in life[1]:
        purse = facts.ROWS[name].begin[6:8]
        machine = done(terminal, kind, name, amount_fen, limit_fen if purse == "01" else 0)
        if machine is None:
            assert facts.ROWS[name].moves != "+amount" or balances.get(purse, 0) + amount_fen > 99_999
            continue
        assert int.from_bytes(machine.values["balance"], "big") == balances.get(purse, 0)
        balances[purse] = int.from_bytes(machine.values["new_balance"], "big")
        limit_fen = amount_fen if name == "overdraft" else limit_fen
        checked_afterwards(terminal, kind, name, machine)


@pytest.mark.parametrize("name", KINDS)
def test_every_transaction_of_every_card(name: str) -> None:
    kind = KINDS[name]
    terminal = entered(kind)
    loads = [row for row in kind.rows if row.startswith("load")]
    for row in (*loads, *(row for row in kind.rows if row not in loads)):
        machine = done(terminal, kind, row, 5_000 if row in loads else 1_000)
        assert machine is not None, row
        checked_afterwards(terminal, kind, row, machine)


def protected(terminal: Terminal, key: bytes, header: str, data: bytes = b"") -> str:
    """A command with the MAC of an issuer's script."""
    challenge = terminal.challenge(4)
    head = bytes.fromhex(header) + bytes((len(data) + 4,)) + data
    return terminal.send(head + facts.retail(key, challenge, head))


@pytest.mark.parametrize("name", BANKS)
def test_a_life_of_pins_and_blocks(name: str) -> None:
    kind = KINDS[name]
    terminal, keys = entered(kind), kind.keys
    choose = kind.entered[0]
    assert terminal.send("805E0100 07 123456 FF 654321") == "9000"
    assert terminal.send("0020000003123456") == "63C2"
    code = facts.chained(facts.halves(keys["DRPK"]), bytes.fromhex("13371337"))[:4]
    assert terminal.send("805E0000 08 13371337" + code.hex()) == "9000"
    for left in ("63C2", "63C1", "63C0", "6983"):
        assert terminal.send("0020000003654321") == left
    unblocked = facts.triple(keys["DPUK"], bytes.fromhex("0412345678800000"))
    assert protected(terminal, keys["DPUK"], "84240001", unblocked) == "9000"
    assert terminal.send("002000000412345678") == "9000"

    assert protected(terminal, keys["DAMK"], "841E0000") == "9000"
    assert terminal.send(choose).endswith("6A81")
    assert protected(terminal, keys[kind.unblocks], "84180000") == "9000"
    assert terminal.send(choose)[-4:-2] in ("90", "61")
    assert protected(terminal, keys["DAMK"], "841E0001") == "9000"
    terminal.send(choose)
    assert protected(terminal, keys[kind.unblocks], "84180000") == "9303"
    terminal = entered(kind)
    assert protected(terminal, keys["DAMK"], "84160000") == "9000"
    assert terminal.send(choose) == "6A81"
