"""A case: one request inside its use case, with what it may touch and what is written down about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID, uuid5

from django.db.models import Case as Ranked
from django.db.models import Count, Exists, Model, QuerySet, Subquery, When
from django.utils import timezone

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.compiled import Compiled, insert, move
from kaguan.cms.models import Card, CardEvent, Holder, Institution, Merge, Operator
from kaguan.cms.rules.applying import Agent, is_guardian
from kaguan.cms.rules.approvals import Action, needs_second_person
from kaguan.cms.rules.axis import Axis, Transition
from kaguan.cms.rules.channels import channel_taken, channels_of
from kaguan.cms.rules.documents import Document, mask_number
from kaguan.cms.rules.guards import Circumstances, Verdict
from kaguan.cms.rules.lifecycle import (
    APPLICATION,
    BANK_FUNCTION,
    PIN,
    PIN_RESETS,
    PRODUCTION,
    Application,
    Production,
    Use,
    check_use,
)
from kaguan.cms.rules.refusals import (
    IdempotencyConflict,
    IllegalTransition,
    NotAllowed,
    NotEligible,
    NotFound,
    StateChanged,
)
from kaguan.cms.rules.rights import Right, rights_of
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.listing import follow_blacklist
from kaguan.cms.services.minors import is_guardian_of, is_minor
from kaguan.cms.services.scope import regions_in_reach
from kaguan.cms.services.state_tag import state_tag

COLUMN_OF: Final = {
    PRODUCTION.name: "production",
    APPLICATION.name: "application",
    BANK_FUNCTION.name: "bank_function",
    PIN.name: "pin",
}

_LOCKED_CARD: Final[Compiled[Card]] = Compiled(
    lambda card_no, region: (
        Card.objects.select_for_update(no_key=True).select_related("holder").filter(pk=card_no, region=region)
    ),
    card_no=str,
    region=str,
)
_SURROUNDINGS: Final[Compiled[tuple[dict[str, str] | None, bool, int | None]]] = Compiled(
    lambda holder, card_no: Holder.objects.filter(pk=holder).values_list(
        "details__facts",
        Exists(Card.objects.filter(replaced_by=card_no).exclude(application=Application.CANCELLED)),
        Subquery(
            CardEvent.objects.filter(card=card_no, axis=PIN.name, event__in=PIN_RESETS)
            .values("card")
            .annotate(times=Count("pk"))
            .values("times")
        ),
    ),
    holder=int,
    card_no=str,
)
"""The facts about a holder, whether a card that this one replaces is still open, and how often its PIN was reset."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and from where: the codes of an operator and of the institution that employs them.

    `expects` is the `state_tag` of the card or person that the actor saw before they asked; empty, any state will do.
    """

    operator: str
    institution: str
    expects: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CardState:
    """Where a card stands on its four axes, as codes of `rules.lifecycle`."""

    card_no: str
    production: str
    application: str
    bank_function: str
    pin: str


@dataclass(slots=True)
class Case:
    """What a use case works with; it lives as long as the request's transaction.

    `approved` is the step that a second person, `approver`, has approved.
    """

    operator: Operator
    institution: Institution
    request_id: UUID
    at: datetime
    notes: dict[str, object]
    approved: Action | None = None
    approver: str = ""
    expects: str = ""
    _regions: frozenset[str] = frozenset()
    _today: date | None = None

    @property
    def regions(self) -> frozenset[str]:
        """The codes of the regions that exist for the actor; what lies in others is not found."""
        if not self._regions:
            self._regions = regions_in_reach(self.institution)
        return self._regions

    @property
    def today(self) -> date:
        """The calendar day of the request where the system stands."""
        if self._today is None:
            self._today = timezone.localtime(self.at).date()
        return self._today

    def note(self, **notes: object) -> None:
        """Leave the notes in the audit line of this request."""
        self.notes.update(notes)

    def new_id(self, rows: type[Model], *, part: int = 0) -> UUID:
        """Return the request's id for a new row, or the one that follows from it for its part, counted from 1.

        Refuses with IdempotencyConflict when a row has it already.
        """
        row_id = uuid5(self.request_id, str(part)) if part else self.request_id
        if rows._default_manager.filter(pk=row_id).exists():
            raise IdempotencyConflict(f"id {row_id} was used for another step: ask under a new one")
        return row_id

    def card(self, card_no: str) -> Card:
        """Return the card, locked with its holder until the request ends; refuse with NotFound, NeedsSecondPerson,
        StateChanged."""
        own = self.institution.region
        card = _LOCKED_CARD.first(card_no=card_no, region=own.code)
        if card is not None:
            card.region = own
        elif self.regions != {own.code}:
            locked = Card.objects.select_for_update(no_key=True).select_related("holder")
            card = locked.filter(pk=card_no, region__in=self.regions).first()
        if card is None:
            raise NotFound(f"no card {card_no} is on the books")
        self.note(card_no=card_no)
        self.check_not_own(card.holder_id)
        self._check_as_seen(card)
        return card

    def usable_card(self, card_no: str) -> Card:
        """Return the card when money may move by it; refuse as `card`, then for its state, then when expired."""
        card = self.card(card_no)
        check_use(card.application, Use.MOVE_MONEY)
        if card.valid_until < self.today:
            raise NotEligible(f"card {card_no} expired on {card.valid_until}")
        return card

    def holder(self, cert_type: str, cert_no: str) -> Holder:
        """Return the person with that document, under the name that a merge left; refuse with NotFound."""
        holder = self.known_holder(cert_type, cert_no)
        if holder is None:
            raise NotFound(f"no person with document {cert_type} {mask_number(cert_no)} is on the books")
        return holder

    def known_holder(self, cert_type: str, cert_no: str) -> Holder | None:
        """Return the person with that document, as `holder` does, or None."""
        return self._known(Holder.objects.filter(cert_type=cert_type, cert_no=cert_no))

    def person(self, holder_id: int) -> Holder:
        """Return the person by number, locked until the request ends; refuse as `card`."""
        holder = self._known(Holder.objects.select_for_update(no_key=True).filter(pk=holder_id))
        if holder is None:
            raise NotFound(f"no person {holder_id} is on the books")
        self.note(holder=holder.pk)
        self.check_not_own(holder.pk)
        self._check_as_seen(holder)
        return holder

    def _check_as_seen(self, row: Card | Holder) -> None:
        """Return when the first thing that is locked is as the actor saw it; refuse with StateChanged otherwise."""
        expected, self.expects = self.expects, ""
        if expected and expected != state_tag(row):
            raise StateChanged("it was changed since you looked: look again, and decide anew")

    def _known(self, holders: QuerySet[Holder]) -> Holder | None:
        """Return the one that exists for the actor, their own region's first; the survivor where it was merged."""
        own_first = Ranked(When(region=self.institution.region, then=0), default=1)
        holder = holders.filter(region__in=self.regions).order_by(own_first, "pk").first()
        while holder is not None and (merge := Merge.objects.filter(merged=holder).first()) is not None:
            holder = merge.survivor
        return holder

    def find_institution(self, code: str) -> Institution:
        """Return the institution with that code in a region of the actor's; refuse with NotFound."""
        institution = Institution.objects.filter(pk=code, region__in=self.regions).first()
        if institution is None:
            raise NotFound(f"no institution {code!r} is on the books")
        return institution

    def check_alone(self, action: Action) -> None:
        """Return when one person may do it in the actor's region, or two have agreed; refuse with NeedsSecondPerson."""
        if self.approved is not action and needs_second_person(
            action, self.institution.region.rules().approvals_needed
        ):
            raise NeedsSecondPerson(f"to {action} needs a second person here: ask for approval")

    def check_not_own(self, holder_id: int) -> None:
        """Return when the holder is not the operator in person; refuse with NeedsSecondPerson otherwise."""
        if self.operator.holder_id == holder_id:
            raise NeedsSecondPerson(f"operator {self.operator.code} cannot act on a card or account of their own")

    def check_not_own_document(self, document: Document) -> None:
        """Return when the document is not the operator's own; refuse with NeedsSecondPerson otherwise."""
        own = self.operator.holder
        if own is not None and document.belongs_to(own.cert_type, own.cert_no):
            raise NeedsSecondPerson(f"operator {self.operator.code} cannot act for themselves at their own counter")

    def taken_by(self, what: str, said: Channel | None, allowed: Collection[Channel], region: str) -> Channel:
        """Return the channel by which it is asked, and note it; refuse as `rules.channels.channel_taken`."""
        possible = channels_of(self.institution.kind, self.operator.roles)
        channel = channel_taken(what, said, possible, allowed, region)
        self.note(channel=channel.value)
        return channel

    def circumstances(
        self,
        card: Card,
        *,
        document: Document | None = None,
        verdict: Verdict = Verdict.ANOTHER_PERSON,
        guardian: Agent | None = None,
    ) -> Circumstances:
        """Return what the guards of the card's transitions look at."""
        holder, region = card.holder, card.region.rules()
        own = document is not None and document.belongs_to(holder.cert_type, holder.cert_no)
        if holder.region_id == card.region.code:
            holder.region = card.region
        known = _SURROUNDINGS.first(holder=holder.pk, card_no=card.card_no)
        facts, predecessor_open, pin_resets = known or (None, False, None)
        minor = is_minor(holder, self.today, facts or {})
        by_guardian = minor and document is not None and is_guardian_of(holder, document)
        return Circumstances(
            region=region,
            card_bank_code=card.bank_code,
            outlet_bank_code=self.institution.bank_code,
            document_is_original=document is not None and document.original,
            document_is_holders=document is not None and (own or by_guardian),
            verdict=verdict,
            delivered=card.production == Production.HANDED_OVER,
            predecessor_open=predecessor_open,
            expired=card.valid_until < self.today,
            site_kind=self.institution.kind,
            site_designated=self.institution.designated,
            site_blacklisted=self.institution.blacklisted,
            pin_resets_done=pin_resets or 0,
            guardian_needed=minor,
            guardian_present=by_guardian
            or (guardian is not None and is_guardian(guardian) and is_guardian_of(holder, guardian.document)),
            application_ended=card.application == Application.CANCELLED,
            days_left=(card.valid_until - self.today).days,
            before_go_live=region.go_live_on is not None and card.issue_date < region.go_live_on <= self.today,
        )

    def allow(
        self, axis: Axis, state: str, event: str, circumstances: Circumstances, *, reason: str = ""
    ) -> Transition:
        """Return the row that the event takes.

        Refuses as `Axis.step` does, and with NotAllowed when the operator lacks the right of that very step.
        """
        row = axis.step(state, event, circumstances, reason=reason)
        self.require(row.right)
        return row

    def step(
        self,
        card: Card,
        axis: Axis,
        event: str,
        circumstances: Circumstances,
        *,
        reason: str = "",
        **detail: object,
    ) -> None:
        """Leave the card one step further on the axis, with an event that tells of it. Refuses as `allow`."""
        column = COLUMN_OF[axis.name]
        before = getattr(card, column)
        after = self.allow(axis, before, event, circumstances, reason=reason).target.value
        if not move(Card, card.pk, column, before=before, after=after):
            raise IllegalTransition(f"{event} refused: card {card.card_no} was changed meanwhile, ask again")
        setattr(card, column, after)
        self.tell(card, axis.name, event, before, after, reason=reason, **detail)
        if axis is APPLICATION:
            follow_blacklist(card, before, reason=reason, at=self.at)

    def tell(
        self, card: Card, axis: str, event: str, before: str, after: str, *, reason: str = "", **detail: object
    ) -> None:
        """Leave an event in the life of the card."""
        insert(
            CardEvent,
            card_id=card.card_no,
            at=self.at,
            axis=axis,
            event=event,
            from_state=before,
            to_state=after,
            reason=reason,
            detail=detail,
            operator=self.operator.code,
            institution=self.institution.code,
            request_id=self.request_id,
        )

    def require(self, right: Right) -> None:
        """Return when the operator has the right; refuse with NotAllowed otherwise."""
        if right not in rights_of(self.operator.roles):
            raise NotAllowed(f"operator {self.operator.code} has no right to {right.value}")


def state_of(card: Card) -> CardState:
    """Return where the card stands."""
    return CardState(card.card_no, card.production, card.application, card.bank_function, card.pin)
