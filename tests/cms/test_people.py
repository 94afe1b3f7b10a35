"""People enrolled, edited, portrayed, guarded and looked at."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cms.crowd import citizen_number, citizen_numbers, enrolled, portrait
from cms.neighbours import neighbour_at
from cms.town import shown
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import AuditEntry, Card, Guardian, Holder, HolderChange, HolderPhoto, Operator, Receipt
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.personal import (
    CHECKS,
    Correction,
    Fact,
    Relation,
    age_on,
    check_document,
    check_facts,
    check_name,
    told_by_document,
)
from kaguan.cms.rules.refusals import DuplicateRequest, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.issue import hand_over
from kaguan.cms.services.minors import facts_of
from kaguan.cms.services.people.enrolment import edit_person, enrol
from kaguan.cms.services.people.guardians import end_guardianship, register_guardian
from kaguan.cms.services.people.photos import take_photo
from kaguan.cms.services.people.reading import look_at_person, unmask_person

GOOD = {
    Fact.SEX: "1", Fact.NATION: "01", Fact.BIRTH_DATE: "1990-03-07", Fact.BIRTH_PLACE: "990101",
    Fact.NATIONALITY: "156", Fact.HOUSEHOLD_KIND: "10", Fact.HOUSEHOLD_ADDRESS: "测试省测试市东城区解放路1号",
    Fact.ADDRESS: "幸福里1号楼101室", Fact.POSTCODE: "990100", Fact.PHONE: "19900000000", Fact.MARITAL_STATUS: "1",
    Fact.EDUCATION: "20", Fact.EMPLOYER: "测试市实验中学", Fact.PERSONAL_NUMBER: "990100000000001",
}  # fmt: skip
CHILD_BORN = timezone.localdate().replace(month=6, day=1) - timedelta(days=8 * 365)
MOTHER = Document("01", citizen_number(date(1990, 1, 2), 4), original=True)


def history(holder_id):
    return list(HolderChange.objects.filter(holder=holder_id).order_by("id").values_list("fact", "before", "after"))


@pytest.mark.acceptance("S1-12")
def test_a_person_has_name_number_birth_sex_nation_household_and_the_rest(town):
    assert set(GOOD) == set(Fact) == set(CHECKS)
    holder_id = enrol(town.clerk, uuid4(), cert_type="01", cert_no=citizen_number(), name="甲", facts=GOOD).holder_id
    assert facts_of(Holder.objects.get(pk=holder_id)) == GOOD
    changed = edit_person(town.teller, uuid4(), holder_id=holder_id, facts={"phone": "19900000001", "sex": "1"})
    assert changed.changed == 1
    assert history(holder_id)[-1] == ("phone", "19900000000", "19900000001")
    assert HolderChange.objects.latest("id").operator == "teller"


@given(citizen_numbers)
def test_the_number_tells_birth_and_sex_and_nothing_may_contradict_it(number):
    check_document("01", number)
    told = told_by_document("01", number)
    check_facts(told, cert_type="01", cert_no=number)
    for name, other in ((Fact.SEX, "2" if told[Fact.SEX] == "1" else "1"), (Fact.BIRTH_DATE, "1900-01-01")):
        with pytest.raises(NotEligible, match="identity card number"):
            check_facts({name: other}, cert_type="01", cert_no=number)
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    with pytest.raises(NotEligible, match="check character"):
        check_document("01", wrong)


@given(st.sampled_from(Fact), st.text(max_size=90))
def test_a_fact_out_of_form_is_refused_without_being_quoted(name, text):
    reason = CHECKS[name](text)
    if reason is None:
        check_facts({name: text}, cert_type="08", cert_no="X1234")
        assert text.strip()
        assert len(text) <= 80
    else:
        with pytest.raises(NotEligible) as refusal:
            check_facts({name: text}, cert_type="08", cert_no="X1234")
        assert len(text) < 6 or text not in str(refusal.value)


@pytest.mark.parametrize("name", Correction)
def test_what_identifies_a_person_is_not_edited(town, name):
    holder_id = enrolled(town)
    before = Holder.objects.values_list().get(pk=holder_id)
    with pytest.raises(NotEligible, match="ask for a correction"):
        edit_person(town.clerk, uuid4(), holder_id=holder_id, facts={name: "x"})
    assert Holder.objects.values_list().get(pk=holder_id) == before


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"cert_no": "990101199002300017"}, "check character or its birth date"),
        ({"cert_type": "01X"}, "type of the document"),
        ({"cert_type": "08", "cert_no": "a b"}, "4 to 30 digits"),
        ({"name": " 甲"}, "space"),
        ({"name": "甲\n乙"}, "cannot be printed"),
        ({"facts": {"colour": "red"}}, "'colour' is no fact"),
        ({"facts": {"sex": "3"}}, "sex is none of"),
    ],
)
def test_nobody_is_enrolled_out_of_form(town, asked, complaint):
    good = {"cert_type": "01", "cert_no": citizen_number(), "name": "甲", "facts": {}}
    with pytest.raises(NotEligible, match=complaint):
        enrol(town.clerk, uuid4(), **{**good, **asked})
    assert not Holder.objects.exists()


def test_nobody_is_enrolled_twice_nor_edits_themselves_nor_without_the_right(town):
    holder_id = enrolled(town)
    with pytest.raises(DuplicateRequest):
        enrolled(town)
    with pytest.raises(NotEligible, match="no fact is given"):
        edit_person(town.clerk, uuid4(), holder_id=holder_id, facts={})
    for stranger in (town.cashier, town.hotline):
        with pytest.raises(NotAllowed):
            edit_person(stranger, uuid4(), holder_id=holder_id, facts={"phone": "19900000001"})
    Operator.objects.filter(pk="clerk").update(holder=holder_id)
    with pytest.raises(NeedsSecondPerson):
        edit_person(town.clerk, uuid4(), holder_id=holder_id, facts={"phone": "19900000001"})


def test_another_citys_person_is_not_found_by_number(town):
    holder_id, neighbour = enrolled(town), neighbour_at(InstitutionKind.AUTHORITY)
    asks = [
        lambda number: edit_person(neighbour, uuid4(), holder_id=number, facts={"sex": "1"}),
        lambda number: take_photo(neighbour, uuid4(), holder_id=number, image=portrait()),
        lambda number: look_at_person(neighbour, uuid4(), holder_id=number),
        lambda number: unmask_person(neighbour, uuid4(), holder_id=number, reason="curious"),
        lambda number: end_guardianship(neighbour, uuid4(), holder_id=number, guardian_id=1),
    ]
    for ask in asks:
        for number in (holder_id, 999_999):
            with pytest.raises(NotFound, match=f"^no person {number} is on the books$"):
                ask(number)


def test_a_photo_is_a_jpeg_of_the_regions_size(town):
    holder_id = enrolled(town)
    taken = take_photo(town.clerk, uuid4(), holder_id=holder_id, image=portrait())
    assert bytes(HolderPhoto.objects.get().image) == portrait()
    assert HolderPhoto.objects.get().digest == taken.digest
    for image, complaint in (
        (portrait(form="PNG"), "is not a JPEG"),
        (portrait(441, 358), "441 x 358 pixels instead of 358 x 441"),
        (portrait()[:200], "does not decode"),
        (b"\xff\xd8" + bytes(60_000), "60000 are the most"),
    ):
        with pytest.raises(NotEligible, match=complaint):
            take_photo(town.clerk, uuid4(), holder_id=holder_id, image=image)
    assert HolderPhoto.objects.count() == 1


def test_a_minors_card_goes_to_a_guardian_alone(town):
    child = citizen_number(CHILD_BORN, 12)
    holder_id = enrolled(town, "测试童", CHILD_BORN, 12)
    town.order("990100001", child, "测试童")
    town.receive("990100001", child, "测试童")

    def deliver(document):
        return hand_over(town.teller, uuid4(), card_no="990100001", document=document, verdict=Verdict.SAME_PERSON)

    for document in (shown(child), MOTHER):
        with pytest.raises(NotEligible, match="guardian"):
            deliver(document)
    guardian = {"holder_id": holder_id, "relation": Relation.MOTHER, "name": "测试母"}
    made = register_guardian(town.teller, uuid4(), **guardian, document=MOTHER)
    with pytest.raises(NotEligible, match="guardian"):
        deliver(shown(child))
    end_guardianship(town.teller, uuid4(), holder_id=holder_id, guardian_id=made.guardian_id)
    with pytest.raises(NotEligible, match="guardian"):
        deliver(MOTHER)
    register_guardian(town.teller, uuid4(), **guardian, document=MOTHER)
    deliver(MOTHER)
    assert Card.objects.get().production == "70"
    assert Guardian.objects.filter(ended_at=None).count() == 1


def test_who_may_be_a_guardian(town):
    adult, child = enrolled(town), enrolled(town, "测试童", CHILD_BORN, 12)
    good = {"holder_id": child, "relation": Relation.FATHER, "name": "测试父", "document": MOTHER}
    for change, refusal, complaint in (
        ({"holder_id": adult}, NotEligible, "only a person under 16"),
        ({"document": Document("01", MOTHER.cert_no, original=False)}, NotEligible, "not a copy"),
        ({"document": shown(citizen_number(CHILD_BORN, 12))}, NotEligible, "nobody is their own guardian"),
        ({"document": shown("990101199002300017")}, NotEligible, "check character"),
        ({"name": ""}, NotEligible, "name"),
    ):
        with pytest.raises(refusal, match=complaint):
            register_guardian(town.clerk, uuid4(), **{**good, **change})
    register_guardian(town.clerk, uuid4(), **good)
    with pytest.raises(DuplicateRequest):
        register_guardian(town.clerk, uuid4(), **good)
    with pytest.raises(NotFound, match="no guardian 77"):
        end_guardianship(town.clerk, uuid4(), holder_id=child, guardian_id=77)


@given(
    st.dates(date(1950, 1, 1), date(2026, 1, 1)).filter(lambda day: (day.month, day.day) != (2, 29)), st.integers(0, 80)
)
def test_age_changes_on_the_birthday(born, years):
    birthday = born.replace(year=born.year + years)
    assert age_on(birthday, born) == years
    assert age_on(birthday - timedelta(days=1), born) == years - 1


@pytest.mark.acceptance("S0-18")
@pytest.mark.acceptance("S4-55")
def test_people_are_masked_and_every_unmasked_look_leaves_its_reason(town):
    holder_id = enrolled(town, "测试人乙", phone="19900000000")
    number = citizen_number(date(1985, 5, 6), 2)
    masked = look_at_person(town.teller, uuid4(), holder_id=holder_id)
    assert (masked.name, masked.cert_no, masked.facts["phone"]) == (
        "测***",
        f"{number[:6]}********{number[-4:]}",
        "*" * 8,
    )
    assert masked.facts["birth_date"] == "*" * 8
    with pytest.raises(NotAllowed):
        unmask_person(town.teller, uuid4(), holder_id=holder_id, reason="curious")
    with pytest.raises(NotEligible, match="reason"):
        unmask_person(town.clerk, uuid4(), holder_id=holder_id, reason=" ")
    asked = uuid4()
    for _ in range(2):
        seen = unmask_person(town.clerk, asked, holder_id=holder_id, reason="letter 12 of the court")
        assert (seen.name, seen.cert_no, seen.facts["phone"]) == ("测试人乙", number, "19900000000")
        assert number not in repr(seen)
    lines = AuditEntry.objects.filter(action="unmask person", outcome="done")
    assert [line.detail["reason"] for line in lines] == ["letter 12 of the court"] * 2
    written = str(list(AuditEntry.objects.values_list())) + str(list(Receipt.objects.values_list()))
    assert number not in written
    assert "测试人乙" not in written
    assert "19900000000" not in written


def test_checks_of_names():
    for name in ("", "   ", "x" * 81, "甲 "):
        with pytest.raises(NotEligible):
            check_name(name)
    check_name("测试·测试")
