"""Enrol a person and keep the facts about them; what a fact was before stands in the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from kaguan.cms.models import Holder, HolderChange, HolderDetails
from kaguan.cms.rules.personal import Fact, check_document, check_facts, check_name, told_by_document
from kaguan.cms.rules.refusals import DuplicateRequest
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class PersonRef:
    """A person by their number in the books, and how many facts a request changed."""

    holder_id: int
    changed: int


@use_case("enrol", Right.ENROL, PersonRef)
def enrol(case: Case, /, *, cert_type: str, cert_no: str, name: str, facts: Mapping[str, str]) -> PersonRef:
    """Leave the person on the books of the actor's region with these facts, and those that the document tells.

    Refuses, in this order: document out of form, name out of form, a fact as `check_facts`, on the books already.
    """
    case.note(cert_no=cert_no, name=name)
    check_document(cert_type, cert_no)
    check_name(name)
    told = told_by_document(cert_type, cert_no)
    if facts:
        check_facts(facts, cert_type=cert_type, cert_no=cert_no)
    region = case.institution.region
    holder, created = Holder.objects.get_or_create(
        region=region, cert_type=cert_type, cert_no=cert_no, defaults={"name": name}
    )
    if not created:
        raise DuplicateRequest("a person with this document is on the books already")
    return PersonRef(holder.pk, _change(case, holder, {**told, **facts}))


@use_case("edit person", Right.ENROL, PersonRef)
def edit_person(case: Case, /, *, holder_id: int, facts: Mapping[str, str]) -> PersonRef:
    """Leave the facts about the person as given, with what they were before in the history.

    Refuses, in this order: no such person, own person, a fact as `check_facts`.
    """
    holder = case.person(holder_id)
    check_facts(facts, cert_type=holder.cert_type, cert_no=holder.cert_no)
    return PersonRef(holder.pk, _change(case, holder, facts))


def keep_change(
    case: Case, holder: Holder, fact: str, before: str, after: str, *, approval: UUID | None = None
) -> None:
    """Leave the change in the person's history."""
    HolderChange.objects.create(
        holder=holder,
        at=case.at,
        fact=fact,
        before=before,
        after=after,
        operator=case.operator.code,
        request_id=case.request_id,
        approval=approval,
    )


def set_facts(case: Case, holder: Holder, facts: Mapping[str, str], *, approval: UUID | None = None) -> int:
    """Leave the facts as given, each change in the history, and return how many there were. The facts are checked."""
    details, _ = HolderDetails.objects.select_for_update(no_key=True).get_or_create(holder=holder)
    changes = {Fact(name).value: text for name, text in facts.items() if details.facts.get(name) != text}
    for name, text in sorted(changes.items()):
        keep_change(case, holder, name, details.facts.get(name, ""), text, approval=approval)
    details.facts = {**details.facts, **changes}
    details.save()
    return len(changes)


def _change(case: Case, holder: Holder, facts: Mapping[str, str]) -> int:
    case.note(holder=holder.pk, facts=sorted(facts))
    return set_facts(case, holder, facts)
