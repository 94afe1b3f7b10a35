"""Mailer numbers: nobody without the key invents one, and none is left out of the books.

A number is a series, a running number and eight check characters, `A7-00000042-9K2M4XQT`. The check characters are a
MAC over series and running number. The register is a file of events, each bound by a MAC to the one before it: numbers
are drawn in order without a gap before they are printed, and each ends as printed or as voided by two people.

Law 1. A number is drawn once; a reprint has a new one, and voids the old.
Law 2. What the register says of the past cannot be changed without the key. Its tail can be cut off: so keep `head`
elsewhere too.
"""

from __future__ import annotations

import errno
import hmac
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from kaguan.apdu.errors import InputError, NeedsSecondPerson, RuleBroken, VaultError
from kaguan.durable import lock, sync_folder
from kaguan.vault.secret import Secret

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U
_SERIES = re.compile(r"[A-Z0-9]{1,8}")
_NUMBER = re.compile(r"([A-Z0-9]{1,8})-([0-9]{8})-([0-9A-HJKMNP-TV-Z]{8})")
_LAST = 99_999_999
_CHECK_CHARACTERS = 8
_START = "0" * 64


class NumberInvented(InputError):
    """A mailer number that this bureau did not make."""


class RegisterBroken(VaultError):
    """The register was changed, or belongs to another key or series."""


def mac_text(key: Secret, *parts: str, characters: int = _CHECK_CHARACTERS) -> str:
    """Check characters over the parts: 5 bits each of an HMAC-SHA256, in an alphabet without look-alikes."""
    digest = hmac.digest(key.reveal(), "\0".join(parts).encode(), sha256)
    value = int.from_bytes(digest)
    return "".join(_ALPHABET[value >> 256 - 5 * (place + 1) & 31] for place in range(characters))


@dataclass(frozen=True, slots=True)
class MailerNumbers:
    """The numbers of one series under one key."""

    key: Secret = field(repr=False)
    series: str

    def __post_init__(self) -> None:
        if not _SERIES.fullmatch(self.series):
            raise InputError(f"a series is 1 to 8 capital letters and digits, not {self.series!r}")

    def text(self, number: int) -> str:
        """The number as it is printed."""
        running = f"{number:08}"
        return f"{self.series}-{running}-{mac_text(self.key, 'mailer number', self.series, running)}"

    def parse(self, text: str) -> int:
        """The running number in what was printed.

        Raises:
            NumberInvented: out of form, of another series, or its check characters are not ours.
        """
        match = _NUMBER.fullmatch(text)
        if match is None or match[1] != self.series:
            raise NumberInvented(f"{text[:40]!r} is no mailer number of series {self.series}")
        if not hmac.compare_digest(self.text(int(match[2])), text):
            raise NumberInvented(f"{text} was not made here: its check characters are wrong")
        return int(match[2])


class Voided(NamedTuple):
    """A number that is not valid any more, and the one that took its place (0: none)."""

    number: int
    reason: str
    by: str
    approved_by: str
    replaced_by: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of the numbers: all of them from 1 to `last`."""

    last: int
    printed: frozenset[int]
    voided: tuple[Voided, ...]

    @property
    def open(self) -> tuple[int, ...]:
        """Drawn, and neither printed nor voided: a print run that did not end."""
        done = self.printed | {row.number for row in self.voided}
        return tuple(number for number in range(1, self.last + 1) if number not in done)

    @property
    def valid(self) -> frozenset[int]:
        """Printed and not voided since."""
        return self.printed - {row.number for row in self.voided}


class MailerRegister:
    """The register of one series in a file; every event is on the disk before the call returns."""

    def __init__(self, path: Path, numbers: MailerNumbers) -> None:
        """The register at the path, begun when there is none.

        Raises:
            RegisterBroken: it does not verify.
            InUse: another process has it open.
        """
        self.numbers = numbers
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            lock(self._descriptor, f"mailer register {path}")
            with os.fdopen(os.dup(self._descriptor), "rb") as file:
                raw = file.read()
            self._head, self._standing, whole = _replay(raw, numbers, path)
            os.ftruncate(self._descriptor, whole)  # the half line of a process that was killed while writing
            os.lseek(self._descriptor, whole, os.SEEK_SET)
            sync_folder(path.parent)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> MailerRegister:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    @property
    def head(self) -> str:
        """The MAC of the last event: whoever keeps a copy notices when events are cut off."""
        return self._head

    @property
    def standing(self) -> Standing:
        """What became of all numbers so far."""
        return self._standing

    def draw(self, count: int, *, by: str, at: datetime) -> range:
        """The next numbers, as many as asked for; nobody else gets them, even if they are never printed.

        Raises:
            RuleBroken: none asked for, or the series is used up: begin another.
        """
        first = self._standing.last + 1
        if count < 1 or first + count - 1 > _LAST:
            raise RuleBroken(f"{count} numbers cannot be drawn from series {self.numbers.series} after {first - 1}")
        self._add({"event": "drawn", "first": first, "last": first + count - 1, "by": by}, at)
        return range(first, first + count)

    def printed(self, numbers: range, *, by: str, at: datetime) -> None:
        """These numbers, drawn before, are on paper.

        Raises:
            RuleBroken: one was not drawn, is printed already, or is voided.
        """
        if not numbers:
            return
        self._add({"event": "printed", "first": numbers[0], "last": numbers[-1], "by": by}, at)

    def void(self, number: int, *, reason: str, by: str, approved_by: str, at: datetime, reprint: bool) -> int:
        """The number is void for ever; for a reprint a new one is drawn, which comes back, else 0.

        Raises:
            NeedsSecondPerson: one person alone asks and approves.
            RuleBroken: not drawn, void already, or no reason given.
        """
        if not reason.strip():
            raise RuleBroken("a mailer number is voided for a reason: name it")
        if not by.strip() or not approved_by.strip() or by.strip().casefold() == approved_by.strip().casefold():
            raise NeedsSecondPerson(f"mailer {number} is voided by two people: somebody else than {by!r} must approve")
        successor = self._standing.last + 1 if reprint else 0
        if successor > _LAST:
            raise RuleBroken(f"series {self.numbers.series} is used up: begin another")
        row = {"event": "voided", "number": number, "reason": reason, "by": by, "approved_by": approved_by}
        self._add({**row, "replaced_by": successor}, at)
        return successor

    def _add(self, event: dict[str, Any], at: datetime) -> None:
        event = {**event, "at": at.isoformat()}
        standing = _after(self._standing, event)
        head, line = _sealed_line(self.numbers, self._head, event)
        whole = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, whole)
            os.lseek(self._descriptor, whole, os.SEEK_SET)
            raise
        self._head, self._standing = head, standing


class Count(NamedTuple):
    """A pile of mailers held against the register."""

    missing: tuple[int, ...]
    void: tuple[int, ...]
    unknown: tuple[str, ...]
    twice: tuple[int, ...]

    @property
    def ok(self) -> bool:
        """Every valid number is there once, and nothing else."""
        return not any(self)


def count_mailers(register: MailerRegister, seen: Iterable[str]) -> Count:
    """Which valid numbers are not in the pile, and what is in it that should not be."""
    once: set[int] = set()
    twice: list[int] = []
    unknown: list[str] = []
    for text in seen:
        try:
            number = register.numbers.parse(text)
        except NumberInvented:
            unknown.append(text)
            continue
        (twice.append if number in once else once.add)(number)
    standing = register.standing
    void = {row.number for row in standing.voided}
    never_printed = [register.numbers.text(n) for n in sorted(once - void - standing.printed)]
    return Count(
        tuple(sorted(standing.valid - once)),
        tuple(sorted(once & void)),
        tuple(unknown + never_printed),
        tuple(sorted(twice)),
    )


def _sealed_line(numbers: MailerNumbers, head: str, event: dict[str, Any]) -> tuple[str, bytes]:
    text = json.dumps(event, ensure_ascii=False, sort_keys=True)
    bound = "\0".join(("mailer register", numbers.series, head, text)).encode()
    mac = hmac.digest(numbers.key.reveal(), bound, sha256).hex()
    return mac, f"{mac} {text}\n".encode()


def _replay(raw: bytes, numbers: MailerNumbers, path: Path) -> tuple[str, Standing, int]:
    head, standing, whole = _START, Standing(0, frozenset(), ()), 0
    for count, line in enumerate(raw.splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            break
        try:
            event = json.loads(line[65:])
            head, expected = _sealed_line(numbers, head, event)
            if not hmac.compare_digest(line, expected):
                raise ValueError
            standing = _after(standing, event)
        except (ValueError, KeyError, RuleBroken):
            raise RegisterBroken(
                f"{path}:{count}: the register was changed, or is not of this key and series {numbers.series}"
            ) from None
        whole += len(line)
    return head, standing, whole


def _after(standing: Standing, event: dict[str, Any]) -> Standing:
    """The standing after the event.

    Raises:
        RuleBroken: it cannot follow.
    """
    void = {row.number for row in standing.voided}
    match event["event"]:
        case "drawn":
            if event["first"] != standing.last + 1:
                raise RuleBroken(f"the next number is {standing.last + 1}, not {event['first']}")
            return Standing(event["last"], standing.printed, standing.voided)
        case "printed":
            new = frozenset(range(event["first"], event["last"] + 1))
            if event["first"] < 1 or event["last"] > standing.last or new & standing.printed or new & void:
                raise RuleBroken(
                    f"of {event['first']} to {event['last']} not all are drawn and neither printed nor void"
                )
            return Standing(standing.last, standing.printed | new, standing.voided)
        case "voided":
            number, successor = event["number"], event["replaced_by"]
            if not 1 <= number <= standing.last or number in void:
                raise RuleBroken(f"mailer {number} is not a number that was drawn, or is void already")
            row = Voided(number, event["reason"], event["by"], event["approved_by"], successor)
            return Standing(successor or standing.last, standing.printed, (*standing.voided, row))
    raise RuleBroken(f"{event['event']!r} is no event of a mailer register")
