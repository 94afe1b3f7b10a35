"""Ask for a step that a second person has to approve. The request's id becomes the approval's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from kaguan.cms.models import Approval
from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.chip_state import Remedy
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import CancelReason
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.approvals.deeds import DEEDS, Content
from kaguan.cms.services.case import Case
from kaguan.cms.services.orders import Ending, NewCard
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class AskedApproval:
    """A step that waits for a second person until `expires_at` (ISO 8601)."""

    approval_id: str
    action: str
    expires_at: str


@use_case("ask correction", Right.ENROL, AskedApproval)
def ask_correction(case: Case, /, *, holder_id: int, wanted: Mapping[str, str], reason: str) -> AskedApproval:
    """Leave on record that name, type or number of a person's document are wrong, and what they should be.

    Refuses, in this order: no reason, no such person, own person, what `check_correction` refuses.
    """
    return _ask(case, Action.CORRECT, {"holder_id": holder_id, "wanted": dict(wanted)}, reason)


@use_case("ask merge", Right.ENROL, AskedApproval)
def ask_merge(case: Case, /, *, merged: int, survivor: int, reason: str) -> AskedApproval:
    """Leave on record that two persons are one, and which of them stays.

    Refuses, in this order: no reason, no such person, own person, what `check_merge` refuses.
    """
    return _ask(case, Action.MERGE, {"merged": merged, "survivor": survivor}, reason)


@use_case("ask purge", Right.PURGE, AskedApproval)
def ask_purge(case: Case, /, *, holder_id: int, reason: str) -> AskedApproval:
    """Leave on record that a person's data should go.

    Refuses, in this order: no reason, no such person, own person, what `check_purge` refuses.
    """
    return _ask(case, Action.PURGE, {"holder_id": holder_id}, reason)


@use_case("ask release of formal loss", Right.LOSS, AskedApproval)
def ask_release(
    case: Case, /, *, card_no: str, document: Document, reason: str, channel: Channel | None = None
) -> AskedApproval:
    """Leave on record that a formally lost card was found; `channel` is how it was told, if not as usual there.

    Refuses, in this order: no reason, no such card, own card, what `release_loss` refuses.
    """
    content = {"card_no": card_no, "document": asdict(document), "channel": channel.value if channel else None}
    return _ask(case, Action.RELEASE_FORMAL_LOSS, content, reason)


@use_case("ask unlock", Right.LOCK, AskedApproval)
def ask_unlock(case: Case, /, *, card_no: str, reason: str) -> AskedApproval:
    """Leave on record that a locked card should serve again. Refuses as `ask_release`."""
    return _ask(case, Action.UNLOCK, {"card_no": card_no}, reason)


@use_case("ask cancellation", Right.CANCEL, AskedApproval)
def ask_cancellation(
    case: Case, /, *, card_no: str, code: CancelReason, reason: str, met: Sequence[Met] = ()
) -> AskedApproval:
    """Leave on record that a card should end, for the reason with that code; `met` as for `cancel`.

    Refuses, in this order: no reason, no such card, own card, what `cancel` refuses.
    """
    content = {"card_no": card_no, "reason": code.value, "met": [asdict(one) for one in met]}
    return _ask(case, Action.CANCEL, content, reason)


@use_case("ask new card", Right.REPLACE, AskedApproval)
def ask_new_card(
    case: Case, /, *, card_no: str, ending: Ending, new: NewCard, reason: str, code: str = ""
) -> AskedApproval:
    """Leave on record that another card should take this one's place; `code` is an exchange's.

    Refuses, in this order: no reason, a sealed card's successor (it is applied for), no such card, own card, what
    `order_again` refuses.
    """
    if ending is Ending.APPLY_AGAIN:
        raise NotEligible("a sealed card is not made again on the spot: apply for a card")
    code = CancelReason.LOST.value if ending is Ending.REPLACE else code
    days = {"issue_date": new.issue_date.isoformat(), "valid_until": new.valid_until.isoformat()}
    content = {"card_no": card_no, "ending": ending.value, "code": code, "new": {**asdict(new), **days}}
    return _ask(case, Action.MAKE_AGAIN, content, reason)


@use_case("ask settlement", Right.RECONCILE, AskedApproval)
def ask_settlement(case: Case, /, *, case_id: UUID, remedy: Remedy, reason: str) -> AskedApproval:
    """Leave on record how a case about a chip should be settled, and why.

    Refuses, in this order: no reason, no such case, own card, what `services.chip.cases.settle` refuses.
    """
    return _ask(case, Action.SETTLE_CASE, {"case_id": str(case_id), "remedy": remedy.value}, reason)


def _ask(case: Case, action: Action, content: Content, reason: str) -> AskedApproval:
    if not reason.strip():
        raise NotEligible("a step that two people answer for needs a reason")
    approval_id = case.new_id(Approval)
    deed = DEEDS[action]
    concerned = [holder.pk for holder in deed.concerns(case, content)]
    with transaction.atomic():
        deed.carry_out(replace(case, notes={}), content, case.request_id)
        transaction.set_rollback(True)
    expires_at = case.at + timedelta(days=case.institution.region.rules().approval_valid_days)
    Approval.objects.create(
        approval_id=approval_id,
        action=action,
        region=case.institution.region,
        content=content,
        concerns=concerned,
        reason=reason[:200],
        asked_by=case.operator.code,
        institution=case.institution.code,
        at=case.at,
        expires_at=expires_at,
    )
    case.note(asked=action.value, concerns=concerned, reason=reason)
    return AskedApproval(str(case.request_id), action.value, expires_at.isoformat(timespec="seconds"))
