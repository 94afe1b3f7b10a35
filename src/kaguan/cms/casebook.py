"""What waits to be explained about chips, and which cards terminals have to refuse, as plain records to show."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import OuterRef, Subquery

from kaguan.cms.models import BlacklistChange, BlacklistPush, ChipCase
from kaguan.cms.queries import Record
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.terms import BlacklistCause


def cases(within: Collection[str], card_no: str = "", *, settled: bool = False) -> list[Record]:
    """Return the open cases of these regions, oldest first, of one card or of all.

    With `settled` those that were settled as well.
    """
    known = ChipCase.objects.filter(card__region__in=within).select_related("card").order_by("at", "case_id")
    if card_no:
        known = known.filter(card=card_no)
    return [_record(case) for case in (known if settled else known.filter(state="open"))]


def case_record(case_id: UUID, within: Collection[str]) -> Record:
    """Return the case of these regions with what became of it; refuse with NotFound."""
    case = ChipCase.objects.filter(pk=case_id, card__region__in=within).first()
    if case is None:
        raise NotFound(f"no case {case_id} is on the books")
    return {
        **_record(case),
        "seen_at": case.seen_at.isoformat(timespec="seconds"),
        "settled_at": case.settled_at.isoformat(timespec="seconds") if case.settled_at else "",
        "settled_by": case.settled_by,
        "why": case.why,
        "approval": str(case.approval) if case.approval else "",
    }


def blacklist_record(region: str) -> list[Record]:
    """Return every card that is on the region's blacklist, by the number under which it came there."""
    newer = BlacklistChange.objects.filter(card=OuterRef("card")).order_by("-sequence")
    newest = BlacklistChange.objects.filter(region=region, sequence=Subquery(newer.values("sequence")[:1]))
    listed = newest.exclude(cause=BlacklistCause.UNLOCKED).select_related("card")
    return [
        {
            "sequence": change.sequence,
            "card_no": change.card.card_no,
            "cause": change.cause,
            "since": change.at.isoformat(timespec="seconds"),
        }
        for change in listed.order_by("sequence")
    ]


def pushed_lists(region: str) -> list[Record]:
    """Return what the terminals of the region were given last, by terminal."""
    pushes = BlacklistPush.objects.filter(terminal__institution__region=region).select_related("terminal__institution")
    last = {push.terminal.terminal_no: push for push in pushes.order_by("at")}
    return [
        {
            "terminal_no": terminal_no,
            "institution": push.terminal.institution.code,
            "sequence": push.sequence,
            "pushed_at": push.at.isoformat(timespec="seconds"),
        }
        for terminal_no, push in sorted(last.items())
    ]


def _record(case: ChipCase) -> Record:
    return {
        "case": str(case.pk),
        "card_no": case.card.card_no,
        "about": case.facet,
        "step": case.step,
        "books": case.books,
        "chip": case.chip,
        "more_fen": case.more_fen,
        "sightings": case.sightings,
        "state": case.state,
        "operator": case.operator,
        "institution": case.institution,
        "terminal_no": case.terminal_no,
        "at": case.at.isoformat(timespec="seconds"),
    }
