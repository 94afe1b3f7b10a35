"""A token becomes a key store: master keys are made in it, and nobody ever has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from kaguan.apdu.errors import VaultError
from kaguan.emulator.stock import FACTORY_TRANSPORT_KEY
from kaguan.terminal.cardkeys import TRANSPORT_LABEL
from kaguan.vault.ceremony import KeyOrder
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.pkcs11 import TokenVault
from kaguan.vault.sealing import StoreKind
from kaguan.vault.vault import KeyInfo, Usage

EXCHANGE_LABEL = "kaguan-exchange"


def fill(vault: TokenVault, orders: Sequence[KeyOrder]) -> Iterator[KeyInfo]:
    """Every key that was ordered is in the token, and the transport key; those that were made now, one by one.

    A test store gets the emulated card factory's transport key, which is public; a live one's comes from the factory,
    wrapped, by `unwrap`.
    Raises:
        VaultError: there are keys among them that tokens do not work with; none is made.
    """
    foreign = sorted(
        {
            f"{order.label} ({order.algorithm})"
            for order in orders
            if order.algorithm not in {Algorithm.TDES, Algorithm.AES}
        }
    )
    if foreign:
        raise VaultError(f"for cards tokens have 3des keys alone; keep these in a sealed store: {', '.join(foreign)}")
    present = {(info.label, info.version) for info in vault.infos()}
    for order in orders:
        if (order.label, order.version) not in present:
            yield vault.generate(order.label, order.usage, order.algorithm, version=order.version, levels=order.levels)
    if vault.kind is StoreKind.TEST and (TRANSPORT_LABEL, 1) not in present:
        key, algorithm = FACTORY_TRANSPORT_KEY, Algorithm.TDES
        expected = check_value(key, algorithm)
        cryptogram = wrapped(vault, key)
        yield vault.unwrap(TRANSPORT_LABEL, Usage.TRANSPORT, algorithm, cryptogram, expected, under=EXCHANGE_LABEL)


def exchange_pem(vault: TokenVault) -> bytes:
    """The public key under which other key centres wrap keys for this token, as PEM."""
    return _exchange(vault).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def wrapped(vault: TokenVault, key: bytes) -> bytes:
    """The key as another key centre would send it to this token."""
    return _exchange(vault).encrypt(key, OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None))  # noqa: S303 - all tokens know it


def _exchange(vault: TokenVault) -> RSAPublicKey:
    public = load_der_public_key(vault.exchange_key(EXCHANGE_LABEL))
    assert isinstance(public, RSAPublicKey)  # noqa: S101 - it was made as one
    return public
