"""At a designated hospital: the first normal registration activates, with no step of its own."""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.cms.rules.activation import NO_READER, ActivationWay, ChipRecord, Visit
from kaguan.cms.rules.lifecycle import APPLICATION, Application, Use, check_use
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.activation.entry import Phase, begin
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class RegisteredVisit:
    """A visit that is registered; `activation_id` is that of the activation that it brought, if any."""

    registration_no: str
    card_no: str
    visit: str
    application: str
    activation_id: str
    phase: str


@use_case("register visit", Right.ACTIVATE_BY_USE, RegisteredVisit)
def register_visit(
    case: Case, /, *, card_no: str, visit: Visit, registration_no: str, chip: ChipRecord = NO_READER
) -> RegisteredVisit:
    """Leave the visit registered with the card, which from the first normal one on is in use.

    Refuses, in this order: no registration number, no such card, own card; for a card that is not enabled: emergency,
    way, not handed over yet, no designated hospital, replaced card still open, expired; otherwise its state.
    """
    if not registration_no.strip():
        raise NotEligible("a visit has a registration number")
    card = case.card(card_no)
    case.note(visit=visit.value, registration_no=registration_no)
    activation_id, phase = "", Phase.DONE.value
    if card.application == Application.NOT_ENABLED:
        if visit is Visit.EMERGENCY:
            raise NotEligible("an emergency activates no card: treat the person, and activate it afterwards")
        evidence = {"visit": visit.value, "registration_no": registration_no}
        way = ActivationWay.FIRST_REGISTRATION
        activation = begin(case, card, way, case.circumstances(card), chip, evidence)
        activation_id, phase = str(activation.pk), activation.phase
    else:
        check_use(card.application, Use.MOVE_MONEY)
    case.tell(card, APPLICATION.name, "register_visit", card.application, card.application, visit=visit.value)
    return RegisteredVisit(registration_no, card.card_no, visit.value, card.application, activation_id, phase)
