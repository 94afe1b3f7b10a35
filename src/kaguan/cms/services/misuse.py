"""Report that somebody used another person's card. The card goes on until its authority locks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kaguan.cms.models import MisuseReport
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import question, use_case

MOST: Final = 200


@dataclass(frozen=True, slots=True)
class MisuseRecord:
    """A report: which card, how its application stands, what was seen, and by whom, where and when (ISO 8601)."""

    report_id: str
    card_no: str
    application: str
    what: str
    operator: str
    institution: str
    at: str


@use_case("report misuse", Right.LOOK, MisuseRecord)
def report_misuse(case: Case, /, *, card_no: str, what: str) -> MisuseRecord:
    """Leave on record that somebody else had the card, and what was seen; `lock` with its reason is what may follow.

    Refuses, in this order: no such card, own card, nothing said.
    """
    card = case.card(card_no)
    if not what.strip():
        raise NotEligible("say what was seen: who had the card, and what it was used for")
    report = MisuseReport.objects.create(
        report_id=case.new_id(MisuseReport),
        card=card,
        what=what,
        operator=case.operator.code,
        institution=case.institution.code,
        at=case.at,
    )
    case.note(report_id=str(report.pk))
    return _told(report)


@question("list misuse", Right.LOOK)
def misuse_reports(case: Case, /, *, card_no: str = "") -> list[MisuseRecord]:
    """Return the newest reports about cards in reach, or about one; those about the actor's own card are left out."""
    reports = MisuseReport.objects.filter(card__region__in=case.regions)
    if card_no:
        reports = reports.filter(card=card_no)
    if case.operator.holder_id is not None:
        reports = reports.exclude(card__holder=case.operator.holder_id)
    return [_told(report) for report in reports.select_related("card").order_by("-at", "report_id")[:MOST]]


def _told(report: MisuseReport) -> MisuseRecord:
    return MisuseRecord(
        str(report.pk),
        report.card.card_no,
        report.card.application,
        report.what,
        report.operator,
        report.institution,
        report.at.isoformat(timespec="seconds"),
    )
