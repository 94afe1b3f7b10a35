"""INITIALIZE FOR LOAD and CREDIT FOR LOAD, judged by loads that real cards did (JR/T 0025.2, FM1208)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import DF04 as MEDICAL
from card.cards import PURSE_ADDRESS, TERMINAL, funded, given, specimen, terminal
from card.purses import WALLET, balance, bank_card, credit, initialize_load, load, published
from kaguan.card_os.image import CardImage, key_address
from kaguan.vault.vault import Usage


@pytest.mark.parametrize(
    ("vector", "purse"), [("pboc-load-ed-1", 1), ("pboc-load-ep-fm1208-a", 2), ("pboc-load-ep-fm1208-b", 2)]
)
def test_published_loads(vector: str, purse: int) -> None:
    sums = published(vector)
    random, sequence = sums["session_key"]["data"][:8], sums["session_key"]["data"][8:12]
    before, amount, kind, station = (sums["MAC1"]["data"][a:b] for a, b in ((0, 8), (8, 16), (16, 18), (18, 30)))
    card = terminal(bank_card(sums["session_key"]["key"], purse=purse), at="DF04", random=given(random))
    answer = card.send(f"805000{kind}0B01{amount}{station}10")
    assert answer == before + sequence + "0000" + random + sums["MAC1"]["out"] + "9000"
    if "MAC2" not in sums:
        return
    tac = card.send(f"805200000B{sums['MAC2']['data'][-14:]}{sums['MAC2']['out']}04")
    assert tac[8:] == "9000"
    assert tac[:8] == sums.get("TAC", {"out": tac[:8]})["out"]
    assert card.send(f"805C00{kind}04") == amount + "9000"
    assert card.send(f"805A00{kind}02{sequence}08") == sums["MAC2"]["out"] + tac


def test_a_published_load_late_in_a_cards_life() -> None:
    """Number 0017, balance 001A. The folded TAC key is all zeros."""
    image = bank_card("3F01" * 8, purse=WALLET, balance_fen=0x1A, sequence=0x17, tac="34" * 16)
    card = terminal(image, at="DF04", random=given("06B825D7"))
    assert card.send("805000020B010000000111223344556610") == "0000001A0017000006B825D7684C81CE9000"
    assert card.send("805200000B201703101107349C8A062504") == "16EAD5169000"


def test_a_published_load_under_a_key_of_unlike_halves() -> None:
    key = "3F" * 8 + "1122334455667788"
    card = terminal(bank_card(key, purse=WALLET), at="DF04", random=given("4E066548"))
    assert card.send("805000020B010000001066666666666610") == "0000000000000000" + "4E066548" + "0D39ADBB" + "9000"
    assert card.send("805200000B20240411212121097E98FE04")[8:] == "9000"


@examples(st.lists(st.integers(0, 30_000_000), max_size=4))
def test_loads_add_up(amounts: list[int]) -> None:
    card = terminal(at="DF04", pin=True)
    done = 0
    for number, amount in enumerate(amounts):
        if done + amount > 99_999_999:
            assert card.send(initialize_load(amount)) == "6985"
            continue
        assert int(load(card, amount).sequence, 16) <= number
        done += amount
        assert balance(card) == done


def test_the_medical_form_of_the_command() -> None:
    card = terminal(at="DF04", pin=True)
    answer = card.send(initialize_load(500, command="B02800"))
    assert answer.endswith("9000")
    assert card.send(credit(answer, 500)).endswith("9000")
    assert balance(card) == 500


def full(image: CardImage) -> CardImage:
    """The card with its online counter at the end."""
    purse = image.purses[PURSE_ADDRESS]._replace(online_sequence=0xFFFF)
    return image._replace(purses={PURSE_ADDRESS: purse})


def without(image: CardImage, usage: Usage) -> CardImage:
    """The card without such a key in DF04."""
    gone = key_address(MEDICAL, usage, 1)
    return image._replace(keys={address: key for address, key in image.keys.items() if address != gone})


def test_initialize_refuses_in_order() -> None:
    bad_key = f"805000010B09FFFFFFFF{TERMINAL}"
    assert terminal(at="SSSE").send("8050000300") == "6A86"
    assert terminal(at="SSSE").send("8050000100") == "6A82"
    assert terminal(at="DF04").send("8050000200") == "6A82"
    assert terminal(full(specimen()), at="DF04").send(bad_key[:-2].replace("0B09", "0A09")) == "6700"
    assert terminal(full(specimen()), at="DF04").send(bad_key) == "6982"
    assert terminal(full(specimen()), at="DF04", pin=True).send(bad_key) == "9403"
    assert terminal(full(specimen()), at="DF04", pin=True).send(initialize_load(0xFFFFFFFF)) == "9402"
    assert terminal(at="DF04", pin=True).send(initialize_load(100_000_000)) == "6985"
    assert terminal(funded(1), at="DF04", pin=True).send(initialize_load(99_999_999)) == "6985"
    assert terminal(at="DF04", pin=True).send(initialize_load(99_999_999))[-4:] == "9000"


def test_credit_refuses_in_order() -> None:
    image = without(specimen(), Usage.TAC)
    card = terminal(image, at="DF04", pin=True)
    assert card.send("8052010000") == "6A86"
    assert card.send("8052000100") == "6A86"
    assert card.send("8052000000") == "6901"
    card.send(initialize_load(5))
    assert card.send("8052000000") == "6700"
    good = credit(card.send(initialize_load(5)), 5)
    assert card.send(good[:-4] + f"{int(good[-4:-2], 16) ^ 1:02X}04") == "9302"
    assert card.send(credit(card.send(initialize_load(5)), 5)) == "9406"
    assert card.card.image.purses == specimen().purses


def test_credit_follows_initialize_at_once() -> None:
    for between in ("805C000104", "00A4000002EF05", "00000000", "00FF", "00C0000001"):
        card = terminal(at="DF04", pin=True)
        command = credit(card.send(initialize_load(5)), 5)
        card.send(between)
        assert card.send(command) == "6901", between


def test_a_load_is_credited_once() -> None:
    card = terminal(at="DF04", pin=True)
    command = credit(card.send(initialize_load(5)), 5)
    assert [card.send(command)[-4:] for _ in range(2)] == ["9000", "6901"]
    assert balance(card) == 5


def test_the_answer_may_be_fetched_between() -> None:
    card = terminal(at="DF04", pin=True)
    assert card.send(initialize_load(5)[:-2]) == "6110"
    command = credit(card.send("00C0000010"), 5)
    assert card.send(command[:-2]) == "6104"
    assert balance(card) == 5


def test_a_purchase_does_not_end_a_load() -> None:
    card = terminal(funded(), at="DF04", pin=True)
    card.send(initialize_load(5))
    assert card.send("805401000F" + "00" * 15) == "6901"


def test_another_usage_of_the_same_index_is_no_load_key() -> None:
    card = terminal(without(specimen(), Usage.LOAD), at="DF04", pin=True)
    assert card.send(initialize_load(5)) == "9403"
