"""What nothing public fixes is a setting, and each of its values makes the chip do what it says."""

from __future__ import annotations

from typing import Any

import pytest

from card.bank_teller import Teller, initialize
from card.banks import ADF, DEPOSIT, VERIFY, bank_key, rich
from card.cards import Terminal, a_key, terminal, with_key
from card.natives import built
from card.oracle import mac, tdes
from card.test_bank_behaviour import set_up
from kaguan.apdu.errors import ProfileError
from kaguan.card_os.image import CardImage
from kaguan.card_os.outcome import Chip
from kaguan.card_os.profile import load_profile, parse_profile
from kaguan.card_os.profile.model import VersionByte
from kaguan.card_os.profile.purse import PurseSettings, TacKey
from kaguan.personalization.specimen import specimen_card, specimen_keys
from kaguan.terminal.conversations.authentication import authenticate, named
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.script import converse
from kaguan.vault.vault import Usage

OTHER_TAC_KEY = bytes(range(16))


def _with_two_tac_keys() -> CardImage:
    return with_key(rich(), ADF, a_key(Usage.TAC, 0x01, OTHER_TAC_KEY))


def _tac_of_a_load(card: Terminal) -> tuple[str, str]:
    """What the card answers to a load, and what the teller's first TAC key makes of it."""
    card.go(VERIFY)
    teller = Teller(card)
    return card.send(teller.last_step("load", 700))[:8], teller.expected


def test_the_first_of_several_tac_keys_signs() -> None:
    answered, expected = _tac_of_a_load(set_up(_with_two_tac_keys()))
    assert answered == expected


def test_the_tac_key_with_the_transactions_index_signs() -> None:
    card = set_up(_with_two_tac_keys(), purse=PurseSettings(tac_key=TacKey.INDEX))
    answered, expected = _tac_of_a_load(card)
    assert answered != expected
    folded = bytes(one ^ other for one, other in zip(OTHER_TAC_KEY[:8], OTHER_TAC_KEY[8:], strict=True))
    fields = f"{10_700:08X}0000{700:08X}01" + "112233445566" + "20240101120000"
    assert answered == mac(folded, bytes.fromhex(fields)).hex().upper()


def test_without_a_tac_key_of_that_index_nothing_is_loaded() -> None:
    card = set_up(purse=PurseSettings(tac_key=TacKey.INDEX))
    card.go(VERIFY)
    before = card.card.image
    assert card.send(Teller(card).last_step("load", 700)) == "9406"
    assert card.card.image == before


@pytest.mark.parametrize("instead", ["00000000", "FFFFFFFF", ""])
def test_what_stands_for_the_tac_of_an_unload(instead: str) -> None:
    card = set_up(purse=PurseSettings(unload_tac=bytes.fromhex(instead)))
    card.go(VERIFY)
    done = Teller(card).do("unload", 700)
    assert card.send("805A000302000008") == done.mac + instead + "9000"


@pytest.mark.parametrize(("from_limit", "word"), [(True, "9000"), (False, "9401")])
def test_an_unload_takes_from_the_overdraft_limit_or_not(from_limit: bool, word: str) -> None:
    image = rich()
    purse = image.purses[DEPOSIT]._replace(balance_fen=1_000, overdraft_limit_fen=400)
    card = set_up(
        image._replace(purses={**image.purses, DEPOSIT: purse}), purse=PurseSettings(unload_from_limit=from_limit)
    )
    card.go(VERIFY)
    assert card.send(initialize("unload", 600))[-4:] == "9000"
    assert card.send(initialize("unload", 601))[-4:] == word
    assert card.send(initialize("unload", 1_001)) == "9401"


@pytest.mark.parametrize("word", ["6985", "9402"])
def test_what_a_purse_says_that_could_not_hold_a_load(word: str) -> None:
    image = rich()
    purse = image.purses[DEPOSIT]
    full = purse._replace(balance_fen=purse.rules.max_balance_fen)
    image = image._replace(purses={**image.purses, DEPOSIT: full})
    card = set_up(image, purse=PurseSettings(too_much=int(word, 16)))
    card.go(VERIFY)
    assert card.send(initialize("load", 1)) == word
    assert card.send(Teller(card).last_step("overdraft", 1)) == word
    assert card.card.image == image


def test_the_internal_key_stands_in_for_those_of_types_31_and_32_or_does_not() -> None:
    cipher = tdes(bank_key("IRK"), bytes(8)).hex().upper()
    card = set_up()
    assert card.send(f"0088010008{cipher}08") == "00" * 8 + "9000"
    card = set_up(one_internal_key=False)
    for p1, word in (("00", "9000"), ("01", "6A88"), ("02", "6A88")):
        assert card.send(f"0088{p1}00080000000000000000")[-4:] in (word, "6108" if word == "9000" else word)
    own = set_up(with_key(rich(), ADF, a_key(Usage.DECIPHERMENT, 0, bank_key("IRK"))), one_internal_key=False)
    assert own.send(f"0088010008{cipher}08") == "00" * 8 + "9000"


def test_the_version_of_a_key_stands_in_front_or_behind() -> None:
    other = a_key(Usage.EXTERNAL_AUTHENTICATION, 0x04, bytes(range(16)), version=0xA5)
    for place, answers in ((VersionByte.FIRST, ["9000", "6A88"]), (VersionByte.LAST, ["6A88", "9000"])):
        words = []
        for first in (True, False):
            card = terminal(at="SSSE")
            card.card.nvm.image = with_key(card.card.image, bytes.fromhex("3F00DDF1"), other)
            chip = card.card._chip
            card.card._chip = Chip(chip.random, chip.behaviour._replace(version_byte=place))
            cryptogram = tdes(tdes(other.value, card.challenge()), bytes(8)).hex()
            data = f"A5{cryptogram}{'00' * 8}" if first else f"{cryptogram}{'00' * 8}A5"
            words.append(card.send(f"0082000411{data}"))
        assert words == answers


def test_the_terminal_names_the_version_where_the_card_looks_for_it() -> None:
    for place, data in (("first", "A5DD"), ("last", "DDA5")):
        profile = parse_profile(f'extends = "ssc-v2"\n[behaviour]\nversion_byte = "{place}"')
        assert named(profile, 0xA5, b"\xdd").hex().upper() == data
        assert named(profile, 0, b"\xdd") == b"\xdd"
    profile = load_profile("ssc-v2+key-versions")
    card = specimen_card(profile)
    keys = specimen_keys(profile, card.atr)
    converse(card, select_dedicated(profile.by_name["SSSE"]))
    converse(card, authenticate(keys, keys.ref("SSSE.UK", 2), 0x04, 2))


@pytest.mark.parametrize("p2", ["00", "04", "0C"])
@pytest.mark.parametrize("fid", ["0000", "0001", "0002"])
def test_a_purse_or_a_key_file_is_selected_and_shows_nothing(fid: str, p2: str) -> None:
    card = Terminal(built())
    card.select("3F01")
    assert card.send(f"00A400{p2}02{fid}") == "9000"
    for command in ("00B0000010", "00B2010410", "00D6000001AA", "00DC010401AA", "00E2000001AA"):
        assert card.send(command) == "6981"
    assert card.send("00A40000020003") == "6A82"
    assert card.send("805C000204")[-4:] == "9000", "the application is still the current one"


def test_a_purse_is_selected_through_a_path_and_keeps_the_state() -> None:
    card = Terminal(built())
    card.go("00A40000023F01", "0020000003123456")
    assert card.send("00A4080C043F010001") == "9000"
    assert card.send("805C000104")[-4:] == "9000", "the PIN is still verified"
    card.select("3F00")
    assert card.send("00A40000020001") == "6A82"


@pytest.mark.parametrize("word", ["6A82", "6981"])
def test_a_site_may_have_it_refused(word: str) -> None:
    card = set_up(internal_select=int(word, 16))
    assert [card.send(f"00A4000002000{fid}") for fid in "12"] == [word, word]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[behaviour.purse]\ncolour = "red"', "no setting 'colour'"),
        ('[behaviour.purse]\nunload_tac = "0000"', "4 bytes"),
        ('[behaviour.purse]\ntac_key = "last"', "last"),
        ('[behaviour.purse]\nsm4_mark = "0003"', "one byte"),
        ('[behaviour]\nversion_byte = "middle"', "middle"),
        ('[confidence]\n"behaviour.purse.colour" = "B"', "behaviour.purse.colour"),
        ("[security]\ncolour = 1", "security has no 'colour'"),
    ],
)
def test_settings_that_cannot_be_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint):
        parse_profile(f'extends = "pboc-purse"\nname = "site"\n{text}', file="site.toml")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, PurseSettings()),
        ({"tac_key": "index", "unload_tac": ""}, PurseSettings(tac_key=TacKey.INDEX, unload_tac=b"")),
        ({"unload_from_limit": False, "sm4_mark": "04"}, PurseSettings(unload_from_limit=False, sm4_mark=4)),
    ],
)
def test_a_site_chooses(settings: dict[str, Any], expected: PurseSettings) -> None:
    lines = [f"{name} = {str(value).lower() if value is False else repr(value)}" for name, value in settings.items()]
    text = 'extends = "pboc-purse"\nname = "site"\n[behaviour.purse]\n' + "\n".join(lines)
    assert parse_profile(text).behaviour.purse == expected


def test_a_site_sets_the_tries_of_its_keys() -> None:
    site = parse_profile('extends = "ssc-v2"\nname = "site"\n[security]\nkey_tries = 5')
    assert {key.tries for key in site.keys()} == {5}  # noqa: SIM118 - no mapping
