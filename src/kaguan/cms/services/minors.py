"""Who may act for a person: an adult for themselves, for a minor a registered guardian."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from kaguan.cms.models import Guardian, Holder, HolderDetails
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.personal import Fact, age_on, told_by_document


def facts_of(holder: Holder) -> dict[str, str]:
    """Return the facts about the person in the order of `Fact`, whatever the database; what nobody gave is absent."""
    details = HolderDetails.objects.filter(pk=holder.pk).first()
    facts = details.facts if details else {}
    return {fact.value: facts[fact] for fact in Fact if fact in facts}


def is_minor(holder: Holder, day: date, facts: Mapping[str, str]) -> bool:
    """Return whether the person is known, by these facts or document, to be under their region's age on the day."""
    told = {**told_by_document(holder.cert_type, holder.cert_no), **facts}
    born = told.get(Fact.BIRTH_DATE)
    return born is not None and age_on(day, date.fromisoformat(born)) < holder.region.rules().guardian_below_years


def is_guardian_of(holder: Holder, document: Document) -> bool:
    """Return whether the document is the original of a registered guardian's."""
    guardians = Guardian.objects.filter(ward=holder, ended_at=None)
    return document.original and any(
        document.belongs_to(guardian.cert_type, guardian.cert_no) for guardian in guardians
    )
