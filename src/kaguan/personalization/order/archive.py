"""The zip of an order: one task list and the holders' photos, and nothing that a stranger may have slipped in.

Nothing is ever unpacked to disk, and no member is read beyond its limit. Memory is the same for three members and
for millions: what is where is kept in a temporary database, by digests of the members' names.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from kaguan.apdu.errors import OrderError
from kaguan.personalization.order.directory import (
    Directory,
    Member,
    ZipDamaged,
    find_directory,
    member_at,
    members,
)
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.packed import METHODS, Packed, PackedStream, packed
from kaguan.personalization.order.temporary import digester, temporary_database

GREATEST_LIST_SIZE = 1 << 30
GREATEST_PHOTO_SIZE = 200_000
MOST_MEMBERS = 5_000_000
MOST_MEMBER_FAULTS = 10_000

GREATEST_RATIO = 200
"""Bytes of text that one byte of a compressed task list may become; real lists stay far below."""

_ENCRYPTED = 0x01
_LIST_SUFFIX = ".txt"
_PHOTO_SUFFIX = ".jpg"

_SCHEMA = """
CREATE TABLE member (
    number INTEGER PRIMARY KEY, digest BLOB, position INTEGER, start INTEGER, least_end INTEGER, kept INTEGER
)
"""
_INDEX = "CREATE INDEX member_by_digest ON member (digest, number, position, kept)"
_TWICE = """
SELECT position FROM (
    SELECT number, position, lag(digest) OVER (ORDER BY digest, number) = digest AS again FROM member
) WHERE again ORDER BY number LIMIT ?
"""
_OVERLAPPING = """
SELECT position FROM (
    SELECT number, position, start < max(least_end) OVER (
        ORDER BY start, number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS inside FROM member
) WHERE inside ORDER BY number LIMIT ?
"""


class OrderChanged(OrderError):
    """The order's file is not the one that was opened; nothing that was read of it holds."""


class OrderArchive:
    """An opened order zip with everything that is wrong with its members."""

    def __init__(self, path: Path) -> None:
        self.faults: list[Fault] = []
        self.list_name = ""
        self.member_count = 0
        self.photo_count = 0
        self._path = path
        self._file = path.open("rb", buffering=0)
        self._state = _state(os.fstat(self._file.fileno()))
        self._list: Member | None = None
        self._digest = digester(16)
        self._index = temporary_database(self, _SCHEMA)
        try:
            self._take_members()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """The file is closed. Closing twice is harmless."""
        self._file.close()
        self._index.close()

    def open_list(self) -> IO[bytes]:
        """The task list's bytes as a stream.

        Raises:
            ZipDamaged: here or while reading, the member is not what the directory says.
        """
        if self._list is None:
            raise ZipDamaged("there is no task list")
        return io.BufferedReader(PackedStream(self._file.fileno(), self._list), 1 << 17)

    def photo_place(self, certificate: str) -> PhotoPlace | None:
        """Where the photo of this certificate number is, or None."""
        query = "SELECT number, position FROM member WHERE digest = ? AND kept ORDER BY number LIMIT 1"
        found = self._index.execute(query, (self._digest((certificate + _PHOTO_SUFFIX).encode()),)).fetchone()
        return PhotoPlace(*found) if found else None

    def photo_at(self, place: PhotoPlace) -> Packed:
        """The photo, still packed.

        Raises:
            ZipDamaged: the member is not what the directory says.
        """
        return packed(self._file.fileno(), member_at(self._file.fileno(), place.position))

    def photo(self, certificate: str) -> bytes:
        """The photo's bytes.

        Raises:
            KeyError: there is none of this certificate number.
            ZipDamaged: the member cannot be read.
        """
        place = self.photo_place(certificate)
        if place is None:
            raise KeyError("photo")
        return self.photo_at(place).unpacked()

    def strays(self, used: bytearray) -> Iterator[str]:
        """The names, as they may be shown, of the photos whose bits are not set, in the directory's sequence."""
        for number, position in self._index.execute("SELECT number, position FROM member WHERE kept ORDER BY number"):
            if not used[number >> 3] >> (number & 7) & 1:
                yield printable(member_at(self._file.fileno(), position).name)

    def require_unchanged(self) -> None:
        """Nothing happens while the file is the one that was opened.

        Raises:
            OrderChanged: it was written to, or another one stands in its place.
        """
        try:
            now = _state(self._path.stat())
        except FileNotFoundError:
            now = None
        if now != self._state or _state(os.fstat(self._file.fileno())) != self._state:
            raise OrderChanged(
                "the order was changed while it was read: let its sender finish, then check it again",
                file=self._path.name,
            )

    def _fault(self, reason: str) -> None:
        if len(self.faults) == MOST_MEMBER_FAULTS:
            self.faults.append(Fault(0, "zip", f"{MOST_MEMBER_FAULTS} faults up to here: there may be more"))
        elif len(self.faults) < MOST_MEMBER_FAULTS:
            self.faults.append(Fault(0, "zip", reason))

    def _take_members(self) -> None:
        file = self._file.fileno()
        try:
            directory = find_directory(file, self._state.size)
        except ZipDamaged:
            self._fault("the file is not a zip, or its directory is damaged")
            return
        if directory.listed > MOST_MEMBERS:
            self._fault(f"{directory.listed} members, more than {MOST_MEMBERS}: split the order")
            return
        taking = _Taking(directory)
        try:
            self._index.executemany("INSERT INTO member VALUES (?, ?, ?, ?, ?, ?)", self._rows(taking))
        except ZipDamaged:
            self._fault("the file is not a zip, or its directory is damaged")
            return
        self._index.execute(_INDEX)
        most = (MOST_MEMBER_FAULTS + 1,)
        for (position,) in self._index.execute(_TWICE, most):
            self._fault(f"member {printable(member_at(file, position).name)} is there twice")
        if not taking.in_sequence:
            for (position,) in self._index.execute(_OVERLAPPING, most):
                self._fault(f"member {printable(member_at(file, position).name)} begins inside another one")
        if taking.lists != 1:
            self._fault(f"{taking.lists or 'no'} task lists (.txt); an order has exactly one")
        elif self._list:
            self.list_name = self._list.name

    def _rows(self, taking: _Taking) -> Iterator[tuple[object, ...]]:
        """The index's row of every member; what is wrong with a member is told on the way."""
        for number, member in enumerate(taking.watched(members(self._file.fileno(), taking.directory))):
            refusal = _refusal(member, taking.directory.start)
            if refusal:
                self._fault(f"member {printable(member.name)} {refusal}")
            is_photo = not refusal and member.name.endswith(_PHOTO_SUFFIX)
            if not refusal and not is_photo:
                self._list = member
            self.member_count = number + 1
            self.photo_count += is_photo
            digest = self._digest(member.name.encode())
            yield number, digest, member.position, member.start, member.least_end, is_photo


class PhotoPlace(NamedTuple):
    """A photo's number among the members, and where the directory tells of it."""

    number: int
    position: int


class _Taking:
    """What is learnt of the members of a directory while they go by."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.lists = 0
        self.in_sequence = True
        """Whether each member begins behind the one before: then none is inside another."""

    def watched(self, source: Iterable[Member]) -> Iterator[Member]:
        end = 0
        for member in source:
            self.lists += member.name.endswith(_LIST_SUFFIX)
            self.in_sequence = self.in_sequence and member.start >= end
            end = member.least_end
            yield member


class _State(NamedTuple):
    """What changes when somebody writes to a file or puts another one in its place."""

    device: int
    inode: int
    size: int
    modified_ns: int


def _state(found: os.stat_result) -> _State:
    return _State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def printable(name: str) -> str:
    """A member's name as it may be shown: a person's number is masked, control characters are escaped."""
    masked = name[:6] + "*" * 8 + name[14:] if name[:17].isdigit() else name
    return ascii(masked[:120])


def _refusal(member: Member, room: int) -> str | None:
    """Why this member must not be in an order with so many bytes in front of its directory, or None."""
    name = member.name
    limit = GREATEST_LIST_SIZE if name.endswith(_LIST_SUFFIX) else GREATEST_PHOTO_SIZE
    if "/" in name or "\\" in name or ":" in name or name.startswith("."):
        return "has a path; all members stand at the top"
    if not name.isprintable():
        return "has a name with characters that cannot be printed"
    if stat.S_ISLNK(member.mode):
        return "is a link"
    if member.flags & _ENCRYPTED:
        return "is encrypted; send it without a password"
    if not name.endswith((_LIST_SUFFIX, _PHOTO_SUFFIX)):
        return "is neither the task list (.txt) nor a photo (.jpg)"
    if member.method not in METHODS:
        return "is compressed in a way other than deflate"
    if (size := max(member.size, member.packed_size)) > limit:
        return f"has {size} bytes, more than {limit}"
    if member.size > GREATEST_RATIO * member.packed_size:
        return f"is compressed more than {GREATEST_RATIO} times, as no real file is"
    if member.least_end > room:
        return "is said to be outside the zip"
    return None
