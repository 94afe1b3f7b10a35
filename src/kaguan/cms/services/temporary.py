"""Temporary cards: lent to somebody whose card is on its way, given back or lapsed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kaguan.cms.models import Card, CardRequest, Departure, Holder, TemporaryCard
from kaguan.cms.rules.choices import CardFunction
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.production import OPEN_REQUEST
from kaguan.cms.rules.refusals import DuplicateRequest, IllegalTransition, NotEligible, NotFound
from kaguan.cms.rules.regions import RegionRules
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.temporary import TEMPORARY_CARD, TemporaryState
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import question, use_case


@dataclass(frozen=True, slots=True)
class TemporaryReceipt:
    """A temporary card, its state, and its last day (ISO 8601)."""

    temporary_card_no: str
    state: str
    valid_until: str


@use_case("issue temporary card", Right.REPLACE, TemporaryReceipt)
def issue_temporary_card(case: Case, /, *, temporary_card_no: str, document: Document) -> TemporaryReceipt:
    """Leave a temporary card with the holder of the document, for the region's days and in the region only.

    Refuses, in this order: a copy of the document, no such person, own person, dead or gone, person of another
    region, number used, one not given back yet, a card in use, nothing on its way.
    """
    if not document.original:
        raise NotEligible("the original identity document has to be shown, not a copy")
    holder = case.holder(document.cert_type, document.cert_no)
    Holder.objects.select_for_update(no_key=True).get(pk=holder.pk)
    case.check_not_own(holder.pk)
    _check_waiting(case, holder, temporary_card_no)
    card = TemporaryCard.objects.create(
        temporary_card_no=temporary_card_no,
        holder=holder,
        region=case.institution.region,
        issued_on=case.today,
        valid_until=case.today + timedelta(days=case.institution.region.rules().temporary_card_days),
        issued_by=case.operator.code,
    )
    return _receipt(case, card)


def _check_waiting(case: Case, holder: Holder, temporary_card_no: str) -> None:
    if Departure.objects.filter(holder=holder, revoked_at=None).exists():
        raise NotEligible(f"{holder} is registered as dead or gone")
    if holder.region != case.institution.region:
        raise NotEligible(f"{holder} belongs to region {holder.region.code}: a temporary card works in its own only")
    if TemporaryCard.objects.filter(pk=temporary_card_no).exists():
        raise DuplicateRequest(f"temporary card number {temporary_card_no} is used already")
    out = _still_out(holder, case.institution.region.rules())
    if out is not None:
        raise DuplicateRequest(f"temporary card {out.temporary_card_no} has not been given back yet")
    cards = Card.objects.filter(holder=holder)
    if cards.filter(application=Application.NORMAL).exists():
        raise NotEligible("the person has a card in use")
    waiting = CardRequest.objects.filter(holder=holder, stage__in=OPEN_REQUEST).exists()
    if not waiting and not cards.filter(application=Application.NOT_ENABLED).exists():
        raise NotEligible("no card is on its way to the person: apply for one first")


def _still_out(holder: Holder, rules: RegionRules) -> TemporaryCard | None:
    """Return the temporary card that stands in the way: one not given back, or where it need not be, a valid one."""
    cards = TemporaryCard.objects.filter(holder=holder)
    if rules.temporary_card_returned:
        return cards.exclude(state=TemporaryState.RETURNED).first()
    return cards.filter(state=TemporaryState.VALID).first()


def check_temporary_returned(card: Card) -> None:
    """Return when no temporary card has to be given back before the holder gets this one; refuse with NotEligible."""
    rules = card.region.rules()
    out = _still_out(card.holder, rules) if rules.temporary_card_returned else None
    if out is not None:
        raise NotEligible(f"in {rules.name} temporary card {out.temporary_card_no} has to be given back first")


@dataclass(frozen=True, slots=True)
class TemporaryUse:
    """A temporary card that serves for this here and now, and whose it is, by number."""

    temporary_card_no: str
    holder_id: int
    function: str


@question("use temporary card", Right.LOOK, noted=True)
def use_temporary_card(case: Case, /, *, temporary_card_no: str, function: CardFunction) -> TemporaryUse:
    """Return whose temporary card it is, when it serves for that; every use is noted. It never moves money.

    Refuses, in this order: no such card in this region, own card, state, last day passed, not for that here.
    """
    card = _find(case, temporary_card_no)
    rules = card.region.rules()
    if card.state != TemporaryState.VALID:
        raise IllegalTransition(TEMPORARY_CARD.refusals[TemporaryState(card.state)])
    if card.valid_until < case.today:
        raise NotEligible(f"temporary card {temporary_card_no} was valid until {card.valid_until}")
    if function not in rules.temporary_card_functions:
        serves = ", ".join(rules.temporary_card_functions) or "nothing"
        raise NotEligible(f"in {rules.name} a temporary card does not serve for {function.value}, but for {serves}")
    case.note(temporary_card_no=temporary_card_no, function=function.value, holder=card.holder_id)
    return TemporaryUse(card.temporary_card_no, card.holder_id, function.value)


@use_case("extend temporary card", Right.REPLACE, TemporaryReceipt)
def extend_temporary_card(case: Case, /, *, temporary_card_no: str) -> TemporaryReceipt:
    """Leave the card valid for the region's days from today, at most as long as the region allows in all.

    Refuses, in this order: no such card, own card, state, last day passed or as late as it may be.
    """
    card = _find(case, temporary_card_no)
    case.allow(TEMPORARY_CARD, card.state, "extend", Circumstances())
    rules = card.region.rules()
    latest = card.issued_on + timedelta(days=rules.temporary_card_longest_days)
    until = min(case.today + timedelta(days=rules.temporary_card_days), latest)
    if card.valid_until < case.today:
        raise NotEligible(f"temporary card {temporary_card_no} was valid until {card.valid_until}")
    if until <= card.valid_until:
        raise NotEligible(f"temporary card {temporary_card_no} cannot be valid beyond {card.valid_until}")
    TemporaryCard.objects.filter(pk=card.pk).update(valid_until=until)
    card.valid_until = until
    return _receipt(case, card)


@use_case("return temporary card", Right.REPLACE, TemporaryReceipt)
def return_temporary_card(case: Case, /, *, temporary_card_no: str) -> TemporaryReceipt:
    """Leave the temporary card given back, whether it was still valid or not.

    Refuses, in this order: no such card, own card, given back already.
    """
    card = _find(case, temporary_card_no)
    card.state = case.allow(TEMPORARY_CARD, card.state, "return", Circumstances()).target.value
    TemporaryCard.objects.filter(pk=card.pk).update(state=card.state)
    return _receipt(case, card)


@use_case("lapse temporary card", Right.CLOCK, TemporaryReceipt)
def lapse_temporary_card(case: Case, /, *, temporary_card_no: str) -> TemporaryReceipt:
    """Leave the temporary card lapsed after its last day. Refuses, in this order: no such card, state, too early."""
    card = _find(case, temporary_card_no)
    state = case.allow(TEMPORARY_CARD, card.state, "lapse", Circumstances()).target.value
    if card.valid_until >= case.today:
        raise NotEligible(f"temporary card {temporary_card_no} is valid until {card.valid_until}")
    TemporaryCard.objects.filter(pk=card.pk).update(state=state)
    card.state = state
    return _receipt(case, card)


def _find(case: Case, temporary_card_no: str) -> TemporaryCard:
    here = TemporaryCard.objects.select_for_update(no_key=True).filter(region=case.institution.region)
    card = here.filter(pk=temporary_card_no).first()
    if card is None:
        raise NotFound(f"no temporary card {temporary_card_no} is on the books")
    case.check_not_own(card.holder_id)
    return card


def _receipt(case: Case, card: TemporaryCard) -> TemporaryReceipt:
    case.note(temporary_card_no=card.temporary_card_no, state=card.state)
    return TemporaryReceipt(card.temporary_card_no, card.state, card.valid_until.isoformat())
