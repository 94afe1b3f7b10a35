"""Shares: any m make the key, any m-1 leave every key equally possible, and no mistake of a typist slips through."""

from __future__ import annotations

import itertools
import random as seeded
import traceback
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.shamir import RawShare, _interpolate

from kaguan.apdu.errors import VaultError
from kaguan.vault.ceremony import ShareDuplicate, ShareForeign, ShareForged, TooFewShares, assembled, deal
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.shamir import combine, interpolate, inverse, split, times
from kaguan.vault.share import Share, ShareMistyped, ShareSet, custodian_name, parse_line, parse_share
from kaguan.vault.vault import Usage

LUCK = seeded.Random(5).randbytes
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NAMES = ["Wang", "Li", "Zhao", "Sun", "Qian", "Zhou", "Wu", "Zheng"]
OF = st.integers(2, 6).flatmap(lambda most: st.tuples(st.integers(2, most), st.just(most)))
KEYS = st.binary(min_size=1, max_size=32)


def share_set(
    threshold: int = 2, count: int = 3, algorithm: Algorithm = Algorithm.AES, number: bytes = b"\1\2\3\4"
) -> ShareSet:
    return ShareSet(number, StoreKind.TEST, Usage.CARD_MASTER_ZONE, algorithm, threshold, count)


def text_of(share: Share) -> str:
    return "\n".join(share.reveal_lines())


def test_the_field_is_that_of_aes() -> None:
    """FIPS 197, 4.2 and 4.2.1: the worked products."""
    assert times(0x57, 0x83) == 0xC1
    assert [times(0x57, by) for by in (0x02, 0x04, 0x08, 0x10, 0x13)] == [0xAE, 0x47, 0x8E, 0x07, 0xFE]
    assert all(times(value, inverse(value)) == 1 for value in range(1, 256))


@given(KEYS, OF, st.data())
@settings(max_examples=60)
def test_any_m_of_n_give_the_key(key: bytes, of: tuple[int, int], data: st.DataObject) -> None:
    shares = split(Secret(key), *of, LUCK)
    chosen = data.draw(st.permutations(sorted(shares)))[: of[0]]
    assert combine({number: shares[number] for number in chosen}) == Secret(key)


@given(KEYS, OF)
@settings(max_examples=40)
def test_another_program_finds_the_same_key(key: bytes, of: tuple[int, int]) -> None:
    """The reference implementation of SLIP-0039 interpolates over the same field."""
    shares = list(split(Secret(key), *of, LUCK).items())[-of[0] :]
    raw = [RawShare(number, share.reveal()) for number, share in shares]
    assert _interpolate(raw, 0) == key
    assert _interpolate(raw, 200) == interpolate(dict(shares), 200).reveal()


@given(KEYS, OF, st.data())
@settings(max_examples=60)
def test_any_m_less_one_are_good_for_every_key(key: bytes, of: tuple[int, int], data: st.DataObject) -> None:
    """Whatever key is claimed, one more share exists that makes the m-1 shares those of that key."""
    threshold, count = of
    shares = split(Secret(key), threshold, count, LUCK)
    held = {n: shares[n] for n in data.draw(st.permutations(sorted(shares)))[: threshold - 1]}
    claimed = Secret(data.draw(st.binary(min_size=len(key), max_size=len(key))))
    missing = next(number for number in range(1, 256) if number not in held)
    last = interpolate({0: claimed, **held}, missing)
    assert combine({**held, missing: last}) == claimed


def test_every_key_is_exactly_as_likely() -> None:
    """All coefficients of a 2 of 2 over one byte: each value of one share comes once for each key."""
    for key in (0x00, 0x42, 0xFF):
        for number in (1, 2):
            seen = Counter(
                split(Secret(bytes([key])), 2, 2, lambda _, c=c: bytes([c]))[number].reveal() for c in range(256)
            )
            assert set(seen.values()) == {1}
            assert len(seen) == 256


@pytest.mark.parametrize(("threshold", "count"), [(1, 3), (0, 0), (4, 3), (2, 100)])
def test_shares_that_make_no_sense(threshold: int, count: int) -> None:
    with pytest.raises(VaultError, match="at least 2"):
        split(Secret(bytes(16)), threshold, count, LUCK)


@given(
    st.sampled_from(Algorithm),
    st.sampled_from(StoreKind),
    st.sampled_from(Usage),
    OF,
    st.binary(min_size=4, max_size=4),
)
@settings(max_examples=60)
def test_a_typed_share_is_the_share(
    algorithm: Algorithm, kind: StoreKind, usage: Usage, of: tuple[int, int], number: bytes
) -> None:
    shares, value = deal(ShareSet(number, kind, usage, algorithm, *of), NAMES[: of[1]], LUCK)
    read = {name: parse_share("words\n" + text_of(share).lower().replace("0", "o")) for name, share in shares.items()}
    assert read == shares
    _, key = assembled(read)
    assert check_value(key.reveal(), algorithm) == value
    assert all(name not in repr(read) for name in (key.reveal().hex(), repr(key.reveal())))


@given(st.data())
@settings(max_examples=200)
def test_every_single_typing_mistake_is_noticed_in_its_line(data: st.DataObject) -> None:
    shares, _ = deal(share_set(), NAMES[:3], LUCK)
    lines = shares["li"].reveal_lines()
    which = data.draw(st.integers(0, len(lines) - 1))
    line = lines[which]
    at = data.draw(st.sampled_from([n for n, c in enumerate(line) if n > 2 and c != " "]))
    wrong = data.draw(st.sampled_from([c for c in ALPHABET if c != line[at]]))
    lines[which] = line[:at] + wrong + line[at + 1 :]
    with pytest.raises(ShareMistyped, match=f"line {which + 1} ") as refused:
        parse_share("\n".join(lines))
    assert line[3:] not in "".join(traceback.format_exception(refused.value))


@given(st.binary(min_size=60, max_size=60), st.data())
@settings(max_examples=200)
def test_two_swapped_characters_are_noticed(luck: bytes, data: st.DataObject) -> None:
    shares, _ = deal(share_set(), NAMES[:3], seeded.Random(luck).randbytes)
    line = shares["li"].reveal_lines()[data.draw(st.integers(0, 5))]
    characters = list(line[3:].replace(" ", ""))
    one, other = data.draw(st.lists(st.integers(0, 17), min_size=2, max_size=2, unique=True))
    if characters[one] == characters[other]:
        return
    characters[one], characters[other] = characters[other], characters[one]
    with pytest.raises(ShareMistyped):
        parse_line(int(line[0]), "".join(characters))


@given(st.data())
@settings(max_examples=100)
def test_a_changed_byte_with_good_line_checks_is_noticed_too(data: st.DataObject) -> None:
    """Two sheets mixed line by line: every line checks, the share does not."""
    one, _ = deal(share_set(), NAMES[:3], LUCK)
    mine, other = one["li"].reveal_lines(), one["zhao"].reveal_lines()
    taken = data.draw(st.lists(st.booleans(), min_size=len(mine), max_size=len(mine)))
    mixed = [b if take else a for a, b, take in zip(mine, other, taken, strict=True)]
    if mixed in (mine, other):
        return
    with pytest.raises(ShareMistyped, match="one sheet"):
        parse_share("\n".join(mixed))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [lines[0] + "A", *lines[1:]],
        lambda lines: [],
        lambda lines: ["1: ÄÖÜ"],
        lambda lines: ["1: 0000 0000 0000 0000 01"],
    ],
    ids=["one line short", "one twice", "out of order", "a character more", "nothing", "not of the alphabet", "zeros"],
)
def test_texts_that_are_no_share(spoil) -> None:  # type: ignore[no-untyped-def]
    shares, _ = deal(share_set(), NAMES[:3], LUCK)
    with pytest.raises(ShareMistyped):
        parse_share("\n".join(spoil(shares["li"].reveal_lines())))


@given(st.text())
def test_any_text_is_a_share_or_refused(text: str) -> None:
    with pytest.raises(ShareMistyped):
        parse_share(text)


def test_the_wrong_people_and_the_wrong_shares() -> None:
    mine, _ = deal(share_set(3, 5), NAMES[:5], LUCK)
    others, _ = deal(share_set(3, 5, number=b"\4\3\2\1"), NAMES[:5], LUCK)
    with pytest.raises(TooFewShares, match="takes 3 shares, 2 were"):
        assembled({name: mine[name] for name in ("wang", "li")})
    with pytest.raises(TooFewShares, match="nobody"):
        assembled({})
    with pytest.raises(ShareForeign, match="zhao belongs to set 04030201"):
        assembled({"wang": mine["wang"], "li": mine["li"], "zhao": others["zhao"]})
    with pytest.raises(ShareForeign, match="not dealt to sun"):
        assembled({"wang": mine["wang"], "li": mine["li"], "sun": mine["zhao"]})
    with pytest.raises(ShareDuplicate, match="li entered the same share as wang"):
        assembled({"wang": mine["wang"], "li": mine["wang"]})
    with pytest.raises(ShareDuplicate, match="same name"):
        deal(share_set(), ["Wang", "  wang ", "Li"], LUCK)
    with pytest.raises(VaultError, match="3 shares and 2"):
        deal(share_set(), ["Wang", "Li"], LUCK)


@given(st.integers(0, 4), st.integers(0, 31), st.integers(1, 255))
@settings(max_examples=60)
def test_a_forged_share_does_not_agree_with_the_others(which: int, at: int, by: int) -> None:
    shares, _ = deal(share_set(3, 5), NAMES[:5], LUCK)
    name = list(shares)[which]
    value = bytearray(shares[name].value.reveal())
    value[at] ^= by
    shares[name] = Share(shares[name].set, shares[name].number, shares[name].dealt_to, Secret(bytes(value)))
    with pytest.raises(ShareForged):
        assembled(shares)


def test_sheet_numbers_are_all_different_and_check_themselves() -> None:
    numbers = [
        share.sheet_number
        for n in (b"\1\2\3\4", b"\1\2\3\5")
        for share in deal(share_set(number=n), NAMES[:3], LUCK)[0].values()
    ]
    assert len(set(numbers)) == 6
    for sheet in numbers:
        of, place, check = sheet[:8], sheet[9:14].replace("/", ""), sheet[15:]
        assert int(f"{int(of, 16):010}{place}{check}") % 97 == 1


def test_names_that_are_one_and_names_that_are_none() -> None:
    assert custodian_name("  ＷＡＮＧ  Fang ") == custodian_name("Wang fang") == "wang fang"
    for bad in ("", "  ", "a=b", "x" * 41, "a\x07b"):
        with pytest.raises(VaultError, match="printable"):
            custodian_name(bad)


def test_shares_and_their_texts_show_nothing() -> None:
    shares, _ = deal(share_set(), NAMES[:3], LUCK)
    for share, other in itertools.permutations(shares.values(), 2):
        assert share.value.reveal().hex() not in repr(share) + str(share) + text_of(other)
