"""Tokens of programs: given by an administrator for one operator's account, for a while, and taken back.

Law. No program approves or sets up: what asks for a second factor or for a second person asks for people.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from kaguan.cms.models import MachineToken
from kaguan.cms.rules.refusals import NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.rights import Right, rights_of
from kaguan.cms.services.access.colleagues import colleague
from kaguan.cms.services.access.sessions import is_shut_out
from kaguan.cms.services.case import Actor, Case
from kaguan.cms.services.scope import institutions_in_reach
from kaguan.cms.services.use_case import question, use_case
from kaguan.vault.secret import Secret

PREFIX: Final = "kgm_"
MOST_DAYS: Final = 366
_TOKEN_BYTES: Final = 32
_FOR_PEOPLE: Final = frozenset({Right.APPROVE, Right.SET_UP, Right.OPEN_REGION, Right.CLOSE_DAY})


@dataclass(frozen=True, slots=True)
class MachineTokenRef:
    """A program's token: for whom it acts, what for, and until when (ISO 8601)."""

    token_id: str
    operator: str
    purpose: str
    expires_at: str


def new_token() -> Secret:
    """Return a token that nobody had before."""
    return Secret((PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)).encode())


@use_case("issue machine token", Right.SET_UP, MachineTokenRef)
def issue_token(case: Case, /, *, operator: str, purpose: str, days: int, token: Secret) -> MachineTokenRef:
    """Leave the token good for the operator's account from now on.

    Asked again under the same id it answers the same and leaves the first token: see `is_token`.
    Refuses, in this order: no such colleague, own account, a right that is for people, no purpose, days out of bounds.
    """
    acts_as = colleague(case, operator)
    reserved = rights_of(acts_as.roles) & _FOR_PEOPLE
    if reserved:
        raise NotEligible(f"to {min(reserved)} is for people, who sign in: give the program an account without it")
    if not purpose.strip():
        raise NotEligible("say what the token is for, so that it can be taken back when that ends")
    if not 1 <= days <= MOST_DAYS:
        raise NotEligible(f"a token lasts from 1 to {MOST_DAYS} days")
    row = MachineToken.objects.create(
        token_id=case.new_id(MachineToken),
        digest=_digest(token),
        operator=acts_as,
        purpose=purpose[:60],
        issued_by=case.operator.code,
        issued_at=case.at,
        expires_at=case.at + timedelta(days=days),
    )
    case.note(token_id=str(row.pk), purpose=row.purpose)
    return _told(row)


@use_case("revoke machine token", Right.SET_UP, MachineTokenRef)
def revoke_token(case: Case, /, *, token_id: UUID) -> MachineTokenRef:
    """Leave the token good for nothing. Refuses with NotFound: no such token of a colleague."""
    row = MachineToken.objects.filter(pk=token_id, operator__institution__in=institutions_in_reach(case.operator))
    found = row.select_for_update().first()
    if found is None:
        raise NotFound(f"no token {token_id} is on the books")
    row.filter(revoked_at=None).update(revoked_at=case.at)
    case.note(token_id=str(token_id), colleague=found.operator.code)
    return _told(found)


@question("list machine tokens", Right.SET_UP)
def tokens_in_reach(case: Case, /) -> list[MachineTokenRef]:
    """Return every token of colleagues that is good today, the one that ends first at the head."""
    alive = MachineToken.objects.filter(
        operator__institution__in=institutions_in_reach(case.operator), revoked_at=None, expires_at__gt=case.at
    )
    return [_told(row) for row in alive.select_related("operator").order_by("expires_at", "pk")]


def is_token(ref: MachineTokenRef, token: Secret) -> bool:
    """Return whether this is the token that was issued so, and not one of a repeated request."""
    return hmac.compare_digest(MachineToken.objects.get(pk=ref.token_id).digest, _digest(token))


def actor_of_machine(token: Secret) -> Actor:
    """Return the operator that the token acts as; refuse with NotAllowed when it is good for nothing.

    Unknown, expired, revoked, its operator left, became somebody of a right for people, or the day is closed.
    """
    at = timezone.now()
    row = MachineToken.objects.select_related("operator__institution").filter(digest=_digest(token)).first()
    if row is None or row.revoked_at is not None or row.expires_at <= at:
        raise NotAllowed("the token is good for nothing: ask an administrator for another")
    operator = row.operator
    if not operator.active or rights_of(operator.roles) & _FOR_PEOPLE or is_shut_out(operator, at):
        raise NotAllowed("the token's operator may not work now")
    return Actor(operator.code, operator.institution.code)


def _digest(token: Secret) -> str:
    return hashlib.sha256(token.reveal()).hexdigest()


def _told(row: MachineToken) -> MachineTokenRef:
    return MachineTokenRef(str(row.pk), row.operator.code, row.purpose, row.expires_at.isoformat(timespec="seconds"))
