"""What lies in another city is not there: no answer, refusal or receipt tells that it exists."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest
from django.db import transaction

from cms import chip_cases, life_cases, request_cases
from cms.certificate_cases import GONE, PROOF, issued, signing
from cms.crowd import citizen_number
from cms.evidence import FORM, copies
from cms.life_cases import SUCCESSOR as NEXT
from cms.life_cases import lent
from cms.neighbours import neighbour_at, province
from cms.people_cases import ASKED, ASKED_CASE, OLD, begun, case_open, correction_asked, somebody
from cms.request_cases import QUESTIONS, active, handed_over, in_state, ordered
from cms.town import BANK, CERT_NO, EXPIRES, ISSUED, NAME, shown
from cms.wishes import ADULT
from kaguan.apdu.errors import RuleBroken
from kaguan.cms.models import AuditEntry, Card, Holder, Institution, Operator
from kaguan.cms.rules.activation import ChipRecord, Visit
from kaguan.cms.rules.applying import RequestKind
from kaguan.cms.rules.chip_state import Remedy
from kaguan.cms.rules.choices import CardFunction
from kaguan.cms.rules.lifecycle import Application, CancelReason
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Level, Role
from kaguan.cms.services import (
    browsing,
    casework,
    clock,
    deadlines,
    fees,
    instant,
    issue,
    load,
    looking,
    making,
    misuse,
    order_file,
    purchase,
    reconciliation,
    requests,
    set_up,
    temporary,
)
from kaguan.cms.services.activation import entry, old_card
from kaguan.cms.services.activation.centre import activate_at_centre
from kaguan.cms.services.activation.visit import register_visit
from kaguan.cms.services.approvals import asking
from kaguan.cms.services.approvals.deciding import approve, reject
from kaguan.cms.services.certificates import issuing
from kaguan.cms.services.certificates.checking import look_at_certificates
from kaguan.cms.services.lock import lock
from kaguan.cms.services.loss import report_temporary_loss
from kaguan.cms.services.orders import Ending, OrderRow, order_cards
from kaguan.cms.services.people.enrolment import enrol
from kaguan.cms.services.scope import branch, institutions_in_reach, organisation_of, regions_in_reach

pytestmark = pytest.mark.slow

CARD = {"card_no": "990100001"}
SOMEBODY = citizen_number(date(1985, 5, 6), 2)
PLACES = [InstitutionKind.AUTHORITY, InstitutionKind.OUTLET, InstitutionKind.PHARMACY]
SAME_PERSON_THERE = OrderRow("990200001", "01", CERT_NO, "另外的名", BANK, "", ISSUED, EXPIRES)
lost = in_state(Application.TEMPORARY_LOSS)
MORE = [
    (order_cards, "clerk", ordered, {"order_no": "B-other", "rows": [SAME_PERSON_THERE]}),
    (requests.may_have_card, "teller", ordered, {"applicant": ADULT, "kind": RequestKind.NEW}),
    (load.allow_load, "teller", active, {**CARD, "amount_fen": 1}),
    (load.allow_carry_over, "teller", active, CARD),
    (asking.ask_settlement, "clerk", case_open, {"case_id": ASKED_CASE, "remedy": Remedy.EXPLAINED, "reason": "x"}),
    (making.look_at_making, "teller", active, {"cert_type": "01", "cert_no": CERT_NO, "name": NAME}),
    (issuing.issue_certificate, "teller", signing, {**PROOF, "document": shown()}),
    (issuing.revoke_certificate, "clerk", issued, GONE),
    (look_at_certificates, "teller", issued, CARD),
    (order_file.content_of_order, "clerk", ordered, {"order_no": "B990100001", "vendor": "V1"}),
    (casework.look_at_case, "clerk", case_open, {"case_id": ASKED_CASE}),
    (casework.look_at_blacklist, "clerk", lost, {"region": "990100"}),
    (casework.look_at_pushed_lists, "clerk", lost, {"region": "990100"}),
    (looking.look_at_card, "teller", active, CARD),
    (looking.look_at_card_of, "teller", active, {**CARD, "cert_no": CERT_NO, "name": NAME}),
    (looking.look_at_life, "teller", active, {**CARD, "after": 0, "most": 9}),
    (issue.activate, "teller", handed_over, {**CARD, "document": shown(), "chip": ChipRecord(1, "", "310")}),
    (entry.record_written, "teller", active, {**CARD, "chip": ChipRecord(1, "", "310")}),
    (entry.confirm_activation, "teller", begun, {}),
    (entry.cancel_activation, "teller", begun, {"why": "left"}),
    (activate_at_centre, "teller", handed_over,
     {**CARD, "document": shown(), "form": FORM, "copies": copies(), "verdicts": []}),
    (register_visit, "teller", handed_over, {**CARD, "visit": Visit.OUTPATIENT, "registration_no": "R"}),
    (old_card.show_old_card, "pharmacist", handed_over, OLD),
    (old_card.show_old_card, "pharmacist", handed_over, {**OLD, "old_card_no": CARD["card_no"]}),
    (old_card.activate_by_old_card, "pharmacist", handed_over, {**CARD, "terminal_no": "990100000201"}),
    (asking.ask_release, "teller", in_state("2"), {**CARD, "document": shown(), "reason": "found"}),
    (asking.ask_unlock, "clerk", in_state("3"), {**CARD, "reason": "over"}),
    (asking.ask_cancellation, "clerk", active, {**CARD, "code": CancelReason.DEATH, "reason": "dead"}),
    (asking.ask_new_card, "clerk", active,
     {**CARD, "ending": Ending.EXCHANGE, "code": "02", "new": NEXT["new"], "reason": "worn"}),
    (browsing.show_card, "teller", active, CARD),
    (browsing.show_life, "teller", active, CARD),
    (browsing.show_holder, "teller", active, {"number": CERT_NO}),
    (browsing.show_progress, "teller", active, {"cert_type": "01", "cert_no": CERT_NO}),
    (browsing.show_account, "teller", active, {"code": "PURSE:990100001"}),
    (fees.look_at_fees, "teller", ordered, {"cert_type": "01", "cert_no": CERT_NO}),
    (temporary.use_temporary_card, "teller", lent, {"temporary_card_no": "T1", "function": CardFunction.IDENTITY}),
    (approve, "supervisor", correction_asked, {"approval_id": ASKED}),
    (reject, "supervisor", correction_asked, {"approval_id": ASKED, "why": "no"}),
    (enrol, "clerk", somebody, {"cert_type": "01", "cert_no": SOMEBODY, "name": "甲", "facts": {}}),
    (set_up.register_operator, "administrator", ordered, {
        "code": "spy", "name": "s", "institution": "ICBC-1", "roles": [Role.HOTLINE],
        "own_document": ("01", CERT_NO),
    }),
]  # fmt: skip


CASES = [*request_cases.CASES, *life_cases.CASES, *chip_cases.CASES, *MORE]
LISTS = {
    browsing.list_requests,
    browsing.list_reminders,
    browsing.list_transfers,
    browsing.list_institutions,
    browsing.list_operators,
    clock.look_ahead,
    deadlines.overdue_orders,
    looking.look_at_cards,
    misuse.misuse_reports,
    order_file.propose_cards,
    reconciliation.open_reconciliations,
    casework.look_at_cases,
    instant.instant_requests,
}
"""They name nothing: what they hold is shown with the doors."""


def outcome(actor, request_id, ask, asked):
    """What the neighbour learns: the answer without the numbers that the books deal out, or the refusal's words."""
    try:
        answer = ask(actor, request_id, **asked)
    except RuleBroken as refusal:
        return type(refusal), str(refusal)
    return "answered", {key: value for key, value in vars_of(answer).items() if key != "holder_id"}


def vars_of(answer):
    return {name: getattr(answer, name) for name in answer.__dataclass_fields__}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("ask", "who", "prepare", "asked"), CASES)
def test_a_neighbour_learns_the_same_whether_it_is_on_our_books_or_on_nobodys(town, place, ask, who, prepare, asked):
    neighbour, request_id = neighbour_at(place), uuid4()
    before = transaction.savepoint()
    nothing_there = outcome(neighbour, request_id, ask, asked)
    transaction.savepoint_rollback(before)
    Institution.objects.filter(code="CLINIC-1").update(blacklisted=False)
    prepare(town, request_id)
    assert outcome(neighbour, request_id, ask, asked) == nothing_there
    line = AuditEntry.objects.latest("sequence")
    assert (line.operator, line.institution) == (neighbour.operator, neighbour.institution)


def test_all_that_names_a_card_is_among_what_neighbours_ask():
    assert {case[0] for case in MORE} >= QUESTIONS - {purchase.allow_purchase, clock.allow_run} - LISTS


def test_a_person_may_be_on_the_books_of_two_cities(town):
    town.order()
    neighbour = neighbour_at(InstitutionKind.AUTHORITY)
    order_cards(neighbour, uuid4(), order_no="B2", rows=[SAME_PERSON_THERE])
    assert sorted(Holder.objects.values_list("region", "name")) == [("990100", NAME), ("990200", "另外的名")]
    town.receive("990100001")
    town.hand_over("990100001")
    assert Card.objects.get(pk="990200001").production == "00"


@pytest.mark.acceptance("S2-28")
@pytest.mark.acceptance("S0-20")
def test_an_authority_sees_the_regions_of_those_below_it_and_a_bank_its_own_alone(town):
    card_no = town.active_card()
    neighbour = neighbour_at(InstitutionKind.AUTHORITY)
    with pytest.raises(NotFound, match=f"no card {card_no} is on the books"):
        report_temporary_loss(neighbour, uuid4(), card_no=card_no)
    above = province("SSB", neighbour.institution)
    assert report_temporary_loss(above, uuid4(), card_no=card_no).application == "4"
    assert regions_in_reach(Institution.objects.get(pk="PROVINCE")) == {"990000", "990100", "990200"}
    assert regions_in_reach(Institution.objects.get(pk="SSB")) == {"990100"}
    Institution.objects.filter(pk="B-authority").update(parent="ICBC-1")
    assert regions_in_reach(Institution.objects.get(pk="ICBC-1")) == {"990100"}
    with pytest.raises(NotFound):
        lock(neighbour, uuid4(), card_no=card_no, reason="9")


@pytest.mark.acceptance("S2-28")
def test_levels_reach_along_the_tree(town):
    bank = {"name": "b", "bank_code": BANK}
    set_up.register_institution(town.administrator, uuid4(), code="BANK", kind=InstitutionKind.BANK, **bank)
    Institution.objects.filter(pk="ICBC-1").update(parent="BANK")
    window = {"code": "ICBC-1-A", "kind": InstitutionKind.OUTLET, "parent": "ICBC-1"}
    set_up.register_institution(town.administrator, uuid4(), **window, **bank)
    teller = Operator.objects.get(pk="teller")
    everywhere = {"SSB", "BANK", "ICBC-1", "ICBC-1-A", "ABC-1", "CLINIC-1", "PHARMACY-1"}
    for level, reach in {
        Level.TELLER: set(),
        Level.OUTLET: {"ICBC-1"},
        Level.OUTLET_AND_BELOW: {"ICBC-1", "ICBC-1-A"},
        Level.ORGANISATION: {"ICBC-1", "BANK"},
        Level.ORGANISATION_AND_BELOW: {"BANK", "ICBC-1", "ICBC-1-A"},
        Level.ADMINISTRATOR: everywhere,
    }.items():
        teller.level = level
        assert institutions_in_reach(teller) == reach


def test_a_tangled_tree_is_walked_once(town):
    Institution.objects.filter(pk="ICBC-1").update(parent="ABC-1")
    Institution.objects.filter(pk="ABC-1").update(parent="ICBC-1")
    assert branch(Institution.objects.get(pk="ICBC-1")) == {"ICBC-1", "ABC-1"}
    assert organisation_of(Institution.objects.get(pk="ICBC-1")).code in {"ICBC-1", "ABC-1"}


def test_the_neighbour_is_found_by_nobody_here_either(town):
    neighbour_at(InstitutionKind.OUTLET)
    with pytest.raises(NotFound, match="no institution 'B-outlet' is on the books"):
        set_up.blacklist_institution(town.administrator, uuid4(), code="B-outlet", breach="x")
    with pytest.raises(NotFound, match="no person with document"):
        town.credit()
    assert shown().cert_no == CERT_NO
