"""What the counters' screens show, to whoever may look: within the actor's reach, and people masked.

Law. What lies in another city is not found, whether it exists there or not.
"""

from __future__ import annotations

from kaguan.cms import progress, queries
from kaguan.cms.ledger.accounts import AccountKind, kind_of
from kaguan.cms.models import Card, Holder
from kaguan.cms.queries import Record
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.scope import institutions_in_reach
from kaguan.cms.services.use_case import question

_OF_PERSON = frozenset({AccountKind.PERSONAL, AccountKind.UNLOADED})
_OF_CARD = frozenset({AccountKind.PURSE, AccountKind.HELD})


@question("show card", Right.LOOK)
def show_card(case: Case, /, *, card_no: str) -> Record:
    """Return the card with its purse. Refuses, in this order: no such card, own card."""
    return queries.card_record(case.card(card_no))


@question("show card's life", Right.LOOK)
def show_life(case: Case, /, *, card_no: str) -> list[Record]:
    """Return every step of the card's life, oldest first. Refuses as `show_card`."""
    return queries.card_events(case.card(card_no))


@question("show holder", Right.LOOK)
def show_holder(case: Case, /, *, number: str) -> Record:
    """Return the person with that number in the books or on the document; refuse with NotFound, own record."""
    record = queries.holder_record(number, case.regions)
    case.check_not_own(int(str(record["holder"])))
    return record


@question("show progress", Right.LOOK)
def show_progress(case: Case, /, *, cert_type: str, cert_no: str) -> Record:
    """Return how far the person's card is; refuse with NotFound."""
    return progress.progress_record(cert_type, cert_no, case.regions)


@question("list open requests", Right.LOOK)
def list_requests(case: Case, /) -> list[Record]:
    """Return the requests of the actor's regions that are not ordered yet, oldest first."""
    return progress.open_requests(case.regions)


@question("list reminders", Right.LOOK)
def list_reminders(case: Case, /) -> list[Record]:
    """Return the reminders of the actor's regions whose card still waits, oldest first."""
    return progress.open_reminders(case.regions)


@question("show account", Right.LOOK)
def show_account(case: Case, /, *, code: str) -> Record:
    """Return the account with its newest entries; refuse with NotFound, also for a person's of another region."""
    _check_reach(case, code)
    return queries.account_record(code)


@question("list open transfers", Right.LOOK)
def list_transfers(case: Case, /) -> list[Record]:
    """Return the loads and purchases of the actor's regions that are neither confirmed nor cancelled."""
    waiting = queries.open_reservations()
    cards = Card.objects.filter(pk__in=[str(row["card_no"]) for row in waiting], region__in=case.regions)
    within = set(cards.values_list("pk", flat=True))
    return [row for row in waiting if row["card_no"] in within]


@question("list institutions", Right.SET_UP)
def list_institutions(case: Case, /) -> list[Record]:
    """Return the institutions of the actor's regions, by code."""
    return queries.institution_records(case.regions)


@question("list operators", Right.SET_UP)
def list_operators(case: Case, /) -> list[Record]:
    """Return the colleagues whom the actor answers for, by code."""
    return queries.operator_records(institutions_in_reach(case.operator))


def _check_reach(case: Case, code: str) -> None:
    """Return when the account is nobody's, or belongs to somebody within the actor's reach who is not the actor."""
    absent = NotFound(f"no account {code} is on the books")
    _, _, owner = code.partition(":")
    try:
        kind = kind_of(code)
    except ValueError:
        raise absent from None
    if kind in _OF_PERSON:
        holder = Holder.objects.filter(pk=int(owner), region__in=case.regions) if owner.isdecimal() else None
        if holder is None or not holder.exists():
            raise absent
        case.check_not_own(int(owner))
    elif kind in _OF_CARD:
        card = Card.objects.filter(pk=owner, region__in=case.regions).first()
        if card is None:
            raise absent
        case.check_not_own(card.holder_id)
