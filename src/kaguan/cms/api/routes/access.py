"""People sign in and out, and change their password; administrators give programs their tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token, rotate_token
from django.utils import timezone
from ninja import Path, Router, Status
from pydantic import Field, StrictBool

from kaguan.cms.api.admission import token_shown
from kaguan.cms.api.asked import Key, actor_of_request, answers, asks_for
from kaguan.cms.api.errors import Unwelcome
from kaguan.cms.api.limits import COOKIE, source_of_request
from kaguan.cms.api.shapes import Code, Number, Password, Strict, secret, text
from kaguan.cms.rules.refusals import NotAllowed
from kaguan.cms.services.access import machine_tokens
from kaguan.cms.services.access import sign_in as door
from kaguan.cms.services.access.machine_tokens import MachineTokenRef
from kaguan.cms.services.access.sessions import sign_out

router: Final = Router(tags=["access"])
_COOKIE_LASTS: Final = timedelta(hours=12)
"""The session ends by its own rules before; this is only how long the browser keeps the cookie."""


class SignIn(Strict):
    """Who signs in; with `cookie` the token goes into a cookie that scripts cannot read."""

    operator: Code
    password: Password
    second_factor: Annotated[str, Field(pattern=r"^([0-9]{6})?$")] = ""
    cookie: StrictBool = False


class PasswordChange(Strict):
    """The password of now, and the one to come."""

    operator: Code
    old: Password
    new: Password


class TokenWanted(Strict):
    """For which operator's account a program is to act, what for, and how long."""

    operator: Code
    purpose: Annotated[str, text(60)]
    days: Annotated[int, Field(ge=1, le=machine_tokens.MOST_DAYS), Number]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in: with the token for `Authorization: Bearer`, or, by cookie, the one for `X-CSRFToken`."""

    operator: str
    institution: str
    token: str = ""
    csrf_token: str = ""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A program's token. It is shown once: a repeated request has it empty, and then a new one is asked for."""

    ref: MachineTokenRef
    token: str


@router.post("/sign-in", auth=None, response=answers(SignedIn), operation_id="sign_in")
def sign_in(request: HttpRequest, response: HttpResponse, body: SignIn) -> SignedIn:
    """Sign an operator in, here alone."""
    with _told_as_unauthenticated():
        admitted = door.sign_in(
            body.operator,
            secret(body.password),
            source=source_of_request(request),
            second_factor=body.second_factor,
        )
    actor, token = admitted.actor, admitted.token.reveal().decode()
    if not body.cookie:
        return SignedIn(actor.operator, actor.institution, token=token)
    ends = timezone.now() + _COOKIE_LASTS
    response.set_cookie(COOKIE, token, expires=ends, secure=True, httponly=True, samesite="Strict")
    rotate_token(request)
    return SignedIn(actor.operator, actor.institution, csrf_token=get_token(request))


@router.post("/sign-out", response=answers(None, status=204), operation_id="sign_out")
def leave(request: HttpRequest, response: HttpResponse) -> Status[None]:
    """End the session; a program's token stays good."""
    sign_out(token_shown(request))
    response.delete_cookie(COOKIE, samesite="Strict")
    return Status(204, None)


@router.post("/password", auth=None, response=answers(None, status=204), operation_id="change_password")
def change_password(request: HttpRequest, body: PasswordChange) -> Status[None]:
    """Change one's password; every session ends."""
    with _told_as_unauthenticated():
        door.change_password(body.operator, secret(body.old), secret(body.new), source=source_of_request(request))
    return Status(204, None)


@router.get("/me", response=answers(SignedIn), operation_id="who_am_i")
def who_am_i(request: HttpRequest) -> SignedIn:
    """Say whom the token or the cookie stands for."""
    actor = actor_of_request(request)
    return SignedIn(actor.operator, actor.institution)


@router.post("/machine-tokens", response=answers(IssuedToken, status=201), operation_id="issue_machine_token")
def issue_token(request: HttpRequest, key: Key, body: TokenWanted) -> Status[IssuedToken]:
    """Give a program a token for an operator's account."""
    token = machine_tokens.new_token()
    ref = machine_tokens.issue_token(
        *asks_for(request, key), operator=body.operator, purpose=body.purpose, days=body.days, token=token
    )
    shown = token.reveal().decode() if machine_tokens.is_token(ref, token) else ""
    return Status(201, IssuedToken(ref, shown))


@router.get("/machine-tokens", response=answers(list[MachineTokenRef]), operation_id="list_machine_tokens")
def list_tokens(request: HttpRequest) -> list[MachineTokenRef]:
    """List the tokens of colleagues that are good today."""
    return machine_tokens.tokens_in_reach(*asks_for(request, uuid4()))


@router.post(
    "/machine-tokens/{token_id}/revocation", response=answers(MachineTokenRef), operation_id="revoke_machine_token"
)
def revoke_token(request: HttpRequest, token_id: Annotated[UUID, Path()], key: Key) -> MachineTokenRef:
    """Take a program's token back."""
    return machine_tokens.revoke_token(*asks_for(request, key), token_id=token_id)


@contextmanager
def _told_as_unauthenticated() -> Iterator[None]:
    """Within the context, whoever may not sign in is told that they are not signed in, in the same words."""
    try:
        yield
    except NotAllowed as refusal:
        raise Unwelcome("unauthenticated", str(refusal)) from None
