"""What time does to one card: a use case a card and rule, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from kaguan.cms.models import Card, Region, Reminder
from kaguan.cms.rules.axis import Axis
from kaguan.cms.rules.guards import GUARDS, Guard
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, Application, BankFunction
from kaguan.cms.rules.refusals import DuplicateRequest, IllegalTransition, NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.timetable import CARD_RULE_OF, CardRule, TimeRule
from kaguan.cms.services.case import COLUMN_OF, CardState, Case, state_of
from kaguan.cms.services.loss import after_waiting
from kaguan.cms.services.outbox import tell_bank
from kaguan.cms.services.use_case import question, use_case

FIRST_CARDS: Final = date(1999, 12, 1)
LAST_DAY: Final = date(2999, 12, 31)
"""No card is valid for so long, and the calendar that the days are counted in goes further."""


@question("run clock", Right.CLOCK)
def allow_run(case: Case, /, *, on: date) -> None:
    """Return when the rules of that day may run now; refuse with NotEligible when it has not come, or lies before the
    first cards.
    """
    _check_come(case, on)
    _check_counted(on)


@question("look ahead", Right.CLOCK)
def look_ahead(case: Case, /, *, on: date) -> Region:
    """Return the region whose clock the actor runs, to see what is due there on that day, which may lie ahead.

    Refuses with NotEligible a day before the first cards, or after the last of any.
    """
    _check_counted(on)
    return case.institution.region


@use_case("let time pass", Right.CLOCK, CardState)
def let_time_pass(case: Case, /, *, card_no: str, rule: TimeRule, on: date) -> CardState:
    """Leave the card as the time rule says for that day; a card that ends takes its bank function along.

    Refuses, in this order: a day that has not come, no rule that changes a card; no such card, own card, state,
    place, too early or no such rule there.
    """
    _check_come(case, on)
    axis, event = (APPLICATION, "expire") if rule is TimeRule.EXPIRE else _changing(rule)
    card = case.card(card_no)
    axis.find(getattr(card, COLUMN_OF[axis.name]), event)
    if rule is TimeRule.EXPIRE:
        circumstances = replace(case.circumstances(card), expired=card.valid_until < on)
    else:
        _check_place(card, rule)
        circumstances = after_waiting(case, card, rule, on)
    case.step(card, axis, event, circumstances, on=on.isoformat())
    if card.application == Application.CANCELLED and card.bank_function != BankFunction.CLOSED:
        case.step(card, BANK_FUNCTION, "end_with_card", circumstances)
    case.note(rule=rule.value, on=on.isoformat())
    return state_of(card)


@use_case("remind", Right.CLOCK, CardState)
def remind(case: Case, /, *, card_no: str, rule: TimeRule, on: date) -> CardState:
    """Leave a reminder for the holder, whose card waits to be activated; once a card and kind.

    The card's bank, which handed it over, is told by a notice of its own.

    Refuses, in this order: a day that has not come, no rule that reminds; no such card, own card, activated or ended,
    not handed over, too early, reminded already.
    """
    _check_come(case, on)
    timed = _card_rule(rule, reminds=True)
    card = case.card(card_no)
    if card.application not in timed.states:
        raise NotEligible(f"card {card_no} does not wait to be activated")
    _check_place(card, rule)
    objection = GUARDS[Guard.TIME_PASSED](after_waiting(case, card, rule, on))
    if objection is not None:
        raise NotEligible(f"remind refused: {objection}")
    if Reminder.objects.filter(card=card, kind=rule.value).exists():
        raise DuplicateRequest(f"the holder of card {card_no} was reminded already")
    Reminder.objects.create(card=card, kind=rule.value, due_on=on, at=case.at)
    tell_bank(case, card, f"{rule.name.lower()}_activation", state_of(card))
    case.note(rule=rule.value, on=on.isoformat())
    return state_of(card)


def _changing(rule: TimeRule) -> tuple[Axis, str]:
    timed = _card_rule(rule, reminds=False)
    return timed.axis, timed.event


def _card_rule(rule: TimeRule, *, reminds: bool) -> CardRule:
    timed = CARD_RULE_OF.get(rule)
    if timed is None or reminds == bool(timed.event):
        raise NotEligible(f"{rule.value!r} is no rule that {'reminds' if reminds else 'changes a card'}")
    return timed


def _check_place(card: Card, rule: TimeRule) -> None:
    """Return when the rule is for cards where this one is: one that was collected meanwhile is not sealed."""
    if card.production not in CARD_RULE_OF[rule].production:
        raise IllegalTransition(f"{rule} refused: the card is in production state {card.production}")


def _check_counted(on: date) -> None:
    if on < FIRST_CARDS:
        raise NotEligible(f"{on} is before the first cards, nothing was due then")
    if on > LAST_DAY:
        raise NotEligible(f"{on} is after the last day of any card, nothing will be due then")


def _check_come(case: Case, on: date) -> None:
    if on > case.today:
        raise NotEligible(f"{on} has not come yet: what would happen then can only be shown")
