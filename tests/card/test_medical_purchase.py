"""The medical purchase of DF04, judged by psec's sums; the shapes are those of drivers (LD/T 32.5)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import CARD_KEY, DF04, PROFILE, PURSE_ADDRESS, TERMINAL, WHEN, Terminal, funded, given, terminal
from card.modules import amounts, forged_debit, initialize_medical, medical_codes
from card.oracle import fold, mac, tdes
from card.purses import balance, debit, initialize_purchase
from card.test_behaviour import Bare
from kaguan.apdu.codecs import MedicalDetailRecord
from kaguan.apdu.errors import ProfileError
from kaguan.card_os.image import key_address
from kaguan.card_os.profile.medical import MedicalItem, MedicalRules, parse_medical_rules
from kaguan.card_os.profile.model import Behaviour, LogSequence
from kaguan.terminal.conversations.purse import read_log
from kaguan.terminal.script import converse
from kaguan.vault.vault import Usage


def begun(card: Terminal, account: int, self_paid: int = 0, pool: int = 0) -> str:
    """What INITIALIZE answers to the terminal of the other purchases."""
    answer = card.send(initialize_medical(account, self_paid, pool, terminal=TERMINAL))
    assert len(answer) == 48
    assert answer.endswith("9000")
    return answer


def test_the_shapes_are_those_of_drivers() -> None:
    card = terminal(funded(), at="DF04", pin=True, random=given("A1B2C3D4"))
    answer = card.send("B02801011301" + "00000064" + "000000C8" + "0000012C" + TERMINAL + "16")
    assert answer == "00002710" + "00" * 10 + "0000" + "00" + "00" + "A1B2C3D4" + "9000"
    mac1, mac2, tac = medical_codes(answer, amounts(100, 200, 300), "00000007", terminal=TERMINAL)
    assert card.send(f"B02C01000F00000007{WHEN}{mac1}08") == tac + mac2 + "9000"


def test_one_group_pays_counts_logs_and_proves() -> None:
    card = terminal(funded(), at="DF04", pin=True)
    answer = begun(card, 100, 200, 300)
    codes = card.send(forged_debit(answer, amounts(100, 200, 300)))
    assert balance(card) == 9_900
    assert card.card.image.purses[PURSE_ADDRESS].offline_sequence == 1
    card.select("EF08")
    detail = "000032" + TERMINAL + WHEN + "00000100" + "00000200" + "00000300"
    assert card.send("00B201041C") == detail + "9000"
    assert converse(card.card, read_log(PROFILE)) == [MedicalDetailRecord(0, "2", TERMINAL, WHEN, 100, 200, 300)]
    assert card.send("805A003202000008") == codes[8:16] + codes[:8] + "9000"
    assert card.send("805A003202000108") == "9406"
    assert card.send("805A000502000008") == "9406"


@examples(st.lists(st.tuples(*[st.integers(0, 60)] * 3), max_size=8))
def test_the_account_pays_its_share_alone_and_never_below_zero(bills: list[tuple[int, int, int]]) -> None:
    card = terminal(funded(100), at="DF04", pin=True)
    left, done = 100, 0
    for bill in bills:
        if bill[0] > left:
            assert card.send(initialize_medical(*bill, terminal=TERMINAL)) == "9401"
            continue
        answer = begun(card, *bill)
        assert answer[28:32] == f"{done:04X}"
        assert card.send(forged_debit(answer, amounts(*bill)))[-4:] == "9000"
        left, done = left - bill[0], done + 1
        assert balance(card) == left


def test_a_card_without_a_log_pays_all_the_same() -> None:
    image = funded()
    files = {at: file for at, file in image.files.items() if at != image.purses[PURSE_ADDRESS].rules.log}
    card = terminal(image._replace(files=files), at="DF04", pin=True)
    assert card.send(forged_debit(begun(card, 5), amounts(5, 0, 0)))[-4:] == "9000"
    assert balance(card) == 9_995


def test_initialize_refuses_in_order() -> None:
    image = funded(5)
    full = image._replace(purses={PURSE_ADDRESS: image.purses[PURSE_ADDRESS]._replace(offline_sequence=0xFFFF)})
    strange = "B028010113" + "09" + amounts(6, 0, 100_000_000) + TERMINAL + "16"
    assert terminal(at="SSSE").send("B0280202" + "00") == "6A86"
    assert terminal(at="SSSE").send("B0280103" + "00") == "6A86"
    assert terminal(at="SSSE").send("B0280101" + "00") == "6A82"
    assert terminal(full, at="DF04").send("B02801010B" + "00" * 11) == "6700"
    assert terminal(full, at="DF04").send(strange) == "6982"
    assert terminal(full, at="DF04", pin=True).send(strange) == "9403"
    known = strange.replace("B02801011309", "B02801011301")
    assert terminal(full, at="DF04", pin=True).send(known) == "9402"
    assert terminal(image, at="DF04", pin=True).send(known) == "6A80"
    assert terminal(image, at="DF04", pin=True).send(initialize_medical(6)) == "9401"
    assert terminal(image, at="DF04", pin=True).send(initialize_medical(5, 99_999_999))[-4:] == "9000"


def test_debit_refuses_in_order() -> None:
    image = funded()
    tac = key_address(DF04, Usage.TAC, 1)
    card = terminal(image._replace(keys={at: key for at, key in image.keys.items() if at != tac}), at="DF04", pin=True)
    assert card.send("B02C010100") == "6A86"
    assert card.send("B02C0100") == "6901"
    begun(card, 5)
    assert card.send("B02C01000E" + "00" * 14) == "6700"
    good = forged_debit(begun(card, 5), amounts(5, 0, 0))
    assert card.send(good[:-4] + f"{int(good[-4:-2], 16) ^ 1:02X}08") == "9302"
    assert card.send(forged_debit(begun(card, 5), amounts(5, 0, 0))) == "9406"
    assert card.card.image.purses == image.purses


def test_debit_follows_initialize_at_once_and_once() -> None:
    for between in ("805C000104", "0084000004", "00FF", "00C0000001"):
        card = terminal(funded(), at="DF04", pin=True)
        command = forged_debit(begun(card, 5), amounts(5, 0, 0))
        card.send(between)
        assert card.send(command) == "6901"
    card = terminal(funded(), at="DF04", pin=True)
    command = forged_debit(begun(card, 5), amounts(5, 0, 0))
    assert [card.send(command)[-4:] for _ in range(2)] == ["9000", "6901"]
    assert balance(card) == 9_995


def test_neither_purchase_ends_the_other() -> None:
    card = terminal(funded(), at="DF04", pin=True)
    medical = forged_debit(begun(card, 5), amounts(5, 0, 0))
    plain = debit(card.send(initialize_purchase(5)), 5)
    assert card.send(medical) == "6901"
    begun(card, 5)
    assert card.send(plain) == "6901"
    assert balance(card) == 10_000


@pytest.mark.parametrize("place", range(15))
def test_every_byte_of_the_debit_counts(place: int) -> None:
    card = terminal(funded(), at="DF04", pin=True)
    raw = bytearray.fromhex(forged_debit(begun(card, 5, 6, 7), amounts(5, 6, 7)))
    raw[5 + place] ^= 0x01
    expected = "9000" if place < 2 else "9302"  # the session key has the last two bytes of the number alone
    assert card.send(bytes(raw))[-4:] == expected


def test_what_is_signed_is_the_profiles_to_say() -> None:
    rules = parse_medical_rules(
        {
            "offer": ["pool", "sequence", "FFFF", "terminal"],
            "mac1": ["sequence", "when", "00000000"],
            "mac2": ["terminal-number"],
            "tac": ["type", "pool"],
            "debits": ["account", "self-paid"],
        }
    )
    chip = Bare(funded(), Behaviour(medical=rules, log_sequence=LogSequence.AFTER), "11223344")
    for command in ("00A4000002DDF1", "0020000003123456", "00A4000002DF04"):
        chip.send(command)
    answer = chip.send(initialize_medical(100, 20, 3, terminal=TERMINAL))
    assert answer == "00000003" + "0000" + "FFFF" + TERMINAL + "0000" + "0000" + "11223344" + "9000"
    session = tdes(CARD_KEY, bytes.fromhex("1122334400000001"))
    mac1 = mac(session, bytes.fromhex("0000" + WHEN + "00000000")).hex()
    tac = mac(fold(CARD_KEY), bytes.fromhex("3200000003"))
    mac2 = mac(session, bytes.fromhex("00000001"))
    assert chip.send(f"B02C01000F00000001{WHEN}{mac1}08") == (tac + mac2).hex().upper() + "9000"
    assert chip.image.purses[PURSE_ADDRESS].balance_fen == 9_880
    assert chip.send("00B201441C")[:4] == "0001"


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"mac3": []}, "no setting 'mac3'"),
        ({"mac1": ["acount"]}, "'acount' is neither hex digits nor one of account,"),
        ({"mac1": ["balance"]}, "balance is not known"),
        ({"offer": ["balance"]}, "must come to 14 bytes"),
        ({"offer": ["when", "when"]}, "when is not known"),
        ({"debits": ["terminal"]}, "may name account,"),
    ],
)
def test_rules_that_cannot_be_are_refused(table: dict[str, list[str]], complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint):
        parse_medical_rules(table)


def test_rules_that_say_nothing_are_the_default() -> None:
    assert parse_medical_rules({}) == MedicalRules() == PROFILE.behaviour.medical
    assert MedicalRules().debits == (MedicalItem.ACCOUNT,)
