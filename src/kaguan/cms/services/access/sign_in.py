"""Sign an operator in, and let them change their password.

These are no use cases: who asks is what has to be found out, and a failure leaves something behind, its count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils import timezone

from kaguan.apdu.errors import RuleBroken
from kaguan.cms import audit
from kaguan.cms.models import Credential, Operator
from kaguan.cms.rules.refusals import NotAllowed, NotEligible
from kaguan.cms.rules.regions import DEFAULT_REGION
from kaguan.cms.rules.rights import Right, rights_of
from kaguan.cms.services.access.passwords import is_too_old, set_password
from kaguan.cms.services.access.second_factor import code_is_right
from kaguan.cms.services.access.sessions import end_sessions, is_shut_out, open_session
from kaguan.cms.services.access.throttle import count_failure, forget_failures, is_locked, source_of
from kaguan.cms.services.case import Actor
from kaguan.vault.secret import Secret

WRONG: Final = "name, password or code is wrong, or there were too many failures: check them, or try again later"


@dataclass(frozen=True, slots=True)
class Admission:
    """Somebody who is signed in: who, and the token that stands for them from now on."""

    actor: Actor
    token: Secret


def sign_in(code: str, password: Secret, *, source: str, second_factor: str = "") -> Admission:
    """Leave the operator signed in, here alone, and return their token. `source` is the address that asks.

    Refuses, in this order: wrong in any way, or locked (NotAllowed, in the same words); no second factor though the
    operator approves; the day is closed; the password is too old (NotEligible: `change_password` first).
    """
    with transaction.atomic(durable=True):
        at = timezone.now()
        outcome = _admitted(code, password, source, second_factor, at)
        _note("sign in", code, outcome, source, at)
    if isinstance(outcome, RuleBroken):
        raise outcome
    return outcome


def change_password(code: str, old: Secret, new: Secret, *, source: str) -> None:
    """Leave the operator with the new password, signed out everywhere.

    Refuses, in this order: wrong in any way, or locked (NotAllowed, in the same words), what `set_password` refuses.
    """
    with transaction.atomic(durable=True):
        at = timezone.now()
        outcome: RuleBroken | Credential = _known(code, old, source, at)
        if isinstance(outcome, Credential):
            try:
                set_password(outcome.operator, new, at, must_change=False)
            except NotEligible as refusal:
                outcome = refusal
            else:
                end_sessions(at, "password changed", operator=outcome.operator)
        _note("change password", code, outcome, source, at)
    if isinstance(outcome, RuleBroken):
        raise outcome


def _admitted(code: str, password: Secret, source: str, second_factor: str, at: datetime) -> Admission | RuleBroken:
    credential = _known(code, password, source, at, second_factor)
    if isinstance(credential, RuleBroken):
        return credential
    operator = credential.operator
    if _approves(operator) and not credential.second_factor:
        return NotAllowed("an approver signs in with a second factor: have one enrolled first")
    if is_shut_out(operator, at):
        return NotAllowed(f"{operator.institution.code} has closed the day: come again tomorrow, or have it opened")
    if is_too_old(credential, at):
        return NotEligible("the password is too old, or was given by somebody else: change it first")
    token = open_session(at, source, operator=operator)
    return Admission(Actor(operator.code, operator.institution.code), token)


def _known(
    code: str, password: Secret, source: str, at: datetime, second_factor: str | None = None
) -> Credential | RuleBroken:
    """Return the credential of the operator whose password it is, failures forgotten; else the refusal, counted.

    Every way through costs one hash, so that the time tells nothing.
    """
    text = password.reveal().decode("utf-8", errors="replace")
    counter = source_of(source)
    credential = (
        Credential.objects.select_for_update(no_key=True)
        .select_related("operator__institution__region")
        .filter(operator=code, operator__active=True)
        .first()
    )
    if credential is None:
        make_password(text)
        count_failure(DEFAULT_REGION, None, counter, at)
        return NotAllowed(WRONG)
    right = check_password(text, credential.password)
    if is_locked(counter, at) or is_locked(credential, at):
        return NotAllowed(WRONG)
    if right and second_factor is not None and credential.second_factor:
        right = code_is_right(credential, second_factor, at)
    if not right:
        count_failure(credential.operator.institution.region.rules(), credential, counter, at)
        return NotAllowed(WRONG)
    forget_failures(credential, counter)
    return credential


def _approves(operator: Operator) -> bool:
    return Right.APPROVE in rights_of(operator.roles)


def _note(action: str, code: str, outcome: object, source: str, at: datetime) -> None:
    refusal = outcome if isinstance(outcome, RuleBroken) else None
    operator = Operator.objects.filter(pk=code).first()
    audit.append(
        audit.AuditLine(
            at=at,
            operator=operator.code if operator else "",
            institution=operator.institution.code if operator else "",
            action=action,
            request_id=uuid4(),
            outcome=type(refusal).__name__ if refusal else "done",
            detail={"source": source, **({"why": str(refusal)} if refusal else {})},
        )
    )
