"""Sessions: an opaque token stands for somebody who signed in, until they rest too long, leave, or the day closes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from kaguan.cms.models import DayClose, Holder, Institution, Operator, Session
from kaguan.cms.rules.refusals import NotAllowed
from kaguan.cms.rules.rights import Right, rights_of
from kaguan.cms.services.case import Actor
from kaguan.vault.secret import Secret

TOKEN_BYTES: Final = 32
_SIGNED_OUT: Final = "the session is over, or there never was one: sign in"


def open_session(
    at: datetime, source: str, *, operator: Operator | None = None, holder: Holder | None = None
) -> Secret:
    """Leave somebody signed in, here and nowhere else; return the token, which is not kept."""
    end_sessions(at, "signed in elsewhere", operator=operator, holder=holder)
    token = secrets.token_urlsafe(TOKEN_BYTES).encode()
    Session.objects.create(
        digest=_digest(token), operator=operator, holder=holder, source=source[:64], begun_at=at, seen_at=at
    )
    return Secret(token)


def end_sessions(at: datetime, why: str, *, operator: Operator | None = None, holder: Holder | None = None) -> None:
    """Leave the operator, or the holder, signed out."""
    Session.objects.filter(operator=operator, holder=holder, ended_at=None).update(ended_at=at, why_ended=why)


def actor_of(token: Secret) -> Actor:
    """Return the operator whose session it is, who was seen now; refuse with NotAllowed when it is over.

    It is over when it was ended, rested or lasted too long, the operator left, or the day was closed.
    """
    with transaction.atomic():
        session = live_session(token)
        operator = session.operator
        if operator is None or not operator.active or is_shut_out(operator, timezone.now()):
            raise NotAllowed(_SIGNED_OUT)
        return Actor(operator.code, operator.institution.code)


def live_session(token: Secret) -> Session:
    """Return the session of the token, seen now; refuse with NotAllowed when it is over."""
    at = timezone.now()
    session = (
        Session.objects.select_for_update(no_key=True).filter(digest=_digest(token.reveal()), ended_at=None).first()
    )
    if session is None:
        raise NotAllowed(_SIGNED_OUT)
    somebody = session.operator.institution if session.operator else session.holder
    assert somebody is not None  # noqa: S101 - the database says so
    rules = somebody.region.rules()
    rested = session.seen_at + timedelta(minutes=rules.session_idle_minutes)
    lasted = session.begun_at + timedelta(hours=rules.session_hours)
    if at >= min(rested, lasted):
        raise NotAllowed(_SIGNED_OUT)
    session.seen_at = at
    session.save(update_fields=["seen_at"])
    return session


def sign_out(token: Secret) -> None:
    """Leave the session of the token over; nothing happens to one that is over already."""
    Session.objects.filter(digest=_digest(token.reveal()), ended_at=None).update(
        ended_at=timezone.now(), why_ended="signed out"
    )


def is_shut_out(operator: Operator, at: datetime) -> bool:
    """Return whether the day is closed where the operator works, and they are not one who could open it again."""
    return is_closed(operator.institution, at) and Right.CLOSE_DAY not in rights_of(operator.roles)


def is_closed(institution: Institution, at: datetime) -> bool:
    """Return whether the institution has closed the calendar day of that moment."""
    day = timezone.localtime(at).date()
    return DayClose.objects.filter(institution=institution, day=day, reopened_at=None).exists()


def _digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()
