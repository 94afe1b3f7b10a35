"""A card is neither rented nor lent: where people are looked at somebody else is refused, and can be reported."""

from __future__ import annotations

from uuid import uuid4

import pytest

from cms.neighbours import neighbour_at
from cms.town import shown
from kaguan.cms.models import AuditEntry, Card
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application, LockReason
from kaguan.cms.rules.refusals import NotEligible, NotFound, RuleBroken
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.issue import activate, hand_over
from kaguan.cms.services.lock import lock
from kaguan.cms.services.misuse import misuse_reports, report_misuse
from kaguan.cms.services.people.purge import PURGED
from kaguan.cms.services.privacy import empty_columns, person_data

CARD = "990100001"
SEEN = "a man of forty showed a girl's card at the till"


@pytest.mark.acceptance("S0-19")
def test_somebody_else_gets_no_card_and_is_reported(town):
    town.order()
    town.receive(CARD)
    with pytest.raises(RuleBroken):
        hand_over(town.teller, uuid4(), card_no=CARD, document=shown(), verdict=Verdict.ANOTHER_PERSON)
    assert AuditEntry.objects.latest("sequence").outcome != "done"
    town.hand_over(CARD)
    activate(town.teller, uuid4(), card_no=CARD, document=shown())
    report = report_misuse(town.cashier, uuid4(), card_no=CARD, what=SEEN)
    assert (report.card_no, report.institution, report.what) == (CARD, town.cashier.institution, SEEN)
    assert Card.objects.get().application == Application.NORMAL
    (told,) = misuse_reports(town.clerk, uuid4())
    assert told == report
    lock(town.clerk, uuid4(), card_no=CARD, reason=LockReason.SUSPECTED_MISUSE)
    (told,) = misuse_reports(town.clerk, uuid4(), card_no=CARD)
    assert told.application == Application.LOCKED


def test_nothing_said_is_no_report_and_another_city_hears_of_none(town):
    town.active_card(CARD)
    with pytest.raises(NotEligible, match="what was seen"):
        report_misuse(town.cashier, uuid4(), card_no=CARD, what="  ")
    neighbour = neighbour_at(InstitutionKind.AUTHORITY)
    with pytest.raises(NotFound, match=f"no card {CARD} is on the books"):
        report_misuse(neighbour, uuid4(), card_no=CARD, what=SEEN)
    report_misuse(town.cashier, uuid4(), card_no=CARD, what=SEEN)
    assert misuse_reports(neighbour, uuid4()) == []


def test_a_report_is_among_a_persons_data_and_goes_with_it(town):
    town.active_card(CARD)
    report_misuse(town.cashier, uuid4(), card_no=CARD, what=SEEN)
    holder_id = Card.objects.get().holder_id
    assert person_data(holder_id)["cms_misusereport"][0]["what"] == SEEN
    empty_columns(holder_id)
    assert person_data(holder_id)["cms_misusereport"][0]["what"] in {"", PURGED}
