"""Death and leaving: one entry ends everything that a person has of cards, at once.

Law. A mistaken entry is revoked by somebody else; cards that it ended stay ended, and the person applies again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardRequest, Departure, Holder, TemporaryCard
from kaguan.cms.rules.choices import Demand
from kaguan.cms.rules.demands import open_demands
from kaguan.cms.rules.departures import REASON_OF, DepartureKind
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import Application, CancelReason
from kaguan.cms.rules.production import OPEN_REQUEST, Production
from kaguan.cms.rules.refusals import AlreadyResolved, DuplicateRequest, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.temporary import TEMPORARY_CARD, TemporaryState
from kaguan.cms.services.case import Case
from kaguan.cms.services.lock import end_card
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class Departed:
    """A departure on the books, and how many cards, requests and temporary cards it ended.

    `demands_open` names what the region demands before a card is cancelled for that reason, and is still to be seen to.
    """

    departure_id: str
    holder_id: int
    kind: str
    cards_ended: int
    requests_ended: int
    temporary_cards_ended: int
    demands_open: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """A departure that was a mistake."""

    departure_id: str
    holder_id: int


@use_case("register departure", Right.CANCEL, Departed)
def register_departure(
    case: Case, /, *, cert_type: str, cert_no: str, kind: DepartureKind, happened_on: date, evidence: str
) -> Departed:
    """Leave the person registered as dead or gone, every card cancelled, open requests withdrawn, slips ended.

    Nobody waits for the card to be brought in: what the region demands besides stands in the answer, and in the log.
    The personal account is not touched: it goes to the estate, or follows the person, by its own use case.
    Refuses, in this order: no such person, own person, no evidence, a day that has not come, registered already.
    """
    holder = case.holder(cert_type, cert_no)
    Holder.objects.select_for_update(no_key=True).get(pk=holder.pk)
    case.check_not_own(holder.pk)
    if not evidence.strip():
        raise NotEligible("a departure needs evidence that somebody else can look up")
    if happened_on > case.today:
        raise NotEligible(f"{happened_on} has not come yet")
    if Departure.objects.filter(holder=holder, revoked_at=None).exists():
        raise DuplicateRequest(f"{holder} is registered as gone already")
    Departure.objects.create(
        departure_id=case.new_id(Departure),
        holder=holder,
        kind=kind,
        happened_on=happened_on,
        evidence=evidence,
        registered_by=case.operator.code,
        at=case.at,
    )
    demands = _open_demands(holder, REASON_OF[kind])
    ended = Departed(
        str(case.request_id),
        holder.pk,
        kind.value,
        cards_ended=_end_cards(case, holder, REASON_OF[kind]),
        requests_ended=_end_requests(case, holder),
        temporary_cards_ended=_end_temporary_cards(case, holder),
        demands_open=demands,
    )
    case.note(holder=holder.pk, kind=kind.value, cards_ended=ended.cards_ended, demands_open=demands)
    return ended


@use_case("revoke departure", Right.CANCEL, Revoked)
def revoke_departure(case: Case, /, *, departure_id: UUID) -> Revoked:
    """Leave the departure revoked as a mistake: the person may apply again.

    Refuses, in this order: no such departure, own person, registered by the same operator, revoked already.
    """
    departure = (
        Departure.objects.select_for_update(no_key=True)
        .filter(pk=departure_id, holder__region__in=case.regions)
        .first()
    )
    if departure is None:
        raise NotFound(f"no departure {departure_id} is on the books")
    case.check_not_own(departure.holder_id)
    if departure.registered_by == case.operator.code:
        raise NeedsSecondPerson(f"operator {case.operator.code} registered it: another one has to revoke it")
    if departure.revoked_at is not None:
        raise AlreadyResolved(f"departure {departure_id} was revoked before")
    Departure.objects.filter(pk=departure.pk).update(revoked_at=case.at, revoked_by=case.operator.code)
    case.note(departure=str(departure_id), holder=departure.holder_id)
    return Revoked(str(departure_id), departure.holder_id)


def _open_demands(holder: Holder, reason: CancelReason) -> str:
    """Return what is still to be seen to for the person's cards, with the departure's evidence as proof."""
    demands = holder.region.rules().cancel_demands(reason)
    cards = Card.objects.filter(holder=holder).exclude(application=Application.CANCELLED)
    still_open = {
        demand
        for card in cards
        for demand in open_demands(demands, [Demand.PROOF], production=card.production, approved=False)
    }
    return ", ".join(demand for demand in demands if demand in still_open)


def _end_cards(case: Case, holder: Holder, reason: CancelReason) -> int:
    cards = Card.objects.select_for_update(no_key=True).filter(holder=holder).exclude(application=Application.CANCELLED)
    count = 0
    for card in cards.order_by("card_no"):
        end_card(case, card, "cancel", case.circumstances(card), reason=reason)
        count += 1
    return count


def _end_requests(case: Case, holder: Holder) -> int:
    requests = CardRequest.objects.filter(holder=holder, stage__in=OPEN_REQUEST)
    return requests.update(stage=Production.WITHDRAWN, stage_since=case.at)


def _end_temporary_cards(case: Case, holder: Holder) -> int:
    valid = TemporaryCard.objects.filter(holder=holder, state=TemporaryState.VALID)
    ended = case.allow(TEMPORARY_CARD, TemporaryState.VALID, "end", Circumstances()).target
    return valid.update(state=ended)
