"""The zip of an order: one task list and the holders' photos, and nothing that a stranger may have slipped in.

Nothing is ever unpacked to disk, and no member is read beyond its limit.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO

from kaguan.personalization.order.fault import Fault

GREATEST_LIST_SIZE = 1 << 30
GREATEST_PHOTO_SIZE = 200_000
MOST_MEMBERS = 5_000_000

GREATEST_RATIO = 200
"""Bytes of text that one byte of a compressed task list may become; real lists stay far below."""

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError)
"""What reading a damaged member raises; `RuntimeError` for flags that promise what no order has. A failing disk raises
`OSError`, and is not the row's fault."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x01
_LIST_SUFFIX = ".txt"
_PHOTO_SUFFIX = ".jpg"


class OrderArchive:
    """An opened order zip with everything that is wrong with its members."""

    def __init__(self, path: Path) -> None:
        self.faults: list[Fault] = []
        self.list_name = ""
        self.photo_names: set[str] = set()
        """The certificate numbers of the photos that are there."""
        self._zip: zipfile.ZipFile | None = None
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            self._fault("zip", "the file is not a zip, or its directory is damaged")
            return
        self._size = path.stat().st_size
        self._take_members(self._zip.infolist())

    def close(self) -> None:
        """The file is closed. Closing twice is harmless."""
        if self._zip is not None:
            self._zip.close()

    def open_list(self) -> IO[bytes]:
        """The task list's bytes as a stream; `DAMAGED` says what reading it may raise."""
        if self._zip is None:
            raise zipfile.BadZipFile
        return self._zip.open(self.list_name)

    def photo(self, certificate: str) -> bytes:
        """The photo's bytes.

        Raises:
            KeyError: there is none of this certificate number.
            one of DAMAGED: the member cannot be read.
        """
        if self._zip is None or certificate not in self.photo_names:
            raise KeyError(certificate)
        return self._zip.read(certificate + _PHOTO_SUFFIX)

    def _fault(self, column: str, reason: str) -> None:
        self.faults.append(Fault(0, column, reason))

    def _take_members(self, members: list[zipfile.ZipInfo]) -> None:
        if len(members) > MOST_MEMBERS:
            self._fault("zip", f"{len(members)} members, more than {MOST_MEMBERS}: split the order")
            return
        lists = [member.filename for member in members if member.filename.endswith(_LIST_SUFFIX)]
        if len(lists) != 1:
            self._fault("zip", f"{len(lists) or 'no'} task lists (.txt); an order has exactly one")
        seen: set[str] = set()
        for member in members:
            name = member.filename
            if name in seen:
                self._fault("zip", f"member {printable(name)} is there twice")
            elif refusal := _refusal(member, self._size):
                self._fault("zip", f"member {printable(name)} {refusal}")
            elif name.endswith(_PHOTO_SUFFIX):
                self.photo_names.add(name.removesuffix(_PHOTO_SUFFIX))
            elif len(lists) == 1:
                self.list_name = name
            seen.add(name)


def printable(name: str) -> str:
    """A member's name as it may be shown: a person's number is masked, control characters are escaped."""
    masked = name[:6] + "*" * 8 + name[14:] if name[:17].isdigit() else name
    return ascii(masked[:120])


def _refusal(member: zipfile.ZipInfo, zip_size: int) -> str | None:
    """Why this member must not be in an order of that many bytes, or None."""
    name = member.filename
    limit = GREATEST_LIST_SIZE if name.endswith(_LIST_SUFFIX) else GREATEST_PHOTO_SIZE
    if "/" in name or "\\" in name or ":" in name or name.startswith("."):
        return "has a path; all members stand at the top"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted; send it without a password"
    if not name.endswith((_LIST_SUFFIX, _PHOTO_SUFFIX)):
        return "is neither the task list (.txt) nor a photo (.jpg)"
    if member.compress_type not in _METHODS:
        return "is compressed in a way other than deflate"
    if member.file_size > limit:
        return f"has {member.file_size} bytes, more than {limit}"
    if member.file_size > GREATEST_RATIO * member.compress_size:
        return f"is compressed more than {GREATEST_RATIO} times, as no real file is"
    if not 0 <= member.header_offset < zip_size:
        return "is said to begin outside the zip"
    return None
