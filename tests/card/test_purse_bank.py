"""Cash, unload, overdraft limit and composite purchase of the bank's purse, judged by psec (JR/T 0025.2)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.bank_teller import AMOUNT_FEN, KINDS, RECORD, RECORD_COMMAND, TERMINAL, WHEN, Teller, initialize
from card.banks import ADF, DEPOSIT, SELECT, VERIFY, WALLET, bank, rich
from card.cards import Terminal
from kaguan.card_os.image import CardImage, key_address
from kaguan.card_os.profile.rules import NEVER
from kaguan.vault.vault import Usage

BANKING = ("unload", "cash", "overdraft", "composite")
LAST_STEPS = {
    "load": "805200000B",
    "unload": "805403000B",
    "cash": "805401000F",
    "purchase": "805401000F",
    "overdraft": "805800000E",
    "composite": "805401000F",
}


def opened(image: CardImage | None = None, *, pin: bool = True) -> Terminal:
    """A terminal that stands in the application, its PIN verified."""
    terminal = Terminal(image or rich())
    terminal.send(SELECT)
    if pin:
        terminal.go(VERIFY)
    return terminal


def balance(terminal: Terminal, purse: str) -> int:
    """The balance as the card says it."""
    return int(terminal.go(VERIFY, f"805C00{purse}04")[:8], 16)


@pytest.mark.parametrize("name", KINDS)
def test_every_transaction(name: str) -> None:
    terminal, kind = opened(), KINDS[name]
    done = Teller(terminal).do(name)
    assert balance(terminal, kind.purse) == 10_000 + kind.sign * AMOUNT_FEN
    assert terminal.send(f"805A00{kind.code}02{done.sequence}08") == done.mac + done.tac + "9000"
    limit, amount = (f"{AMOUNT_FEN:06X}", "00000000") if name == "overdraft" else ("000000", f"{AMOUNT_FEN:08X}")
    assert terminal.send("00B201C417") == f"0000{limit}{amount}{kind.code}{TERMINAL}{WHEN}9000"


@examples(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 4000)), max_size=8))
def test_the_balance_is_the_sum_of_what_was_done(steps: list[tuple[str, int]]) -> None:
    terminal = opened()
    teller = Teller(terminal)
    held, limit = {"01": 10_000, "02": 10_000}, 0
    for name, amount in steps:
        kind = KINDS[name]
        move = amount - limit if name == "overdraft" else kind.sign * amount
        if held[kind.purse] + move < 0:
            if name == "overdraft":
                assert terminal.send(teller.last_step(name, amount)) == "9401"
            else:
                assert terminal.send(initialize(name, amount)) == "9401"
            continue
        teller.do(name, amount)
        held[kind.purse] += move
        limit = amount if name == "overdraft" else limit
        assert balance(terminal, kind.purse) == held[kind.purse]


def test_both_counters_count_their_own() -> None:
    terminal = opened()
    teller = Teller(terminal)
    numbers = [teller.do(name).sequence for name in ("load", "unload", "overdraft", "cash", "purchase", "load")]
    assert numbers == ["0000", "0001", "0002", "0000", "0001", "0003"]


def test_money_lent_may_be_spent_and_is_told() -> None:
    terminal = opened(bank())
    teller = Teller(terminal)
    teller.do("overdraft", 500)
    answer = terminal.send(initialize("purchase", 500))
    assert answer[:18] == "000001F4" + "0000" + "0001F4"
    assert terminal.send(initialize("purchase", 501)) == "9401"
    teller.do("purchase", 200)
    assert terminal.send(teller.last_step("overdraft", 199)) == "9401"
    teller.do("overdraft", 200)
    assert balance(terminal, "01") == 0


@pytest.mark.parametrize("name", ["load", "unload", "cash", "purchase", "overdraft"])
def test_the_deposit_asks_for_the_pin(name: str) -> None:
    terminal = opened(pin=False)
    assert terminal.send(initialize(name)) == "6982"
    assert terminal.send("805C000104") == "6982"


@pytest.mark.parametrize("name", ["purchase purse", "composite"])
def test_the_purse_does_not(name: str) -> None:
    terminal = opened(pin=False)
    assert terminal.send(initialize("load purse")) == "6982"
    Teller(terminal).do(name)
    assert terminal.send("805C000204")[-4:] == "9000"


def worn(image: CardImage) -> CardImage:
    """The card with every counter at its end."""
    purses = {at: purse._replace(online_sequence=0xFFFF, offline_sequence=0xFFFF) for at, purse in image.purses.items()}
    return image._replace(purses=purses)


@pytest.mark.parametrize("name", BANKING)
def test_initialize_refuses_in_order(name: str) -> None:
    good = bytes.fromhex(initialize(name, 10_001))
    other_purse = bytes((*good[:3], good[3] ^ 3, *good[4:]))
    bad_key = bytes((*good[:5], 0x09, *good[6:]))
    short = bytes((*bad_key[:4], good[4] - 1)) + bad_key[5:-2]
    without = rich()._replace(purses={})
    assert Terminal(without).send(bytes((*good[:3], 3, *good[4:]))) == "6A86"
    assert opened(pin=False).send(other_purse) == "6A86"
    assert opened(without).send(good) == "6A82"
    closed = {at: purse._replace(rules=purse.rules._replace(purchase=NEVER)) for at, purse in rich().purses.items()}
    refused = worn(rich()._replace(purses=closed))
    assert opened(refused, pin=False).send(short) == "6700"
    assert opened(refused, pin=False).send(bad_key) == "6982"
    assert opened(worn(rich())).send(bad_key) == "9403"
    assert opened(worn(rich())).send(good) == "9402"
    assert opened().send(good)[-4:] == ("9401" if name != "overdraft" else "9000")


@pytest.mark.parametrize("name", LAST_STEPS)
def test_the_last_step_refuses_in_order(name: str) -> None:
    terminal = opened()
    teller = Teller(terminal)
    head = bytes.fromhex(LAST_STEPS[name])
    assert terminal.send(bytes((*head[:3], 0x01))) == "6A86"
    assert terminal.send(head[:4]) == "6901"
    command = teller.last_step(name, AMOUNT_FEN)
    assert terminal.send(head[:4]) == "6700"
    command = teller.last_step(name, AMOUNT_FEN)
    before = terminal.card.image
    assert terminal.send(command[:-4] + f"{int(command[-4:-2], 16) ^ 1:02X}" + command[-2:]) == "9302"
    assert terminal.card.image == before
    assert terminal.send(command) == "6901"


def test_a_limit_beyond_what_the_purse_may_hold() -> None:
    image = rich()
    full = image.purses[DEPOSIT]._replace(balance_fen=image.purses[DEPOSIT].rules.max_balance_fen)
    terminal = opened(image._replace(purses={DEPOSIT: full}))
    assert terminal.send(Teller(terminal).last_step("overdraft", 1)) == "6985"


@pytest.mark.parametrize("name", ["cash", "overdraft", "composite"])
def test_no_tac_key_no_transaction(name: str) -> None:
    image = rich()
    gone = key_address(ADF, Usage.TAC, 0)
    image = image._replace(keys={at: versions for at, versions in image.keys.items() if at != gone})
    terminal = opened(image)
    assert terminal.send(Teller(terminal).last_step(name, 5)) == "9406"
    assert terminal.card.image == image


@pytest.mark.parametrize("begun", LAST_STEPS)
def test_no_transaction_is_ended_by_another_ones_last_step(begun: str) -> None:
    for name, head in LAST_STEPS.items():
        if head != LAST_STEPS[begun]:
            terminal = opened()
            terminal.send(initialize(begun))
            raw = bytes.fromhex(head)
            assert terminal.send(raw + bytes(raw[4])) == "6901", f"{begun} by {name}"


def test_a_record_is_written_with_the_debit_alone() -> None:
    terminal = opened()
    before = terminal.card.image
    command = Teller(terminal).last_step("composite", 0)
    assert terminal.card.image == before, "the record waits"
    assert terminal.send("00B202BC30") != RECORD + "9000"
    assert terminal.send(command) == "6901", "another command came between"
    teller = Teller(terminal)
    teller.do("composite", 0)
    assert terminal.send("00B202BC30") == RECORD + "9000"


def test_more_records_than_one_and_one_twice() -> None:
    terminal = opened()
    other, again = "092E" + "5A" * 46, "022E" + "77" * 46
    terminal.send(initialize("composite"))
    terminal.go(f"80DC01BC30{'012E' + '11' * 46}", RECORD_COMMAND, f"80DC09B830{other}", f"80DC02BC30{again}")
    pending = terminal.card._session.pending
    assert pending is not None
    assert [write.position for write in pending.cache] == [0, 2, 1]
    terminal.card.reset()
    assert terminal.go(SELECT, "00B203BC30") != other + "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        (f"80DC02F830{RECORD}", "6A82"),
        (f"80DC020030{RECORD}", "6986"),
        (f"80DC02A830{RECORD}", "6981"),
        (f"80DC02C030{RECORD}", "6981"),
        (f"80DC02B930{RECORD}", "6A86"),
        (f"80DC04B830{RECORD}", "6A83"),
        (f"80DC04BC30{RECORD}", "6A83"),
        (f"80DC02B82F{RECORD[:-2]}", "6700"),
        ("80DC02B8", "6700"),
        (f"80DC01B830{RECORD}", "6A80"),
        (f"80DC02B830022F{RECORD[4:]}", "6A80"),
    ],
)
def test_the_cache_refuses_in_order(command: str, sw: str) -> None:
    terminal = opened()
    assert terminal.send(command) == "6901"
    terminal.send(initialize("purchase"))
    assert terminal.send(command) == "6901"
    terminal.send(initialize("composite"))
    assert terminal.send(command) == sw
    assert terminal.send(RECORD_COMMAND) == "6901", "a refusal ends the transaction"


def test_another_file_needs_its_own_rights() -> None:
    image = rich()
    rules = image.purses[WALLET].rules._replace(composite=b"")
    terminal = opened(image._replace(purses={WALLET: image.purses[WALLET]._replace(rules=rules)}))
    terminal.send(initialize("composite"))
    assert terminal.send(RECORD_COMMAND) == "6982"
