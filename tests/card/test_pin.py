"""VERIFY, CHANGE PIN, PIN UNBLOCK and RELOAD PIN (LD/T 32.5; JR/T 0025.2)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import CARD_KEY, PIN_ADDRESS, PIN_TRIES, SELECT_SSSE, VERIFY, Terminal, given, specimen, terminal
from card.oracle import ssc_protected
from kaguan.card_os.image import CardImage

CHALLENGE = "1122334455667788"
RELOAD = "842400010CD0D5F19C5D6C1F76AA867B2C"
UNBLOCK = "84240000044B14DB2D"
LESS_ONE = f"63C{PIN_TRIES - 1:X}"


def _bcd(digits: str) -> bytes:
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


DIGITS = st.text("0123456789", min_size=3, max_size=12).map(_bcd)


def card_with_tries(tries_left: int, *, value: str = "123456") -> CardImage:
    image = specimen()
    pin = image.pins[PIN_ADDRESS]._replace(tries_left=tries_left, value=bytes.fromhex(value))
    return image._replace(pins={PIN_ADDRESS: pin})


def tries(card: Terminal) -> int:
    return card.card.image.pins[PIN_ADDRESS].tries_left


def test_verify_gives_the_right_at_the_ssse_and_in_the_medical_application() -> None:
    for at in ("SSSE", "DF04"):
        card = terminal(at=at)
        assert card.send("00A4000002DF04") == "610A"
        assert card.send("00B2012C00") == "6982"
        assert card.send(VERIFY) == "9000"
        assert card.send("00B2012C00").endswith("9000")


def test_a_wrong_pin_costs_a_try_until_none_is_left() -> None:
    card = terminal(at="SSSE")
    words = [card.send("0020000003654321") for _ in range(PIN_TRIES + 1)]
    assert words == [f"63C{left:X}" for left in reversed(range(PIN_TRIES))] + ["6983"]
    assert card.send(VERIFY) == "6983"


def test_the_right_pin_restores_the_tries() -> None:
    card = terminal(at="SSSE")
    card.send("0020000003654321")
    assert (card.send(VERIFY), tries(card)) == ("9000", PIN_TRIES)


def test_a_wrong_pin_takes_the_right_back() -> None:
    card = terminal(at="DF04", pin=True)
    assert card.send("0020000003654321") == LESS_ONE
    assert card.send("00B2012C00") == "6982"


@pytest.mark.parametrize("command", ["00200000", "0020000000"])
def test_an_empty_verify_asks_and_costs_nothing(command: str) -> None:
    card = terminal(at="SSSE")
    card.send("0020000003654321")
    assert [card.send(command) for _ in range(9)] == [LESS_ONE] * 9
    assert tries(card) == PIN_TRIES - 1


def test_filling_behind_the_digits_is_no_digit() -> None:
    assert terminal(at="SSSE").send("0020000008123456FFFFFFFFFF") == "9000"


@pytest.mark.parametrize(
    ("image", "command", "sw"),
    [
        (card_with_tries(0, value=""), "002001010112", "6A86"),
        (card_with_tries(0, value=""), "002000010112", "6A88"),
        (card_with_tries(0, value=""), "002000000112", "6984"),
        (card_with_tries(0), "002000000112", "6983"),
        (card_with_tries(3), "002000000112", "6700"),
        (card_with_tries(3), "0020000007" + "12" * 7, "6700"),
        (card_with_tries(3), "0020000003FFFFFF", "6700"),
        (card_with_tries(3), "002000000312FF34", "6A80"),
        (card_with_tries(3), "002000000312345A", "6A80"),
        (card_with_tries(3), "00200000031F3456", "6A80"),
    ],
)
def test_verify_refuses_in_order(image: CardImage, command: str, sw: str) -> None:
    card = terminal(image, at="SSSE")
    assert card.send(command) == sw
    assert card.card.image is image


def test_the_master_file_has_no_pin() -> None:
    assert terminal().send(VERIFY) == "6A88"


@pytest.mark.parametrize("digits", ["ABCDEF", "12345A", "1F3456", "A23456"])
def test_a_new_pin_is_decimal(digits: str) -> None:
    card = terminal(at="SSSE")
    before = card.card.image
    assert card.send(f"805E010007123456FF{digits}") == "6A80"
    assert card.send(f"805E010007{digits}FF654321") == "6A80"
    assert card.card.image is before


def test_a_pin_may_have_an_odd_number_of_digits() -> None:
    card = terminal(at="SSSE")
    assert card.send("805E010007123456FF65432F") == "9000"
    assert card.send("805E01000765432FFF123456") == "9000"
    assert card.send(VERIFY) == "9000"


def test_change_pin() -> None:
    card = terminal(at="SSSE")
    assert card.send("805E010007123456FF654321") == "9000"
    assert card.send("00A4000002DF04") == "610A"
    assert card.send("00B2012C00") == "6982", "who changed the PIN has not verified it"
    assert card.send(VERIFY) == LESS_ONE
    assert card.send("0020000003654321") == "9000"


def test_changing_with_the_wrong_pin_costs_a_try() -> None:
    card = terminal(at="SSSE")
    words = [card.send("805E010007000000FF654321") for _ in range(PIN_TRIES + 1)]
    assert words[-3:] == ["63C1", "63C0", "6983"]
    assert card.send(VERIFY) == "6983"


def test_changing_restores_the_tries() -> None:
    card = terminal(card_with_tries(1), at="SSSE")
    assert (card.send("805E010007123456FF654321"), tries(card)) == ("9000", PIN_TRIES)


@examples(DIGITS, DIGITS)
def test_a_pin_may_have_two_to_six_bytes(first: bytes, second: bytes) -> None:
    card = terminal(at="SSSE")
    for old, new in ((bytes.fromhex("123456"), first), (first, second)):
        body = old + b"\xff" + new
        assert card.send(bytes((0x80, 0x5E, 1, 0, len(body))) + body) == "9000"
    assert card.send(bytes((0, 0x20, 0, 0, len(second))) + second) == "9000"


@pytest.mark.parametrize(
    ("image", "command", "sw"),
    [
        (card_with_tries(0, value=""), "805E020007123456FF654321", "6A86"),
        (card_with_tries(0, value=""), "805E010107123456FF654321", "6A88"),
        (card_with_tries(0, value=""), "805E0100", "6984"),
        (card_with_tries(0), "805E0100", "6983"),
        (card_with_tries(3), "805E0100", "6A80"),
        (card_with_tries(3), "805E010006123456654321", "6A80"),
        (card_with_tries(3), "805E010004FF654321", "6A80"),
        (card_with_tries(3), "805E01000512FF654321", "6700"),
        (card_with_tries(3), "805E010005123456FF65", "6700"),
        (card_with_tries(3), "805E01000B123456FF65432165432165", "6700"),
        (card_with_tries(3), "805E010007123456FF65FF21", "6A80"),
    ],
)
def test_change_pin_refuses_in_order(image: CardImage, command: str, sw: str) -> None:
    card = terminal(image, at="SSSE")
    assert card.send(command) == sw
    assert card.card.image is image


def unblocker(image: CardImage) -> Terminal:
    """A terminal that has shown the PUK and heard the challenge 1122334455667788."""
    card = terminal(image, at="SSSE", random=given("0000000000000000", CHALLENGE))
    card.authenticated(0x06)
    assert card.send("0084000008") == CHALLENGE + "9000"
    return card


def test_published_reload_pin() -> None:
    card = unblocker(card_with_tries(0, value="999999"))
    assert card.send(RELOAD) == "9000"
    assert card.send(VERIFY) == "9000"


def test_published_unblock_keeps_the_pin() -> None:
    card = unblocker(card_with_tries(0))
    assert card.send(UNBLOCK) == "9000"
    assert card.send(VERIFY) == "9000"


@examples(DIGITS)
def test_reload_any_pin(new: bytes) -> None:
    card = terminal(card_with_tries(0), at="SSSE")
    card.authenticated(0x06)
    assert card.send(ssc_protected(CARD_KEY, card.challenge(), "84240001", plain=new)) == "9000"
    assert card.send(bytes((0, 0x20, 0, 0, len(new))) + new) == "9000"


@pytest.mark.parametrize("at", ["SSSE", "DF04"])
def test_a_used_challenge_unblocks_nothing(at: str) -> None:
    card = terminal(card_with_tries(0), at=at)
    card.authenticated(0x06)
    command = ssc_protected(CARD_KEY, card.challenge(), "84240000")
    assert card.send(command) == "9000"
    assert card.send(command) == "6984"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("84240100044B14DB2D", "6A86"),
        ("84240002044B14DB2D", "6A86"),
        ("84240000", "6987"),
        ("84240000034B14DB", "6987"),
        ("84240000044B14DB2E", "6988"),
        ("84240001044B14DB2D", "6988"),
        (RELOAD[:-2] + "2D", "6988"),
    ],
)
def test_unblocking_refuses(command: str, sw: str) -> None:
    image = card_with_tries(0)
    card = unblocker(image)
    before = card.card.image
    assert card.send(command) == sw
    assert card.card.image is before


def test_unblocking_needs_the_key_and_then_a_challenge() -> None:
    card = terminal(card_with_tries(0))
    assert card.send(UNBLOCK) == "6A88"
    card.go(SELECT_SSSE)
    assert card.send(UNBLOCK) == "6982"
    card.authenticated(0x06)
    assert card.send(UNBLOCK) == "6984"
    card.challenge(4)
    assert card.send(UNBLOCK) == "6984", "a process key is made from eight bytes"


@pytest.mark.parametrize(("plain", "sw"), [("12", "6700"), ("12" * 7, "6700"), ("FFFFFF", "6700"), ("12FF34", "6A80")])
def test_a_reloaded_pin_has_the_right_form(plain: str, sw: str) -> None:
    card = terminal(at="SSSE")
    card.authenticated(0x06)
    assert card.send(ssc_protected(CARD_KEY, card.challenge(), "84240001", plain=bytes.fromhex(plain))) == sw
    assert card.send(VERIFY) == "9000"
