"""`kaguan cms clock` and `kaguan cms reminders`."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import click

from kaguan.cms.asking.cli import DAY, Look, Request, changes, looks


@click.command()
@click.option("--for", "day", type=DAY, help="The day whose rules run; today if not given.")
@click.option("--dry", is_flag=True, help="Show what is due and do nothing; the day may lie ahead.")
@changes
def clock(request: Request, day: datetime | None, *, dry: bool) -> None:
    """Let time pass in a region: losses lapse or end cards, uncollected cards are sealed, validity ends.

    Holders are reminded to activate, and temporary cards end. The region is the operator's.
    Run it once a day; run again, or after it was killed, it does what is left.
    """
    from django.utils import timezone

    from kaguan.cms.services.clock_run import Refused, due_on, run_day

    on = day.date() if day else timezone.localdate()
    counts: Counter[str] = Counter()
    for step in due_on(request.actor, on) if dry else run_day(request.actor, on):
        if isinstance(step, Refused):
            counts["refused"] += 1
            click.echo(f"{step.due.number}  refused  {step.due.rule}: {step.why}")
        else:
            counts[step.rule.value] += 1
            click.echo(f"{step.number}  {'due' if dry else 'done'}  {step.rule}")
    told = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing is due"
    click.echo(f"{on}: {told}", err=True)


@click.command()
@looks
def reminders(look: Look) -> None:
    """Show whom to remind that a card waits to be activated."""
    from kaguan.cms.services.browsing import list_reminders

    look.show(list_reminders(look.actor, look.request_id))


COMMANDS = (clock, reminders)
