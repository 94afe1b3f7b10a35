"""psec and pyemv, which we did not write, make the same cryptograms, MACs and check values."""

from __future__ import annotations

import pyemv.mac
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psec import des
from psec import mac as psec_mac

from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.mac import cbc_mac8, mac4, mac8, pad80

pytestmark = [  # the oracles still use the old home of 3DES and its short keys
    pytest.mark.filterwarnings("ignore:TripleDES has been moved"),
    pytest.mark.filterwarnings("ignore:(Single|Two)-key TripleDES"),
]

KEYS = st.binary(min_size=16, max_size=16)
MESSAGES = st.binary(max_size=80) | st.binary(min_size=90, max_size=300)  # a transaction's, and a batch of keys


@given(KEYS, MESSAGES)
def test_enciphering_and_deciphering(key: bytes, message: bytes) -> None:
    blocks = pad80(message, 8)
    ours = cipher(key, Algorithm.TDES).encrypt(blocks)
    assert ours == des.encrypt_tdes_ecb(key, blocks)
    assert cipher(key, Algorithm.TDES).decrypt(ours) == blocks


@given(KEYS, MESSAGES)
def test_retail_mac(key: bytes, message: bytes) -> None:
    ours = mac8(cipher(key, Algorithm.TDES), message)
    assert ours == psec_mac.generate_retail_mac(key[:8], key[8:], message, 2)
    assert ours == pyemv.mac.mac_iso9797_3(key[:8], key[8:], message, 2)
    assert mac4(cipher(key, Algorithm.TDES), message) == ours[:4]


@given(KEYS, st.binary(min_size=8, max_size=300), st.binary(min_size=8, max_size=8))
def test_an_initial_value_is_mixed_into_the_first_block(key: bytes, message: bytes, iv: bytes) -> None:
    mixed = bytes(one ^ other for one, other in zip(message, iv, strict=False)) + message[8:]
    assert mac8(cipher(key, Algorithm.TDES), message, iv) == psec_mac.generate_retail_mac(key[:8], key[8:], mixed, 2)


@given(KEYS, MESSAGES)
def test_cbc_mac(key: bytes, message: bytes) -> None:
    assert mac8(cipher(key[:8], Algorithm.DES), message) == psec_mac.generate_cbc_mac(key[:8], message, 2)
    assert cbc_mac8(cipher(key, Algorithm.TDES), message) == psec_mac.generate_cbc_mac(key, message, 2)


@given(KEYS)
def test_check_value(key: bytes) -> None:
    assert check_value(key, Algorithm.TDES).value == des.generate_kcv(key, 3)
