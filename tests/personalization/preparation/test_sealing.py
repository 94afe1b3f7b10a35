"""A sealed record opens in its place alone, and the key that seals it never shows."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import VaultError
from kaguan.personalization.preparation.sealing import RecordKey, RecordTampered
from kaguan.vault.secret import Secret

RAW = bytes(range(32))
KEY = RecordKey(Secret(RAW))
NUMBERS = st.integers(0, 2**64 - 1)


def derived(purpose: bytes) -> bytes:
    """HKDF-SHA256 without salt, as RFC 5869 writes it, for one block."""
    extracted = hmac.digest(bytes(32), RAW, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")


@given(NUMBERS, st.binary(max_size=40), st.binary(max_size=3000))
def test_it_opens_in_its_place(number, job, record):
    sealed = KEY.seal(number, job, record)
    assert KEY.open(number, job, sealed) == record
    assert sealed != KEY.seal(number, job, record)


@given(st.binary(max_size=20), st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 1000))
def test_many_at_once_are_each_in_its_place(job, records, first):
    numbers = range(first, first + len(records))
    sealed = KEY.seal_all(numbers, job, records)
    assert [KEY.open(number, job, blob) for number, blob in zip(numbers, sealed, strict=True)] == records
    assert KEY.open_all(numbers, job, sealed) == records


def gcm(key: bytes, nonce: bytes, text: bytes, also: bytes) -> bytes:
    """AES-GCM as NIST SP 800-38D writes it, from single blocks: the cryptogram and its tag."""

    def block(raw: bytes) -> int:
        return int.from_bytes(Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(raw), "big")  # noqa: S305

    def times(x: int, y: int) -> int:
        z = 0
        for bit in range(127, -1, -1):
            z ^= y if x >> bit & 1 else 0
            y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
        return z

    stream = b"".join(
        block(nonce + (2 + at).to_bytes(4, "big")).to_bytes(16, "big") for at in range(-(-len(text) // 16))
    )
    out = bytes(a ^ b for a, b in zip(text, stream, strict=False))
    padded = b"".join(part + bytes(-len(part) % 16) for part in (also, out))
    padded += (8 * len(also)).to_bytes(8, "big") + (8 * len(out)).to_bytes(8, "big")
    y, h = 0, block(bytes(16))
    for at in range(0, len(padded), 16):
        y = times(y ^ int.from_bytes(padded[at : at + 16], "big"), h)
    return out + (y ^ block(nonce + bytes([0, 0, 0, 1]))).to_bytes(16, "big")


@given(st.binary(max_size=70))
def test_it_is_what_the_standard_says(record):
    sealed = KEY.seal(7, b"job", record)
    place = b"kaguan record 1" + bytes([0, 0, 0, 3]) + b"job" + bytes([0] * 7 + [7])
    assert sealed[12:] == gcm(derived(b"kaguan record sealing"), sealed[:12], record, place)


@given(NUMBERS, st.binary(max_size=60), st.data())
def test_a_changed_byte_is_found_out(number, record, data):
    sealed = bytearray(KEY.seal(number, b"job", record))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RecordTampered, match=f"card {number} was changed"):
        KEY.open(number, b"job", bytes(sealed))


@pytest.mark.parametrize(
    ("key", "number", "job", "cut"),
    [
        (KEY, 2, b"job", None),
        (KEY, 1, b"other", None),
        (RecordKey(Secret(bytes(32))), 1, b"job", None),
        (KEY, 1, b"job", 27),
        (KEY, 1, b"job", 0),
    ],
)
def test_another_place_key_or_length_is_found_out(key, number, job, cut):
    with pytest.raises(RecordTampered):
        key.open(number, job, KEY.seal(1, b"job", b"record")[:cut])


def test_a_tag_is_an_hmac_under_a_key_of_its_own():
    expected = hmac.new(derived(b"kaguan record tags"), "A0000000１".encode(), hashlib.sha256).digest()[:16]
    assert KEY.tag("A0000000１") == expected
    assert RecordKey(Secret(bytes(32))).tag("A0000000１") != expected


def test_the_key_does_not_show_and_does_not_travel():
    assert repr(KEY) == str(KEY) == f"{KEY}" == "<RecordKey>"
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be pickled"):
            leave(KEY)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(size):
    with pytest.raises(VaultError, match="32 bytes"):
        RecordKey(Secret(bytes(size)))
