"""A case: one request inside its use case, with what it may touch and what is written down about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardEvent, Holder, Institution, Operator
from kaguan.cms.rules.axis import Axis
from kaguan.cms.rules.documents import Document, mask_number
from kaguan.cms.rules.guards import Circumstances, Verdict
from kaguan.cms.rules.lifecycle import (
    APPLICATION,
    BANK_FUNCTION,
    PIN,
    PRODUCTION,
    Application,
    Production,
    Use,
    check_use,
)
from kaguan.cms.rules.refusals import (
    IllegalTransition,
    NotAllowed,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.rights import Right, rights_of

COLUMN_OF: Final = {
    PRODUCTION.name: "production",
    APPLICATION.name: "application",
    BANK_FUNCTION.name: "bank_function",
    PIN.name: "pin",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and from where: the codes of an operator and of the institution that employs them."""

    operator: str
    institution: str


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
    """What a use case works with; it lives as long as the request's transaction."""

    operator: Operator
    institution: Institution
    request_id: UUID
    at: datetime
    notes: dict[str, object]

    @property
    def today(self) -> date:
        """The calendar day of the request where the system stands."""
        return timezone.localtime(self.at).date()

    def note(self, **notes: object) -> None:
        """Leave the notes in the audit line of this request."""
        self.notes.update(notes)

    def card(self, card_no: str) -> Card:
        """Return the card, locked with its holder until the request ends; refuse with NotFound, NeedsSecondPerson."""
        card = Card.objects.select_for_update(no_key=True).select_related("holder").filter(pk=card_no).first()
        if card is None:
            raise NotFound(f"no card {card_no} is on the books")
        self.note(card_no=card_no)
        self.check_not_own(card.holder_id)
        return card

    def usable_card(self, card_no: str) -> Card:
        """Return the card when money may move by it; refuse as `card`, then for its state, then when expired."""
        card = self.card(card_no)
        check_use(card.application, Use.MOVE_MONEY)
        if card.valid_until < self.today:
            raise NotEligible(f"card {card_no} expired on {card.valid_until}")
        return card

    def check_not_own(self, holder_id: int) -> None:
        """Return when the holder is not the operator in person; refuse with NeedsSecondPerson otherwise."""
        if self.operator.holder_id == holder_id:
            raise NeedsSecondPerson(f"operator {self.operator.code} cannot act on a card or account of their own")

    def circumstances(
        self, card: Card, *, document: Document | None = None, verdict: Verdict = Verdict.ANOTHER_PERSON
    ) -> Circumstances:
        """Return what the guards of the card's transitions look at."""
        holder = card.holder
        return Circumstances(
            region=card.region.rules(),
            card_bank_code=card.bank_code,
            outlet_bank_code=self.institution.bank_code,
            document_is_original=document is not None and document.original,
            document_is_holders=document is not None and document.belongs_to(holder.cert_type, holder.cert_no),
            verdict=verdict,
            delivered=card.production == Production.HANDED_OVER,
            predecessor_open=Card.objects.filter(replaced_by=card).exclude(application=Application.CANCELLED).exists(),
            expired=card.valid_until < self.today,
            pin_resets_done=CardEvent.objects.filter(card=card, axis=PIN.name, event="reset").count(),
        )

    def step(self, card: Card, axis: Axis, event: str, circumstances: Circumstances, *, reason: str = "") -> None:
        """Leave the card one step further on the axis, with an event that tells of it.

        Refuses as `Axis.step` does, and with NotAllowed when the operator lacks the right of that very step.
        """
        column = COLUMN_OF[axis.name]
        before = getattr(card, column)
        row = axis.step(before, event, circumstances, reason=reason)
        self.require(row.right)
        after = row.target.value
        if not Card.objects.filter(pk=card.pk, **{column: before}).update(**{column: after}):
            raise IllegalTransition(f"{event} refused: card {card.card_no} was changed meanwhile, ask again")
        setattr(card, column, after)
        self.tell(card, axis.name, event, before, after, reason=reason)

    def tell(
        self, card: Card, axis: str, event: str, before: str, after: str, *, reason: str = "", **detail: object
    ) -> None:
        """Leave an event in the life of the card."""
        CardEvent.objects.create(
            card=card,
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


def find_holder(cert_type: str, cert_no: str) -> Holder:
    """Return the person with that document; refuse with NotFound."""
    holder = Holder.objects.filter(cert_type=cert_type, cert_no=cert_no).first()
    if holder is None:
        raise NotFound(f"no person with document {cert_type} {mask_number(cert_no)} is on the books")
    return holder


def find_institution(code: str) -> Institution:
    """Return the institution with that code; refuse with NotFound."""
    institution = Institution.objects.filter(pk=code).first()
    if institution is None:
        raise NotFound(f"no institution {code!r} is on the books")
    return institution
