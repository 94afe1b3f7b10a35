"""From a wish to an order: who may apply, who checks, and how a request becomes a card."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest

from cms.town import BANK, CERT_NO, NAME, REGION, copied, shown
from cms.wishes import (
    ADULT,
    CHILD_NAME,
    FATHER,
    NEW,
    SECOND,
    SECOND_CERT_NO,
    SECOND_NAME,
    a_child,
    applied,
    checked,
    enrol,
    in_person,
    ordered,
    row,
    under_guard,
)
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import AuditEntry, Card, CardEvent, CardRequest, Holder, Operator, Region
from kaguan.cms.progress import open_requests, progress_record
from kaguan.cms.rules.applying import AgentRelation, ApplicationWay, Presence, RequestKind
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.production import CheckFailure, Production
from kaguan.cms.rules.refusals import (
    DuplicateRequest,
    IllegalTransition,
    MayNotHaveCard,
    NotAllowed,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.departures import register_departure
from kaguan.cms.services.issue import hand_over
from kaguan.cms.services.lock import seal
from kaguan.cms.services.people.guardians import end_guardianship
from kaguan.cms.services.production import order_requests
from kaguan.cms.services.requests import (
    apply,
    apply_for_unit,
    check_request,
    correct_request,
    may_have_card,
    withdraw_request,
)


def may(town, applicant=ADULT, kind=RequestKind.NEW):
    answer = may_have_card(town.teller, uuid4(), applicant=applicant, kind=kind)
    return answer.code, answer.which


@pytest.mark.acceptance("S0-10")
def test_a_wish_becomes_a_card_and_its_holder_can_watch(town):
    enrol()
    progress = [progress_record("01", CERT_NO, {REGION})["progress"]]

    def look():
        progress.append(progress_record("01", CERT_NO, {REGION})["progress"])

    request_id = applied(town)
    look()
    check_request(town.supervisor, uuid4(), card_request_id=request_id)
    look()
    order_requests(town.clerk, uuid4(), order_no="R1", rows=[row(request_id, "990100001")])
    look()
    town.receive("990100001")
    look()
    town.hand_over("990100001")
    look()
    assert progress == [
        "no card and no request",
        "data entry",
        "accepted",
        "making",
        "at the outlet: collect it",
        "handed out, not activated",
    ]
    request = CardRequest.objects.get()
    assert (request.stage, request.card.card_no) == (Production.ORDERED, "990100001")
    first = CardEvent.objects.order_by("id").first()
    assert (first.event, first.from_state, first.to_state) == ("order", Production.CHECKED, Production.ORDERED)


def test_may_apply_and_may_replace_answer_with_their_codes(town):
    assert may(town) == ("1", "")
    holder = enrol()
    assert may(town) == ("0", "")
    assert may(town, kind=RequestKind.REPLACEMENT) == ("4", "has no card")
    assert may(town, replace(ADULT, name="别人")) == ("2", "")
    twin = Holder.objects.create(cert_type="03", cert_no=CERT_NO, name=NAME, region=holder.region)
    assert may(town) == ("3", "")
    twin.delete()
    request_id = applied(town)
    assert may(town) == ("4", "request open")
    withdraw_request(town.teller, uuid4(), card_request_id=request_id)
    assert may(town) == ("0", "")
    card_no = town.active_card()
    assert may(town) == ("4", "has a card here")
    assert may(town, kind=RequestKind.EXCHANGE) == ("0", "")
    Card.objects.update(region=Region.objects.create(code="990200"))
    assert may(town) == ("4", "has a card elsewhere")
    assert may(town, kind=RequestKind.EXCHANGE) == ("4", "has no card")
    Card.objects.filter(pk=card_no).update(region="990100")
    died = {"cert_type": "01", "cert_no": CERT_NO, "happened_on": date(2026, 1, 9), "evidence": "register"}
    register_departure(town.clerk, uuid4(), kind=DepartureKind.DEAD, **died)
    assert may(town) == ("4", "dead")


def test_a_question_leaves_nothing_but_the_line_that_says_who_asked(town):
    enrol()
    before = AuditEntry.objects.count()
    may(town)
    assert AuditEntry.objects.count() == before + 1
    line = AuditEntry.objects.latest("sequence")
    assert (line.action, line.outcome) == ("may have card", "done")
    assert CERT_NO not in str(line.detail)


def test_an_application_refused_for_its_answer_tells_the_code(town):
    with pytest.raises(MayNotHaveCard, match=r"^1: nobody"):
        applied(town)
    enrol()
    applied(town)
    with pytest.raises(MayNotHaveCard, match=r"^4: a request") as refusal:
        applied(town)
    assert (refusal.value.code, refusal.value.which) == ("4", "request open")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"document": copied()}, "own original document"),
        ({"document": shown(SECOND_CERT_NO)}, "own original document"),
        ({"document": None}, "own original document"),
        ({"verdict": Verdict.ANOTHER_PERSON}, "not the person"),
        ({"verdict": None}, "not the person"),
        ({"way": ApplicationWay.PROXY}, "agent's original"),
        ({"way": ApplicationWay.UNIT}, "not taken at a place"),
        ({"way": ApplicationWay.ONLINE}, "not taken at a place"),
    ],
)
def test_who_applies_brings_what_the_way_asks_for(town, change, complaint):
    enrol()
    with pytest.raises(NotEligible, match=complaint):
        applied(town, presence=in_person(**change))
    assert not CardRequest.objects.exists()


def test_bank_outlet_and_region_of_a_wish_have_to_be_known(town):
    enrol()
    with pytest.raises(NotEligible, match="none of the banks"):
        applied(town, wish=replace(NEW, bank_code="00000"))
    with pytest.raises(NotFound, match="no institution"):
        applied(town, wish=replace(NEW, outlet="NOWHERE"))
    applied(town, wish=replace(NEW, outlet="ABC-1"))
    assert CardRequest.objects.get().outlet.code == "ABC-1"


@pytest.mark.acceptance("S1-34")
def test_a_bank_takes_first_applications(town):
    enrol()
    applied(town, presence=in_person(way=ApplicationWay.BANK))
    enrol(SECOND)
    with pytest.raises(NotEligible, match="place of kind authority"):
        apply(
            town.clerk,
            uuid4(),
            applicant=SECOND,
            wish=NEW,
            presence=in_person(SECOND, way=ApplicationWay.BANK),
        )


@pytest.mark.acceptance("S4-30")
def test_the_card_is_applied_for_online(town):
    enrol()
    online = Presence(ApplicationWay.ONLINE, verdict=Verdict.SAME_PERSON)
    state = apply(town.clerk, uuid4(), applicant=ADULT, wish=NEW, presence=online)
    assert (state.stage, state.progress) == (Production.APPLIED, "data entry")
    assert [request["way"] for request in open_requests({REGION})] == ["online"]


def test_a_proxy_applies_for_an_adult_and_a_guardian_for_a_child(town):
    enrol()
    applied(town, presence=in_person(way=ApplicationWay.PROXY, agent=replace(FATHER, relation=AgentRelation.PROXY)))
    assert CardRequest.objects.get().agent_relation == AgentRelation.PROXY
    child = a_child()
    under_guard(town, enrol(child))
    with pytest.raises(NotEligible, match="for a minor a guardian"):
        applied(town, child)
    applied(town, child, presence=in_person(child, agent=FATHER))
    assert CHILD_NAME not in str(AuditEntry.objects.order_by("-sequence").first().detail)


def test_a_unit_applies_for_its_people_or_for_nobody(town):
    enrol()
    unit = {"wish": NEW, "presence": Presence(ApplicationWay.UNIT, unit_no="U990100001")}
    with pytest.raises(MayNotHaveCard, match=r"^row 2: 1: nobody") as refusal:
        apply_for_unit(town.clerk, uuid4(), applicants=[ADULT, SECOND], **unit)
    assert refusal.value.code == "1"
    assert not CardRequest.objects.exists()
    enrol(SECOND)
    request_id = uuid4()
    for _ in range(2):
        receipt = apply_for_unit(town.clerk, request_id, applicants=[ADULT, SECOND], **unit)
        assert (receipt.unit_no, receipt.request_count) == ("U990100001", 2)
    assert CardRequest.objects.filter(unit_no="U990100001").count() == 2
    for bad in ({"applicants": [], **unit}, {"applicants": [ADULT], **unit, "presence": in_person()}):
        with pytest.raises(NotEligible):
            apply_for_unit(town.clerk, uuid4(), **bad)
    with pytest.raises(MayNotHaveCard, match="row 1: 4"):
        apply_for_unit(town.clerk, uuid4(), applicants=[SECOND], **unit)
    third = replace(SECOND, cert_no="990101199502020036", name="测试人丙")
    enrol(third)
    nameless = {**unit, "presence": Presence(ApplicationWay.UNIT)}
    with pytest.raises(NotEligible, match="row 1: an application by unit needs the unit's number"):
        apply_for_unit(town.clerk, uuid4(), applicants=[third], **nameless)


def test_somebody_else_checks_and_what_fails_is_corrected(town):
    enrol()
    request_id = applied(town)
    with pytest.raises(NotAllowed, match="no right to check"):
        check_request(town.teller, uuid4(), card_request_id=request_id)
    failed = check_request(town.supervisor, uuid4(), card_request_id=request_id, failure=CheckFailure.PHOTO)
    assert (failed.stage, failed.progress) == (Production.CHECK_FAILED, "failed: it is being seen to")
    assert open_requests({REGION})[0]["failure"] == "PHOTO"
    with pytest.raises(IllegalTransition, match="correct it"):
        check_request(town.supervisor, uuid4(), card_request_id=request_id)
    correct_request(town.second_teller, uuid4(), card_request_id=request_id)
    Operator.objects.filter(code="teller2").update(roles=[Role.OUTLET_TELLER.value, Role.AUTHORITY_SUPERVISOR.value])
    with pytest.raises(NeedsSecondPerson, match="applied"):
        check_request(town.second_teller, uuid4(), card_request_id=request_id)
    assert check_request(town.supervisor, uuid4(), card_request_id=request_id).stage == Production.CHECKED
    with pytest.raises(IllegalTransition, match="not ordered yet"):
        check_request(town.supervisor, uuid4(), card_request_id=request_id)
    with pytest.raises(NotFound, match="no card request"):
        check_request(town.supervisor, uuid4(), card_request_id=uuid4())


def test_nobody_applies_for_or_checks_a_card_of_their_own(town):
    holder = enrol()
    request_id = applied(town)
    Operator.objects.filter(code__in=["supervisor", "teller"]).update(holder=holder)
    with pytest.raises(NeedsSecondPerson):
        check_request(town.supervisor, uuid4(), card_request_id=request_id)
    with pytest.raises(NeedsSecondPerson):
        withdraw_request(town.teller, uuid4(), card_request_id=request_id)
    withdraw_request(town.second_teller, uuid4(), card_request_id=request_id)
    with pytest.raises(NeedsSecondPerson):
        applied(town)


def test_the_requests_of_another_region_are_not_found(town):
    enrol()
    request_id = applied(town)
    CardRequest.objects.update(region=Region.objects.create(code="990200"))
    with pytest.raises(NotFound, match="no card request"):
        check_request(town.supervisor, uuid4(), card_request_id=request_id)
    with pytest.raises(NotFound, match="no card request"):
        order_requests(town.clerk, uuid4(), order_no="R1", rows=[row(request_id, "990100001")])


def test_a_request_is_withdrawn_until_it_is_ordered(town):
    enrol()
    withdraw_request(town.teller, uuid4(), card_request_id=applied(town))
    withdrawn = checked(town)
    assert withdraw_request(town.teller, uuid4(), card_request_id=withdrawn).progress == "ended"
    with pytest.raises(IllegalTransition, match="was withdrawn"):
        withdraw_request(town.teller, uuid4(), card_request_id=withdrawn)
    gone = ordered(town, "990100001")
    with pytest.raises(IllegalTransition, match="ordered already"):
        withdraw_request(town.teller, uuid4(), card_request_id=gone)


def test_one_bad_row_refuses_the_whole_order_of_requests(town):
    enrol()
    enrol(SECOND)
    good, unchecked = checked(town), applied(town, SECOND)

    def order(*rows, order_no="R1"):
        order_requests(town.clerk, uuid4(), order_no=order_no, rows=list(rows))

    first = row(good, "990100001")
    for second, refusal in (
        (row(unchecked, "990100002"), IllegalTransition),
        (row(uuid4(), "990100002"), NotFound),
        (replace(row(good, "990100002"), valid_until=date(2037, 1, 5)), IllegalTransition),
    ):
        with pytest.raises(refusal):
            order(first, second)
        assert not Card.objects.exists()
        assert CardRequest.objects.get(pk=good).stage == Production.CHECKED
    with pytest.raises(NotEligible, match="row 1: a card must be valid"):
        order(replace(first, valid_until=date(2037, 1, 5)))
    with pytest.raises(NotEligible, match="no rows"):
        order()
    order(first)
    check_request(town.supervisor, uuid4(), card_request_id=unchecked)
    with pytest.raises(DuplicateRequest, match="order R1"):
        order(row(unchecked, "990100002"))
    with pytest.raises(DuplicateRequest, match="row 1: card number 990100001"):
        order(row(unchecked, "990100001"), order_no="R2")


def test_who_did_not_collect_a_card_applies_again(town):
    town.order()
    town.receive("990100001")
    seal(town.clerk, uuid4(), card_no="990100001")
    assert may(town) == ("0", "")
    ordered(town, "990100002")
    old = Card.objects.get(card_no="990100001")
    assert (old.application, old.replaced_by.card_no) == (Application.CANCELLED, "990100002")
    assert CardEvent.objects.get(card=old, axis="application", event="apply_again").to_state == Application.CANCELLED


def test_a_childs_card_is_handed_to_a_guardian(town):
    child = a_child()
    ward = enrol(child)
    presence = in_person(child, agent=FATHER)
    with pytest.raises(NotEligible, match="not registered as a guardian"):
        applied(town, child, presence=presence)
    guardian_id = under_guard(town, ward)
    request_id = applied(town, child, presence=presence)
    check_request(town.supervisor, uuid4(), card_request_id=request_id)
    order_requests(town.clerk, uuid4(), order_no="R1", rows=[row(request_id, "990100001")])
    town.receive("990100001", child.cert_no, child.name)

    def give(teller=town.teller, **changes):
        asked = {"document": shown(child.cert_no), "verdict": Verdict.SAME_PERSON, "guardian": FATHER} | changes
        return hand_over(teller, uuid4(), card_no="990100001", **asked)

    for guardian in (
        None,
        replace(FATHER, relation=AgentRelation.PROXY),
        replace(FATHER, document=replace(FATHER.document, original=False)),
    ):
        with pytest.raises(NotEligible, match="under 16: a guardian"):
            give(guardian=guardian)
    with pytest.raises(NotEligible, match="not the person"):
        give(verdict=Verdict.ANOTHER_PERSON)
    father = Holder.objects.create(
        cert_type="01", cert_no=FATHER.document.cert_no, name=FATHER.name, region=Region.objects.get()
    )
    Operator.objects.filter(code="teller2").update(holder=father)
    with pytest.raises(NeedsSecondPerson, match="for themselves"):
        give(town.second_teller)
    end_guardianship(town.clerk, uuid4(), holder_id=ward.pk, guardian_id=guardian_id)
    with pytest.raises(NotEligible, match="under 16: a guardian"):
        give()
    under_guard(town, ward)
    assert give().production == Production.HANDED_OVER
    told = CardEvent.objects.get(event="hand_over").detail
    assert told == {"verdict": "same person", "guardian": AgentRelation.FATHER_OF_SON}


def test_the_sheet_of_names_is_not_personal_in_logs():
    assert SECOND_NAME not in repr(SECOND)
    assert BANK in repr(NEW)
