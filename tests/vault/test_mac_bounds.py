"""Where MACs and messaging end: lengths at the edge, SM4's initial value, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from kaguan.apdu.command import SHORT_DATA, CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.mac import cbc_mac8, mac4, mac8, pad80
from kaguan.vault.messaging import (
    CryptogramMalformed,
    MacWrong,
    MessagingError,
    ProtectionAbsent,
    Scheme,
    protect,
    protected_answer,
    unprotect,
)

CHALLENGE = bytes.fromhex("1122334455667788")
KEY = bytes(range(16))
TDES_WORKER, SM4_WORKER = cipher(KEY, Algorithm.TDES), cipher(KEY, Algorithm.SM4)


def sm4_cbc(key: bytes, data: bytes) -> bytes:
    """The last block of the padded data's CBC from zeros, chained by a library."""
    padded = data + b"\x80" + bytes(-(len(data) + 1) % 16)
    return Cipher(SM4(key), modes.CBC(bytes(16))).encryptor().update(padded)[-16:]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 40])
def test_sm4_macs_are_cut_to_the_size_in_their_name(size: int) -> None:
    whole = sm4_cbc(KEY, bytes(range(size)))
    for function, length in ((mac4, 4), (mac8, 8), (cbc_mac8, 8)):
        assert function(SM4_WORKER, bytes(range(size))) == whole[:length]


@pytest.mark.parametrize("size", [0, 7, 8, 87, 88, 95, 96, 97, 200])
@pytest.mark.parametrize("challenge", [b"", b"\x11", bytes.fromhex("D0FE4FB9"), CHALLENGE])
def test_a_short_initial_value_is_filled_on_its_right(challenge: bytes, size: int) -> None:
    """However long the data is."""
    data = b"\x5a" * size
    first = bytes(one ^ other for one, other in zip(pad80(data, 8)[:8], challenge.ljust(8, b"\0"), strict=True))
    padded = first + pad80(data, 8)[8:]
    half, state = cipher(KEY[:8], Algorithm.DES), bytes(8)
    for start in range(0, len(padded), 8):
        block = bytes(one ^ other for one, other in zip(state, padded[start : start + 8], strict=True))
        state = (TDES_WORKER if start + 8 == len(padded) else half).encrypt(block)
    assert mac4(TDES_WORKER, data, challenge) == state[:4]


def test_an_initial_value_is_no_longer_than_a_block() -> None:
    assert mac4(TDES_WORKER, b"data", bytes(8)) == mac4(TDES_WORKER, b"data")
    with pytest.raises(VaultError, match=r"^an initial value has at most 8 bytes, this has 9$"):
        mac4(TDES_WORKER, b"data", bytes(9))


def test_ssc_messaging_under_sm4_begins_with_zeros() -> None:
    """Unconfirmed, as all of SM4 here: the session key is SM4(K, challenge ‖ 80 00..)."""
    command = CommandApdu.of("84 1E 00 00")
    session = Cipher(SM4(KEY), modes.ECB()).encryptor().update(CHALLENGE + b"\x80" + bytes(7))  # noqa: S305
    sent = protect(SM4_WORKER, Scheme.SSC, command, CHALLENGE, encrypted=False)
    assert sent.data == sm4_cbc(session, bytes.fromhex("841E000004"))[:4]


def test_a_protected_command_fills_an_lc_and_not_more() -> None:
    sent = protect(TDES_WORKER, Scheme.PBOC, CommandApdu.of("04 D6 00 00", bytes(251)), CHALLENGE, encrypted=False)
    assert len(sent.data) == SHORT_DATA
    assert unprotect(TDES_WORKER, Scheme.PBOC, sent, CHALLENGE, encrypted=False).data == bytes(251)
    with pytest.raises(MessagingError, match="256 data bytes"):
        protect(TDES_WORKER, Scheme.PBOC, CommandApdu.of("04 D6 00 00", bytes(252)), CHALLENGE, encrypted=False)


def test_an_enciphered_answer_has_at_most_what_ld_can_count() -> None:
    answer = protected_answer(TDES_WORKER, Scheme.PBOC, b"\x5a" * 255, CHALLENGE, encrypted=True)
    assert TDES_WORKER.decrypt(answer[:-4]) == b"\xff" + b"\x5a" * 255
    with pytest.raises(MessagingError, match=r"^256 bytes of plaintext are more than LD can count$"):
        protected_answer(TDES_WORKER, Scheme.PBOC, bytes(256), CHALLENGE, encrypted=True)


def unprotected(data: bytes, *, cla: int = 0x04, encrypted: bool = False) -> Callable[[], object]:
    """The other end, handed a command with this data."""
    command = CommandApdu(cla, 0xD6, 0, 0, data)
    return lambda: unprotect(TDES_WORKER, Scheme.PBOC, command, CHALLENGE, encrypted=encrypted)


def malformed() -> bytes:
    """A cryptogram of zeros after an LD of 8, under a right MAC."""
    clear = CommandApdu.of("04 D6 00 00", TDES_WORKER.encrypt(b"\x08" + bytes(7)))
    return protect(TDES_WORKER, Scheme.PBOC, clear, CHALLENGE, encrypted=False).data


@pytest.mark.parametrize(
    ("attempt", "kind", "said"),
    [
        (unprotected(bytes(8), cla=0x80), ProtectionAbsent, "CLA 80 announces no secure messaging"),
        (unprotected(bytes(3)), ProtectionAbsent, "3 data bytes hold no MAC of 4"),
        (unprotected(bytes(8)), MacWrong, "the MAC of the protected command is wrong"),
        (
            unprotected(malformed(), encrypted=True),
            CryptogramMalformed,
            "LD, padding and length of the deciphered data contradict each other",
        ),
        (
            lambda: protect(
                cipher(KEY[:8], Algorithm.DES), Scheme.SSC, CommandApdu.of("84 1E 00 00"), CHALLENGE, encrypted=False
            ),
            MessagingError,
            "SSC messaging makes its session key itself: give it the 16-byte key, not the session's",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong(attempt: Callable[[], object], kind: type[VaultError], said: str) -> None:
    with pytest.raises(kind) as refusal:
        attempt()
    assert str(refusal.value) == said
