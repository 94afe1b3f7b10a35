"""What keys look like inside a token, and how a token makes one from another.

A two-key 3DES key is a DES2 object. Tokens have no single DES: such a key is a DES2 object of twice the same half.
Tokens set the parity bits of keys that they derive, which no DES looks at: the keys work as ours do, and only their
bytes differ. The bureau's own keys are AES objects: they encipher with GCM or sign with CMAC, and no other key is made
from them. What Kaguan knows of a key stands in the object's CKA_ID, as text: `version;levels;usage`.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, cast

import pkcs11
from pkcs11 import MGF, Attribute, GCMParams, KeyType, Mechanism, ObjectClass
from pkcs11.constants import DEFAULT
from pkcs11.util.rsa import encode_rsa_public_key

from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealedsecret import NONCE_SIZE, SealedSecret, broken
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.tokenerrors import KeyExposed
from kaguan.vault.vault import BUREAU_USAGES, KeyInfo, KeyPresent, Usage

CHECK_SIZE = 3
EXCHANGE_BITS = 3072
_EXCHANGE = {Attribute.ENCRYPT: False, Attribute.VERIFY: False, Attribute.WRAP: True}
_DES2_BITS = 128
_STRING_DATA = struct.Struct("@PL")
_OAEP = (Mechanism.SHA_1, MGF.SHA1, None)  # what every token knows
_MUST_NOT = (
    Attribute.DECRYPT,
    Attribute.SIGN,
    Attribute.VERIFY,
    Attribute.WRAP,
    Attribute.UNWRAP,
)
_NOT_OPENED = (  # SoftHSM has no better word for it than the last
    pkcs11.WrappedKeyInvalid,
    pkcs11.WrappedKeyLenRange,
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
    pkcs11.FunctionFailed,
    pkcs11.GeneralError,
)

Template = dict[Attribute, Any]


class TokenKey(Protocol):
    """A key object, as the library gives it: which verbs it has is found out when it is asked for."""

    def __getitem__(self, attribute: Attribute) -> Any:
        """One of its attributes."""
        ...

    def encrypt(self, data: bytes, *, mechanism: Mechanism, mechanism_param: bytes | GCMParams | None = None) -> bytes:
        """The data enciphered, in one call."""
        ...

    def decrypt(self, data: bytes, *, mechanism: Mechanism, mechanism_param: GCMParams) -> bytes:
        """The data deciphered, in one call."""
        ...

    def sign(self, data: bytes, *, mechanism: Mechanism) -> bytes:
        """The MAC of the data, in one call."""
        ...

    def derive_key(
        self, kind: KeyType, bits: int, *, mechanism: Mechanism, mechanism_param: bytes, template: Template
    ) -> TokenKey:
        """A key made from this one."""
        ...

    def unwrap_key(
        self,
        kind: ObjectClass,
        key_type: KeyType,
        cryptogram: bytes,
        *,
        mechanism: Mechanism,
        mechanism_param: object,
        template: Template,
    ) -> TokenKey:
        """The key in the cryptogram."""
        ...

    def destroy(self) -> None:
        """The object is gone."""
        ...


class KeyGuard(NamedTuple):
    """What the token promises of a key: it never shows it, it never lets it out, and neither was ever otherwise.

    By the standard the last two are false for a key that came in wrapped: somebody else has had it.
    """

    sensitive: bool
    extractable: bool
    always_sensitive: bool
    never_extractable: bool

    @classmethod
    def of(cls, key: TokenKey) -> KeyGuard:
        """What the token promises of this one."""
        return cls(
            key[Attribute.SENSITIVE],
            key[Attribute.EXTRACTABLE],
            key[Attribute.ALWAYS_SENSITIVE],
            key[Attribute.NEVER_EXTRACTABLE],
        )


def guarded(*, enciphers: bool) -> Template:
    """A secret key that never leaves the token and makes other keys; `enciphers` says whether it does that too."""
    return {
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.DERIVE: True,
        Attribute.ENCRYPT: enciphers,
        **dict.fromkeys(_MUST_NOT, False),
    }


def stored(label: str, version: int, levels: int, usage: Usage) -> Template:
    """A master key, or a key of the bureau, that stays in the token."""
    works = guarded(enciphers=usage is Usage.RECORDS or enciphers(usage, levels, 0))
    if usage in BUREAU_USAGES:  # derives, but for its check value alone
        works |= {
            Attribute.ENCRYPT: usage is Usage.RECORDS,
            Attribute.DECRYPT: usage is Usage.RECORDS,
            Attribute.SIGN: usage is Usage.AUDIT,
        }
    return {
        **works,
        Attribute.TOKEN: True,
        Attribute.LABEL: label,
        Attribute.ID: f"{version};{levels};{usage}".encode(),
    }


def enciphers(usage: Usage, levels: int, depth: int) -> bool:
    """Whether a key so far down enciphers: a card's own key, and the key above it, which makes card keys in batches.

    A transport key wraps other keys and is never written to a card, so the key above it does not.
    """
    return depth >= levels - (usage is not Usage.TRANSPORT)


def key_type(algorithm: Algorithm) -> KeyType:
    """What the token calls such keys."""
    return KeyType.AES if algorithm is Algorithm.AES else KeyType.DES2


def require_algorithm(label: str, usage: Usage, algorithm: Algorithm) -> None:
    """Nothing happens when tokens work with such keys.

    Raises:
        VaultError: they do not.
    """
    wanted = Algorithm.AES if usage in BUREAU_USAGES else Algorithm.TDES
    if algorithm is not wanted:
        raise VaultError(
            f"{label}: keys for {usage} in a token are {wanted}; PKCS#11 has no mechanism for {algorithm} keys of "
            "cards: keep such keys in a sealed store"
        )


def find_keys(
    session: pkcs11.Session, label: str | None = None, version: int | None = None
) -> Iterator[tuple[KeyInfo, TokenKey]]:
    """Each of our keys in the token, or that of this label and version. Keys of others in it are left alone.

    Raises:
        KeyExposed: one of ours could leave the token.
        KeyPresent: two of ours have the same label and version.
    """
    found: set[tuple[str, int]] = set()
    for algorithm in (Algorithm.TDES, Algorithm.AES):
        wanted: Template = {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.TOKEN: True,
            Attribute.KEY_TYPE: key_type(algorithm),
        }
        if label is not None:
            wanted[Attribute.LABEL] = label
        for key in _objects(session, wanted):
            named = _named(key)
            if named is None or version not in (None, named.version):
                continue
            guard = KeyGuard.of(key)
            if guard.extractable or not guard.sensitive:
                raise KeyExposed(f"{named.label} {named.version} may leave the token: destroy it and make another")
            if (named.label, named.version) in found:
                raise KeyPresent(f"the token holds {named.label!r} of version {named.version} twice: destroy one")
            found.add((named.label, named.version))
            value = check_value_of(key, algorithm)
            yield KeyInfo(named.label, named.version, algorithm, named.usage, value, named.levels), key


def _objects(session: pkcs11.Session, wanted: Template) -> list[TokenKey]:
    """All of them, before anything else is asked of the session."""
    session.generate_random(8)  # where the session is lost this says so, and a search would leave a complaint on stderr
    return cast(list[TokenKey], list(session.get_objects(wanted)))


class _Named(NamedTuple):
    label: str
    version: int
    levels: int
    usage: Usage


def _named(key: TokenKey) -> _Named | None:
    """What stands in the object of the key; None when it is not ours."""
    try:
        version, levels, usage = bytes(key[Attribute.ID]).decode().split(";")
        return _Named(str(key[Attribute.LABEL]), int(version), int(levels), Usage(usage))
    except ValueError:
        return None


def derive(parent: TokenKey, block: bytes, *, enciphers: bool) -> TokenKey:
    """The key that the parent makes of these 16 bytes, as an object that lives as long as the session."""
    template = {**guarded(enciphers=enciphers), Attribute.TOKEN: False, Attribute.VALUE_LEN: DEFAULT}
    return _derive(parent, KeyType.DES2, _DES2_BITS, block, template)


def check_value_of(key: TokenKey, algorithm: Algorithm = Algorithm.TDES) -> CheckValue:
    """The key's check value: the first three bytes of what it makes of zeros are let out, and no more.

    CKA_CHECK_VALUE would say the same, but not every token has it for every key.
    """
    template = {Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}
    kind, bits = KeyType.GENERIC_SECRET, 8 * CHECK_SIZE
    if algorithm is Algorithm.AES:
        zeros, mechanism = bytes(algorithm.block_size), Mechanism.AES_ECB_ENCRYPT_DATA
        made = key.derive_key(kind, bits, mechanism=mechanism, mechanism_param=zeros, template=template)
    else:
        made = _derive(key, kind, bits, bytes(algorithm.block_size), template)
    value = CheckValue(bytes(made[Attribute.VALUE]))
    made.destroy()
    return value


def unwrap(
    session: pkcs11.Session, cryptogram: bytes, under: str, algorithm: Algorithm, template: Template
) -> TokenKey:
    """The 3DES or AES key in the cryptogram is an object of the token.

    `under` is the label of the key that opens it: an AES key (RFC 3394) or an RSA key (OAEP with SHA-1).
    Raises:
        VaultError: there is no such key, or the cryptogram is none of its.
    """
    for kind in (ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY):
        for key in _objects(session, {Attribute.CLASS: kind, Attribute.LABEL: under, Attribute.UNWRAP: True}):
            rsa = kind is ObjectClass.PRIVATE_KEY
            mechanism = Mechanism.RSA_PKCS_OAEP if rsa else Mechanism.AES_KEY_WRAP
            try:
                return key.unwrap_key(
                    ObjectClass.SECRET_KEY,
                    key_type(algorithm),
                    cryptogram,
                    mechanism=mechanism,
                    mechanism_param=_OAEP if rsa else None,
                    template=template,
                )
            except _NOT_OPENED:
                raise VaultError(f"the cryptogram does not open under {under!r}: was it made for this token?") from None
    raise VaultError(f"the token has no key {under!r} that opens wrapped keys")


def exchange_key(session: pkcs11.Session, label: str) -> bytes:
    """The public half, as DER, of an RSA key in the token that opens what others wrap for it; made if there is none."""
    wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label}
    found = _objects(session, wanted)
    if not found:
        private = {
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.UNWRAP: True,
            Attribute.DECRYPT: False,
            Attribute.SIGN: False,
        }
        session.generate_keypair(
            KeyType.RSA, EXCHANGE_BITS, label=label, store=True, public_template=_EXCHANGE, private_template=private
        )
        found = _objects(session, wanted)
    return encode_rsa_public_key(cast(pkcs11.PublicKey, found[0]))


def seal(session: pkcs11.Session, key: TokenKey, secret: Secret, about: bytes) -> bytes:
    """The secret sealed in the token (CKM_AES_GCM), which draws the nonce."""
    nonce = session.generate_random(8 * NONCE_SIZE)
    made = key.encrypt(secret.reveal(), mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce, about))
    return bytes(SealedSecret(nonce, made))


def unseal(key: TokenKey, sealed: SealedSecret, about: bytes) -> Secret:
    """The secret opened in the token.

    Raises:
        SealBroken: it does not open.
    """
    try:
        parameters = GCMParams(sealed.nonce, about)
        return Secret(key.decrypt(sealed.cryptogram, mechanism=Mechanism.AES_GCM, mechanism_param=parameters))
    except _NOT_OPENED:
        raise broken() from None


def cmac(key: TokenKey, data: bytes) -> bytes:
    """The 16-byte CMAC of the data, made in the token (CKM_AES_CMAC)."""
    return key.sign(data, mechanism=Mechanism.AES_CMAC)


def _derive(parent: TokenKey, kind: KeyType, bits: int, data: bytes, template: Template) -> TokenKey:
    """C_DeriveKey with CKM_DES3_ECB_ENCRYPT_DATA, whose parameter the library leaves to us to lay out."""
    buffer = ctypes.create_string_buffer(data, len(data))
    parameter = _STRING_DATA.pack(ctypes.addressof(buffer), len(data))
    return parent.derive_key(
        kind,
        bits,
        mechanism=Mechanism.DES3_ECB_ENCRYPT_DATA,
        mechanism_param=parameter,
        template=template,
    )
