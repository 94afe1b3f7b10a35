"""The first PINs of a job's cards: the profile's one for all, or one drawn for each row, on a path of its own.

Law 1. A drawn PIN is in the database as a sealed block alone, under the job's PIN key, which is there as the vault has
       sealed it. What prepares and reports has neither.
Law 2. A row has its PIN before a station gets it, and keeps it until it was sent or its card is killed. A card that is
       made again has another PIN.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from functools import cached_property

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from kaguan.apdu.codecs import real_date
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import pin
from kaguan.personalization.keystore import RECORDS
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.paper.pins import draw_pin, pin_block, pin_of_block
from kaguan.personalization.preparation.plan import Plan
from kaguan.personalization.preparation.record import initial_pin
from kaguan.personalization.preparation.sealing import KEY_SIZE, RecordKey
from kaguan.vault.secret import Pin, Random, Secret
from kaguan.vault.vault import KeyVault

PROFILE_PIN, DRAWN = "profile", "drawn"
KINDS = (PROFILE_PIN, DRAWN)
_BORN = "ssseef060d"
_NUMBERS = ("cert_no", "customer_id", "bank_card_no", "ssseef0507", "df01ef0628", "ssseef0505", "ssseef0506")
_AT_ONCE = 500


class JobPins:
    """The first PINs of one job. Nothing is opened before one is asked for."""

    def __init__(self, job: Job, vault: KeyVault, plan: Plan) -> None:
        self._job = job
        self._vault = vault
        self._profile = plan.profile
        self._place = pin_place(job.terms.name)
        self._at_hand: dict[int, bytes] = {}
        self.drawn = job.terms.pins == DRAWN

    def __repr__(self) -> str:
        return f"<JobPins of {self._job.terms.name}>"

    @cached_property
    def _key(self) -> RecordKey:
        return RecordKey(self._vault.open_secret(RECORDS, self._job.pin_key, self._place))

    def open_key(self) -> None:
        """Drawn PINs can be sealed and opened from now on, also when the vault is closed."""
        if self.drawn:
            assert self._key  # noqa: S101 - it is opened by being asked for

    def fetch(self, numbers: Iterable[int]) -> None:
        """The PINs of these rows are at hand, sealed; those of others are not any more."""
        self._at_hand = self._stored(list(numbers)) if self.drawn else {}

    def of(self, number: int, holder: Holder) -> Pin:
        """The PIN of the row. One whose PIN was destroyed, since it was sent, has another from now on.

        Raises:
            RecordTampered: it is not what was drawn for this row.
        """
        if not self.drawn:
            return initial_pin(self._profile)
        found = self.known([number])
        if not found:
            self._store([number], [self._block(holder)])
            found = self.known([number])
        return found[number]

    def known(self, numbers: Sequence[int]) -> dict[int, Pin]:
        """The PINs of those rows that have one.

        Raises:
            RecordTampered: one is not what was drawn for its row.
        """
        sealed = {number: self._at_hand.pop(number) for number in numbers if number in self._at_hand}
        missing = [number for number in numbers if number not in sealed]
        sealed |= self._stored(missing) if missing else {}
        return {number: pin_of_block(self._key.open(number, self._place, blob)) for number, blob in sealed.items()}

    def draw(self, holders: Sequence[tuple[int, Holder]]) -> None:
        """Each of these rows has a PIN, drawn now unless it had one."""
        if self.drawn and holders:
            self._store([number for number, _ in holders], [self._block(holder) for _, holder in holders])

    def destroy(self, connection: Connection, numbers: Sequence[int]) -> None:
        """None of these rows has a PIN, when the connection's transaction is committed."""
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            connection.execute(delete(pin).where(pin.c.job == self._job.key, pin.c.number.in_(some)))

    def count(self) -> int:
        """How many rows have a PIN."""
        query = select(func.count()).select_from(pin).where(pin.c.job == self._job.key)
        return int(self._job.bureau.durably(lambda on: on.execute(query).scalar_one(), statement=True))

    def _block(self, holder: Holder) -> bytes:
        return pin_block(first_pin(holder, initial_pin(self._profile).length, secrets.token_bytes), secrets.token_bytes)

    def _stored(self, numbers: Sequence[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            query = select(pin.c.number, pin.c.sealed).where(pin.c.job == self._job.key, pin.c.number.in_(some))
            with self._job.bureau.statement() as connection:
                found.update((number, bytes(sealed)) for number, sealed in connection.execute(query))
        return found

    def _store(self, numbers: Sequence[int], blocks: Sequence[bytes]) -> None:
        """The rows have these PINs; those that had one keep it."""
        sealed = self._key.seal_all(numbers, self._place, blocks)
        values = [
            {"job": self._job.key, "number": number, "sealed": blob}
            for number, blob in zip(numbers, sealed, strict=True)
        ]
        insert_into = sqlite_insert if self._job.bureau.embedded else postgresql_insert
        new = insert_into(pin).on_conflict_do_nothing(index_elements=[pin.c.job, pin.c.number])
        self._job.bureau.durably(lambda connection: connection.execute(new, values))


def first_pin(holder: Holder, digits: int, random: Random) -> Pin:
    """A PIN for this holder: at random, not easily guessed, of no number or date that is the holder's."""
    columns = holder.columns
    numbers = [digits_of for name in _NUMBERS if (digits_of := columns.get(name, ""))]
    return draw_pin(random, digits=digits, born=real_date(columns.get(_BORN, "")), avoid=numbers)


def sealed_pin_key(vault: KeyVault, job: str) -> bytes:
    """A new PIN key for the job of this name, as its vault seals it."""
    return vault.seal_secret(RECORDS, Secret(secrets.token_bytes(KEY_SIZE)), pin_place(job))


def pin_place(name: str) -> bytes:
    """What binds the PIN key and the PINs to the job of this name; the records are bound to another."""
    return f"PINs of job {name}".encode()
