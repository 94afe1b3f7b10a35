"""The tables of a bureau's database, the same in SQLite and in PostgreSQL.

What a row holds of a person is in `card.sealed` alone, and opens with the job's data key, which is in `job.data_key`
as the vault has sealed it. A PIN that was drawn for a row is in `pin` alone, under a key of its own, `job.pin_key`.
Times are seconds since 1970 by the database's own clock.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.event import listen
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class JobState(StrEnum):
    """Where a job stands."""

    PREPARING = "preparing"  # its order is coming in; no station gets a row
    OPEN = "open"
    PAUSED = "paused"  # stations wait
    DRAINING = "draining"  # stations finish what they hold, and end
    CLOSED = "closed"  # every row is settled and the count of chips has closed


class State(StrEnum):
    """Where a row stands."""

    PENDING = "pending"
    CLAIMED = "claimed"
    GOOD = "good"
    REJECTED = "rejected"  # no good card came of it
    REFUSED = "refused"  # the order's row was bad and was skipped


class Fate(StrEnum):
    """Where a chip ended that reached a machine."""

    AT_WORK = "at work"
    GOOD = "good"
    REJECTED = "rejected"  # in the reject bin
    SAMPLE = "sample"
    SCRAP = "scrap"


class now_seconds(FunctionElement[float]):  # noqa: N801 - it is written as SQL functions are
    """The time by the database's clock."""

    inherit_cache = True
    type = Double()


@compiles(now_seconds, "sqlite")
def _sqlite_now(_element: now_seconds, _compiler: SQLCompiler, **_: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now_seconds, "postgresql")
def _postgresql_now(_element: now_seconds, _compiler: SQLCompiler, **_: object) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"


metadata = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows of this type alone

job = Table(
    "job",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("order_digest", Text, nullable=False, unique=True),
    Column("order_name", Text, nullable=False),  # of the task list, which says batch, vendor, city and bank
    Column("columns", Text, nullable=False),  # of its holders, parted by |
    Column("profile", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("sampling", Text, nullable=False),
    Column("first_chip", BigInteger, nullable=False),
    Column("pins", Text, nullable=False, default="profile"),  # where the cards' first PINs come from
    Column("data_key", LargeBinary),  # gone when the job is purged
    Column("pin_key", LargeBinary),  # of a job whose PINs are drawn; gone when the job is purged
    Column("state", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("purged_at", Double),
)

card = Table(
    "card",
    metadata,
    Column("job", ForeignKey("job.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("task_id", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("row", Integer, nullable=False),
    Column("tag", LargeBinary),  # stands for the card number, which it does not tell
    Column("state", Text, nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("attempt", Integer, nullable=False, default=0),
    Column("failures", Integer, nullable=False, default=0),  # chips that failed
    Column("lapses", Integer, nullable=False, default=0),  # stations, and chips that were pulled out
    Column("station", Text),
    Column("lease_until", Double),
    Column("sealed", LargeBinary),
    Column("serial", Text),
    Column("ident_code", LargeBinary),
    Column("apdus", Integer, nullable=False, default=0),
    Column("deep", Boolean, nullable=False, default=False),  # whether it was checked to the last byte
    Column("stage", Text),
    Column("reason", Text),
    Column("finished_at", Double),
)
Index(
    "card_next",
    card.c.job,
    card.c.priority.desc(),
    card.c.number,
    postgresql_where=text("state = 'pending'"),
    sqlite_where=text("state = 'pending'"),
)
Index(
    "card_held",
    card.c.job,
    card.c.station,
    card.c.number,
    postgresql_where=text("state = 'claimed'"),
    sqlite_where=text("state = 'claimed'"),
)
Index(
    "card_made_once",
    card.c.job,
    card.c.tag,
    unique=True,
    postgresql_where=text("state <> 'refused'"),
    sqlite_where=text("state <> 'refused'"),
)
Index("card_by_state", card.c.job, card.c.state)

pin = Table(
    "pin",
    metadata,
    Column("job", ForeignKey("job.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # the row's
    Column("sealed", LargeBinary, nullable=False),
)

shift = Table(
    "shift",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("job", ForeignKey("job.id"), nullable=False),
    Column("machine", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("opening", Integer, nullable=False),  # blank chips handed to the machine
    Column("returned", Integer),  # blank chips that came back
    Column("lost", Integer, nullable=False, default=0),  # chips that two people have declared lost
    Column("closed_by", Text),
    Column("closed_at", Double),
)
Index(
    "shift_open",
    shift.c.job,
    shift.c.machine,
    unique=True,
    postgresql_where=text("closed_at IS NULL"),
    sqlite_where=text("closed_at IS NULL"),
)

chip = Table(
    "chip",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("job", Integer, nullable=False),
    Column("shift", ForeignKey("shift.id"), nullable=False),
    Column("station", Text, nullable=False),
    Column("number", Integer),  # the card that it was to become; none for a chip that was turned away at the door
    Column("attempt", Integer),
    Column("serial", Text, nullable=False),  # its answer to reset, upper-case hex
    Column("fate", Text, nullable=False),
    Column("dead", Boolean, nullable=False, default=False),  # rejected for good: it is not tried again
    Column("reason", Text),
    Column("taken_at", Double, nullable=False),
    Column("settled_at", Double),
    Column("ident_code", LargeBinary),  # of a card that was good and is dead
    ForeignKeyConstraint(["job"], ["job.id"]),
)
Index("chip_of_card", chip.c.job, chip.c.number, chip.c.attempt)
Index("chip_count", chip.c.shift, chip.c.fate)
Index("chip_counted_once", chip.c.serial, chip.c.job, unique=True)
Index(
    "chip_good_once",
    chip.c.serial,
    unique=True,
    postgresql_where=text("fate = 'good'"),
    sqlite_where=text("fate = 'good'"),
)

operator = Table(
    "operator",
    metadata,
    Column("name", Text, primary_key=True),  # without case, spaces and signs: nobody is two operators
    Column("shown", Text, nullable=False),
    Column("verifier", Text, nullable=False),  # of the passphrase
    Column("failures", Integer, nullable=False, default=0),  # wrong passphrases in a row
    Column("locked_until", Double),
    Column("added_at", Double, nullable=False),
    Column("removed_at", Double),
)

event = Table(
    "event",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("job", Integer),
    Column("at", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON; never a person's number
    Column("digest", LargeBinary, nullable=False),  # over this row and the digest before
)

purge = Table(
    "purge",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("job", ForeignKey("job.id"), nullable=False),
    Column("folder", Text),  # whose files went too
    Column("inventory", Text, nullable=False),  # JSON: what there was to destroy, by digests, stored before it went
    Column("begun_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("proof", Text),  # as it was written to a file
)

_NEVER = "the audit trail is only ever added to"
_KEPT = {
    "sqlite": [
        f"CREATE TRIGGER event_no_{change} BEFORE {change} ON event BEGIN SELECT RAISE(ABORT, '{_NEVER}'); END"
        for change in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        f"CREATE OR REPLACE FUNCTION event_kept() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE '{_NEVER}'; END$$",
        "CREATE TRIGGER event_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON event EXECUTE FUNCTION event_kept()",
    ],
}
for _dialect, _statements in _KEPT.items():
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        listen(event, "after_create", _ddl.execute_if(dialect=_dialect))
