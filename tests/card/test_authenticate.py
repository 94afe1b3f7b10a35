"""GET CHALLENGE, INTERNAL and EXTERNAL AUTHENTICATE (LD/T 32.5)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import CARD_KEY, DF04, SELECT_SSSE, SSSE, Terminal, a_key, blank, given, specimen, terminal, with_key
from card.oracle import tdes
from kaguan.card_os.image import CardImage, key_address
from kaguan.emulator.stock import FACTORY_TRANSPORT_KEY
from kaguan.vault.vault import Usage

UPDATE_KEY = key_address(SSSE, Usage.EXTERNAL_AUTHENTICATION, 0x04)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_a_challenge_has_the_length_asked_for(size: int) -> None:
    card = terminal()
    assert card.challenge(size) != card.challenge(size)


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("0084010007", "6A86"),
        ("0084000107", "6A86"),
        ("0084000007", "6700"),
        ("00840000", "6700"),
        ("0084000000", "6700"),
        ("008400000108", "6700"),
        ("00840000010808", "6700"),
    ],
)
def test_get_challenge_refuses(command: str, sw: str) -> None:
    assert terminal().send(command) == sw


def test_published_internal_authentication() -> None:
    card = terminal(at="SSSE")
    command = "0088000010" + bytes(range(0xA1, 0xA9)).hex() + bytes(range(0xB1, 0xB9)).hex()
    assert card.send(command + "08") == "996488D9937026779000"
    assert card.go(command, "00C0000008") == "996488D9937026779000"


@examples(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
def test_internal_authentication(factor: bytes, data: bytes) -> None:
    expected = tdes(tdes(CARD_KEY, factor), data).hex().upper() + "9000"
    for at in ("SSSE", "DF04"):
        assert terminal(at=at).send(b"\x00\x88\x00\x00\x10" + factor + data + b"\x08") == expected


@pytest.mark.parametrize(
    ("command", "sw"), [("00880101", "6A86"), ("00880001", "6700"), ("008800010F" + "00" * 15, "6700")]
)
def test_internal_authentication_refuses(command: str, sw: str) -> None:
    assert terminal(at="SSSE").send(command) == sw


def test_only_the_irk_answers() -> None:
    for reference in (0x01, 0x02, 0x04, 0x80, 0xFF):
        assert terminal(at="SSSE").send(f"0088{0:02X}{reference:02X}10" + "00" * 16) == "6A88"
    assert terminal().send("0088000010" + "00" * 16) == "6A88", "the master file has no keys"


def test_published_external_authentication() -> None:
    card = terminal(at="SSSE", random=given("1122334455667788"))
    card.challenge()
    assert card.send("00820004109B9EDFBCB59637BF0102030405060708") == "9000"
    assert card.card.image.keys[UPDATE_KEY][0].tries_left == 8


def test_a_four_byte_challenge_is_filled_with_zeros() -> None:
    card = terminal(at="SSSE")
    original = bytes(8)
    challenge = card.challenge(4)
    cryptogram = tdes(tdes(CARD_KEY, challenge + bytes(4)), original)
    assert card.send(b"\x00\x82\x00\x04\x10" + cryptogram + original) == "9000"


def test_a_wrong_cryptogram_costs_a_try_until_none_is_left() -> None:
    card = terminal(at="SSSE")
    words = [card.external_authenticate(0x04, key=bytes(16)) for _ in range(9)]
    assert words == [f"63C{left}" for left in range(7, -1, -1)] + ["6983"]
    assert card.external_authenticate(0x04) == "6983"
    assert card.external_authenticate(0x06) == "9000", "the other keys have their own tries"


def test_the_right_cryptogram_restores_the_tries() -> None:
    card = terminal(at="SSSE")
    card.external_authenticate(0x04, key=bytes(16))
    assert card.external_authenticate(0x04) == "9000"
    assert card.card.image.keys[UPDATE_KEY][0].tries_left == 8


def test_refusals_in_order() -> None:
    body = "10" + "00" * 16
    blocked = a_key(Usage.EXTERNAL_AUTHENTICATION, 0x04, CARD_KEY)._replace(tries_left=0)
    card = terminal(with_key(specimen(), SSSE, blocked), at="SSSE")
    assert card.send("0082010E01AA") == "6A86"
    assert card.send("0082000E01AA") == "6700"
    assert card.send("0082000E12" + "00" * 18) == "6700"
    assert card.send("0082000E" + body) == "6A88"
    assert card.send("00820004" + body) == "6983"
    assert card.send("00820006" + body) == "6984"
    card.challenge(16)
    assert card.send("00820006" + body) == "6984", "16 bytes are for the PKI application"


@pytest.mark.parametrize("between", ["00A4000002EF05", "00B2012C00", "FF00", "00000000", "00C0000008", "0084000007"])
def test_a_challenge_serves_the_next_command_only(between: str) -> None:
    card = terminal(at="SSSE")
    original = bytes(8)
    cryptogram = tdes(tdes(CARD_KEY, card.challenge()), original)
    card.send(between)
    assert card.send(b"\x00\x82\x00\x04\x10" + cryptogram + original) == "6984"


def test_a_challenge_serves_once() -> None:
    card = terminal(at="SSSE")
    original = bytes(8)
    command = b"\x00\x82\x00\x04\x10" + tdes(tdes(CARD_KEY, card.challenge()), original) + original
    assert card.send(command) == "9000"
    assert card.send(command) == "6984"


def test_a_version_byte_names_the_key() -> None:
    first, second = bytes(range(16)), bytes(range(16, 32))
    address = key_address(SSSE, Usage.EXTERNAL_AUTHENTICATION, 0x04)
    versions = tuple(
        a_key(Usage.EXTERNAL_AUTHENTICATION, 0x04, value, version=version)
        for version, value in ((1, first), (2, second))
    )
    image = specimen()
    card = terminal(image._replace(keys={**image.keys, address: versions}), at="SSSE")
    assert card.external_authenticate(0x04, key=first) == "9000"
    assert card.external_authenticate(0x04, key=second) == "63C7"
    assert card.external_authenticate(0x04, key=second, version="02") == "9000"
    assert card.external_authenticate(0x04, key=second, version="03") == "6A88"


def test_local_keys_are_found_in_their_application_alone() -> None:
    card = terminal(at="DF04")
    assert card.external_authenticate(0x86) == "9000"
    card.select("DDF1")
    assert card.external_authenticate(0x86) == "6A88"
    card.select("DF01")
    assert card.external_authenticate(0x04) == "9000", "the SSSE's keys serve in its applications"


def test_transport_key_of_a_blank_chip(blank_terminal: Terminal) -> None:
    factor = blank().atr[-8:]
    complement = bytes(byte ^ 0xFF for byte in factor)
    transport = tdes(FACTORY_TRANSPORT_KEY, factor + complement)
    assert blank_terminal.external_authenticate(0x00, key=bytes(16)) == "63C9"
    assert blank_terminal.external_authenticate(0x04, key=transport) == "6A88"
    assert blank_terminal.external_authenticate(0x00, key=transport) == "9000"


def test_rights_end_where_the_application_ends() -> None:
    card = terminal(at="DF04", pin=True)
    card.authenticated(0x84)
    card.select("EF06")
    assert card.send("00B2900000")[-4:] == "9000"
    card.select("DF01", "DF04", "EF06")
    assert card.send("00B2900000") == "6982", "the key of DF04 is gone, the PIN is not"
    assert card.send("00B2812800")[-4:] == "9000"
    card.select("3F00")
    card.go(SELECT_SSSE, "00A4000002DF04")
    assert card.send("00B2812800") == "6982"


def test_a_local_right_stays_while_its_application_is_not_left() -> None:
    card = terminal(at="DF04", pin=True)
    card.authenticated(0x84)
    card.select("EF05", "DF04", "EF06")
    assert card.send("00B2900000")[-4:] == "9000"


def test_a_local_pin_does_not_serve_elsewhere() -> None:
    image = specimen()
    pin = image.pins[SSSE + b"\x00"]._replace(reference=0x81)
    image = image._replace(pins={**image.pins, DF04 + b"\x81": pin})
    card = terminal(image, at="DF04")
    assert card.send("0020008103123456") == "9000"
    assert 0x181 in card.card._session.rights
    card.select("DF01")
    assert 0x181 not in card.card._session.rights


class TestTellingTries:
    """EXTERNAL AUTHENTICATE without data, on cards whose profile answers it (ISO/IEC 7816-4, 11.5.4)."""

    def test_an_ordinary_card_takes_it_for_a_wrong_length(self) -> None:
        for command in ("00820004", "0082000400", "0082000401AA"):
            assert terminal(at="SSSE").send(command) == "6700"

    def test_it_tells_and_costs_nothing(self) -> None:
        card = terminal(telling(), at="SSSE")
        assert [card.send("00820004") for _ in range(3)] == ["63C8"] * 3
        assert card.external_authenticate(0x04, key=bytes(16)) == "63C7"
        assert card.send("0082000400") == "63C7"
        assert card.external_authenticate(0x04) == "9000"
        assert card.send("00820004") == "63C8"
        assert card.send("00DC013C03010141") != "6982", "asking takes no right away"

    def test_a_version_is_asked_for_by_its_byte(self) -> None:
        address = key_address(SSSE, Usage.EXTERNAL_AUTHENTICATION, 0x04)
        versions = tuple(
            a_key(Usage.EXTERNAL_AUTHENTICATION, 0x04, CARD_KEY, version=version, tries=tries)
            for version, tries in ((0, 8), (2, 5), (3, 20))
        )
        image = telling()
        card = terminal(image._replace(keys={**image.keys, address: versions}), at="SSSE")
        assert card.send("00820004") == "63C8"
        assert card.send("008200040102") == "63C5"
        assert card.send("008200040103") == "63CF", "a status word cannot tell of more than 15"
        assert card.send("008200040101") == "6A88"

    def test_refusals_in_order(self) -> None:
        blocked = a_key(Usage.EXTERNAL_AUTHENTICATION, 0x04, CARD_KEY)._replace(tries_left=0)
        card = terminal(with_key(telling(), SSSE, blocked), at="SSSE")
        assert card.send("0082010E") == "6A86"
        assert card.send("0082000E") == "6A88"
        assert card.send("00820004") == "6983"
        assert card.send("008200040211AA") == "6700", "two bytes are neither a question nor an answer"


def telling() -> CardImage:
    """A specimen of a card that tells how many tries its keys have left."""
    return specimen()._replace(profile="ssc-v2+key-tries-told")
