"""Card images as files: a snapshot, then every committed group as one more line.

Each line is a checksum, a space and JSON; the checksum goes on from the line before, so that no line can be left out. A
line without its end, or with a wrong checksum, at the very end of the file is a write that a crash cut short, and never
happened; anywhere else the file is damaged and is refused.

The file holds the keys and the PIN of the emulated chip, as a chip's memory does. It is made readable for its owner
alone; chips for real people are real chips.
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kaguan.apdu.errors import InputError, NoCard, PlacedInputError
from kaguan.card_os.image import CardImage
from kaguan.card_os.writes import Group, apply
from kaguan.durable import lock, write_whole
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagecodec import decode_group, decode_image, encode_group, encode_image
from kaguan.emulator.soundness import require_sound

FORMAT = "kaguan-card-1"
_OWNER_ONLY = 0o600


def save_image(path: Path, image: CardImage) -> None:
    """The file holds this image as one snapshot.

    Raises:
        OSError: no room or no right; the file is then what it was before.
    """
    write_whole(path, _line({"format": FORMAT, "image": encode_image(image)})[0], mode=_OWNER_ONLY)


def replace_image(path: Path, image: CardImage) -> None:
    """The file, whatever it held, holds this image as one snapshot.

    Raises:
        NoCard: there is no such file.
        InUse: another process holds the card.
        OSError: as `save_image`.
    """
    descriptor = _locked(path)
    try:
        save_image(path, image)
    finally:
        os.close(descriptor)


def load_image(path: Path) -> CardImage:
    """The image in the file, every committed group included; the file is not changed.

    Raises:
        NoCard: there is no such file.
        PlacedInputError: it is no card image, or it is damaged; with the line.
    """
    return _read(path)[0]


class CardFile:
    """A card image file open for writing, held by this process alone."""

    GREATEST_JOURNAL = 64 * 1024
    """Bytes of journal that closing leaves as they are."""

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        """Open the file; `sync` makes every commit wait for the disk.

        Raises:
            NoCard, PlacedInputError: as `load_image`.
            InUse: another process holds the card.
        """
        self.path = path
        self._sync = sync
        self._descriptor = _locked(path)
        try:
            self.image, self._journal, self._end, self._checksum = _read(path)
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, group: Group) -> None:
        """The group is in the file.

        Raises:
            OSError: no room; the file is then what it was before.
        """
        line, checksum = _line(encode_group(group), self._checksum)
        try:
            done = os.write(self._descriptor, line)
            if done < len(line):
                raise OSError("the disk is full")
            if self._sync:
                os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, 0, os.SEEK_END)
            raise
        self._end += len(line)
        self._checksum = checksum

    @property
    def closed(self) -> bool:
        """The file has been let go."""
        return self._descriptor < 0

    def close(self) -> None:
        """The card is free for other processes, its journal folded into the snapshot when it has grown long.

        Closing twice is harmless.
        """
        if self.closed:
            return
        try:
            if self._end - self._journal > self.GREATEST_JOURNAL:
                save_image(self.path, load_image(self.path))
        finally:
            os.close(self._descriptor)
            self._descriptor = -1


class FileCard(EmulatedCard):
    """An emulated card whose memory is a file. Close it, or use it as a context, to free the file."""

    def __init__(self, path: Path, *, random: Callable[[int], bytes] = secrets.token_bytes, sync: bool = True) -> None:
        """The card in the file, powered.

        Raises:
            NoCard, PlacedInputError, InUse: as `CardFile`.
        """
        self._file = CardFile(path, sync=sync)
        try:
            super().__init__(self._file.image, storage=self._file, random=random)
        except BaseException:
            self._file.close()
            raise

    def reset(self) -> bytes:
        """As every card's.

        Raises:
            NoCard: the file has been let go.
            CardLost: the power failed again during recovery.
        """
        if self._file.closed:
            raise NoCard(f"{self._file.path}: the card was taken out; open its file again")
        return super().reset()

    def close(self) -> None:
        """The power is off and the file is free."""
        super().close()
        self._file.close()

    def __enter__(self) -> FileCard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _locked(path: Path) -> int:
    """The open file, locked, and still the one that the name means (a compaction may have replaced it)."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            raise _no_card(path) from None
        try:
            lock(descriptor, f"card {path}")
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _no_card(path: Path) -> NoCard:
    return NoCard(f"{path}: there is no such card image; make one with 'kaguan card new'")


def _line(value: Any, before: int = 0) -> tuple[bytes, int]:
    """The line for this value after a line with that checksum, and its own checksum."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
    checksum = zlib.crc32(text, before)
    return b"%08x %s\n" % (checksum, text), checksum


def _read(path: Path) -> tuple[CardImage, int, int, int]:
    """The image, where its journal begins, how many bytes of the file are whole, and the last line's checksum."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise _no_card(path) from None
    lines = raw.split(b"\n")
    tail = lines.pop()  # empty when the last line has its end
    checksum = 0
    values = []
    for line in lines:
        value, checksum = _value(line, checksum)
        values.append(value)
    torn = bool(tail)
    if len(values) > 1 and values[-1] is None and not torn:
        values.pop()
        lines.pop()
    image = _replayed(values, path)
    checksum = int(lines[-1].partition(b" ")[0], 16)
    return image, len(lines[0]) + 1, sum(len(line) + 1 for line in lines), checksum


def _replayed(values: list[Any], path: Path) -> CardImage:
    """The snapshot that the first value is, after every group that follows; a value is None where a line is damaged."""
    number = 1
    try:
        image = _snapshot(values[0] if values else None)
        for value in values[1:]:
            number += 1
            if value is None:
                raise InputError("the checksum is wrong: the file is damaged")
            image = apply(image, decode_group(value))
        require_sound(image)
    except InputError as error:
        raise PlacedInputError(str(error), file=str(path), line=number) from None
    except KeyError:
        raise PlacedInputError("a write to what the card does not have", file=str(path), line=number) from None
    return image


def _snapshot(value: Any) -> CardImage:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError("this is no card image")
    return decode_image(value.get("image"))


def _value(line: bytes, before: int) -> tuple[Any, int]:
    """The JSON of a line that follows one with that checksum, None when its own is wrong; and its own checksum."""
    checksum, _, text = line.partition(b" ")
    found = zlib.crc32(text, before)
    try:
        return (json.loads(text) if int(checksum, 16) == found else None), found
    except (ValueError, RecursionError):
        return None, found
