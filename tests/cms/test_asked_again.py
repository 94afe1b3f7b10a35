"""Every use case, asked twice, answers the same and does nothing twice."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from cms import people_cases, request_cases
from cms.asked import CASES, NAMES, books, wish_of
from cms.request_cases import BILL, CARD, active
from cms.routed import use_cases
from kaguan.cms.models import AuditEntry, Card, Receipt
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import IdempotencyConflict, IllegalTransition, NotFound, RuleBroken
from kaguan.cms.services import load, loss, purchase

pytestmark = pytest.mark.slow

AUDIT = AuditEntry._meta.db_table


def test_every_use_case_is_asked_here():
    questions = request_cases.QUESTIONS | people_cases.QUESTIONS
    assert use_cases() - request_cases.ALWAYS_REFUSED - questions == {case[0] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_asked_again_it_answers_the_same_and_does_nothing(town, case):
    wish = wish_of(case, town, uuid4())
    first = wish()
    after = books()
    assert wish() == first
    assert books() == after
    lines = AuditEntry.objects.filter(request_id=wish.request_id, outcome="done")
    assert lines.latest("sequence").operator == wish.actor.operator


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_with_other_content_the_same_request_is_refused(town, case):
    wish = wish_of(case, town, uuid4())
    wish()
    before, lines = books(but=AUDIT), AuditEntry.objects.count()
    with pytest.raises(IdempotencyConflict):
        wish(surprise=1)
    assert books(but=AUDIT) == before
    assert AuditEntry.objects.count() == lines + 1


def test_a_question_is_answered_afresh_and_leaves_nothing_but_its_refusals(town):
    active(town, None)
    asked, after = uuid4(), books()
    for _ in range(2):
        load.allow_load(town.teller, asked, card_no=CARD, amount_fen=100)
    assert books() == after
    Card.objects.update(application=Application.TEMPORARY_LOSS)
    for question in (
        lambda: load.allow_load(town.teller, asked, card_no=CARD, amount_fen=100),
        lambda: load.allow_carry_over(town.teller, asked, card_no=CARD),
        lambda: purchase.allow_purchase(town.cashier, asked, card_no=CARD, items=BILL["items"]),
    ):
        with pytest.raises(IllegalTransition, match="lost"):
            question()
        assert AuditEntry.objects.latest("sequence").outcome == "IllegalTransition"


def test_a_refusal_changes_the_audit_log_alone_and_may_be_asked_again(town):
    request_id = UUID(int=1)
    with pytest.raises(NotFound):
        loss.report_temporary_loss(town.hotline, request_id, card_no=CARD)
    line = AuditEntry.objects.latest("sequence")
    assert (line.outcome, line.detail["why"]) == ("NotFound", f"no card {CARD} is on the books")
    assert not Receipt.objects.filter(request_id=request_id).exists()
    town.active_card()
    assert loss.report_temporary_loss(town.hotline, request_id, card_no=CARD).application == "4"


def test_refusals_end_the_program_with_the_rules_exit_code():
    assert RuleBroken.exit_code == NotFound.exit_code == 5
