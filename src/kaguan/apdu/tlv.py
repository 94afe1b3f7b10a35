"""Tag, length, value: BER-TLV of ISO/IEC 7816-4, and the simpler TLV of card records.

A card record has one tag byte and one length byte, always: its tag 5F is whole, BER-TLV's goes on.
So the two kinds are read by different functions and never by trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kaguan.apdu.errors import TlvSyntaxError

_LONGEST_TAG = 4
_LONGEST_LENGTH = 4


class Tlv(NamedTuple):
    """One BER-TLV data object. `tag` is the tag's bytes as one number: 0x84, 0x9F0C."""

    tag: int
    value: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Tlv:
        """The one object that these bytes are.

        Raises:
            TlvSyntaxError: no object, or something after it.
        """
        tlv, end = _read(raw, 0)
        if end != len(raw):
            raise TlvSyntaxError(f"offset {end}: {len(raw) - end} bytes follow the data object {tlv.tag:02X}")
        return tlv

    @classmethod
    def parse_all(cls, raw: bytes) -> tuple[Tlv, ...]:
        """The objects that stand one after another, none for no bytes.

        Raises:
            TlvSyntaxError: with the offset of the first byte that is wrong.
        """
        found, offset = [], 0
        while offset < len(raw):
            tlv, offset = _read(raw, offset)
            found.append(tlv)
        return tuple(found)

    @classmethod
    def parse_lenient(cls, raw: bytes) -> tuple[tuple[Tlv, ...], bytes]:
        """The objects at the start and the rest that is none. For traces only: decide nothing on it."""
        found, offset = [], 0
        while offset < len(raw):
            try:
                tlv, offset = _read(raw, offset)
            except TlvSyntaxError:
                break
            found.append(tlv)
        return tuple(found), raw[offset:]

    @property
    def constructed(self) -> bool:
        """Whether the value is itself a sequence of data objects."""
        return bool(_tag_bytes(self.tag)[0] & 0x20)

    def children(self) -> tuple[Tlv, ...]:
        """The objects inside a constructed one.

        Raises:
            TlvSyntaxError: a primitive tag, or a value that is no sequence of objects.
        """
        if not self.constructed:
            raise TlvSyntaxError(f"tag {self.tag:02X} is primitive: it holds no data objects")
        return Tlv.parse_all(self.value)

    def find(self, *path: int) -> bytes | None:
        """The value under these tags, from the outside in; None when one of them is absent."""
        value: bytes | None = self.value
        here: Tlv = self
        for tag in path:
            inner = next((child for child in here.children() if child.tag == tag), None)
            if inner is None:
                return None
            here, value = inner, inner.value
        return value

    def __bytes__(self) -> bytes:
        return _tag_bytes(self.tag) + _length_bytes(len(self.value)) + self.value

    def __repr__(self) -> str:
        """The tag and the length alone: the value may be personal."""
        return f"<{self.tag:02X} {len(self.value)} bytes>"


def template(tag: int, *children: Tlv) -> Tlv:
    """A constructed object with these inside."""
    return Tlv(tag, b"".join(map(bytes, children)))


def record(tag: int, value: bytes) -> bytes:
    """A card record: one tag byte, one length byte, the value.

    Raises:
        TlvSyntaxError: a tag or a length over 255.
    """
    if not 0 <= tag <= 0xFF or len(value) > 0xFF:
        raise TlvSyntaxError(f"a card record has a tag and a length of one byte, not {tag:X} and {len(value)}")
    return bytes((tag, len(value))) + value


def records(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each card record in turn; one B-TLV record's value is read the same way.

    Raises:
        TlvSyntaxError: when the reader comes to a record that is cut off, with its offset.
    """
    for whole in raw_records(raw):
        yield whole[0], whole[2:]


def raw_records(raw: bytes) -> Iterator[bytes]:
    """Each card record in turn, its tag and its length included.

    Raises:
        TlvSyntaxError: when the reader comes to a record that is cut off, with its offset.
    """
    offset, size = 0, len(raw)
    while offset < size:
        end = offset + 2 + raw[offset + 1] if offset + 1 < size else size + 1
        if end > size:
            raise TlvSyntaxError(f"offset {offset}: record {raw[offset]:02X} is cut off")
        yield raw[offset:end]
        offset = end


def _tag_bytes(tag: int) -> bytes:
    raw = tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")
    if _tag_end(raw, 0) != len(raw):
        raise TlvSyntaxError(f"{tag:X} is no tag")
    return raw


def _tag_end(raw: bytes, offset: int) -> int:
    """The offset after the tag that begins here."""
    if raw[offset] in (0x00, 0xFF):
        raise TlvSyntaxError(f"offset {offset}: {raw[offset]:02X} is no tag")
    if raw[offset] & 0x1F != 0x1F:
        return offset + 1
    for end in range(offset + 1, min(len(raw), offset + _LONGEST_TAG)):
        if end == offset + 1 and raw[end] & 0x7F == 0:
            raise TlvSyntaxError(f"offset {end}: the tag number begins with zeros")
        if not raw[end] & 0x80:
            return end + 1
    raise TlvSyntaxError(f"offset {offset}: the tag does not end within {_LONGEST_TAG} bytes")


def _length_bytes(length: int) -> bytes:
    if length < 0x80:
        return bytes((length,))
    raw = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(raw),)) + raw


def _read(raw: bytes, offset: int) -> tuple[Tlv, int]:
    """The object that begins here and the offset after it."""
    if offset >= len(raw):
        raise TlvSyntaxError(f"offset {offset}: a tag is missing")
    at = _tag_end(raw, offset)
    if at >= len(raw):
        raise TlvSyntaxError(f"offset {at}: the length is missing")
    length, start = raw[at], at + 1
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= _LONGEST_LENGTH:
            raise TlvSyntaxError(f"offset {at}: {length:02X} is no length of ISO/IEC 7816-4")
        start += count
        if start > len(raw):
            raise TlvSyntaxError(f"offset {at}: the length is cut off")
        length = int.from_bytes(raw[at + 1 : start], "big")
    end = start + length
    if end > len(raw):
        raise TlvSyntaxError(f"offset {start}: {length} bytes should follow, {len(raw) - start} do")
    return Tlv(int.from_bytes(raw[offset:at], "big"), raw[start:end]), end
