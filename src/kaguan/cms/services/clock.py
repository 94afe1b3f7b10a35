"""What time does to one card: a use case a card and rule, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from kaguan.cms.models import Reminder
from kaguan.cms.rules.guards import GUARDS, Guard
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, Application, BankFunction
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.timetable import CARD_RULE_OF, TimeRule
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.loss import after_waiting
from kaguan.cms.services.use_case import use_case


@use_case("let time pass", Right.CLOCK, CardState)
def let_time_pass(case: Case, /, *, card_no: str, rule: TimeRule, on: date) -> CardState:
    """Leave the card as the time rule says for that day; a card that ends takes its bank function along.

    Refuses, in this order: a day that has not come, no such card, own card, state, too early or no such rule there.
    """
    _check_come(case, on)
    card = case.card(card_no)
    if rule is TimeRule.EXPIRE:
        event, circumstances = "expire", replace(case.circumstances(card), expired=card.valid_until < on)
    else:
        event = CARD_RULE_OF[rule].event
        APPLICATION.find(card.application, event)
        circumstances = after_waiting(case, card, rule, on)
    case.step(card, APPLICATION, event, circumstances, on=on.isoformat())
    if card.application == Application.CANCELLED and card.bank_function != BankFunction.CLOSED:
        case.step(card, BANK_FUNCTION, "end_with_card", circumstances)
    case.note(rule=rule.value, on=on.isoformat())
    return state_of(card)


@use_case("remind", Right.CLOCK, CardState)
def remind(case: Case, /, *, card_no: str, rule: TimeRule, on: date) -> CardState:
    """Leave a reminder for the holder, whose card waits to be activated; once a card and kind.

    Refuses, in this order: a day that has not come, no such card, own card, activated or ended, too early,
    reminded already.
    """
    _check_come(case, on)
    card = case.card(card_no)
    timed = CARD_RULE_OF[rule]
    if card.application not in timed.states or card.production not in timed.production:
        raise NotEligible(f"card {card_no} does not wait to be activated")
    objection = GUARDS[Guard.TIME_PASSED](after_waiting(case, card, rule, on))
    if objection is not None:
        raise NotEligible(f"remind refused: {objection}")
    if Reminder.objects.filter(card=card, kind=rule.value).exists():
        raise DuplicateRequest(f"the holder of card {card_no} was reminded already")
    Reminder.objects.create(card=card, kind=rule.value, due_on=on, at=case.at)
    case.note(rule=rule.value, on=on.isoformat())
    return state_of(card)


def _check_come(case: Case, on: date) -> None:
    if on > case.today:
        raise NotEligible(f"{on} has not come yet: what would happen then can only be shown")
