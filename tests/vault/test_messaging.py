"""Secure messaging between two honest ends, and with somebody in between."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kaguan.apdu.command import CommandApdu
from kaguan.vault.ciphers import Algorithm, BlockCipher, cipher
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import (
    CryptogramMalformed,
    MacWrong,
    MessagingError,
    ProtectionAbsent,
    Scheme,
    answer_mac,
    protect,
    unprotect,
)

CHALLENGE = bytes.fromhex("1122334455667788")
LONG_KEY = cipher(bytes(range(16)), Algorithm.TDES)
CIPHERS = {
    Scheme.PBOC: [cipher(bytes(range(8)), Algorithm.DES), LONG_KEY, cipher(bytes(range(16)), Algorithm.SM4)],
    Scheme.SSC: [LONG_KEY, cipher(bytes(range(16)), Algorithm.SM4)],
}
ENDS = st.sampled_from([(scheme, worker) for scheme, workers in CIPHERS.items() for worker in workers])
COMMANDS = st.builds(
    CommandApdu,
    st.sampled_from([0x04, 0x84]),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.none() | st.integers(1, 256),
)
End = tuple[Scheme, BlockCipher]


@given(ENDS, COMMANDS, st.booleans())
def test_what_is_protected_arrives(end: End, command: CommandApdu, encrypted: bool) -> None:
    scheme, worker = end
    sent = protect(worker, scheme, command, CHALLENGE, encrypted=encrypted)
    assert unprotect(worker, scheme, sent, CHALLENGE, encrypted=encrypted) == command
    assert sent.ne == command.ne


@given(ENDS, COMMANDS, st.booleans(), st.data())
def test_a_flipped_bit_is_refused(end: End, command: CommandApdu, encrypted: bool, data: st.DataObject) -> None:
    scheme, worker = end
    sent = protect(worker, scheme, command, CHALLENGE, encrypted=encrypted)
    covered = sent.header + sent.data
    bit = data.draw(st.integers(0, 8 * len(covered) - 1))
    changed = bytearray(covered)
    changed[bit // 8] ^= 0x80 >> bit % 8
    received = CommandApdu(changed[0], changed[1], changed[2], changed[3], bytes(changed[4:]), sent.ne)
    with pytest.raises((MacWrong, ProtectionAbsent)):
        unprotect(worker, scheme, received, CHALLENGE, encrypted=encrypted)


@given(ENDS, COMMANDS, st.binary(min_size=8, max_size=8))
def test_another_challenge_is_refused(end: End, command: CommandApdu, challenge: bytes) -> None:
    assume(challenge != CHALLENGE)
    scheme, worker = end
    sent = protect(worker, scheme, command, CHALLENGE, encrypted=False)
    with pytest.raises(MacWrong):
        unprotect(worker, scheme, sent, challenge, encrypted=False)


@given(COMMANDS, st.integers(0, 3))
def test_a_command_without_a_mac_is_told_from_one_with_a_wrong_mac(command: CommandApdu, size: int) -> None:
    with pytest.raises(ProtectionAbsent):
        unprotect(LONG_KEY, Scheme.PBOC, command._replace(data=bytes(size)), CHALLENGE, encrypted=False)
    with pytest.raises(ProtectionAbsent):
        unprotect(LONG_KEY, Scheme.PBOC, command._replace(cla=0x80), CHALLENGE, encrypted=False)


@pytest.mark.parametrize("plaintext", ["08" + "00" * 7, "02AABB0000000000", "02AABB8000000001", "FF" * 8, "00" * 8])
def test_a_right_mac_over_a_malformed_plaintext_is_the_senders_mistake(plaintext: str) -> None:
    clear = CommandApdu.of("04 D6 00 00", LONG_KEY.encrypt(bytes.fromhex(plaintext)))
    sent = protect(LONG_KEY, Scheme.PBOC, clear, CHALLENGE, encrypted=False)
    with pytest.raises(CryptogramMalformed):
        unprotect(LONG_KEY, Scheme.PBOC, sent, CHALLENGE, encrypted=True)


def test_a_cryptogram_that_is_no_whole_block_is_malformed() -> None:
    sent = protect(LONG_KEY, Scheme.PBOC, CommandApdu.of("04 D6 00 00", b"abc"), CHALLENGE, encrypted=False)
    with pytest.raises(CryptogramMalformed, match="whole blocks"):
        unprotect(LONG_KEY, Scheme.PBOC, sent, CHALLENGE, encrypted=True)


def test_seven_bytes_fill_one_block_for_pboc_and_two_for_ssc() -> None:
    command = CommandApdu.of("04 D6 00 00", bytes(7))
    sizes = {s: len(protect(LONG_KEY, s, command, CHALLENGE, encrypted=True).data) - 4 for s in Scheme}
    assert sizes == {Scheme.PBOC: 8, Scheme.SSC: 16}


def test_the_mac_of_a_protected_read_is_over_the_answer_alone() -> None:
    key = cipher(b"\xff" * 16, Algorithm.TDES)  # a public trace of an FMCOS card
    answer = bytes.fromhex("11223344556677889900AABBCCDDEEFF")
    assert answer_mac(key, Scheme.PBOC, answer, bytes.fromhex("D0FE4FB9")).hex().upper() == "8D318577"


def test_ssc_answers_are_authenticated_with_the_session_key() -> None:
    session = cipher(LONG_KEY.encrypt(CHALLENGE), Algorithm.DES)
    assert answer_mac(LONG_KEY, Scheme.SSC, b"answer", CHALLENGE) == mac4(session, b"answer")


@pytest.mark.parametrize(
    ("scheme", "worker", "command", "challenge", "said"),
    [
        (Scheme.PBOC, LONG_KEY, CommandApdu.of("80 1E 00 00"), CHALLENGE, "use 84"),
        (Scheme.PBOC, LONG_KEY, CommandApdu.of("84 1E 00 00"), b"", "4 or 8 bytes"),
        (Scheme.SSC, LONG_KEY, CommandApdu.of("84 1E 00 00"), bytes(4), "challenge of 8"),
        (Scheme.SSC, CIPHERS[Scheme.PBOC][0], CommandApdu.of("84 1E 00 00"), CHALLENGE, "16-byte key"),
        (Scheme.PBOC, LONG_KEY, CommandApdu.of("84 D6 00 00", bytes(252)), CHALLENGE, "256 data bytes"),
    ],
)
def test_a_sender_who_cannot_be_right_is_told(
    scheme: Scheme, worker: BlockCipher, command: CommandApdu, challenge: bytes, said: str
) -> None:
    with pytest.raises(MessagingError, match=said):
        protect(worker, scheme, command, challenge, encrypted=False)
