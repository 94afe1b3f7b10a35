"""Write a zip of any number of members in little memory: the directory waits on disk until the members are there."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Iterable
from datetime import datetime
from struct import Struct
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from kaguan.personalization.order.packed import DEFLATED, STORED

_HEADER = Struct("<4s5H3L2H")
_ENTRY = Struct("<4s6H3L5H2L")
_DESCRIPTOR = Struct("<4s3L")
_END = Struct("<4s4H2LH")
_LONG_END = Struct("<4sQ2H2L4Q")
_LOCATOR = Struct("<4sLQL")
_LONG_EXTRA = Struct("<2HQ")
_LIMIT_16, _LIMIT_32 = 0xFFFF, 0xFFFFFFFF
_SIZES_FOLLOW, _UTF_8 = 0x0008, 0x0800
_PLAIN_VERSION, _LONG_VERSION = 20, 45
_OF_UNIX = 3 << 8
_OWNER_ONLY = 0o100600 << 16


class _Sizes(NamedTuple):
    crc: int
    packed: int
    plain: int


class ZipWriter:
    """Members are written one after the other; the stream holds a whole zip when the context ends well.

    No member may be longer than 4 GiB; the zip may.
    """

    def __init__(self, stream: BinaryIO, written: datetime) -> None:
        self._stream = stream
        self._directory = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the zip
        self._place = 0
        self._count = 0
        day = (written.year - 1980) << 9 | written.month << 5 | written.day
        self._time = (written.hour << 11 | written.minute << 5 | written.second // 2, day)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._directory:
            if error is None:
                self._finish()

    def store(self, name: str, content: bytes) -> None:
        """The zip has this member, uncompressed."""
        start = self._place
        sizes = _Sizes(zlib.crc32(content), len(content), len(content))
        self._begin(name, STORED, 0, sizes)
        self._write(content)
        self._list(name, STORED, 0, sizes, start)

    def deflate(self, name: str, parts: Iterable[bytes]) -> None:
        """The zip has this member, compressed while its parts come."""
        start = self._place
        self._begin(name, DEFLATED, _SIZES_FOLLOW, _Sizes(0, 0, 0))
        content_start, crc, plain = self._place, 0, 0
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        for part in parts:
            crc = zlib.crc32(part, crc)
            plain += len(part)
            self._write(deflater.compress(part))
        self._write(deflater.flush())
        sizes = _Sizes(crc, self._place - content_start, plain)
        self._write(_DESCRIPTOR.pack(b"PK\x07\x08", *sizes))
        self._list(name, DEFLATED, _SIZES_FOLLOW, sizes, start)

    def _write(self, raw: bytes) -> None:
        self._stream.write(raw)
        self._place += len(raw)

    def _begin(self, name: str, method: int, flags: int, sizes: _Sizes) -> None:
        spelt, flags = _spelt(name, flags)
        header = _HEADER.pack(b"PK\x03\x04", _PLAIN_VERSION, flags, method, *self._time, *sizes, len(spelt), 0)
        self._write(header + spelt)

    def _list(self, name: str, method: int, flags: int, sizes: _Sizes, start: int) -> None:
        """The directory's record of a member."""
        spelt, flags = _spelt(name, flags)
        extra, version = b"", _PLAIN_VERSION
        if start >= _LIMIT_32:
            extra, version, start = _LONG_EXTRA.pack(1, 8, start), _LONG_VERSION, _LIMIT_32
        versions = (_OF_UNIX | version, version)
        lengths = (len(spelt), len(extra), 0, 0, 0)
        self._directory.write(
            _ENTRY.pack(b"PK\x01\x02", *versions, flags, method, *self._time, *sizes, *lengths, _OWNER_ONLY, start)
        )
        self._directory.write(spelt + extra)
        self._count += 1

    def _finish(self) -> None:
        start, size, count = self._place, self._directory.tell(), self._count
        self._directory.seek(0)
        shutil.copyfileobj(self._directory, self._stream)
        if count >= _LIMIT_16 or start + size >= _LIMIT_32:
            self._stream.write(
                _LONG_END.pack(b"PK\x06\x06", 44, _LONG_VERSION, _LONG_VERSION, 0, 0, count, count, size, start)
            )
            self._stream.write(_LOCATOR.pack(b"PK\x06\x07", 0, start + size, 1))
        count = min(count, _LIMIT_16)
        size, start = min(size, _LIMIT_32), min(start, _LIMIT_32)
        self._stream.write(_END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, 0))


def _spelt(name: str, flags: int) -> tuple[bytes, int]:
    """The name's bytes, and the flags that say how they are to be read."""
    return (name.encode("ascii"), flags) if name.isascii() else (name.encode("utf-8"), flags | _UTF_8)
