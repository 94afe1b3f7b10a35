"""Where the bank's cards differ: what each setting makes of the same commands."""

from __future__ import annotations

from typing import Any

import pytest

from card.bank_teller import Teller, block_application, challenged, direct_authentication, initialize
from card.banks import ADF, SELECT, VERIFY, bank, rich
from card.cards import Terminal
from kaguan.apdu.errors import ProfileError
from kaguan.card_os.image import CardImage
from kaguan.card_os.outcome import Chip
from kaguan.card_os.profile import load_profile, parse_profile
from kaguan.card_os.profile.model import BlockedSelect, LogSequence
from kaguan.card_os.profile.purse import AfterTransaction, CompositeSuffix, OverdraftLog

FCI = "6F2E8409A00000000386980701A5219F0C1E990100FF0000000003010000990100000000000120240101203401015555"


def set_up(image: CardImage | None = None, **settings: Any) -> Terminal:
    """A terminal in the application of a card with these settings."""
    terminal = Terminal(image or rich())
    chip = terminal.card._chip
    terminal.card._chip = Chip(chip.random, chip.behaviour._replace(**settings))
    terminal.send(SELECT)
    return terminal


def test_the_fci_shows_what_the_file_holds_now() -> None:
    terminal = Terminal(bank())
    assert terminal.send("00A404000E315041592E5359532E444446303100") == (
        "6F15840E315041592E5359532E4444463031A5038801019000"
    )
    assert terminal.send(SELECT) == FCI + "9000"
    image = bank()
    file = image.files[ADF + b"\x00\x15"]
    other = image._replace(files={**image.files, ADF + b"\x00\x15": file._replace(content=b"\x77" * 30)})
    assert Terminal(other).send(SELECT) == FCI[:36] + "77" * 30 + "9000"
    without = image._replace(files={})
    assert Terminal(without).send(SELECT) == "6F0B8409A000000003869807019000"


@pytest.mark.parametrize(("setting", "number"), [(LogSequence.BEFORE, "0000"), (LogSequence.AFTER, "0001")])
@pytest.mark.parametrize("name", ["load", "unload", "cash", "overdraft", "composite"])
def test_the_number_in_the_log(name: str, setting: LogSequence, number: str) -> None:
    terminal = set_up(log_sequence=setting)
    terminal.go(VERIFY)
    done = Teller(terminal).do(name)
    assert terminal.send("00B201C417")[:4] == number
    assert done.sequence == "0000"


@pytest.mark.parametrize(
    ("setting", "answers"),
    [
        (AfterTransaction.KEPT, ["9000", "9000"]),
        (AfterTransaction.LOST, ["6982", "9000"]),
        (AfterTransaction.SPENT, ["6985", "6985"]),
    ],
)
@pytest.mark.parametrize("name", ["load", "unload", "purchase purse", "overdraft", "composite"])
def test_rights_after_a_transaction(name: str, setting: AfterTransaction, answers: list[str]) -> None:
    terminal = set_up(after_transaction=setting)
    terminal.go(VERIFY)
    Teller(terminal).do(name)
    assert [terminal.send(initialize(next_one, 1))[-4:] for next_one in ("cash", "purchase purse")] == answers
    assert terminal.send("805C000204")[-4:] == "9000", "a balance is no transaction"
    terminal.go(VERIFY)
    Teller(terminal).do("cash")


def test_a_key_too_opens_the_next_transaction() -> None:
    terminal = set_up(after_transaction=AfterTransaction.SPENT)
    Teller(terminal).do("purchase purse")
    assert terminal.send(initialize("purchase purse", 1)) == "6985"
    assert terminal.send(direct_authentication(challenged(terminal))) == "9000"
    assert terminal.send(initialize("purchase purse", 1))[-4:] == "9000"


def test_a_refused_transaction_costs_no_rights() -> None:
    terminal = set_up(after_transaction=AfterTransaction.SPENT)
    terminal.go(VERIFY)
    command = Teller(terminal).last_step("load", 5)
    assert terminal.send(f"{command[:-4]}{int(command[-4:-2], 16) ^ 1:02X}04") == "9302"
    assert terminal.send(initialize("load", 1))[-4:] == "9000"


@pytest.mark.parametrize("word", [0x6901, 0x6985])
def test_the_word_for_a_transaction_not_begun(word: int) -> None:
    terminal = set_up(not_begun=word)
    for command in ("8052000000", "805401000F" + "00" * 15, "8054030000", "8058000000", "80DC02B800"):
        assert terminal.send(command) == f"{word:04X}"


@pytest.mark.parametrize(("setting", "amount"), [(OverdraftLog.ZERO, 0), (OverdraftLog.CHANGE, 300)])
def test_the_amount_of_a_limit_in_the_log(setting: OverdraftLog, amount: int) -> None:
    terminal = set_up(overdraft_log=setting)
    terminal.go(VERIFY)
    teller = Teller(terminal)
    teller.do("overdraft", 500)
    teller.do("overdraft", 200)
    assert terminal.send("00B201C417")[:18] == f"0001{200:06X}{amount:08X}"


def test_the_suffix_of_city_cards() -> None:
    code = "8588D32B7688D32B76"
    image = rich()
    file = image.files[ADF + b"\x00\x15"]._replace(content=bytes.fromhex(code), size=9)
    terminal = set_up(
        image._replace(files={**image.files, bytes.fromhex("3F000085"): file}),
        composite_suffix=CompositeSuffix.CARD_CODE,
    )
    assert terminal.send("80CA000009") == code + "9000"
    assert terminal.send(Teller(terminal).last_step("composite", 5)) == "9302"
    Teller(terminal, suffix=code).do("composite", 5)
    Teller(terminal).do("purchase purse", 5)


@pytest.mark.parametrize(("command", "sw"), [("80CA0001", "6A86"), ("80CA0100", "6A86"), ("80CA000001AA", "6700")])
def test_the_card_code_refuses_in_order(command: str, sw: str) -> None:
    terminal = set_up()
    assert terminal.send(command) == sw
    assert terminal.send("80CA000009") == "6A88"


@pytest.mark.parametrize(
    ("setting", "answers"),
    [
        (BlockedSelect.NOT_SUPPORTED, ["6A81", "6A81"]),
        (BlockedSelect.DEACTIVATED, [FCI + "6283", "6130"]),
        (BlockedSelect.SHOWN, [FCI + "6A81", "6130"]),
    ],
)
def test_selecting_a_blocked_application(setting: BlockedSelect, answers: list[str]) -> None:
    terminal = set_up(blocked_select=setting)
    terminal.go(block_application(challenged(terminal)))
    assert [terminal.send(SELECT), terminal.send(SELECT[:-2])] == answers
    if answers[1] == "6130":
        assert terminal.send("00C0000010") == FCI[:32] + "6120"
        assert terminal.send("00C0000020") == FCI[32:] + answers[0][-4:]
        assert terminal.send("00C0000020") == "6985"


def test_the_settings_are_those_of_the_profiles() -> None:
    bank_settings, city = load_profile("pboc-purse").behaviour, load_profile("cjt-purse").behaviour
    assert bank_settings.log_sequence is LogSequence.BEFORE
    assert bank_settings.composite_suffix is CompositeSuffix.NONE
    assert (city.log_sequence, city.blocked_select) == (LogSequence.AFTER, BlockedSelect.SHOWN)
    assert city.composite_suffix is CompositeSuffix.CARD_CODE
    changed = parse_profile('extends = "pboc-purse"\n[behaviour]\nnot_begun = "6985"\nafter_transaction = "6982"')
    assert (changed.behaviour.not_begun, changed.behaviour.after_transaction) == (0x6985, AfterTransaction.LOST)
    with pytest.raises(ProfileError, match="sometimes"):
        parse_profile('extends = "pboc-purse"\n[behaviour]\nafter_transaction = "sometimes"')
