"""The end of a run: blank chips counted back, and the job closed when every chip is accounted for."""

from __future__ import annotations

from contextlib import suppress

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.job.shifts import BalanceOpen, balances, close_job, close_shift, issue_chips
from kaguan.personalization.line.terms import LineOrder


def close_what_is_done(job: Job, line: LineOrder) -> None:
    """The job is drained, or closed when no row is open and the chips are accounted for.

    An emulated stock is counted by the program. So is a real one of which nobody said how many chips were handed out.
    """
    if job.move(JobState.PAUSED, among=[JobState.DRAINING]):
        return
    if line.chips is None:
        for balance in balances(job):
            if balance.machine == line.machine and balance.returned is None and not balance.at_work:
                if balance.missing < 0:
                    issue_chips(job, balance.shift, line.operator, -balance.missing)
                with suppress(BalanceOpen):  # another station of this machine is still at work
                    close_shift(job, balance.shift, line.operator, max(balance.missing, 0))
    if not job.counts().open:
        with suppress(BalanceOpen, RuleBroken):
            close_job(job, line.operator)
