"""INITIALIZE FOR PURCHASE and DEBIT FOR PURCHASE, judged by a real card's purchase (JR/T 0025.2, FM1208)."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import DF04, PROFILE, PURSE_ADDRESS, TERMINAL, WHEN, funded, given, terminal
from card.purses import WALLET, balance, bank_card, debit, initialize_purchase, load, published, purchase
from kaguan.apdu.codecs import MedicalDetailRecord
from kaguan.card_os.image import key_address
from kaguan.terminal.conversations.purse import read_log
from kaguan.terminal.script import converse
from kaguan.vault.vault import Usage


def test_a_published_purchase() -> None:
    sums = published("pboc-purchase-ep-fm1208")
    image = bank_card(sums["session_key"]["key"], purse=WALLET, balance_fen=0x2000)
    card = terminal(image, at="DF04", random=given("584633C9"))
    answer = card.send("805001020B01000000010011223344550F")
    assert answer == "00002000" + "0000" + "000000" + "0000" + "584633C9" + "9000"
    when = sums["MAC1"]["data"][-14:]
    codes = card.send(f"805401000F00000000{when}{sums['MAC1']['out']}08")
    assert codes == sums["TAC"]["out"] + sums["MAC2"]["out"] + "9000"
    assert card.send("805C000204") == "00001FFF9000"
    assert card.send("805A0006020000" + "08") == sums["MAC2"]["out"] + sums["TAC"]["out"] + "9000"
    card.select("EF18")
    assert card.send("00B2010417") == "0000" + "000000" + "00000001" + "06" + "001122334455" + when + "9000"


def test_the_session_key_takes_the_last_two_bytes_of_the_terminals_number() -> None:
    sums = published("pboc-purchase-1")
    image = bank_card(sums["session_key"]["key"], purse=WALLET, balance_fen=0x1000)
    fields = sums["MAC1"]["data"]
    for number in ("00000001", "ABCD0001"):
        card = terminal(image, at="DF04", random=given("11223344"))
        card.send(f"805001020B01{fields[:8]}{fields[10:22]}0F")
        assert card.send(f"805401000F{number}{fields[22:]}{sums['MAC1']['out']}08")[-4:] == "9000"


@examples(st.lists(st.integers(0, 60), max_size=12))
def test_purchases_add_up_and_never_below_zero(amounts: list[int]) -> None:
    card = terminal(funded(100), at="DF04", pin=True)
    left, done = 100, 0
    for amount in amounts:
        if amount > left:
            assert card.send(initialize_purchase(amount)) == "9401"
            continue
        assert purchase(card, amount).sequence == f"{done:04X}"
        left, done = left - amount, done + 1
        assert balance(card) == left


def test_the_medical_log_is_what_the_standard_says() -> None:
    """28 bytes: number cn2, type an1, terminal cn6, time cn7, three amounts cn4; ten of them, newest first."""
    card = terminal(at="DF04", pin=True)
    load(card, 10_000)
    for amount in range(11, 22):
        purchase(card, amount)
    card.select("EF08")
    assert card.send("00B201041C") == "0010" + "35" + TERMINAL + WHEN + "00000021" + "00" * 8 + "9000"
    assert card.send("00B20A041C")[:6] == "000135"
    assert card.send("00B20B041C") == "6A83"
    log = converse(card.card, read_log(PROFILE))
    assert log[0] == MedicalDetailRecord(10, "5", TERMINAL, WHEN, 21, 0, 0)
    assert datetime.strptime(log[0].moment, "%Y%m%d%H%M%S") == datetime(2024, 1, 1, 12)


def test_the_greatest_amount_fits_the_log() -> None:
    card = terminal(funded(99_999_999), at="DF04", pin=True)
    purchase(card, 99_999_999)
    assert converse(card.card, read_log(PROFILE))[0].account_fen == 99_999_999


def test_initialize_refuses_in_order() -> None:
    image = funded(5)
    full = image._replace(purses={PURSE_ADDRESS: image.purses[PURSE_ADDRESS]._replace(offline_sequence=0xFFFF)})
    bad_key = f"805001010B09FFFFFFFF{TERMINAL}"
    assert terminal(at="SSSE").send("8050010300") == "6A86"
    assert terminal(at="SSSE").send("8050010100") == "6A82"
    assert terminal(full, at="DF04").send("805001010A" + "00" * 10) == "6700"
    assert terminal(full, at="DF04").send(bad_key) == "6982"
    assert terminal(full, at="DF04", pin=True).send(bad_key) == "9403"
    assert terminal(full, at="DF04", pin=True).send(initialize_purchase(6)) == "9402"
    assert terminal(image, at="DF04", pin=True).send(initialize_purchase(6)) == "9401"
    assert terminal(image, at="DF04", pin=True).send(initialize_purchase(5))[-4:] == "9000"


def test_debit_refuses_in_order() -> None:
    image = funded()
    tac = key_address(DF04, Usage.TAC, 1)
    image = image._replace(keys={address: key for address, key in image.keys.items() if address != tac})
    card = terminal(image, at="DF04", pin=True)
    assert card.send("8054000000") == "6A86"
    assert card.send("8054010100") == "6A86"
    assert card.send("8054010000") == "6901"
    card.send(initialize_purchase(5))
    assert card.send("8054010000") == "6700"
    good = debit(card.send(initialize_purchase(5)), 5)
    assert card.send(good[:-4] + f"{int(good[-4:-2], 16) ^ 1:02X}08") == "9302"
    assert card.send(debit(card.send(initialize_purchase(5)), 5)) == "9406"
    assert card.card.image.purses == image.purses


def test_debit_follows_initialize_at_once_and_once() -> None:
    for between in ("805C000104", "0084000004", "00FF", "00C0000001"):
        card = terminal(funded(), at="DF04", pin=True)
        command = debit(card.send(initialize_purchase(5)), 5)
        card.send(between)
        assert card.send(command) == "6901"
    card = terminal(funded(), at="DF04", pin=True)
    command = debit(card.send(initialize_purchase(5)), 5)
    assert [card.send(command)[-4:] for _ in range(2)] == ["9000", "6901"]
    assert balance(card) == 9_995


def test_a_load_does_not_end_a_purchase() -> None:
    card = terminal(funded(), at="DF04", pin=True)
    card.send(initialize_purchase(5))
    assert card.send("805200000B" + "00" * 11) == "6901"
