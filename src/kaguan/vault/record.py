"""The record of a key store: every dangerous step, who approved it, and a chain from the first to the last.

An entry is one line of JSON: number, time, store, step, what the step was about, the digest of the entry before, and
the Ed25519 signatures of the people who approved. It needs no secret to verify. The first entry introduces its
custodians; later ones are introduced by people who were there before. What a chain cannot show is that its end was
cut off: so the last digest is told after each step, for the paper in the safe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kaguan.apdu.errors import InputError, NeedsSecondPerson
from kaguan.vault.custodian import Custodian, Signer, signed_by

LEAST_PEOPLE = 2
ORIGIN = "0" * 64
_FIELDS = {"number", "time", "store", "step", "about", "custodians", "previous", "signatures"}


class RecordBroken(InputError):
    """The record was changed, or it is none; `line` says where (1-based)."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(f"line {line} of the record: {reason}: do not trust this record from here on")


class Entry(NamedTuple):
    """One line of the record. `about` is what the step was about, as JSON has it."""

    number: int
    time: str
    store: str
    step: str
    about: Mapping[str, object]
    custodians: Mapping[str, str]
    previous: str
    signatures: Mapping[str, str]

    @property
    def line(self) -> str:
        """The text of it, in the one form that it has."""
        return _canonical(self._asdict())

    @property
    def digest(self) -> str:
        """SHA-256 of the line, as the next entry quotes it."""
        return hashlib.sha256(self.line.encode()).hexdigest()

    def message(self) -> bytes:
        """What the custodians sign: the line without signatures."""
        fields = self._asdict()
        del fields["signatures"]
        return b"kaguan key record\n" + _canonical(fields).encode()


def next_entry(
    last: Entry | None,
    *,
    time: str,
    store: str,
    step: str,
    about: Mapping[str, object],
    people: Sequence[Signer],
    new: Iterable[Custodian] = (),
) -> Entry:
    """The entry after the last one, signed by these people.

    Raises:
        NeedsSecondPerson: they are fewer than two.
    """
    if len({person.name for person in people}) < LEAST_PEOPLE:
        raise NeedsSecondPerson(f"to {step} takes two custodians, different people, each with the own passphrase")
    introduced = {custodian.name: custodian.public.hex() for custodian in new}
    number, previous = (last.number + 1, last.digest) if last else (1, ORIGIN)
    unsigned = Entry(number, time, store, step, about, introduced, previous, {})
    message = unsigned.message()
    return unsigned._replace(signatures={person.name: person.sign(message).hex() for person in people})


def verify_record(lines: Iterable[str]) -> list[Entry]:
    """The entries, every one of them whole, in its place and signed by two custodians at least.

    Raises:
        RecordBroken: at the first line that is not; also when there is none.
    """
    entries: list[Entry] = []
    known: dict[str, bytes] = {}
    for number, line in enumerate(lines, 1):
        entry = _parsed(number, line)
        before = entries[-1] if entries else None
        if entry.number != number or entry.previous != (before.digest if before else ORIGIN):
            raise RecordBroken(number, "it does not follow the line before")
        if before and entry.store != before.store:
            raise RecordBroken(number, "it is of another store")
        introduced = {name: bytes.fromhex(public) for name, public in entry.custodians.items()}
        if known.keys() & introduced.keys():
            raise RecordBroken(number, "it introduces somebody who is known already")
        _check_signatures(entry, known, introduced)
        known |= introduced
        entries.append(entry)
    if not entries:
        raise RecordBroken(1, "there is no entry")
    return entries


def _check_signatures(entry: Entry, known: Mapping[str, bytes], introduced: Mapping[str, bytes]) -> None:
    people = {**known, **introduced}
    message = entry.message()
    for name, signature in entry.signatures.items():
        if name not in people:
            raise RecordBroken(entry.number, f"{name} signed it and was never introduced")
        if not signed_by(people[name], message, bytes.fromhex(signature)):
            raise RecordBroken(entry.number, f"the signature of {name} is wrong")
    # strangers cannot introduce themselves: two who were there before sign too
    counting = entry.signatures.keys() & known.keys() if known else entry.signatures.keys()
    if len(counting) < LEAST_PEOPLE:
        raise RecordBroken(entry.number, "fewer than two custodians signed it")


def _parsed(number: int, line: str) -> Entry:
    try:
        fields = json.loads(line)
        if set(fields) != _FIELDS:
            raise ValueError
        entry = Entry(**fields)
        tables = (entry.about, entry.custodians, entry.signatures)
        texts = (entry.time, entry.store, entry.step, entry.previous, *entry.custodians.values())
        if not all(isinstance(table, dict) for table in tables) or type(entry.number) is not int:
            raise ValueError
        if not all(isinstance(text, str) for text in (*texts, *entry.signatures.values())):
            raise ValueError
        for text in (*entry.custodians.values(), *entry.signatures.values()):
            bytes.fromhex(text)
        if entry.line != line:
            raise ValueError
    except (TypeError, ValueError, AttributeError, RecursionError):
        raise RecordBroken(number, "this is no entry") from None
    return entry


def _canonical(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
