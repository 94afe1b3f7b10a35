"""Who works on which row, and with which chip.

Law 1. A row is claimed with an attempt number and for a time; only the holder of that number may settle it.
Law 2. Which chip a row is tried on is stored before the chip's first byte is written.
Law 3. A row is good exactly when one chip of its job says that it became this row's card; that chip is no other row's.
Law 4. A chip that is good, a sample or scrap, is never in work again, for whatever job.
Law 5. A claim whose time has run out is anybody's; the chip that was in work for it is counted as rejected, until it
       turns up and says itself what it is.
"""

from __future__ import annotations

import time
from functools import cached_property
from math import inf
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql.dml import ReturningInsert

from kaguan.database import DatabaseGone
from kaguan.personalization.job.history import Past, past_of
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.prepared import Prepared
from kaguan.personalization.job.schema import Fate, JobState, State, card, chip, job, now_seconds, shift

MOST_ATTEMPTS = 3
"""Chips that fail on one row before the row is rejected."""

MOST_LAPSES = 20
"""Stations and chips that are lost for one row before the row is rejected."""

CHIPS_PER_ROW = 64
"""Numbers of emulated chips that belong to one row."""

LEASE_SECONDS = 60.0
Steps = tuple[Prepared, ...]
_NUMBER = bindparam("claim_number", type_=Integer(), required=False)
_ATTEMPT = bindparam("claim_attempt", type_=Integer(), required=False)
_SERIAL = bindparam("claim_serial", type_=Text(), required=False)
_LOST = "its station was lost"
_USED_UP = (Fate.GOOD, Fate.SAMPLE, Fate.SCRAP)


class Claim(NamedTuple):
    """One row for one station. `serial` is the number of the chip that an emulated stock gives to this attempt."""

    number: int
    attempt: int
    chip: int
    sealed: bytes

    def __repr__(self) -> str:
        return f"<Claim of row {self.number}, attempt {self.attempt}>"


class Claims:
    """The rows that one station of a job holds. `shift` is an open one of the station's machine; when it is closed the
    station gets no rows until the machine has another, whose blank chips it then uses up."""

    def __init__(self, job: Job, station: str, shift: int, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._job = job
        self._bureau = job.bureau
        self._station = station
        self._lease = lease_seconds
        self._open_shift = open_shift_like(job, shift)
        self._known: dict[tuple[int, int], float] = {}  # when each claim was last known to be ours

    def claim(self, most: int, *, number: int | None = None) -> list[Claim]:
        """Up to so many pending rows, the most urgent first, now this station's; none while the job is not open.

        `number` asks for that row and no other, whether its job is open or paused.
        """
        first_chip = self._job.terms.first_chip
        since = awake_seconds()
        try:
            with self._bureau.statement() as connection:
                if number is None:
                    rows = self._claiming.run(connection, most=most).all()
                else:
                    rows = self._claiming_one.run(connection, most=most, claim_number=number).all()
        except DatabaseGone:
            self.release()  # it may have given us rows, and only the answer is lost
            return []
        claims = [
            Claim(number, attempt, first_chip + number * CHIPS_PER_ROW + attempt % CHIPS_PER_ROW, bytes(sealed))
            for number, attempt, sealed in sorted(map(tuple, rows))
        ]
        self._known.update(dict.fromkeys(map(_key, claims), since))
        return claims

    def took(self, claim: Claim, serial: bytes) -> bool:
        """The chip with this answer to reset is in work for the claim, whose time begins anew; False when the claim
        was taken away, the machine's shift was closed, or the chip is used up or in work for another job; then it is
        not to be written to."""
        since = awake_seconds()
        values = {"claim_number": claim.number, "claim_attempt": claim.attempt, "claim_serial": serial.hex().upper()}

        def note(connection: Connection) -> bool:
            return all(step.run(connection, **values).first() is not None for step in self._taking_in)

        took = self._bureau.durably(note, statement=True)
        if took:
            self._known[_key(claim)] = since
        return took

    def renew(self, claims: list[Claim]) -> None:
        """The time of these claims begins anew, as far as they are still held."""
        numbers = [claim.number for claim in claims]
        held = [card.c.job == self._job.key, card.c.number.in_(numbers), card.c.station == self._station]
        change = update(card).where(*held, card.c.state == State.CLAIMED)
        self._bureau.durably(lambda on: on.execute(change.values(lease_until=now_seconds() + self._lease)))

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still this station's; its time begins anew."""
        since = awake_seconds()
        renewed = {"lease_until": now_seconds() + self._lease}
        if not self._bureau.durably(lambda on: self._own(on, claim, **renewed), statement=True):
            return False
        self._known[_key(claim)] = since
        return True

    def sure(self, claim: Claim) -> bool:
        """As `holds`, but asked only when more than a third of the claim's time has passed since it was known."""
        known = self._known.get(_key(claim), -inf)
        return awake_seconds() - known <= self._lease / 3 or self.holds(claim)

    def hand_back(self, claim: Claim) -> None:
        """The row waits for a station again, as if nobody had claimed it."""
        back = {"state": State.PENDING, "lease_until": None}
        self._bureau.durably(lambda on: self._own(on, claim, **back), statement=True)
        self._known.pop(_key(claim), None)

    def finish(self, claim: Claim, serial: bytes, ident_code: bytes, apdus: int, *, deep: bool = True) -> bool:
        """The row is good, and its chip; False when the claim was taken away, and then nothing changed. `deep` tells
        whether the card was checked to the last byte."""
        shown = serial.hex().upper()
        values = {"ident_code": ident_code, "apdus": apdus, "deep": deep}

        def settle(connection: Connection) -> bool:
            if self._settled(connection, self._finishing, claim, **values):
                return True
            # It may have been done already, and the answer lost.
            same = [card.c.attempt == claim.attempt, card.c.state == State.GOOD, card.c.serial == shown]
            query = select(card.c.number).where(card.c.job == self._job.key, card.c.number == claim.number, *same)
            return connection.execute(query).first() is not None

        return self._bureau.durably(settle, statement=True)

    def fail(self, claim: Claim, stage: str, reason: str, *, dead: bool = True) -> bool:
        """The chip is rejected, and the row waits for another, or is rejected when it has had enough of them; as
        `finish`. A chip that is not `dead`, as one that was pulled out, may be tried again, and says nothing against
        the row."""
        count, most = (card.c.failures, MOST_ATTEMPTS) if dead else (card.c.lapses, MOST_LAPSES)
        values: dict[str, Any] = {
            "state": case((count + 1 >= most, State.REJECTED), else_=State.PENDING),
            count.name: count + 1,
            "stage": stage,
            "reason": reason,
        }
        steps = self._settling(Fate.REJECTED, f"{stage}: {reason}", dead=dead, **values)
        return self._bureau.durably(lambda on: self._settled(on, steps, claim), statement=True)

    def give_up(self, claim: Claim, reason: str, *, dead: bool = True) -> None:
        """The chip of a claim is in the reject bin, whoever has the row."""
        change = Prepared(self._bureau, self._chip_settled(Fate.REJECTED, reason, dead=dead))
        values = {"claim_number": claim.number, "claim_attempt": claim.attempt}
        self._bureau.durably(lambda on: change.run(on, **values), statement=True)

    def past(self, serial: bytes) -> Past | None:
        """What is known of the chip with this answer to reset; None when it is new."""
        return past_of(self._job, serial)

    def turn_away(self, serial: bytes, reason: str) -> None:
        """A chip that is no blank stock is in the reject bin before any row was tried on it; one that the job has seen
        already is counted once."""
        shown = serial.hex().upper()

        def note(connection: Connection) -> None:
            seen = [chip.c.job == self._job.key, chip.c.serial == shown]
            own_shift = connection.execute(self._open_shift.with_for_update(read=True)).scalar_one_or_none()
            if own_shift is None or connection.execute(select(chip.c.id).where(*seen)).first():
                in_bin = update(chip).where(*seen, chip.c.fate.in_([Fate.AT_WORK, Fate.REJECTED]))
                connection.execute(in_bin.values(fate=Fate.REJECTED, reason=reason, dead=True))
                return
            new = insert(chip).values(
                job=self._job.key,
                shift=own_shift,
                station=self._station,
                serial=shown,
                fate=Fate.REJECTED,
                dead=True,
                reason=reason,
                taken_at=now_seconds(),
                settled_at=now_seconds(),
            )
            connection.execute(new)

        self._bureau.durably(note)

    def release(self) -> None:
        """Rows that this station holds are pending again. For a station that is dead, or that leaves."""
        lapse(self._job, station=self._station)

    def _own(self, connection: Connection, claim: Claim, **values: Any) -> bool:
        mine = Prepared(self._bureau, self._mine(**values))
        return mine.run(connection, claim_number=claim.number, claim_attempt=claim.attempt).rowcount == 1

    def _settled(self, connection: Connection, steps: Steps, claim: Claim, **values: Any) -> bool:
        """Whether the claim was ours, and is now settled."""
        self._known.pop(_key(claim), None)
        values |= {"claim_number": claim.number, "claim_attempt": claim.attempt}
        first, *rest = steps
        if first.run(connection, **values).first() is None:
            return False
        for step in rest:  # a row that fails before it has a chip has none to settle
            step.run(connection, **values)
        return True

    # statements: a server does in one step what a file needs two for, the second when the first has found its row

    @cached_property
    def _claiming(self) -> Prepared:
        """The most urgent rows are this station's."""
        return self._claim_among(JobState.OPEN)

    @cached_property
    def _claiming_one(self) -> Prepared:
        """The row is this station's."""
        return self._claim_among(JobState.OPEN, JobState.PAUSED, only=card.c.number == _NUMBER)

    def _claim_among(self, *states: JobState, only: ColumnElement[bool] | None = None) -> Prepared:
        is_open = exists().where(job.c.id == self._job.key, job.c.state.in_(states))
        has_shift = exists(self._open_shift)
        pending = [card.c.job == self._job.key, card.c.state == State.PENDING, is_open, has_shift]
        if only is not None:
            pending.append(only)
        chosen = (
            select(card.c.number)
            .where(*pending)
            .order_by(card.c.priority.desc(), card.c.number)
            .limit(bindparam("most", type_=Integer(), required=False))
            .with_for_update(skip_locked=True)
            .cte("chosen")
        )
        return Prepared(
            self._bureau,
            update(card)
            .where(card.c.job == self._job.key, card.c.number == chosen.c.number)
            .values(
                state=State.CLAIMED,
                station=self._station,
                attempt=card.c.attempt + 1,
                lease_until=now_seconds() + self._lease,
            )
            .returning(card.c.number, card.c.attempt, card.c.sealed),
        )

    @cached_property
    def _taking_in(self) -> Steps:
        """A chip is in work for the claim."""
        elsewhere = and_(chip.c.fate == Fate.AT_WORK, chip.c.job != self._job.key)
        used_up = exists().where(chip.c.serial == _SERIAL, or_(chip.c.fate.in_(_USED_UP), elsewhere))
        mine = self._mine(lease_until=now_seconds() + self._lease, serial=_SERIAL).returning(card.c.number)
        if self._bureau.embedded:
            return Prepared(self._bureau, mine), Prepared(self._bureau, self._in_work(~used_up))
        own = exists(select(mine.cte("mine").c.number))
        return (Prepared(self._bureau, self._in_work(~used_up, own)),)

    @cached_property
    def _finishing(self) -> Steps:
        """The claim's row is good, and its chip."""
        told: dict[str, Any] = {name: bindparam(name, required=False) for name in ("ident_code", "apdus", "deep")}
        values = {**told, "finished_at": now_seconds(), "stage": None, "reason": None}
        return self._settling(Fate.GOOD, None, dead=False, state=State.GOOD, **values)

    def _settling(self, fate: Fate, told: str | None, *, dead: bool, **values: Any) -> Steps:
        """The claim's row has these values, and its chip this fate."""
        mine = self._mine(lease_until=None, **values).returning(card.c.number)
        settled = self._chip_settled(fate, told, dead=dead)
        if self._bureau.embedded:
            return Prepared(self._bureau, mine), Prepared(self._bureau, settled)
        first = mine.cte("mine")
        second = settled.where(exists(select(first.c.number))).returning(chip.c.id).cte("settled")
        return (Prepared(self._bureau, select(first.c.number).add_cte(second)),)

    def _mine(self, **values: Any) -> Update:
        """What changes the claim's row, as long as it is ours."""
        held = [card.c.job == self._job.key, card.c.station == self._station, card.c.state == State.CLAIMED]
        return update(card).where(*held, card.c.number == _NUMBER, card.c.attempt == _ATTEMPT).values(**values)

    def _in_work(self, *conditions: ColumnElement[bool]) -> ReturningInsert[tuple[int]]:
        """What says that the chip is in work for the claim, on these conditions and while the shift is open."""
        work: dict[str, ColumnElement[Any]] = {
            "number": _NUMBER,
            "attempt": _ATTEMPT,
            "station": literal(self._station),
            "fate": literal(Fate.AT_WORK.value),
            "dead": false(),
        }
        fresh: dict[str, ColumnElement[Any]] = {
            "job": literal(self._job.key),
            "serial": _SERIAL,
            "taken_at": now_seconds(),
        }
        values = {**work, **fresh}
        source = self._open_shift.with_for_update(read=True, of=shift).where(*conditions).add_columns(*values.values())
        insert_into = sqlite_insert if self._bureau.embedded else postgresql_insert
        return (
            insert_into(chip)
            .from_select(["shift", *values], source)
            .on_conflict_do_update(
                index_elements=[chip.c.serial, chip.c.job],
                set_={**work, "reason": None, "settled_at": None},
                where=chip.c.fate.in_([Fate.AT_WORK, Fate.REJECTED]),
            )
            .returning(chip.c.id)
        )

    def _chip_settled(self, fate: Fate, reason: str | None, *, dead: bool) -> Update:
        tried = [chip.c.job == self._job.key, chip.c.number == _NUMBER, chip.c.attempt == _ATTEMPT]
        open_fates = [Fate.AT_WORK, Fate.REJECTED] if fate is Fate.REJECTED else [Fate.AT_WORK]
        change = update(chip).where(*tried, chip.c.fate.in_(open_fates))
        return change.values(fate=fate, reason=reason, dead=dead, settled_at=now_seconds())


def awake_seconds() -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps where there is such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _key(claim: Claim) -> tuple[int, int]:
    return claim.number, claim.attempt


def open_shift_like(this: Job, key: int) -> Select[tuple[int]]:
    """What finds the open shift of the machine that this shift is or was of."""
    query = select(shift.c.machine).where(shift.c.id == key)
    machine = this.bureau.durably(lambda on: on.execute(query).scalar_one(), statement=True)
    return select(shift.c.id).where(shift.c.job == this.key, shift.c.machine == machine, shift.c.closed_at.is_(None))


def lapse(this: Job, *, station: str | None = None) -> int:
    """The claims whose time has run out are pending again, or all those of one station; how many there were.

    A row that has lost a station again and again is rejected.
    """
    ended = card.c.lease_until < now_seconds() if station is None else card.c.station == station
    was_tried = exists().where(
        chip.c.job == card.c.job,
        chip.c.number == card.c.number,
        chip.c.attempt == card.c.attempt,
        chip.c.fate == Fate.AT_WORK,
    )
    lapses = card.c.lapses + case((was_tried, 1), else_=0)
    over = lapses >= MOST_LAPSES

    def free(connection: Connection) -> int:
        chosen = select(card.c.number).where(card.c.job == this.key, card.c.state == State.CLAIMED, ended)
        numbers = connection.execute(chosen.with_for_update(skip_locked=True)).scalars().all()
        if not numbers:
            return 0
        change = (
            update(card)
            .where(card.c.job == this.key, card.c.number.in_(numbers))
            .values(
                state=case((over, State.REJECTED), else_=State.PENDING),
                lapses=lapses,
                stage=case((was_tried, "station"), else_=card.c.stage),
                reason=case((was_tried, _LOST), else_=card.c.reason),
                lease_until=None,
            )
        )
        connection.execute(change)
        lost = [chip.c.job == this.key, chip.c.number.in_(numbers), chip.c.fate == Fate.AT_WORK]
        connection.execute(update(chip).where(*lost).values(fate=Fate.REJECTED, reason=_LOST, settled_at=now_seconds()))
        return len(numbers)

    return this.bureau.durably(free)
