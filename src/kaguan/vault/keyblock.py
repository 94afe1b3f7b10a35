"""Key blocks: a key on its way between two vaults, bound to what it is for.

ANSI X9.143 (formerly TR-31), version D: AES-CBC with the block's own CMAC as initial value, header included. What the
standard's header cannot say (label, exact usage, levels, test or live) stands in two proprietary optional blocks; the
check value in `KC`. No letter for SM4 is public: the digit 4 is ours.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.cmac import CMAC

from kaguan.apdu.errors import CodecError, VaultError
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Random, Secret
from kaguan.vault.vault import KeyInfo, Usage

_BLOCK, _MAC_SIZE, _HEADER_SIZE = 16, 16, 16
_LONGEST = 9999
_KEY_AREA = 48
"""Every key takes as much room, so the length of the block does not tell its length."""

_ALGORITHM_MARKS = {Algorithm.DES: "D", Algorithm.TDES: "T", Algorithm.AES: "A", Algorithm.SM4: "4"}
_LABEL, _ATTRIBUTES, _CHECK_VALUE, _PADDING = "10", "11", "KC", "PB"
_LEGACY_CHECK = "00"  # a block of zeros enciphered
_STANDARD_USAGES = {Usage.TRANSPORT: "E5", Usage.RECORDS: "K0", Usage.AUDIT: "M6"}
_MESSAGING = (Usage.MESSAGING, Usage.APPLICATION_MAINTENANCE)


class KeyBlockMalformed(VaultError):
    """This text is no key block that Kaguan can read."""


class KeyBlockForged(VaultError):
    """The block was changed, or is of another zone key: nobody can tell which."""


class TravellingKey(NamedTuple):
    """What a key block says of its key, and the kind of store that it may enter."""

    info: KeyInfo
    kind: StoreKind


def close_block(key: Secret, about: TravellingKey, zone_key: Secret, random: Random) -> str:
    """The key block: printable characters, good for a file or a form.

    Raises:
        VaultError: the label is too long for a block.
    """
    header = _header(about)
    data = (8 * len(key)).to_bytes(2, "big") + key.reveal()
    data += random(_KEY_AREA - len(data))
    encipher, authenticate = _working_keys(zone_key)
    mac = _cmac(authenticate, header.encode() + data)
    return header + (_cbc(encipher, mac).encryptor().update(data) + mac).hex().upper()


def open_block(text: str, zone_key: Secret) -> tuple[Secret, TravellingKey]:
    """The key in the block and what it says of itself, all of it authenticated.

    Raises, in this order:
        KeyBlockMalformed: no block of version D, or one of another maker.
        KeyBlockForged: the block does not belong to this zone key.
    """
    text = text.strip()
    about, header_size = _read_header(text)
    try:
        body = bytes.fromhex(text[header_size:])
    except ValueError:
        body = b""
    if body.hex().upper() != text[header_size:]:
        raise KeyBlockMalformed("the second part of a key block is hex digits, this is not")
    if len(body) != _KEY_AREA + _MAC_SIZE:
        raise KeyBlockMalformed(f"a key block has {_KEY_AREA + _MAC_SIZE} bytes after its header, this has {len(body)}")
    data, mac = body[:_KEY_AREA], body[_KEY_AREA:]
    encipher, authenticate = _working_keys(zone_key)
    data = _cbc(encipher, mac).decryptor().update(data)
    if not hmac.compare_digest(_cmac(authenticate, text[:header_size].encode() + data), mac):
        raise KeyBlockForged("the key block was changed, or it is not of this zone's key")
    size = about.info.algorithm.key_size
    if int.from_bytes(data[:2], "big") != 8 * size:
        raise KeyBlockMalformed(f"the key in the block is no key of {about.info.algorithm}")
    return Secret(data[2 : 2 + size]), about


def _header(about: TravellingKey) -> str:
    info, kind = about
    attributes = f"{info.usage};{info.algorithm};{info.levels};{info.version};{kind}"
    optional = [
        _optional(_LABEL, info.label.encode().hex().upper()),
        _optional(_ATTRIBUTES, attributes),
        _optional(_CHECK_VALUE, _LEGACY_CHECK + str(info.check_value)),
    ]
    if missing := -sum(map(len, optional)) % _BLOCK:
        optional.append(_optional(_PADDING, "0" * ((missing - 4) % _BLOCK)))
    mode = "X" if info.levels else "N"
    fixed = f"{_standard_usage(info.usage)}{_ALGORITHM_MARKS[info.algorithm]}{mode}00E{len(optional):02}00"
    rest = fixed + "".join(optional)
    length = 5 + len(rest) + 2 * (_KEY_AREA + _MAC_SIZE)
    return f"D{length:04}{rest}"


def _optional(name: str, data: str) -> str:
    if len(data) + 4 > 0xFF:
        raise VaultError("a label of more than 125 bytes does not fit a key block")
    return f"{name}{len(data) + 4:02X}{data}"


def _standard_usage(usage: Usage) -> str:
    """The nearest that the standard has: E5 card personalization, E2 messaging, E6 other master keys of chip cards, K0
    keys that close keys, M6 CMAC."""
    if usage in _STANDARD_USAGES:
        return _STANDARD_USAGES[usage]
    return "E2" if usage in _MESSAGING else "E6"


def _read_header(text: str) -> tuple[TravellingKey, int]:
    try:
        if not text.isascii() or text[0] != "D" or int(text[1:5]) != len(text) or len(text) > _LONGEST:
            raise ValueError
        blocks, end = {}, _HEADER_SIZE
        for _ in range(int(text[12:14])):
            name, size = text[end : end + 2], int(text[end + 2 : end + 4], 16)
            if name in blocks or not 4 <= size <= len(text) - end:
                raise ValueError
            blocks[name] = text[end + 4 : end + size]
            end += size
        about = _about(blocks)
        if _header(about) != text[:end]:
            raise ValueError
    except (CodecError, IndexError, KeyError, ValueError, VaultError):
        raise KeyBlockMalformed("this is no key block of version D (X9.143) made by Kaguan") from None
    return about, end


def _about(blocks: dict[str, str]) -> TravellingKey:
    usage, algorithm, levels, version, kind = blocks[_ATTRIBUTES].split(";")
    value = CheckValue.parse(blocks[_CHECK_VALUE].removeprefix(_LEGACY_CHECK))
    label = bytes.fromhex(blocks[_LABEL]).decode()
    info = KeyInfo(label, int(version), Algorithm(algorithm), Usage(usage), value, int(levels))
    return TravellingKey(info, StoreKind(kind))


def _working_keys(zone_key: Secret) -> tuple[bytes, bytes]:
    """The keys that encipher and authenticate one block: CMAC in counter mode (X9.143, AES-256)."""
    made = [
        b"".join(_cmac(zone_key.reveal(), bytes([counter, 0, use, 0, 0, 4, 1, 0])) for counter in (1, 2))
        for use in (0, 1)
    ]
    return made[0], made[1]


def _cmac(key: bytes, data: bytes) -> bytes:
    made = CMAC(AES256(key))
    made.update(data)
    return made.finalize()


def _cbc(key: bytes, initial: bytes) -> Cipher[modes.CBC]:
    return Cipher(AES256(key), modes.CBC(initial))
