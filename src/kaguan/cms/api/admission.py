"""Who asks: a person by their session, as bearer or in a cookie with a CSRF token, or a program by its token."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from kaguan.cms.api.limits import COOKIE
from kaguan.cms.rules.refusals import NotAllowed
from kaguan.cms.services.access import machine_tokens
from kaguan.cms.services.access.sessions import actor_of
from kaguan.cms.services.case import Actor
from kaguan.vault.secret import Secret


class Bearer(HttpBearer):
    """The token of a session or of a program, in `Authorization: Bearer`."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        """Return who the token stands for, or None."""
        return _actor(token)


class SessionCookie(APIKeyCookie):
    """The token of a session in a cookie; what changes something has to come with the CSRF token of that browser."""

    param_name = COOKIE

    def _get_key(self, request: HttpRequest) -> str | None:
        # Whoever brings no cookie is not asked for its CSRF token: they are to hear that they are not signed in.
        return super()._get_key(request) if self.param_name in request.COOKIES else None

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        """Return who the token stands for, or None."""
        return _actor(key) if key and not key.startswith(machine_tokens.PREFIX) else None


def token_shown(request: HttpRequest) -> Secret:
    """Return the token that the request was admitted with."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    shown = token if kind.lower() == "bearer" else request.COOKIES.get(COOKIE, "")
    return Secret(shown.encode(errors="replace"))


def _actor(token: str) -> Actor | None:
    secret = Secret(token.encode(errors="replace"))
    try:
        if token.startswith(machine_tokens.PREFIX):
            return machine_tokens.actor_of_machine(secret)
        return actor_of(secret)
    except NotAllowed:
        return None
