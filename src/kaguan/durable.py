"""Files that are whole or not there, and the right to be the only one who writes them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaguan.apdu.errors import RuleBroken


class InUse(RuleBroken):
    """Another process is at work there."""


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """The file holds exactly this, also after a crash: at no moment does a reader or a restart see half of it.

    Raises:
        OSError: no room or no right; the file is then what it was before.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """The names in the folder survive a crash as they are now."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int, what: str) -> None:
    """This process alone holds the open file, until it closes it or dies.

    Raises:
        InUse: another process holds it; `what` names it to the user.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUse(f"{what} is in use by another process: let it finish, or stop it, and try again") from None


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """While the context lasts no other process is in one for the same path.

    Raises:
        InUse: another process is.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        lock(descriptor, what)
        yield
    finally:
        os.close(descriptor)
