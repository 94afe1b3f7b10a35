"""Passwords of operators: given by an administrator, changed by their owner, never the same again soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password, make_password

from kaguan.cms.models import Credential, FormerPassword, Operator
from kaguan.cms.rules.passwords import check_new_password
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.access.colleagues import colleague
from kaguan.cms.services.access.sessions import end_sessions
from kaguan.cms.services.access.throttle import forget_failures
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case
from kaguan.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An operator's account."""

    code: str


@use_case("give password", Right.SET_UP, AccountRef)
def give_password(case: Case, /, *, code: str, password: Secret) -> AccountRef:
    """Leave the operator with a first password, which they have to change, and without sessions.

    Asked again under the same id it answers the same, whatever the password: it is not looked at twice.
    Refuses, in this order: no such colleague, own account, what `check_new_password` refuses, used before.
    """
    operator = colleague(case, code)
    set_password(operator, password, case.at, must_change=True)
    end_sessions(case.at, "password given", operator=operator)
    return AccountRef(code)


@use_case("unlock account", Right.CLOSE_DAY, AccountRef)
def unlock_account(case: Case, /, *, code: str) -> AccountRef:
    """Leave the failures of the operator forgotten. Refuses with NotFound, NeedsSecondPerson."""
    credential = Credential.objects.filter(pk=colleague(case, code).pk).first()
    if credential is None:
        raise NotFound(f"operator {code} has no password yet: give one first")
    forget_failures(credential)
    return AccountRef(code)


def set_password(operator: Operator, password: Secret, at: datetime, *, must_change: bool) -> None:
    """Leave the operator with the password; refuse as `check_new_password`, then when it is one of the last ones."""
    text = password.reveal().decode("utf-8", errors="replace")
    check_new_password(text, names=(operator.pk, operator.name))
    remembered = operator.institution.region.rules().passwords_remembered
    former = FormerPassword.objects.filter(operator=operator).order_by("-id")
    if any(check_password(text, row.password) for row in former[:remembered]):
        raise NotEligible(f"the password is one of the last {remembered}: choose another")
    hashed = make_password(text)
    FormerPassword.objects.create(operator=operator, password=hashed)
    kept = former.values_list("pk", flat=True)[: max(remembered, 1)]
    FormerPassword.objects.filter(operator=operator).exclude(pk__in=list(kept)).delete()
    changed = {"password": hashed, "changed_at": at, "must_change": must_change, "failures": 0, "locked_until": None}
    Credential.objects.update_or_create(operator=operator, defaults=changed)


def is_too_old(credential: Credential, at: datetime) -> bool:
    """Return whether the password has to be changed before anybody signs in with it."""
    days = credential.operator.institution.region.rules().password_valid_days
    return credential.must_change or credential.changed_at + timedelta(days=days) <= at
