"""The people of a job, searched for where they should not be.

Only hashes of their names and numbers are held, about 300 bytes a person. What is searched is not changed.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from sqlalchemy import ColumnElement, Table, Text, select

from kaguan.apdu.errors import InputError
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import card, chip, event, job, operator, purge, shift
from kaguan.personalization.order.reading import Holder

_LEAST_NUMBER = 7
_NUMBERS = re.compile(rf"[0-9A-Za-z]{{{_LEAST_NUMBER},}}")
_NAMES = re.compile("[^\\W0-9_A-Za-z](?:[^\\W0-9_A-Za-z]|·)+")
_LATIN = re.compile(r"[A-Za-z][A-Za-z .'-]+[A-Za-z]")
_ENCODINGS = ("utf-8", "gb18030")
_PIECE, _OVERLAP = 1 << 20, 256
_UNPACKED_LIMIT = 256 << 20
_AT_ONCE = 1_000
_MOST_WORDS = 6  # of a name


class People:
    """Names, certificate, card and bank card numbers of the people of a job."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._names: set[int] = set()
        self._number_sizes: set[int] = set()
        self._name_sizes: set[int] = set()
        self.count = 0

    def add(self, holder: Holder) -> None:
        """The person is looked for too."""
        self.count += 1
        for number in (holder.id_no, holder.card_no, holder.bank_card_no):
            if len(number) >= _LEAST_NUMBER:
                self._numbers.add(hash(number))
                self._number_sizes.add(len(number))
        if len(holder.name) > 1:
            self._names.add(hash(holder.name))
            self._name_sizes.add(len(holder.name))

    def leave_out(self, names: Iterable[str]) -> None:
        """These names are somebody's who works here, and no find."""
        self._names.difference_update(map(hash, names))

    def are_in(self, text: str) -> bool:
        """Whether one of them is named in the text, by name or by number."""
        numbers = (word for run in _NUMBERS.findall(text) for word in _windows(run, self._number_sizes))
        if any(hash(word) in self._numbers for word in numbers):
            return True
        names = (word for run in _NAMES.findall(text) for word in _windows(run, self._name_sizes))
        latin = (word for run in _LATIN.findall(text) for word in _runs_of_words(run))
        return any(hash(word) in self._names for word in chain(names, latin))

    def are_in_file(self, path: Path) -> bool:
        """Whether one of them is named in the file, in UTF-8 or GB18030, or in a file packed into it."""
        if self.are_in(path.name):
            return True
        with path.open("rb") as file:
            if any(self._are_in_piece(piece) for piece in _pieces(iter(lambda: file.read(_PIECE), b""))):
                return True
        return zipfile.is_zipfile(path) and self._are_packed_in(path)

    def _are_packed_in(self, path: Path) -> bool:
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
                if sum(member.file_size for member in members) > _UNPACKED_LIMIT:
                    raise InputError(f"{path} is too large to be searched for people: move it out of the folder")
                return any(self.are_in(member.filename) for member in members) or any(
                    self._are_in_piece(archive.read(member)) for member in members
                )
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
            raise InputError(f"{path} cannot be searched for people: move it out of the job's folder") from None

    def _are_in_piece(self, piece: bytes) -> bool:
        return any(self.are_in(piece.decode(encoding, "replace")) for encoding in _ENCODINGS)


def people_in_database(this: Job, people: People) -> Iterator[str]:
    """Where in the database a person of the job is named: the table, once for each thousand rows that name one.

    What is sealed is not looked into.
    """
    for table, own in (
        (job, job.c.id == this.key),
        (card, card.c.job == this.key),
        (shift, shift.c.job == this.key),
        (chip, chip.c.job == this.key),
        (event, event.c.job == this.key),
        (purge, purge.c.job == this.key),
    ):
        for text in _texts(this, table, own):
            if people.are_in(text):
                yield table.name


def leave_out_staff(this: Job, people: People) -> None:
    """Operators and whoever else did something in the bureau are not mistaken for people of the job."""
    with this.bureau.transaction() as connection:
        for query in (select(operator.c.shown), select(event.c.actor).distinct(), select(shift.c.name).distinct()):
            people.leave_out(connection.execute(query).scalars())


def _texts(this: Job, table: Table, own: ColumnElement[bool]) -> Iterator[str]:
    key, last = list(table.primary_key.columns)[-1], 0
    texts = [column for column in table.c if isinstance(column.type, Text)]
    while True:
        query = select(key, *texts).where(own, key > last).order_by(key).limit(_AT_ONCE)
        with this.bureau.transaction() as connection:
            rows = connection.execute(query).all()
        yield "\n".join("\n".join(value for value in row if isinstance(value, str)) for row in rows)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1][0]


def _windows(run: str, sizes: Iterable[int]) -> Iterator[str]:
    """Each part of the run of one of these sizes; of two signs only when it is the run: so short, names are words."""
    return (run[at : at + size] for size in sizes if size > 2 or len(run) == 2 for at in range(len(run) - size + 1))


def _runs_of_words(run: str) -> Iterator[str]:
    words = run.split()
    return (" ".join(words[at:end]) for at in range(len(words)) for end in range(at + 1, at + 1 + _MOST_WORDS))


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks, each with the end of the one before."""
    tail = b""
    for block in blocks:
        yield tail + block
        tail = block[-_OVERLAP:]
