"""Files that are whole or not there, and the right to be the only one who writes them."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from kaguan.apdu.errors import KaguanError, RuleBroken

PART = ".part"


class InUse(RuleBroken):
    """Another process is at work there."""


class DiskFailed(KaguanError):
    """The disk is full or broken; what was stored before stays good."""

    exit_code = 5


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """The file holds exactly this, also after a crash: at no moment does a reader or a restart see half of it.

    Raises:
        OSError: no room or no right; the file is then what it was before.
    """
    with whole_file(path, mode=mode) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """What is written within the context is the file's content afterwards; an exception leaves the file as it was.

    Raises:
        OSError: no room or no right.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(part)):
            error.filename = str(path)  # the name that the user knows
        raise
    sync_folder(path.parent)


def clear_parts(folder: Path) -> None:
    """Nothing is left of files that a killed process was writing there. Only for who holds the folder's lock."""
    for part in files_like(folder, f".*{PART}"):
        part.unlink(missing_ok=True)


def files_like(folder: Path, pattern: str) -> Iterator[Path]:
    """The files in the folder whose names fit the pattern of a shell, one after the other.

    A folder may hold one for each of a million cards: none of the others is remembered.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if fnmatchcase(entry.name, pattern):
                yield folder / entry.name


def sync_folder(folder: Path) -> None:
    """The names in the folder survive a crash as they are now."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int, what: str, *, shared: bool = False) -> None:
    """This process alone holds the open file, or shares it, until it closes it or dies.

    Raises:
        InUse: another process holds it; `what` names it to the user.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUse(f"{what} is in use by another process: let it finish, or stop it, and try again") from None


@contextmanager
def locked(path: Path, what: str, *, shared: bool = False) -> Iterator[None]:
    """While the context lasts no other process is in one for the same path; shared ones get along with each other.

    Raises:
        InUse: another process is.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        lock(descriptor, what, shared=shared)
        yield
    finally:
        os.close(descriptor)
