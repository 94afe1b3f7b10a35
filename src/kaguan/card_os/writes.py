"""Absolute writes: each says what stands at an address afterwards, so doing one twice is doing it once.

A handler plans groups of writes and never applies them. The emulator commits each group whole, through its journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from kaguan.card_os.image import (
    Address,
    CardImage,
    CardKey,
    CardPin,
    Dedicated,
    Elementary,
    Lifecycle,
    Purse,
    key_address,
)

_Value = TypeVar("_Value")
_new = tuple.__new__  # as in `apdu.command`


class PutDedicated(NamedTuple):
    """A dedicated file stands at the address."""

    address: Address
    dedicated: Dedicated

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        profile, atr, lifecycle, dedicated, files, keys, pins, purses = image
        dedicated = {**dedicated, self.address: self.dedicated}
        return CardImage(profile, atr, lifecycle, dedicated, files, keys, pins, purses)


class PutElementary(NamedTuple):
    """An elementary file with this content stands at the address."""

    address: Address
    elementary: Elementary

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        return _with_file(image, self.address, self.elementary)


class PutBytes(NamedTuple):
    """The transparent file holds these bytes from the offset on."""

    address: Address
    offset: int
    data: bytes

    def __repr__(self) -> str:
        return f"<PutBytes {self.address.hex().upper()} at {self.offset}, {len(self.data)} bytes>"

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        file = image.files[self.address]
        end = self.offset + len(self.data)
        kind, read, update, size, record_size, content, records, protection = file
        content = content[: self.offset] + self.data + content[end:]
        changed = _new(Elementary, (kind, read, update, size, record_size, content, records, protection))
        return _with_file(image, self.address, changed)


class PutRecord(NamedTuple):
    """The record at this position (from 0) holds these bytes; the position after the last makes a new record."""

    address: Address
    position: int
    record: bytes

    def __repr__(self) -> str:
        return f"<PutRecord {self.address.hex().upper()} at {self.position}, {len(self.record)} bytes>"

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        file = image.files[self.address]
        records = (*file.records[: self.position], self.record, *file.records[self.position + 1 :])
        return PutRecords(self.address, records).put(image)


class PutRecords(NamedTuple):
    """The file holds exactly these records: how a cyclic file turns."""

    address: Address
    records: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"<PutRecords {self.address.hex().upper()}, {len(self.records)} records>"

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        address, records = self
        profile, atr, lifecycle, dedicated, files, keys, pins, purses = image
        kind, read, update, size, record_size, content, _, protection = files[address]
        file = _new(Elementary, (kind, read, update, size, record_size, content, records, protection))
        return _new(CardImage, (profile, atr, lifecycle, dedicated, {**files, address: file}, keys, pins, purses))


class PutKey(NamedTuple):
    """The dedicated file has this key, in place of the one of its version."""

    dedicated: Address
    key: CardKey

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        place, key = self
        address = key_address(place, key.usage, key.reference)
        profile, atr, lifecycle, dedicated, files, keys, pins, purses = image
        versions: tuple[CardKey, ...] = (key,)
        if before := keys.get(address):
            others = [other for other in before if other.version != key.version]
            versions = tuple(sorted((*others, key), key=_version)) if others else versions
        keys = {**keys, address: versions}
        return _new(CardImage, (profile, atr, lifecycle, dedicated, files, keys, pins, purses))


class PutPin(NamedTuple):
    """The PIN stands at the address, tries and all."""

    address: Address
    pin: CardPin

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        profile, atr, lifecycle, dedicated, files, keys, pins, purses = image
        pins = {**pins, self.address: self.pin}
        return CardImage(profile, atr, lifecycle, dedicated, files, keys, pins, purses)


class PutPurse(NamedTuple):
    """The purse stands at the address: balance, counters and the last proof."""

    address: Address
    purse: Purse

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        address, purse = self
        profile, atr, lifecycle, dedicated, files, keys, pins, purses = image
        return _new(CardImage, (profile, atr, lifecycle, dedicated, files, keys, pins, {**purses, address: purse}))


class PutLifecycle(NamedTuple):
    """The card as a whole has this life cycle."""

    lifecycle: Lifecycle

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        return image._replace(lifecycle=self.lifecycle)


class DropKey(NamedTuple):
    """No version of the key is left at the address."""

    address: Address

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        return image._replace(keys=_without(image.keys, self.address))


class DropTree(NamedTuple):
    """Nothing is left of the file at the address, nor of anything in it."""

    address: Address

    def put(self, image: CardImage) -> CardImage:
        """The image with this written."""
        return image._replace(
            dedicated=_without(image.dedicated, self.address),
            files=_without(image.files, self.address),
            keys=_without(image.keys, self.address, tail=2),
            pins=_without(image.pins, self.address, tail=1),
            purses=_without(image.purses, self.address, tail=1),
        )


Write = (
    PutDedicated
    | PutElementary
    | PutBytes
    | PutRecord
    | PutRecords
    | PutKey
    | PutPin
    | PutPurse
    | PutLifecycle
    | DropKey
    | DropTree
)
Group = tuple[Write, ...]


def apply(image: CardImage, group: Group) -> CardImage:
    """The image after every write of the group."""
    for write in group:
        image = write.put(image)
    return image


def _with_file(image: CardImage, address: Address, file: Elementary) -> CardImage:
    # Spelled out, because `_replace` costs more than the write itself.
    profile, atr, lifecycle, dedicated, files, keys, pins, purses = image
    return _new(CardImage, (profile, atr, lifecycle, dedicated, {**files, address: file}, keys, pins, purses))


def _version(key: CardKey) -> int:
    return key.version


def _without(table: Mapping[Address, _Value], address: Address, *, tail: int = 0) -> dict[Address, _Value]:
    """The table without what lies at or below the address; the last `tail` bytes of its addresses name no file: key 01
    of type 3F in the master file does not lie in the file 3F01."""
    return {key: value for key, value in table.items() if not key[: len(key) - tail].startswith(address)}
