"""The answer to reset of every profile is one that a reader takes (ISO/IEC 7816-3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.card_os.profile import load_profile
from kaguan.card_os.profile.reset import with_check_byte
from properties.population import every_profile


def parts(atr: bytes) -> tuple[set[int], int, bytes]:
    """The protocols that the TDi name, the length of the historical bytes, and what stands from them on."""
    at, offered, protocols = 2, atr[1], set[int]()
    while offered & 0x80:
        at += bin(offered & 0x70).count("1")
        offered = atr[at]
        protocols.add(offered & 0x0F)
        at += 1
    at += bin(offered & 0x70).count("1")
    return protocols or {0}, atr[1] & 0x0F, atr[at:]


@pytest.mark.parametrize("name", [profile.name for profile in every_profile()])
@given(serial=st.binary(min_size=6, max_size=6))
def test_an_answer_to_reset_is_whole(name: str, serial: bytes) -> None:
    native = name.startswith("fmcos")
    atr = load_profile(name).atr(bytes(2 * native) + serial)
    protocols, historical, rest = parts(atr)
    if protocols == {0}:
        assert len(rest) == historical
        assert atr.endswith(serial)
        return
    assert len(rest) == historical + 1
    check = 0
    for byte in atr[1:]:
        check ^= byte
    assert check == 0
    assert atr[:-1].endswith(serial)


def test_the_metro_cards_is_the_published_one() -> None:
    atr = load_profile("cjt-purse").atr(bytes.fromhex("051B86986019"))
    assert atr.hex().upper() == "3B9F95803FC6A08031E073FE211357C2051B86986019D1"


@pytest.mark.parametrize(
    ("whole", "check"),
    [
        ("3B6D00000081544C928684420100000135", ""),
        ("3B00", ""),
        ("3B8001", "81"),
        ("3B801F00", "9F"),  # T=15 is no protocol, but more than T=0
    ],
)
def test_what_needs_a_check_byte(whole: str, check: str) -> None:
    assert with_check_byte(bytes.fromhex(whole)).hex().upper() == whole + check


@given(st.binary(min_size=2, max_size=40))
def test_no_bytes_break_it(atr: bytes) -> None:
    assert with_check_byte(atr).startswith(atr)
