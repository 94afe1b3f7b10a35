"""Open and settle cases about a chip, and keep account of steps that were begun with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from django.db.models import QuerySet

from kaguan.cms.ledger.accounts import AccountKind, purse_account
from kaguan.cms.ledger.posting import Move, post
from kaguan.cms.models import Card, ChipCase
from kaguan.cms.rules.chip_state import ChipState, Difference, Facet, Remedy, differences
from kaguan.cms.rules.lifecycle import APPLICATION
from kaguan.cms.rules.refusals import AlreadyResolved, NeedsReconciliation, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.chip.books import books_state, open_facets
from kaguan.cms.services.use_case import use_case

CORRECTION: Final = "correction"


@dataclass(frozen=True, slots=True)
class CasesOfCard:
    """The facets about which a case of the card is open after chip and books were held against each other."""

    card_no: str
    open_cases: str


@use_case("read back", Right.LOOK, CasesOfCard)
def hold_against_books(
    case: Case,
    /,
    *,
    card_no: str,
    step: str,
    chip: ChipState,
    pin_tries: int,
    terminal_no: str,
    wants_purse: bool = False,
) -> CasesOfCard:
    """Leave an open case for everything that chip and books tell differently, one a card and facet.

    What was seen before is not opened again: the case has what was seen last. Refuses with NotFound (no such card);
    it is a fact and not a wish, so it is told of an own card too.
    """
    card = Card.objects.select_for_update(no_key=True).filter(pk=card_no, region__in=case.regions).first()
    if card is None:
        raise NotFound(f"no card {card_no} is on the books")
    found = differences(books_state(card, pin_tries), chip, wants_purse=wants_purse)
    for difference in found:
        open_case(case, card, step, difference, terminal_no=terminal_no)
    case.note(card_no=card_no, step=step, found=[difference.facet.value for difference in found])
    return CasesOfCard(card_no, ", ".join(open_facets(card_no)))


def open_case(case: Case, card: Card, step: str, difference: Difference, *, terminal_no: str = "") -> ChipCase:
    """Leave the difference as an open case of the card; one that is open already has what was seen now."""
    said = {"books": difference.books[:300], "chip": difference.chip[:300], "more_fen": difference.more_fen}
    known = _open_about(card, difference.facet).first()
    if known is not None:
        seen = {**said, "seen_at": case.at, "sightings": known.sightings + 1}
        ChipCase.objects.filter(pk=known.pk).update(**seen)
        return known
    return ChipCase.objects.create(
        case_id=uuid5(case.request_id, difference.facet),
        card=card,
        facet=difference.facet,
        step=step[:30],
        operator=case.operator.code,
        institution=case.institution.code,
        terminal_no=terminal_no,
        at=case.at,
        seen_at=case.at,
        **said,
    )


def tell_of_chip(case: Case, card: Card, event: str, **detail: object) -> None:
    """Leave in the card's life what became of its chip; the application stays as it is."""
    case.tell(card, APPLICATION.name, event, card.application, card.application, reason="", **detail)


def begin_step(case: Case, card: Card, facet: Facet, step: str) -> None:
    """Leave on record that the chip is about to be told; a step of that kind that is open goes on under its own id."""
    if not _open_about(card, facet).exists():
        open_case(case, card, step, Difference(facet, f"{step} was begun", "it has not answered yet"))


def end_step(case: Case, card: Card, facet: Facet, why: str) -> None:
    """Leave the card's open step of that kind settled by what the chip itself has said; without one, nothing."""
    settled = {"state": "settled", "settled_at": case.at, "settled_by": case.operator.code}
    _open_about(card, facet).update(**settled, why=why[:200], chip=why[:300])


def check_explained(card: Card, facet: Facet) -> None:
    """Return when no case of the card about it is open; refuse with NeedsReconciliation otherwise."""
    known = _open_about(card, facet).first()
    if known is not None:
        raise NeedsReconciliation(
            f"case {known.pk} of card {card.card_no} is open: the books say {known.books}, the chip {known.chip}; "
            "two people at the authority settle it first"
        )


def settle(case: Case, case_id: UUID, remedy: Remedy, approval: UUID) -> None:
    """Leave the case settled by two people; the books' purse follows the chip where that is what they agreed on.

    The difference is posted against SUSPENSE, so money that moved on both sides since stays as it is.
    Refuses, in this order: not at the authority, no such case, own card, settled before, a remedy that is not of its
    kind, less in the purse than the chip says.
    """
    if case.institution.kind != InstitutionKind.AUTHORITY:
        raise NotAllowed(f"{case.institution.code} is no authority: only the authority settles cases")
    card = case.card(card_of_case(case, case_id))
    known = ChipCase.objects.select_for_update(no_key=True).get(pk=case_id)
    if known.state != "open":
        raise AlreadyResolved(f"case {case_id} was settled before, by {known.settled_by}")
    if remedy is Remedy.BOOKS_FOLLOW:
        _follow_chip(card, known, approval)
    case.note(case=str(case_id), facet=known.facet, remedy=remedy.value, more_fen=known.more_fen)
    ChipCase.objects.filter(pk=known.pk).update(
        state="settled",
        settled_at=case.at,
        settled_by=case.operator.code,
        why=remedy.value,
        approval=approval,
    )


def card_of_case(case: Case, case_id: UUID) -> str:
    """Return the number of the card that the case is about; refuse with NotFound when it is out of reach."""
    known = ChipCase.objects.filter(pk=case_id, card__region__in=case.regions).first()
    if known is None:
        raise NotFound(f"no case {case_id} is on the books")
    return known.card.card_no


def _open_about(card: Card, facet: Facet) -> QuerySet[ChipCase]:
    """The open case of the card about it: there is one at most."""
    return ChipCase.objects.filter(card=card, facet=facet, state="open")


def _follow_chip(card: Card, known: ChipCase, approval: UUID) -> None:
    if known.facet != Facet.PURSE or not known.more_fen:
        raise NotEligible(f"the books can follow the chip's purse alone: a case about {known.facet} is explained")
    suspense, purse = AccountKind.SUSPENSE.value, purse_account(card.card_no)
    source, destination = (suspense, purse) if known.more_fen > 0 else (purse, suspense)
    memo = {"card_no": card.card_no, "case": str(known.pk)}
    post(uuid5(approval, CORRECTION), CORRECTION, [Move(source, destination, abs(known.more_fen))], memo=memo)
