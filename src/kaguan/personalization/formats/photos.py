"""The photos that belong to a sheet: files of a folder, or members of a zip."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Protocol, Self

from kaguan.apdu.errors import OrderError
from kaguan.personalization.order.archive import GREATEST_PHOTO_SIZE, GREATEST_RATIO, MOST_MEMBERS
from kaguan.personalization.order.directory import ZipDamaged, find_directory, member_at, members
from kaguan.personalization.order.packed import METHODS, packed
from kaguan.personalization.order.temporary import digester, temporary_database

_SCHEMA = "CREATE TABLE member (digest BLOB, position INTEGER)"
_INDEX = "CREATE INDEX member_by_digest ON member (digest, position)"
_STRANGE = re.compile(r"[\\:\x00]|(?:^|/)\.\.(?:/|$)")


class Photos(Protocol):
    """Where photos are found by name."""

    def reason_against(self, name: str) -> str | None:
        """Why there is no usable photo of that name, or None; its bytes are not read."""

    def read(self, name: str) -> bytes:
        """The photo's bytes.

        Raises:
            OrderError: it is gone or damaged.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


def open_photos(path: Path) -> Photos:
    """The photos of a folder or a zip.

    Raises:
        OrderError: the path is neither.
    """
    if path.is_dir():
        return _Folder(path)
    try:
        return _Zip(path)
    except ZipDamaged:
        raise OrderError("photos come in a folder or a zip; this is neither", file=path.name) from None


def _path_reason(name: str) -> str | None:
    if not name or name.startswith("/") or _STRANGE.search(name):
        return "has a name that leads out of the photos' folder"
    return None


def _size_reason(size: int) -> str | None:
    return f"has {size} bytes, more than {GREATEST_PHOTO_SIZE}" if size > GREATEST_PHOTO_SIZE else None


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._real = path.resolve()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def reason_against(self, name: str) -> str | None:
        if reason := _path_reason(name):
            return reason
        file = os.path.join(self._path, name)
        try:
            status = os.lstat(file)
            # A name without a folder that is no link can be nowhere else: the rare others are followed.
            if "/" in name or stat.S_ISLNK(status.st_mode):
                if not Path(file).resolve().is_relative_to(self._real):
                    return "is a link that leads out of the photos' folder"
                status = os.stat(file)
        except OSError:
            return "is missing"
        return _size_reason(status.st_size) if stat.S_ISREG(status.st_mode) else "is no file"

    def read(self, name: str) -> bytes:
        if reason := self.reason_against(name):
            raise OrderError(f"a photo {reason}", file=self._path.name)
        with open(os.path.join(self._path, name), "rb") as stream:
            return stream.read(GREATEST_PHOTO_SIZE)


class _Zip:
    """What is where is kept in a temporary database: memory is the same for three photos and for millions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        self._digest = digester(16)
        self._index = temporary_database(self, _SCHEMA)
        try:
            self._take_members()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def reason_against(self, name: str) -> str | None:
        places = self._places(name)
        if len(places) != 1:
            return "is in the zip twice" if places else "is missing"
        member = member_at(self._file.fileno(), places[0])
        if member.flags & 1:
            return "is encrypted in its zip"
        if member.method not in METHODS:
            return "is compressed in a way other than deflate"
        if member.size > GREATEST_RATIO * max(member.packed_size, 1):
            return f"is compressed more than {GREATEST_RATIO} times, as no photo is"
        return _size_reason(max(member.size, member.packed_size))

    def read(self, name: str) -> bytes:
        try:
            place = self._places(name)[0]
            return packed(self._file.fileno(), member_at(self._file.fileno(), place)).unpacked()
        except (IndexError, ZipDamaged):
            raise OrderError("a photo is damaged in its zip", file=self._path.name) from None

    def _take_members(self) -> None:
        file = self._file.fileno()
        directory = find_directory(file, os.fstat(file).st_size)
        if directory.listed > MOST_MEMBERS:
            raise OrderError(f"more than {MOST_MEMBERS} members: split the order", file=self._path.name)
        rows = ((self._digest(member.name.encode()), member.position) for member in members(file, directory))
        self._index.executemany("INSERT INTO member VALUES (?, ?)", rows)
        self._index.execute(_INDEX)

    def _places(self, name: str) -> list[int]:
        query = "SELECT position FROM member WHERE digest = ? LIMIT 2"
        return [place for (place,) in self._index.execute(query, (self._digest(name.encode()),))]
