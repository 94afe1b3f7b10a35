"""Approve or reject what somebody else asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Approval, ApprovalDecision, Operator
from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.refusals import AlreadyResolved, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.approvals.deeds import DEEDS
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import question, use_case


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a request for approval."""

    approval_id: str
    action: str
    approved: bool


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """A request that waits for a second person; whom it concerns stands there by number, the content does not."""

    approval_id: str
    action: str
    concerns: tuple[int, ...]
    reason: str
    asked_by: str
    institution: str
    expires_at: str


@use_case("approve", Right.APPROVE, Decided)
def approve(case: Case, /, *, approval_id: UUID) -> Decided:
    """Leave the step done with the rights of whoever asked, and both names on record.

    Refuses, in this order: no such request, asked by the same operator or human, concerned in person, decided before,
    expired, whoever asked may not any more, what the step itself refuses.
    """
    asked, asker = _decidable(case, approval_id)
    if not asker.active:
        raise NotAllowed(f"operator {asker.code}, who asked for it, does not work here any more")
    on_behalf = replace(
        case,
        operator=asker,
        institution=asker.institution,
        approver=case.operator.code,
        _regions=frozenset(),
    )
    DEEDS[Action(asked.action)].carry_out(on_behalf, asked.content, asked.pk)
    return _decide(case, asked, why="", approved=True)


@use_case("reject", Right.APPROVE, Decided)
def reject(case: Case, /, *, approval_id: UUID, why: str) -> Decided:
    """Leave the step undone for good, and why. Refuses, in this order: no reason, else as `approve`."""
    if not why.strip():
        raise NotEligible("whoever asked wants to know why: give a reason")
    asked, _ = _decidable(case, approval_id)
    return _decide(case, asked, why=why, approved=False)


@question("list approvals", Right.APPROVE)
def open_approvals(case: Case, /) -> list[OpenApproval]:
    """Return every request within reach that the actor could decide now, oldest first."""
    waiting = Approval.objects.filter(region__in=case.regions, decision=None, expires_at__gt=case.at)
    return [
        OpenApproval(
            str(asked.pk),
            asked.action,
            tuple(asked.concerns),
            asked.reason,
            asked.asked_by,
            asked.institution,
            asked.expires_at.isoformat(timespec="seconds"),
        )
        for asked in waiting.exclude(asked_by=case.operator.code).order_by("at")
    ]


def _decidable(case: Case, approval_id: UUID) -> tuple[Approval, Operator]:
    """Return the request and who asked, when the actor may decide it."""
    asked = Approval.objects.select_for_update(no_key=True).filter(pk=approval_id, region__in=case.regions).first()
    if asked is None:
        raise NotFound(f"no request for approval {approval_id} is on the books")
    case.note(approval=str(asked.pk), asked=asked.action, concerns=asked.concerns, asked_by=asked.asked_by)
    asker = Operator.objects.select_related("institution").get(pk=asked.asked_by)
    same_human = case.operator.holder_id is not None and asker.holder_id == case.operator.holder_id
    if asker.pk == case.operator.pk or same_human:
        raise NeedsSecondPerson(f"operator {asker.code} asked for it: another person has to decide")
    for holder_id in asked.concerns:
        case.check_not_own(holder_id)
    if ApprovalDecision.objects.filter(approval=asked).exists():
        raise AlreadyResolved(f"request {approval_id} was decided before")
    if asked.expires_at <= case.at:
        raise NotEligible(f"request {approval_id} has expired: it has to be asked again")
    return asked, asker


def _decide(case: Case, asked: Approval, *, why: str, approved: bool) -> Decided:
    ApprovalDecision.objects.create(
        approval=asked,
        approved=approved,
        decided_by=case.operator.code,
        institution=case.institution.code,
        at=case.at,
        why=why[:200],
    )
    case.note(approved=approved)
    return Decided(str(asked.pk), asked.action, approved)
