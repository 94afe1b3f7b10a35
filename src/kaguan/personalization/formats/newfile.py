"""Files that are new: whole or not there, and never in the place of one that was there before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.durable import whole_file

LONGEST_TEXT = 1 << 20


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """What is written within the context is the new file; after an exception there is none.

    Raises:
        RuleBroken: there is a file of that name.
        OSError: no room or no right.
    """
    _refuse_present(path)
    with whole_file(path, mode=0o600) as stream:
        yield stream
        _refuse_present(path)


def _refuse_present(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise RuleBroken(f"{path} is there already: choose another name, or put it away")


def text_of(path: Path) -> str:
    """The text of a small UTF-8 file.

    Raises:
        InputError: it is not UTF-8, or far too long.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        raw = stream.read(LONGEST_TEXT + 1)
    if len(raw) > LONGEST_TEXT:
        raise InputError(f"{path.name}: more than {LONGEST_TEXT} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path.name}: not UTF-8; save it as UTF-8") from None
