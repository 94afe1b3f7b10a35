"""Requests for a card (申领): who may have one, who applied in which way, and whether somebody checked it.

The request id of `apply` is the card request's own id. A person has one open request at a time.
Law. Whoever applied does not check: from wish to order two people have looked at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardRequest, Departure, Holder
from kaguan.cms.rules.applying import (
    Agent,
    Eligibility,
    PersonStanding,
    Presence,
    RequestKind,
    check_presence,
    may_apply,
    may_replace,
)
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import APPLICATION, Application
from kaguan.cms.rules.production import IN_REQUEST, OPEN_REQUEST, PRODUCTION, CheckFailure, Production
from kaguan.cms.rules.progress import progress_of
from kaguan.cms.rules.refusals import IllegalTransition, MayNotHaveCard, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.minors import facts_of, is_guardian_of, is_minor
from kaguan.cms.services.orders import Ending, was_ended_by_time
from kaguan.cms.services.use_case import question, use_case

ENDING_OF = {
    RequestKind.REPLACEMENT: Ending.REPLACE,
    RequestKind.EXCHANGE: Ending.EXCHANGE,
    RequestKind.RENEWAL: Ending.RENEW,
}


@dataclass(frozen=True, slots=True)
class Applicant:
    """The person who is to have the card, as named by who applies; of a unit's minors with who acts for them."""

    cert_type: str
    cert_no: str
    name: str
    guardian: Agent | None = None

    def __repr__(self) -> str:
        """Show nothing personal."""
        return f"Applicant({self.cert_type})"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is applied for; `reason` is a code of the kind, `outlet` where the card is to be collected."""

    kind: RequestKind
    bank_code: str
    outlet: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RequestState:
    """Where a card request stands, as code and as its holder is told."""

    card_request_id: str
    stage: str
    progress: str


@dataclass(frozen=True, slots=True)
class UnitReceipt:
    """How many people a unit applied for."""

    unit_no: str
    request_count: int


@question("may have card", Right.APPLY, noted=True)
def may_have_card(case: Case, /, *, applicant: Applicant, kind: RequestKind) -> Eligibility:
    """Return whether the person may apply for that kind of card now; nothing is refused, the answer says why not.

    Every answer is noted: who asks about people is known.
    """
    case.note(cert_no=applicant.cert_no, kind=kind.value)
    return _eligibility(case, _find(case, applicant), applicant, kind)


@use_case("apply for card", Right.APPLY, RequestState)
def apply(case: Case, /, *, applicant: Applicant, wish: Wish, presence: Presence) -> RequestState:
    """Leave a request for a card on the books, waiting for its check.

    Refuses, in this order: may not have it (with its code), own request, place, unit, document, agent, guardian,
    person, channel, guardian not registered, bank not of the region, outlet unknown, old card's state or reason.
    """
    return _state(_apply(case, case.new_id(CardRequest), applicant, wish, presence))


@use_case("apply for unit", Right.APPLY, UnitReceipt)
def apply_for_unit(case: Case, /, *, applicants: Sequence[Applicant], wish: Wish, presence: Presence) -> UnitReceipt:
    """Leave a request for every person of the unit; a minor's guardian is named with the minor.

    Refuses the whole batch at its first bad row, as `apply`.
    """
    if not applicants:
        raise NotEligible("the unit names nobody")
    for number, applicant in enumerate(applicants, start=1):
        try:
            present = replace(presence, agent=applicant.guardian)
            _apply(case, case.new_id(CardRequest, part=number), applicant, wish, present)
        except MayNotHaveCard as refusal:
            raise MayNotHaveCard(f"row {number}: {refusal}", code=refusal.code, which=refusal.which) from None
        except NotEligible as refusal:
            raise NotEligible(f"row {number}: {refusal}") from None
    case.note(unit_no=presence.unit_no, request_count=len(applicants))
    return UnitReceipt(presence.unit_no, len(applicants))


@use_case("check request", Right.CHECK, RequestState)
def check_request(case: Case, /, *, card_request_id: UUID, failure: CheckFailure | None = None) -> RequestState:
    """Leave the request checked and ready to be ordered, or failed for that reason until somebody corrects it.

    Refuses, in this order: no such request, own request, state, applied for by the same operator.
    """
    request = locked_request(case, card_request_id)
    event = "check" if failure is None else "fail_check"
    PRODUCTION.find(request.stage, event)
    if request.applied_by == case.operator.code:
        raise NeedsSecondPerson(f"operator {case.operator.code} applied: another one has to check")
    return move_request(case, request, event, failure or "")


@use_case("correct request", Right.APPLY, RequestState)
def correct_request(case: Case, /, *, card_request_id: UUID) -> RequestState:
    """Leave the request waiting for another check, now that what was wrong is mended. Refuses as `check_request`."""
    request = locked_request(case, card_request_id)
    moved = move_request(case, request, "correct", "")
    CardRequest.objects.filter(pk=request.pk).update(applied_by=case.operator.code, failure="")
    return moved


@use_case("withdraw request", Right.APPLY, RequestState)
def withdraw_request(case: Case, /, *, card_request_id: UUID) -> RequestState:
    """Leave the request withdrawn; the person may apply again.

    Refuses, in this order: no such request, own request, ordered or withdrawn already.
    """
    return move_request(case, locked_request(case, card_request_id), "withdraw", "")


def locked_request(case: Case, card_request_id: UUID) -> CardRequest:
    """Return the request of the actor's region, locked until the use case ends.

    Refuses with NotFound, also for one of another region, and with NeedsSecondPerson.
    """
    here = CardRequest.objects.select_for_update(no_key=True).filter(region=case.institution.region)
    request = here.filter(pk=card_request_id).first()
    if request is None:
        raise NotFound(f"no card request {card_request_id} is on the books")
    case.note(card_request=str(card_request_id))
    case.check_not_own(request.holder_id)
    return request


def move_request(case: Case, request: CardRequest, event: str, reason: str) -> RequestState:
    """Leave the request one step further on the production axis; refuse as `Case.allow`."""
    before = request.stage
    if Production(before) not in IN_REQUEST:
        raise IllegalTransition(f"{event} refused: the card is ordered already")
    after = case.allow(PRODUCTION, before, event, Circumstances(), reason=reason).target.value
    moved = CardRequest.objects.filter(pk=request.pk, stage=before)
    if not moved.update(stage=after, failure=reason, stage_since=case.at):
        raise IllegalTransition(f"{event} refused: request {request.pk} was changed meanwhile, ask again")
    request.stage = after
    case.note(stage=after)
    return _state(request)


def current_card(holder: Holder) -> Card | None:
    """Return the card that another one would replace: open and not sealed, or ended by time and not replaced yet."""
    live = Card.objects.filter(holder=holder).exclude(application__in=[Application.CANCELLED, Application.SEALED])
    newest = live.order_by("issue_date", "card_no").last()
    if newest is not None:
        return newest
    ended = Card.objects.filter(holder=holder, application=Application.CANCELLED, replaced_by=None)
    last = ended.order_by("issue_date", "card_no").last()
    return last if last is not None and was_ended_by_time(last) else None


def _apply(case: Case, card_request_id: UUID, applicant: Applicant, wish: Wish, presence: Presence) -> CardRequest:
    holder = _find(case, applicant)
    _eligibility(case, holder, applicant, wish.kind).require()
    if holder is None:
        raise AssertionError("somebody unknown may not have a card")
    case.check_not_own(holder.pk)
    rules = case.institution.region.rules()
    minor = is_minor(holder, case.today, facts_of(holder))
    on_books = Document(holder.cert_type, holder.cert_no, original=True)
    check_presence(
        presence, on_books, kind=case.institution.kind, minor=minor, proving_cards=_proving_cards(case, holder)
    )
    ways = rules.apply_channels if wish.kind is RequestKind.NEW else rules.replace_channels
    case.taken_by("apply", presence.channel_said(), ways, rules.name)
    agent = presence.agent
    if minor and agent is not None and not is_guardian_of(holder, agent.document):
        raise NotEligible("who applies is not registered as a guardian of the minor: register them first")
    if rules.banks and wish.bank_code not in rules.banks:
        raise NotEligible(f"{wish.bank_code!r} is none of the banks of region {case.institution.region.code}")
    outlet = case.find_institution(wish.outlet) if wish.outlet else None
    case.note(holder=holder.pk, kind=wish.kind.value, way=presence.way.value)
    return CardRequest.objects.create(
        card_request_id=card_request_id,
        holder=holder,
        region=case.institution.region,
        kind=wish.kind,
        way=presence.way,
        reason=wish.reason,
        bank_code=wish.bank_code,
        outlet=outlet,
        unit_no=presence.unit_no,
        agent_name=agent.name if agent else "",
        agent_cert_type=agent.document.cert_type if agent else "",
        agent_cert_no=agent.document.cert_no if agent else "",
        agent_relation=agent.relation if agent else "",
        replaces=_card_to_replace(case, holder, wish),
        applied_by=case.operator.code,
        institution=case.institution.code,
        applied_at=case.at,
        stage_since=case.at,
    )


def _proving_cards(case: Case, holder: Holder) -> list[str]:
    """Return the numbers of the person's cards that stand for the identity document here."""
    if not case.institution.region.rules().card_proves_identity:
        return []
    in_use = Card.objects.filter(holder=holder, application=Application.NORMAL, valid_until__gte=case.today)
    return list(in_use.values_list("card_no", flat=True))


def _card_to_replace(case: Case, holder: Holder, wish: Wish) -> Card | None:
    """Return the card that the new one will replace, when it could be replaced so today."""
    if wish.kind is RequestKind.NEW:
        return None
    old = current_card(holder)
    if old is not None and old.application != Application.CANCELLED:
        APPLICATION.step(old.application, ENDING_OF[wish.kind], case.circumstances(old), reason=wish.reason)
    return old


def _find(case: Case, applicant: Applicant) -> Holder | None:
    """Return the person, locked, so that two applications at once see each other."""
    holder = case.known_holder(applicant.cert_type, applicant.cert_no)
    return None if holder is None else Holder.objects.select_for_update(no_key=True).get(pk=holder.pk)


def _eligibility(case: Case, holder: Holder | None, applicant: Applicant, kind: RequestKind) -> Eligibility:
    standing = _standing(case, holder, applicant)
    return may_apply(standing) if kind is RequestKind.NEW else may_replace(standing)


def _standing(case: Case, holder: Holder | None, applicant: Applicant) -> PersonStanding:
    if holder is None:
        return PersonStanding()
    twins = Holder.objects.filter(cert_no=holder.cert_no, region=holder.region).exclude(pk=holder.pk)
    departure = Departure.objects.filter(holder=holder, revoked_at=None).first()
    card = current_card(holder)
    here = card is not None and card.region == case.institution.region
    return PersonStanding(
        known=True,
        name_agrees=holder.name == applicant.name,
        on_books_twice=twins.exists(),
        dead=departure is not None and departure.kind == DepartureKind.DEAD,
        left=departure is not None and departure.kind != DepartureKind.DEAD,
        request_open=CardRequest.objects.filter(holder=holder, stage__in=OPEN_REQUEST).exists(),
        card_here=here,
        card_elsewhere=card is not None and not here,
    )


def _state(request: CardRequest) -> RequestState:
    return RequestState(str(request.pk), request.stage, progress_of(request.stage))
