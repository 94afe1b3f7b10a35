"""PINs: drawn evenly, none trivial, kept in a block bound to no card number."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import VaultError
from kaguan.personalization.paper.pins import (
    PinTrivial,
    check_pin,
    draw_pin,
    pin_block,
    pin_of_block,
    trivial_reason,
)
from kaguan.vault.secret import Pin

BORN = date(1990, 3, 7)
DIGITS = st.text("0123456789", min_size=4, max_size=12)


@given(st.integers(), st.integers(4, 12), st.dates())
def test_a_drawn_pin_is_not_trivial(seed, digits, born):
    pin = draw_pin(Random(seed).randbytes, digits=digits, born=born)
    assert pin.length == digits
    assert trivial_reason(pin.reveal_digits(), born=born) is None


TRIVIAL = "000000 112211 123456 654321 890123 901234 121212 123123 258852 719900 370307 900307 999948"


@pytest.mark.parametrize("digits", TRIVIAL.split())
def test_trivial_pins_are_refused_without_a_digit(digits):
    with pytest.raises(PinTrivial) as caught:
        check_pin(Pin.of(digits), born=BORN)
    assert not any(character.isdigit() for character in str(caught.value))


@pytest.mark.parametrize("digits", ["123987", "741903", "0417", "900825"])
def test_others_are_not(digits):
    check_pin(Pin.of(digits), born=BORN, avoid=["990101198001010011"])


def test_numbers_of_the_holder_are_avoided():
    with pytest.raises(PinTrivial, match="number of the holder"):
        check_pin(Pin.of("185027"), avoid=["990101185027003X"])


def test_all_allowed_pins_are_equally_likely():
    random = Random(9901)
    places = Counter(
        (place, digit)
        for _ in range(4000)
        for place, digit in enumerate(draw_pin(random.randbytes, digits=6).reveal_digits())
    )
    assert len(places) == 60
    assert all(320 < count < 480 for count in places.values())  # 400 expected, four standard deviations are 76


def test_a_broken_random_source_is_noticed():
    with pytest.raises(VaultError, match="random source"):
        draw_pin(lambda count: b"\x00" * count)
    with pytest.raises(VaultError, match="random source"):
        draw_pin(lambda count: b"\xff" * count)


@given(DIGITS)
def test_a_block_gives_the_pin_back(digits):
    block = pin_block(Pin.of(digits), secrets.token_bytes)
    assert pin_of_block(block) == Pin.of(digits)


def test_a_block_is_of_format_1():
    # ISO 9564-1: control 1, length, digits, transaction field.
    assert pin_block(Pin.of("1234"), lambda count: b"\xab" * count).hex().upper() == "141234ABABABABAB"


@pytest.mark.parametrize("block", ["041234FFFFFFFFFF", "131239ABABABABAB", "14123AABABABABAB", "1412", ""])
def test_other_blocks_are_refused(block):
    with pytest.raises(VaultError, match="format 1"):
        pin_of_block(bytes.fromhex(block))
