"""Merge a person who is on the books twice. A second person approved it before.

Law. Cards, facts and every fen follow to the survivor; nothing that proves something is rewritten.
"""

from __future__ import annotations

from kaguan.cms.ledger.accounts import balance, personal_account, unloaded_account
from kaguan.cms.ledger.posting import Move, Phase, post
from kaguan.cms.models import Card, Guardian, Holder, HolderPhoto, Merge, Operator, Transfer
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import NeedsReconciliation, NotEligible
from kaguan.cms.services.case import Case
from kaguan.cms.services.minors import facts_of
from kaguan.cms.services.people.enrolment import set_facts


def check_merge(case: Case, merged: Holder, survivor: Holder) -> None:
    """Return when the first person may become a name for the second.

    Refuses, in this order: one and the same, of two regions, two cards open at once, money on its way.
    """
    if merged.pk == survivor.pk:
        raise NotEligible("that is one person already")
    if merged.region != survivor.region:
        raise NotEligible("persons of two regions are not merged: transfer one of them first")
    both = Card.objects.filter(holder__in=[merged, survivor]).exclude(application=Application.CANCELLED)
    if both.count() > 1:
        raise NotEligible("both have a card that is not cancelled: cancel one of them first")
    if balance(unloaded_account(merged.pk)) or _pending(merged):
        raise NeedsReconciliation("money of the merged person is on its way: end those transfers first")


def merge(case: Case, merged: Holder, survivor: Holder) -> None:
    """Leave the merged person a name for the survivor, who has their cards, money, guardians and missing facts."""
    check_merge(case, merged, survivor)
    left_fen = balance(personal_account(merged.pk))
    if left_fen:
        move = Move(personal_account(merged.pk), personal_account(survivor.pk), left_fen)
        post(case.request_id, "merge", [move])
    Card.objects.filter(holder=merged).update(holder=survivor)
    Operator.objects.filter(holder=merged).update(holder=survivor)
    HolderPhoto.objects.filter(holder=merged).update(holder=survivor)
    _bring_guardians(case, merged, survivor)
    known = facts_of(survivor)
    set_facts(case, survivor, {name: text for name, text in facts_of(merged).items() if name not in known})
    Merge.objects.create(merged=merged, survivor=survivor, at=case.at, request_id=case.request_id)
    case.note(merged=merged.pk, survivor=survivor.pk, amount_fen=left_fen)


def _bring_guardians(case: Case, merged: Holder, survivor: Holder) -> None:
    for guardian in Guardian.objects.filter(ward=merged, ended_at=None):
        same = {"cert_type": guardian.cert_type, "cert_no": guardian.cert_no}
        if Guardian.objects.filter(ward=survivor, ended_at=None, **same).exists():
            Guardian.objects.filter(pk=guardian.pk).update(ended_at=case.at)
    Guardian.objects.filter(ward=merged, ended_at=None).update(ward=survivor)


def _pending(holder: Holder) -> bool:
    cards = list(Card.objects.filter(holder=holder).values_list("pk", flat=True))
    return Transfer.objects.filter(phase=Phase.PENDING, resolved_by=None, content__memo__card_no__in=cards).exists()
