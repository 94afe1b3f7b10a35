"""A legal hold: while it lasts nothing of a job is purged. It stands in the audit trail, and nowhere else.

One operator is enough to hold, for nothing is lost by it; to release takes two.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.decisions import checked_reason
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.operators import TwoPeople, require_operators
from kaguan.personalization.job.schema import event, job

_HELD, _RELEASED = "legal hold", "legal hold released"


def hold(this: Job, by: str, reason: str) -> bool:
    """The job is not purged until it is released; False when it was held before.

    Raises:
        RuleBroken: it is purged, or its purge has begun.
        InputError: the reason is none.
    """
    why = checked_reason(reason)
    with this.bureau.transaction() as connection:
        row = connection.execute(select(job.c.purged_at).where(job.c.id == this.key).with_for_update()).one()
        if row.purged_at is not None:
            raise RuleBroken(f"job {this.terms.name} is purged: there is nothing left to hold")
        if is_held(connection, this.key):
            return False
        note(connection, this.key, by, _HELD, reason=why)
    return True


def release(this: Job, people: TwoPeople, reason: str) -> bool:
    """The job may be purged when its time has come; False when it was not held.

    Raises:
        NotAuthenticated, InputError: as `require_operators` and `checked_reason` say.
    """
    why = checked_reason(reason)
    with this.bureau.transaction() as connection:
        require_operators(connection, people)
        connection.execute(select(job.c.id).where(job.c.id == this.key).with_for_update())
        if not is_held(connection, this.key):
            return False
        note(connection, this.key, people.asked, _RELEASED, approved_by=people.approved, reason=why)
    return True


def is_held(connection: Connection, key: int) -> bool:
    """Whether the job is held."""
    said = select(event.c.action).where(event.c.job == key, event.c.action.in_([_HELD, _RELEASED]))
    return connection.execute(said.order_by(event.c.id.desc()).limit(1)).scalar_one_or_none() == _HELD
