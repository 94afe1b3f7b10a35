"""Custodians: people known by name, who sign what they approve with a key that only their own passphrase opens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kaguan.apdu.errors import VaultError
from kaguan.vault.sealing import SealingCost, StoreKind, seal, unseal
from kaguan.vault.secret import Random, Secret
from kaguan.vault.share import custodian_name
from kaguan.vault.vault import WrongPassphrase

LEAST_PASSPHRASE = 8


class CustodianUnknown(VaultError):
    """The store knows nobody of that name."""


@dataclass(frozen=True, slots=True)
class Custodian:
    """What a store keeps of a custodian: nothing here signs without the passphrase."""

    name: str
    public: bytes
    sealed: bytes

    @property
    def fingerprint(self) -> str:
        """Eight bytes of the public key's digest, for comparing on paper."""
        return hashlib.sha256(self.public).hexdigest()[:16].upper()

    def present(self, passphrase: Secret) -> Signer:
        """The custodian at the keyboard.

        Raises:
            WrongPassphrase: this is another's, or mistyped.
        """
        try:
            _, seed = unseal(self.sealed, passphrase)
        except WrongPassphrase:
            raise WrongPassphrase(f"that is not the passphrase of {self.name}") from None
        return Signer(self, Secret(seed))

    def __repr__(self) -> str:
        return f"<Custodian {self.name} {self.fingerprint}>"


@dataclass(frozen=True, slots=True)
class Signer:
    """A custodian who has given the passphrase."""

    custodian: Custodian
    _seed: Secret

    @property
    def name(self) -> str:
        """The custodian's name."""
        return self.custodian.name

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (RFC 8032)."""
        return Ed25519PrivateKey.from_private_bytes(self._seed.reveal()).sign(message)


def enrol(name: str, passphrase: Secret, kind: StoreKind, random: Random, cost: SealingCost | None = None) -> Signer:
    """A new custodian with a new signing key, who has just given the passphrase.

    Raises:
        VaultError: the name cannot be one, or the passphrase is too short.
    """
    name = custodian_name(name)
    if len(passphrase) < LEAST_PASSPHRASE:
        raise VaultError(f"{name}: a custodian's passphrase has at least {LEAST_PASSPHRASE} characters")
    seed = random(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return Signer(Custodian(name, public, seal(seed, kind, passphrase, random, cost)), Secret(seed))


def signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of this public key signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
