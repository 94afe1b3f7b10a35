"""What time alone does: one card by one rule, or everything that is due in a region on a day, a part at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final
from uuid import uuid4

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router
from pydantic import Field

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.shapes import CardNo, Day, Number, Strict
from kaguan.cms.rules.timetable import TimeRule
from kaguan.cms.services import clock, loss, temporary
from kaguan.cms.services.case import CardState
from kaguan.cms.services.clock_run import Due, Refused, due_in, run_day
from kaguan.cms.services.temporary import TemporaryReceipt

router: Final = Router(tags=["clock"])
MOST: Final = 500


class RuleDue(Strict):
    """Which rule, for which day."""

    rule: TimeRule
    on: Day


class RunWanted(Strict):
    """The day whose rules run, and how many steps at most are taken in this request."""

    on: Day
    most: Annotated[int, Field(ge=1, le=MOST), Number] = MOST


@dataclass(frozen=True, slots=True)
class NotDone:
    """What was due and refused, and why."""

    number: str
    rule: TimeRule
    why: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """How many steps were done, and what was refused; with `more`, ask again for the same day."""

    done: int
    refused: list[NotDone]
    more: bool


@dataclass(frozen=True, slots=True)
class DueStep:
    """The card or temporary card by its number, and the rule that is due for it."""

    number: str
    rule: TimeRule


@dataclass(frozen=True, slots=True)
class DueSteps:
    """What is due, rule by rule; with `more` that was not all."""

    due: list[DueStep]
    more: bool


@router.post("/clock/runs", response=answers(RunReport), operation_id="run_clock")
def run(request: HttpRequest, body: RunWanted) -> RunReport:
    """Do what is due on a day in the region, each in a transaction of its own; running again does what is left."""
    actor, asked = asks_for(request, uuid4())
    clock.allow_run(actor, asked, on=body.on)
    steps: list[Due | Refused] = list(islice(run_day(actor, body.on), body.most))
    refused = [NotDone(step.due.number, step.due.rule, step.why) for step in steps if isinstance(step, Refused)]
    return RunReport(len(steps) - len(refused), refused, more=len(steps) == body.most)


@router.get("/clock/due", response=answers(DueSteps), operation_id="look_ahead")
def due(
    request: HttpRequest,
    on: Annotated[Day | None, Query(description="A day that may lie ahead; today if not given.")] = None,
    most: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> DueSteps:
    """Show what is due on a day in the region, as the books stand now; nothing is done."""
    day = on or timezone.localdate()
    region = clock.look_ahead(*asks_for(request, uuid4()), on=day)
    steps = list(islice(due_in(region, day), most + 1))
    return DueSteps([DueStep(step.number, step.rule) for step in steps[:most]], more=len(steps) > most)


@router.post("/cards/{card_no}/time-rules", response=answers(CardState), operation_id="let_time_pass")
def let_time_pass(request: HttpRequest, card_no: CardNo, key: Key, body: RuleDue) -> CardState:
    """Leave a card as a time rule says for a day."""
    return clock.let_time_pass(*asks_for(request, key), card_no=card_no, rule=body.rule, on=body.on)


@router.post("/cards/{card_no}/reminders", response=answers(CardState), operation_id="remind")
def remind(request: HttpRequest, card_no: CardNo, key: Key, body: RuleDue) -> CardState:
    """Leave a reminder for the holder of a card that waits to be activated."""
    return clock.remind(*asks_for(request, key), card_no=card_no, rule=body.rule, on=body.on)


@router.post("/cards/{card_no}/loss-lapse", response=answers(CardState), operation_id="lapse_loss")
def lapse_loss(request: HttpRequest, card_no: CardNo, key: Key) -> CardState:
    """Give a card back to use whose temporary loss is older than the region's days."""
    return loss.lapse_loss(*asks_for(request, key), card_no=card_no)


@router.post("/temporary-cards/{card_no}/lapse", response=answers(TemporaryReceipt), operation_id="lapse_temporary")
def lapse_temporary(request: HttpRequest, card_no: CardNo, key: Key) -> TemporaryReceipt:
    """End a temporary card after its last day."""
    return temporary.lapse_temporary_card(*asks_for(request, key), temporary_card_no=card_no)
