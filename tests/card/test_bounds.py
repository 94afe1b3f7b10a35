"""The last value that a card takes and the first that it does not; what a command must leave as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from card.bank_teller import RECORD as CACHED
from card.bank_teller import Teller, block_application, initialize, pin_unblock
from card.banks import ADF, DEPOSIT, SELECT, VERIFY, rich
from card.cards import DF04, PIN_ADDRESS, PURSE_ADDRESS, TERMINAL, Terminal, counted, funded, specimen, terminal
from card.modules import (
    amounts,
    debit_medical,
    forged_debit,
    initialize_medical,
    medical_codes,
    module_command,
    module_terminal,
)
from card.natives import FACTORY_KEY, PURCHASE_KEY, at_application, authenticate, factory
from card.natives import VERIFY as VERIFY_NATIVE
from card.natives import funded as funded_native
from card.purses import debit, initialize_purchase, load
from kaguan.card_os.image import CardImage, CardKey, key_address
from kaguan.card_os.profile.purse import PurseSettings, TacKey
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage


def opened(image: CardImage | None = None) -> Terminal:
    """A bank's card, in its application, PIN verified; its random numbers are the same every time."""
    card = Terminal(image or rich(), random=counted())
    card.go(SELECT, VERIFY)
    return card


def with_tries(tries_left: int, *, tries: int = 255) -> Terminal:
    """The specimen with that many tries for its PIN."""
    image = specimen()
    pin = image.pins[PIN_ADDRESS]._replace(tries_left=tries_left, tries=tries)
    return terminal(image._replace(pins={PIN_ADDRESS: pin}), at="SSSE")


# PINs


@pytest.mark.parametrize(("left", "word"), [(14, "63CE"), (15, "63CF"), (16, "63CF"), (17, "63CF"), (200, "63CF")])
def test_a_status_word_counts_to_fifteen(left: int, word: str) -> None:
    assert with_tries(left).send("00200000") == word
    assert with_tries(left + 1).send("0020000003654321") == word
    assert with_tries(left + 1).send("805E010007654321FF123456") == word


def test_verify_leaves_the_current_record() -> None:
    card = terminal(at="SSSE")
    second = card.go("00A4000002EF05", "00B2020403")
    assert card.go("0020000003123456", "00B2000403") == second


def test_filling_behind_a_new_pin_is_no_digit() -> None:
    card = terminal(at="SSSE")
    assert card.send("805E010009123456FF7654FFFFFF") == "9000"
    assert card.send("00200000027654") == "9000"


def test_a_wrong_pin_does_not_cost_what_the_right_one_gives() -> None:
    """On a native card that is a state."""
    card = at_application(state=4)
    card.go("80E0000B07280010F1F0FFFF")
    card = at_application(card.card.image)
    assert card.send("00B08B0001") == "6982"
    assert card.send("0020000003654321")[:3] == "63C"
    assert card.go(VERIFY_NATIVE, "00B08B0001").endswith("9000")


def test_a_pin_of_the_master_file_sets_its_state() -> None:
    card = Terminal(factory())
    assert authenticate(card, 0x00, FACTORY_KEY) == "9000"
    card.go("80D40100083AF0EF0233123456", "80E0000B0728001002F0FFFF")
    card = Terminal(card.card.image)
    assert card.send("00B08B0001") == "6982"
    assert card.go(VERIFY_NATIVE, "00B08B0001").endswith("9000")


# Money


def test_an_unload_may_take_all_there_is() -> None:
    card = opened()
    assert card.send(initialize("unload", 10_001)) == "9401"
    Teller(card).do("unload", 10_000)
    assert card.send("805C000104") == "000000009000"


@pytest.mark.parametrize(("limit_fen", "taken"), [(500, True), (501, False)])
def test_an_overdraft_limit_fills_the_purse_and_no_more(limit_fen: int, taken: bool) -> None:
    image = rich()
    purse = image.purses[DEPOSIT]
    purse = purse._replace(rules=purse.rules._replace(max_balance_fen=10_500))
    card = opened(image._replace(purses={DEPOSIT: purse}))
    teller = Teller(card)
    answer = card.send(teller.last_step("overdraft", limit_fen))
    assert answer == (teller.expected + "9000" if taken else "6985")
    assert card.card.image.purses[DEPOSIT].balance_fen == (10_500 if taken else 10_000)


@pytest.mark.parametrize("name", ["load", "purchase", "cash", "overdraft"])
def test_a_short_tac_key_is_its_own_fold(name: str) -> None:
    key = bytes.fromhex("0123456789ABCDEF")
    answers = []
    for value, algorithm in ((key, Algorithm.DES), (key + bytes(8), Algorithm.TDES)):
        image = rich()
        made = CardKey(Usage.TAC, 1, 1, algorithm, value, 15, 15)
        card = opened(image._replace(keys={**image.keys, key_address(ADF, Usage.TAC, 1): (made,)}))
        answers.append(card.send(Teller(card).last_step(name, 700)))
        assert answers[-1].endswith("9000")
    assert answers[0] == answers[1]


def late() -> Terminal:
    """The specimen with money and its counters at 12345, in the medical application."""
    image = funded()
    purse = image.purses[PURSE_ADDRESS]._replace(online_sequence=12345, offline_sequence=12345)
    return terminal(image._replace(purses={PURSE_ADDRESS: purse}), at="DF04", pin=True)


def newest_log(card: Terminal) -> str:
    """The newest record of the medical log."""
    return card.card.image.files[DF04 + b"\xef\x08"].records[0].hex()


def test_the_medical_log_shows_the_last_digits_of_a_number() -> None:
    card = late()
    offer = card.send(initialize_medical(700))[:-4]
    signature = module_terminal().send(module_command(offer, amounts(700, 0, 0)))
    assert card.send(debit_medical(signature))[-4:] == "9000"
    assert newest_log(card)[:4] == "2345"
    card = late()
    load(card, 700)
    assert newest_log(card)[:4] == "2345"


@pytest.mark.parametrize("name", ["load", "load purse", "cash", "purchase", "purchase purse", "overdraft", "composite"])
def test_the_transactions_own_index_may_choose_the_tac_key(name: str) -> None:
    first, own = (CardKey(Usage.TAC, at, 1, Algorithm.TDES, bytes(range(at, at + 16)), 15, 15) for at in (0, 1))
    answers = {}
    for settings in (PurseSettings(), PurseSettings(tac_key=TacKey.INDEX)):
        for keys in ((first, own), (own._replace(reference=0), first._replace(reference=1))):
            image = rich()
            tables = {key_address(ADF, Usage.TAC, key.reference): (key,) for key in keys}
            card = opened(image._replace(keys={**image.keys, **tables}))
            chip = card.card._chip
            card.card._chip = chip._replace(behaviour=chip.behaviour._replace(purse=settings))
            answers[settings.tac_key, keys[0].value == first.value] = card.send(Teller(card).last_step(name, 700))[:8]
    assert answers[TacKey.FIRST, True] == answers[TacKey.INDEX, False]
    assert answers[TacKey.FIRST, False] == answers[TacKey.INDEX, True] != answers[TacKey.FIRST, True]


def test_a_medical_purchase_too_may_choose_the_tac_key_by_its_index() -> None:
    """The key with index 1 is the card's; another with a lower one signs where the first of them does."""
    other = CardKey(Usage.TAC, 0, 0, Algorithm.TDES, bytes(range(16)), 15, 15)
    answers = []
    for settings in (PurseSettings(), PurseSettings(tac_key=TacKey.INDEX)):
        image = funded()
        image = image._replace(keys={**image.keys, key_address(DF04, Usage.TAC, 0): (other,)})
        card = terminal(image, at="DF04", pin=True, random=counted())
        chip = card.card._chip
        card.card._chip = chip._replace(behaviour=chip.behaviour._replace(purse=settings))
        offer = card.send(initialize_medical(700, terminal=TERMINAL))[:-4]
        answers.append(card.send(forged_debit(offer, amounts(700, 0, 0))))
    _, mac2, tac = medical_codes(offer, amounts(700, 0, 0), "00000001", terminal=TERMINAL)
    assert answers[1] == tac + mac2 + "9000"
    assert answers[0][8:] == answers[1][8:]
    assert answers[0][:8] != answers[1][:8]


@pytest.mark.parametrize("make", [block_application, pin_unblock])
def test_a_banks_issuer_protects_as_banks_do(make: Callable[[bytes], str]) -> None:
    """Whatever the card's other commands are protected with."""
    card = opened()
    chip = card.card._chip
    card.card._chip = chip._replace(behaviour=chip.behaviour._replace(messaging=Scheme.SSC))
    assert card.send(make(card.challenge(8))) == "9000"


def test_a_composite_purchase_may_write_the_current_record() -> None:
    card = opened()
    record = "092E" + CACHED[4:]
    card.go("00B203BC30", initialize("composite"))
    assert card.send("80DC00BC30" + record) == "9000"
    card = opened()
    card.go(initialize("composite"))
    assert card.send("80DC00BC30" + record) == "6A83", "the file has not been come to"


def test_a_native_card_falls_back_to_state_0_and_not_to_none() -> None:
    image = funded_native()._replace(profile="fmcos-blank+rights-lost")
    card = at_application(image, state=4)
    card.go("80E0000B0728001010F0FFFF", "80E0000C0728001011F0FFFF")  # read at state 0 or 1; at state 1 alone
    card = at_application(card.card.image, state=1)
    assert card.go("00B08B0001", "00B08C0001").endswith("9000")
    assert card.go(debit(card.send(initialize_purchase(700)), 700, key=PURCHASE_KEY)).endswith("9000")
    assert card.send("00B08B0001").endswith("9000")
    assert card.send("00B08C0001") == "6982"
