"""Purge a person whose time on the books is over. A second person approved it before.

Law. Afterwards nothing on the books but the audit log's masked lines tells who it was; what happened stays.
"""

from __future__ import annotations

from kaguan.cms.ledger.accounts import balance
from kaguan.cms.models import (
    Approval,
    Card,
    DocumentCopy,
    Guardian,
    Holder,
    HolderChange,
    HolderCredential,
    HolderDetails,
    HolderPhoto,
    Operator,
    Session,
)
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import AlreadyResolved, NotEligible
from kaguan.cms.services.case import Case
from kaguan.cms.services.privacy import accounts_of, empty_columns

PURGED = "purged"


def check_purge(case: Case, holder: Holder) -> None:
    """Return when nothing is left to do for the person.

    Refuses, in this order: purged before, a card that is not cancelled, money left, an operator of the system.
    """
    if holder.name == PURGED:
        raise AlreadyResolved(f"the data of person {holder.pk} was purged before")
    still_open = Card.objects.filter(holder=holder).exclude(application=Application.CANCELLED).first()
    if still_open is not None:
        raise NotEligible(f"card {still_open.card_no} is not cancelled: end it first")
    for code in accounts_of(holder.pk):
        if left_fen := balance(code):
            raise NotEligible(f"account {code} holds {left_fen} fen: pay them out first")
    if Operator.objects.filter(holder=holder, active=True).exists():
        raise NotEligible("the person works with the system")


def purge(case: Case, holder: Holder) -> None:
    """Leave the person without name, document, facts, history, photo, guardians, copies and way to sign in."""
    check_purge(case, holder)
    DocumentCopy.objects.filter(activation__card__holder=holder).delete()
    Session.objects.filter(holder=holder).delete()
    for model in (HolderChange, HolderPhoto, HolderCredential, HolderDetails):
        model._default_manager.filter(holder=holder).delete()
    Guardian.objects.filter(ward=holder).delete()
    empty_columns(holder.pk)
    merged = list(Holder.objects.filter(merge__survivor=holder).values_list("pk", flat=True))
    for number in (*merged, holder.pk):
        Holder.objects.filter(pk=number).update(name=PURGED, cert_type="00", cert_no=f"{PURGED}-{number}")
        asked = Approval.objects.filter(region=holder.region).values_list("pk", "concerns")
        told = [approval for approval, concerns in asked if number in concerns]
        Approval.objects.filter(pk__in=told).update(content={}, reason=PURGED)
    case.note(holder=holder.pk)
