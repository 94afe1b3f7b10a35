"""Nothing that Python prints, formats or pickles holds a secret."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import CodecError
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.secret import CheckValue, Pin, Secret

DIGITS = st.text("0123456789", min_size=4, max_size=12)


@given(st.binary(min_size=16, max_size=16))
def test_a_secret_never_shows(value: bytes) -> None:
    secret = Secret(value)
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        repr([secret]),
        repr(cipher(value, Algorithm.TDES)),
    ):
        assert value.hex() not in shown.lower()
        assert repr(value)[2:-1] not in shown
    assert repr(secret) == "<Secret 16 bytes>"


@pytest.mark.parametrize("holder", [Secret(b"x"), Pin.of("1234"), cipher(bytes(16), Algorithm.SM4)])
def test_no_copy_is_made_behind_our_back(holder: object) -> None:
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be pickled"):
            duplicate(holder)


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_secrets_are_equal_when_their_values_are(one: bytes, other: bytes) -> None:
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) == Secret(bytes(one))
    assert Secret(one) != one
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret(one))


@given(DIGITS)
def test_a_pin_is_its_digits_in_bcd_filled_with_f(digits: str) -> None:
    pin = Pin.of(digits)
    assert pin.reveal().hex().upper() == digits + "F" * (len(digits) % 2)
    assert pin.length == len(digits)
    assert pin.reveal_digits() == digits
    assert repr(pin) == str(pin) == "<Pin>"


@given(st.text("0123456789", max_size=30).filter(lambda digits: not 4 <= len(digits) <= 12))
def test_a_pin_of_another_length_is_refused_without_its_digits(digits: str) -> None:
    with pytest.raises(CodecError) as refused:
        Pin.of(digits)
    assert len(digits) < 4 or digits not in str(refused.value)


@pytest.mark.parametrize("text", ["12a456", "１２３４５６", "²²²²", "12 456", "-12345"])
def test_only_ascii_digits_are_digits(text: str) -> None:
    with pytest.raises(CodecError) as refused:
        Pin.of(text)
    assert text not in str(refused.value)


@given(st.binary(min_size=3, max_size=3))
def test_a_check_value_reads_what_it_writes(value: bytes) -> None:
    assert CheckValue.parse(str(CheckValue(value))) == CheckValue(value)
    assert str(CheckValue(value)) == value.hex().upper()


@pytest.mark.parametrize("text", ["", "8BAF", "8BAF4700", "8BAF4G"])
def test_a_check_value_is_six_hex_digits(text: str) -> None:
    with pytest.raises(CodecError):
        CheckValue.parse(text)
