"""A cipher stays the same whatever was asked of it before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, fold, session_key
from kaguan.vault.mac import mac4, pad80

ALGORITHMS = st.sampled_from(Algorithm)


@given(ALGORITHMS, st.data())
def test_what_is_enciphered_comes_back(algorithm: Algorithm, data: st.DataObject) -> None:
    key = data.draw(st.binary(min_size=algorithm.key_size, max_size=algorithm.key_size))
    blocks = pad80(data.draw(st.binary(max_size=64)), algorithm.block_size)
    assert cipher(key, algorithm).decrypt(cipher(key, algorithm).encrypt(blocks)) == blocks
    assert fresh_cipher(key, algorithm).encrypt(blocks) == cipher(key, algorithm).encrypt(blocks)


@given(ALGORITHMS, st.integers(1, 40).filter(lambda size: size % 8))
def test_a_broken_block_is_refused_and_leaves_nothing_behind(algorithm: Algorithm, size: int) -> None:
    worker = fresh_cipher(bytes(range(algorithm.key_size)), algorithm)
    before = worker.encrypt(bytes(algorithm.block_size)), worker.decrypt(bytes(algorithm.block_size))
    with pytest.raises(VaultError, match="whole"):
        worker.encrypt(bytes(size))
    with pytest.raises(VaultError, match="whole"):
        worker.decrypt(bytes(size))
    assert (
        worker.encrypt(bytes(algorithm.block_size)),
        worker.decrypt(bytes(algorithm.block_size)),
    ) == before


@given(st.binary(max_size=70), st.sampled_from([8, 16]))
def test_padding_always_grows_and_can_be_taken_off(data: bytes, block_size: int) -> None:
    padded = pad80(data, block_size)
    assert len(padded) % block_size == 0
    assert 1 <= len(padded) - len(data) <= block_size
    assert padded.rstrip(b"\0")[:-1] == data


@pytest.mark.parametrize("algorithm", Algorithm)
def test_one_object_serves_many_threads(algorithm: Algorithm) -> None:
    worker = fresh_cipher(bytes(range(algorithm.key_size)), algorithm)
    messages = [bytes([number]) * (number % 50) for number in range(200)]
    alone = [mac4(worker, message) for message in messages]
    with ThreadPoolExecutor(4) as pool:
        for together in pool.map(lambda _: [mac4(worker, message) for message in messages], range(16)):
            assert together == alone


@given(st.sampled_from([b"", bytes(7), bytes(9), bytes(16)]))
def test_factors_and_session_blocks_have_eight_bytes(block: bytes) -> None:
    with pytest.raises(VaultError, match="8 bytes"):
        diversify(bytes(16), block)
    with pytest.raises(VaultError, match="8 bytes"):
        session_key(bytes(16), block)


def test_lengths_that_make_no_key_are_refused() -> None:
    with pytest.raises(VaultError, match="has 16 bytes, this has 8"):
        cipher(bytes(8), Algorithm.TDES)
    with pytest.raises(VaultError, match="16-byte"):
        fold(bytes(8))
    with pytest.raises(VaultError, match="initial value"):
        mac4(cipher(bytes(8), Algorithm.DES), b"", bytes(9))
    for algorithm in (Algorithm.DES, Algorithm.AES):
        with pytest.raises(VaultError, match="not diversified"):
            diversify(bytes(algorithm.key_size), bytes(8), algorithm)
    with pytest.raises(VaultError, match="no session key"):
        session_key(bytes(32), bytes(8), Algorithm.AES)


def test_aes_is_that_of_the_standard() -> None:
    """FIPS 197, C.3."""
    worker = cipher(bytes(range(32)), Algorithm.AES)
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert worker.encrypt(block) == bytes.fromhex("8ea2b7ca516745bfeafc49904b496089")
    assert worker.decrypt(worker.encrypt(block)) == block
