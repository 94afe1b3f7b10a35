"""The doors `kaguan perso shift`, `balance` and `close`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import click

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.desk.asking.cli import MACHINE, OPERATOR, by_two, of_job, two_people
from kaguan.personalization.job.figures import balance_json
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.shifts import (
    Balance,
    balances,
    close_job,
    close_shift,
    hand_over,
    issue_chips,
    open_shift,
    shift_of,
    total_of,
    what_is_open,
)
from kaguan.personalization.line.places import Place
from kaguan.personalization.line.progress.text import balance_line

_CHIPS = click.option("--chips", required=True, type=click.IntRange(0), help="How many blank chips.")
_NAME = click.option("--name", default=lambda: time.strftime("%Y-%m-%d"), help="The shift's name; today's date.")


@click.group()
def shift() -> None:
    """Blank chips: handed to a machine, counted back, handed over."""


@shift.command("open")
@of_job
@MACHINE
@_NAME
@_CHIPS
@OPERATOR
def open_(place: Place, machine: str, name: str, chips: int, by: str) -> None:
    """Hand blank chips to a machine for a new shift."""
    with place.opened() as job:
        key = open_shift(job, machine, name, by, chips)
    click.echo(f"shift {key} of machine {machine} is open, with {chips} blank chips")


@shift.command()
@of_job
@MACHINE
@_CHIPS
@OPERATOR
def issue(place: Place, machine: str, chips: int, by: str) -> None:
    """Hand more blank chips to a machine's open shift."""
    with place.opened() as job:
        key = _open_shift(job, machine)
        issue_chips(job, key, by, chips)
        opening = next(balance.opening for balance in balances(job) if balance.shift == key)
    click.echo(f"{chips} blank chips more: {opening} in this shift")


@shift.command()
@of_job
@MACHINE
@click.option("--returned", required=True, type=click.IntRange(0), help="Blank chips that were counted back.")
@OPERATOR
def close(place: Place, machine: str, returned: int, by: str) -> None:
    """Count the blank chips back and close the machine's shift; refused until every chip is accounted for."""
    with place.opened() as job:
        click.echo(balance_line(close_shift(job, _last_shift(job, machine), by, returned)))


@shift.command("hand-over")
@of_job
@MACHINE
@click.option("--counted", required=True, type=click.IntRange(0), help="Blank chips that both have counted.")
@click.option("--chips", default=0, type=click.IntRange(0), help="Blank chips that the next shift gets besides.")
@_NAME
@by_two
def hand_over_(
    place: Place, machine: str, counted: int, chips: int, name: str, names: Sequence[str], files: Sequence[str]
) -> None:
    """Close the machine's shift and open the next with its blank chips: the first --by gives, the second takes."""
    with place.opened() as job:
        people = two_people(job.bureau, names, files)
        click.echo(balance_line(hand_over(job, machine, people, counted, name, more=chips)))
    click.echo(f"shift {name} of machine {machine} is open, with {counted + chips} blank chips")


@click.command()
@of_job
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def balance(place: Place, as_json: bool) -> None:
    """Where the chips of a job are: a line for each shift and each machine, and the sum."""
    with place.opened() as job:
        shifts, open_lines = balances(job), what_is_open(job)
        name = job.terms.name
    machines = sorted({entry.machine for entry in shifts})
    sums = [total_of([entry for entry in shifts if entry.machine == machine], machine) for machine in machines]
    total = total_of(shifts, name)
    if as_json:
        parts = {"shifts": shifts, "machines": sums}
        lists = {key: [balance_json(entry) for entry in value] for key, value in parts.items()}
        click.echo(json.dumps({**lists, "total": balance_json(total), "open": open_lines}, ensure_ascii=False))
        return
    for entry in [*shifts, *(sums if len(shifts) > 1 else []), total]:
        click.echo(balance_line(entry))
    for line in open_lines or ["it closes"]:
        click.echo(line)


@click.command("close")
@of_job
@OPERATOR
def close_door(place: Place, by: str) -> None:
    """Close a job; refused, with what is missing, until every row is settled and every chip accounted for."""
    with place.opened() as job:
        done = close_job(job, by)
        total: Balance = total_of(balances(job), job.terms.name)
    click.echo(balance_line(total))
    click.echo("the job is closed" if done else "the job was closed before")


def _open_shift(job: Job, machine: str) -> int:
    key = shift_of(job, machine)
    if key is None:
        raise RuleBroken(f"machine {machine} has no open shift for job {job.terms.name}")
    return key


def _last_shift(job: Job, machine: str) -> int:
    """The machine's open shift, or the last that was closed: to close it again changes nothing."""
    keys = [entry.shift for entry in balances(job) if entry.machine == machine]
    if not keys:
        raise RuleBroken(f"machine {machine} has had no shift for job {job.terms.name}")
    return shift_of(job, machine) or keys[-1]
