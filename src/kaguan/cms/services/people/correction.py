"""Correct what identifies a person: name, type and number of the document. A second person approved it before."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from kaguan.cms.models import Card, Holder
from kaguan.cms.rules.lifecycle import Application, Production
from kaguan.cms.rules.personal import (
    Correction,
    Fact,
    check_document,
    check_name,
    told_by_document,
)
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.services.case import Case
from kaguan.cms.services.minors import facts_of
from kaguan.cms.services.people.enrolment import keep_change, set_facts

_NOT_MADE_YET = frozenset({Production.ORDERED, Production.MAKE_FAILED})


def check_correction(case: Case, holder: Holder, wanted: Mapping[str, str]) -> None:
    """Return when the person may be corrected so.

    Refuses, in this order: nothing to correct, no correction, name or document out of form, a card is being made,
    document of another person (merge them instead).
    """
    if not wanted or set(wanted) - set(Correction):
        raise NotEligible(f"a correction is of {', '.join(Correction)}: give at least one of them, and nothing else")
    after = {**_now(holder), **wanted}
    if after == _now(holder):
        raise NotEligible("that is what the books have already")
    check_name(after[Correction.NAME])
    if set(wanted) - {Correction.NAME}:
        check_document(after[Correction.CERT_TYPE], after[Correction.CERT_NO])
    making = Card.objects.filter(holder=holder, production__in=_NOT_MADE_YET).exclude(application=Application.CANCELLED)
    if making.exists():
        raise NotEligible("a card is being made with what the books have: wait for it, or cancel it")
    same = {"region": holder.region, "cert_type": after[Correction.CERT_TYPE], "cert_no": after[Correction.CERT_NO]}
    if Holder.objects.filter(**same).exclude(pk=holder.pk).exists():
        raise DuplicateRequest("another person on the books has this document: merge the two if they are one")


def correct(case: Case, holder: Holder, wanted: Mapping[str, str], approval: UUID) -> None:
    """Leave the person with the right name and document, and with the facts that a new document tells."""
    check_correction(case, holder, wanted)
    before = _now(holder)
    for name, text in sorted(wanted.items()):
        if before[name] != text:
            keep_change(case, holder, name, before[name], text, approval=approval)
            setattr(holder, name, text)
    holder.save(update_fields=list(Correction))
    told = told_by_document(holder.cert_type, holder.cert_no)
    known = facts_of(holder).keys() & {Fact.BIRTH_DATE, Fact.SEX}
    set_facts(case, holder, {name: text for name, text in told.items() if name in known}, approval=approval)


def _now(holder: Holder) -> dict[str, str]:
    return {name.value: getattr(holder, name) for name in Correction}
