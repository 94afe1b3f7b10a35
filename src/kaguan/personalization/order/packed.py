"""A member of a zip as it is packed, and unpacked no further than it says it goes."""

from __future__ import annotations

import io
import os
import zlib
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from kaguan.personalization.order.directory import Member, ZipDamaged

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STORED, DEFLATED = 0, 8
METHODS = (STORED, DEFLATED)

_HEADER = Struct("<4s2x2H16xHH")
_SIGNATURE = b"PK\x03\x04"
_PATCHED, _STRONGLY_ENCRYPTED = 0x20, 0x40
_USUAL_EXTRA = 64
_BLOCK = 1 << 16


class Packed(NamedTuple):
    """A member's bytes as they stand in the zip; it may be handed to another process and be unpacked there."""

    method: int
    crc: int
    size: int
    raw: bytes

    def __repr__(self) -> str:
        return f"<Packed of {len(self.raw)} bytes>"

    def unpacked(self) -> bytes:
        """The member's content.

        Raises:
            ZipDamaged: its bytes, its length or its check sum are wrong.
        """
        content = self.raw if self.method == STORED else _inflated(self.raw, self.size)
        if len(content) != self.size or zlib.crc32(content) != self.crc:
            raise ZipDamaged("a member has another length or check sum than its directory says")
        return content


def _inflated(raw: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(raw, size + 1)
    except zlib.error:
        raise ZipDamaged("a member cannot be unpacked") from None
    if not inflater.eof or inflater.unused_data:
        raise ZipDamaged("a member does not end where its directory says")
    return content


def packed(file: int, member: Member) -> Packed:
    """The member of the zip opened as this descriptor.

    Raises:
        ZipDamaged: what stands there is not this member.
        OSError: the disk fails.
    """
    most = member.least_end - member.start + _USUAL_EXTRA
    raw = os.pread(file, most, member.start)
    start = _content_start(raw, member)
    content = raw[start : start + member.packed_size]
    if len(content) != member.packed_size:
        content = os.pread(file, member.packed_size, member.start + start)
    return Packed(member.method, member.crc, member.size, content)


def _content_start(raw: bytes, member: Member) -> int:
    """How many bytes after the member's header its content begins; `raw` holds the header and more."""
    if len(raw) < _HEADER.size:
        raise ZipDamaged("a member's header is cut off")
    signature, flags, method, name_size, extra_size = _HEADER.unpack_from(raw)
    name = raw[_HEADER.size : _HEADER.size + name_size]
    # Two programs must not see two members: the name and the method are said twice, and must be the same.
    if signature != _SIGNATURE or method != member.method or name not in _spelt(member.name):
        raise ZipDamaged("a member's header is not the one of its directory")
    if (flags | member.flags) & (_PATCHED | _STRONGLY_ENCRYPTED):
        raise ZipDamaged("a member is marked as what no order has")
    return _HEADER.size + int(name_size + extra_size)


def _spelt(name: str) -> tuple[bytes, ...]:
    """The bytes that a header may have for the name."""
    if name.isascii():
        return (name.encode("ascii"),)
    return name.encode("utf-8"), name.encode("cp437", "ignore")


class PackedStream(io.RawIOBase):
    """A member's content as a stream; wrap it in `io.BufferedReader`.

    Reading raises `ZipDamaged` where the content stops being what the directory says, at the latest at its end.
    """

    def __init__(self, file: int, member: Member) -> None:
        self._file = file
        self._member = member
        head = os.pread(file, member.least_end - member.start - member.packed_size + _USUAL_EXTRA, member.start)
        self._place = member.start + _content_start(head, member)
        self._packed_left = member.packed_size
        self._left = member.size
        self._crc = 0
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == DEFLATED else None

    def readable(self) -> bool:
        """A stream to be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """The buffer holds the next bytes; 0 at the end, which is then the right one."""
        view = memoryview(buffer).cast("B")
        content = self._next(min(len(view), _BLOCK))
        view[: len(content)] = content
        self._crc = zlib.crc32(content, self._crc)
        self._left -= len(content)
        if self._left < 0:
            raise ZipDamaged("a member is longer than its directory says")
        if not content and (self._left or self._packed_left or self._crc != self._member.crc):
            raise ZipDamaged("a member has another length or check sum than its directory says")
        return len(content)

    def _next(self, most: int) -> bytes:
        if self._inflater is None:
            return self._packed(min(most, self._packed_left))
        while not self._inflater.eof:
            waiting = self._inflater.unconsumed_tail or self._packed(min(_BLOCK, self._packed_left))
            try:
                content = self._inflater.decompress(waiting, most)
            except zlib.error:
                raise ZipDamaged("a member cannot be unpacked") from None
            if content:
                return content
            if not waiting:
                raise ZipDamaged("a member is cut off")
        if self._inflater.unused_data:
            raise ZipDamaged("a member does not end where its directory says")
        return b""

    def _packed(self, size: int) -> bytes:
        raw = os.pread(self._file, size, self._place)
        if len(raw) < size:
            raise ZipDamaged("a member is cut off")
        self._place += size
        self._packed_left -= size
        return raw
