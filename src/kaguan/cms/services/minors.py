"""Who may act for a person: an adult for themselves, for a minor a registered guardian."""

from __future__ import annotations

from datetime import date

from kaguan.cms.models import Guardian, Holder, HolderDetails
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.personal import Fact, age_on, told_by_document


def facts_of(holder: Holder) -> dict[str, str]:
    """Return the facts about the person; what nobody gave is absent."""
    details = HolderDetails.objects.filter(pk=holder.pk).first()
    return dict(details.facts) if details else {}


def is_minor(holder: Holder, day: date) -> bool:
    """Return whether the person is known, by facts or document, to be under their region's age on the day."""
    told = {**told_by_document(holder.cert_type, holder.cert_no), **facts_of(holder)}
    born = told.get(Fact.BIRTH_DATE)
    return born is not None and age_on(day, date.fromisoformat(born)) < holder.region.rules().minor_below_years


def may_act_for(holder: Holder, document: Document, day: date) -> bool:
    """Return whether the document is the holder's own, or for a minor a registered guardian's."""
    if not is_minor(holder, day):
        return document.belongs_to(holder.cert_type, holder.cert_no)
    guardians = Guardian.objects.filter(ward=holder, ended_at=None)
    return any(document.belongs_to(guardian.cert_type, guardian.cert_no) for guardian in guardians)
