"""Where the API stands, and what is said to whoever asks anywhere else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from kaguan.cms.api.answers import problem_response
from kaguan.cms.api.app import api
from kaguan.cms.api.errors import Unwelcome

urlpatterns = [path("api/v1/", api.urls)]


def not_here(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return that nothing has this address."""
    return problem_response(Unwelcome("no_such_address", "nothing has this address: see /api/v1/openapi.json"))


def bad_request(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return that the request is no such thing: another host's, or out of form."""
    return problem_response(Unwelcome("malformed", "the request is out of form, or for another host"))


def gone_wrong(_request: HttpRequest) -> HttpResponse:
    """Return that something went wrong, and nothing of it."""
    return problem_response(RuntimeError())


def no_csrf(_request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return that the CSRF token is missing or wrong."""
    return problem_response(Unwelcome("csrf_failed", "send the token of the sign-in in X-CSRFToken"))


handler400 = bad_request
handler404 = not_here
handler500 = gone_wrong
