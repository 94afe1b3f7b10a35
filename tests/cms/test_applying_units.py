"""Schools apply for children with their guardians; a service centre takes applications."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from cms.evidence import centre
from cms.wishes import (
    ADULT,
    FATHER,
    NEW,
    a_child,
    enrol,
    in_person,
    under_guard,
)
from kaguan.apdu.errors import OrderError
from kaguan.cms.models import CardRequest
from kaguan.cms.request_rows import read_applicants
from kaguan.cms.rules.applying import ApplicationWay, Presence
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.refusals import (
    NotEligible,
)
from kaguan.cms.services.requests import (
    apply,
    apply_for_unit,
)


def test_a_units_minors_come_with_who_acts_for_them(town):
    child = a_child()
    ward = enrol(child)
    enrol()
    unit = {"wish": NEW, "presence": Presence(ApplicationWay.UNIT, unit_no="SCHOOL-1")}
    with pytest.raises(NotEligible, match="row 2: for a minor a guardian applies"):
        apply_for_unit(town.clerk, uuid4(), applicants=[ADULT, child], **unit)
    named = replace(child, guardian=FATHER)
    with pytest.raises(NotEligible, match=r"row 2: .* not registered as a guardian"):
        apply_for_unit(town.clerk, uuid4(), applicants=[ADULT, named], **unit)
    under_guard(town, ward)
    assert apply_for_unit(town.clerk, uuid4(), applicants=[ADULT, named], **unit).request_count == 2
    asked = CardRequest.objects.get(holder=ward)
    assert (asked.agent_name, asked.agent_relation) == (FATHER.name, FATHER.relation)


def test_a_sheet_may_name_guardians(tmp_path):
    head = "cert_type,cert_no,name,guardian_name,guardian_cert_type,guardian_cert_no,guardian_relation"
    path = tmp_path / "school.csv"
    shown = FATHER.document
    path.write_text(f"{head}\n01,1,甲,,,,\n01,2,乙,{FATHER.name},01,{shown.cert_no},father_of_son\n", encoding="utf-8")
    assert [person.guardian for person in read_applicants(path)] == [None, FATHER]
    path.write_text(f"{head}\n01,2,乙,{FATHER.name},01,{shown.cert_no},uncle\n", encoding="utf-8")
    with pytest.raises(OrderError, match="the guardian's relation is none of"):
        read_applicants(path)


@pytest.mark.acceptance("S0-11")
def test_a_service_centre_takes_applications(town):
    enrol()
    clerk = centre(town, with_device=False)
    asked = {"applicant": ADULT, "wish": NEW, "presence": in_person()}
    assert apply(clerk, uuid4(), **asked).stage == Production.APPLIED
