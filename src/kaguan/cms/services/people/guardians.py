"""Guardians: who acts for a minor, and until when."""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.cms.models import Guardian
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.personal import Relation, check_document, check_name
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.minors import facts_of, is_minor
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class Guardianship:
    """A guardian's number in the books, and whom they act for."""

    guardian_id: int
    holder_id: int
    relation: str


@use_case("register guardian", Right.ENROL, Guardianship)
def register_guardian(
    case: Case, /, *, holder_id: int, relation: Relation, name: str, document: Document
) -> Guardianship:
    """Leave the guardian able to act for the minor.

    Refuses, in this order: no such person, own person, no minor, document a copy or out of form, the minor's own
    document, name out of form, guardian already.
    """
    ward = case.person(holder_id)
    if not is_minor(ward, case.today, facts_of(ward)):
        years = ward.region.rules().guardian_below_years
        raise NotEligible(f"only a person under {years} whose birth date is known has a guardian")
    if not document.original:
        raise NotEligible("the guardian's original document has to be shown, not a copy")
    check_document(document.cert_type, document.cert_no)
    if document.belongs_to(ward.cert_type, ward.cert_no):
        raise NotEligible("nobody is their own guardian: show the guardian's document")
    check_name(name)
    shown = {"cert_type": document.cert_type, "cert_no": document.cert_no}
    if Guardian.objects.filter(ward=ward, ended_at=None, **shown).exists():
        raise DuplicateRequest("this person is the minor's guardian already")
    guardian = Guardian.objects.create(ward=ward, relation=relation, name=name, since=case.at, **shown)
    case.note(cert_no=document.cert_no, relation=relation.value)
    return Guardianship(guardian.pk, ward.pk, relation.value)


@use_case("end guardianship", Right.ENROL, Guardianship)
def end_guardianship(case: Case, /, *, holder_id: int, guardian_id: int) -> Guardianship:
    """Leave the guardian unable to act for the person; refuse with NotFound, own person."""
    ward = case.person(holder_id)
    guardian = Guardian.objects.filter(pk=guardian_id, ward=ward, ended_at=None).first()
    if guardian is None:
        raise NotFound(f"person {holder_id} has no guardian {guardian_id}")
    Guardian.objects.filter(pk=guardian.pk).update(ended_at=case.at)
    return Guardianship(guardian.pk, ward.pk, guardian.relation)
