"""The directory of a zip, read as a stream: what it says of each member, and nothing of it kept.

The layout is that of PKWARE's APPNOTE 6.3: the directory's records (4.3.12), its end (4.3.16), and the zip64 forms of
both (4.3.14, 4.3.15, 4.5.3). Stricter than most programs: the directory ends where its end begins, so that no two
programs see two different zips in one file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from kaguan.apdu.errors import InputError

_MEMBER = Struct("<4s4x4H3L5H2L")  # the versions are passed over
_MEMBER_SIGNATURE = b"PK\x01\x02"
_END = Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_LONGEST_COMMENT = 0xFFFF
_LOCATOR = Struct("<4sLQL")
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_LONG_END = Struct("<4sQ2H2L4Q")
_LONG_END_SIGNATURE = b"PK\x06\x06"
_LONG_EXTRA = 0x0001
_IN_LONG_FORM = 0xFFFFFFFF
_UTF_8 = 0x0800
_BLOCK = 1 << 20


class ZipDamaged(InputError):
    """The zip, or a member of it, is not what its own directory says."""


class Directory(NamedTuple):
    """Where the directory is, and how many members it should have."""

    start: int
    size: int
    listed: int


class Member(NamedTuple):
    """What the directory says of one member. `position` is where it says so, `method` how the member is compressed."""

    position: int
    name: str
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    start: int
    mode: int
    least_end: int
    """Its own bytes end here or later: it has at least a header, its name and its packed bytes."""

    def __repr__(self) -> str:
        """Without the name, which may be a person's number."""
        return f"<Member of {self.size} bytes, listed at {self.position}>"


def find_directory(file: int, size: int) -> Directory:
    """The directory of the zip of that many bytes, opened as this descriptor.

    Raises:
        ZipDamaged: there is none.
        OSError: the disk fails.
    """
    tail_start = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = os.pread(file, size - tail_start, tail_start)
    place = tail.rfind(_END_SIGNATURE)
    # A comment may hold what looks like an end: the real one says how long its comment is.
    while place >= 0 and not _is_end(tail, place):
        place = tail.rfind(_END_SIGNATURE, 0, place)
    if place < 0:
        raise ZipDamaged("the file is not a zip, or its end is missing")
    _, disk, first_disk, here, count, length, start, _ = _END.unpack_from(tail, place)
    end = tail_start + place
    if 0xFFFF in (here, count) or _IN_LONG_FORM in (length, start):
        end, disk, first_disk, here, count, length, start = _long_end(file, end)
    if disk or first_disk or here != count or start + length != end:
        raise ZipDamaged("the zip's directory is not where its end says")
    return Directory(start, length, count)


def _is_end(tail: bytes, place: int) -> bool:
    return place + _END.size <= len(tail) and place + _END.size + _END.unpack_from(tail, place)[7] == len(tail)


def _long_end(file: int, end: int) -> tuple[int, int, int, int, int, int, int]:
    try:
        signature, _, place, _ = _LOCATOR.unpack(os.pread(file, _LOCATOR.size, max(0, end - _LOCATOR.size)))
        if signature != _LOCATOR_SIGNATURE or place >= end:
            raise ZipDamaged("the zip's long directory cannot be found")
        found = _LONG_END.unpack(os.pread(file, _LONG_END.size, place))
    except struct_error as error:
        raise ZipDamaged("the zip's long directory is cut off") from error
    signature, _, _, _, disk, first_disk, here, count, length, start = found
    if signature != _LONG_END_SIGNATURE:
        raise ZipDamaged("the zip's long directory cannot be found")
    return place, disk, first_disk, here, count, length, start


def members(file: int, directory: Directory) -> Iterator[Member]:
    """Every member that the directory lists, in its sequence.

    Raises:
        ZipDamaged: at the place where the directory stops making sense.
        OSError: the disk fails.
    """
    held, place, read, count = b"", directory.start, 0, 0
    while read < directory.size or held:
        block = os.pread(file, min(_BLOCK, directory.size - read), directory.start + read)
        if not block and read < directory.size:
            raise ZipDamaged("the zip's directory is cut off")
        read += len(block)
        held += block
        at = 0
        while (member := _member(held, at, place + at)) is not None:
            yield member[0]
            count += 1
            at = member[1]
        if not at and read >= directory.size and held:
            raise ZipDamaged("the zip's directory is cut off")
        held, place = held[at:], place + at
    if count != directory.listed:
        raise ZipDamaged(f"the zip's directory lists {count} members instead of {directory.listed}")


def member_at(file: int, position: int) -> Member:
    """The member that the directory lists at this place.

    Raises:
        ZipDamaged: there is none, or no longer.
        OSError: the disk fails.
    """
    found = _member(os.pread(file, _MEMBER.size + 512, position), 0, position)
    if found is None:
        found = _member(os.pread(file, _MEMBER.size + 3 * 0xFFFF, position), 0, position)
    if found is None:
        raise ZipDamaged("the zip's directory is cut off")
    return found[0]


def _member(raw: bytes, at: int, position: int) -> tuple[Member, int] | None:
    """The member whose record begins there, and where the next one does; None when the record goes on beyond."""
    if len(raw) - at < _MEMBER.size:
        return None
    signature, flags, method, _, _, crc, packed_size, size, *lengths, mode, start = _MEMBER.unpack_from(raw, at)
    name_size, extra_size, comment_size, _, _ = lengths
    if signature != _MEMBER_SIGNATURE:
        raise ZipDamaged("the zip's directory holds something that is no member")
    name_end = at + _MEMBER.size + name_size
    following = name_end + extra_size + comment_size
    if len(raw) < following:
        return None
    try:
        name = raw[at + _MEMBER.size : name_end].decode("utf-8" if flags & _UTF_8 else "cp437")
    except UnicodeDecodeError:
        raise ZipDamaged("the zip's directory holds a name that is not UTF-8 as it says") from None
    if _IN_LONG_FORM in (size, packed_size, start):
        size, packed_size, start = _long_form(raw[name_end : name_end + extra_size], size, packed_size, start)
    end = start + 30 + name_size + packed_size
    return Member(position, name, flags, method, crc, packed_size, size, start, mode >> 16, end), following


def _long_form(extra: bytes, *values: int) -> list[int]:
    """The values with each that was too great for four bytes read from the zip64 extra field, in its sequence."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = int.from_bytes(extra[at : at + 2], "little"), int.from_bytes(extra[at + 2 : at + 4], "little")
        if kind == _LONG_EXTRA and at + 4 + length <= len(extra):
            long = iter(Struct(f"<{length // 8}Q").unpack_from(extra, at + 4))
            found = [next(long, -1) if value == _IN_LONG_FORM else value for value in values]
            if -1 not in found:
                return found
        at += 4 + length
    raise ZipDamaged("the zip's directory lacks the size of a member")
