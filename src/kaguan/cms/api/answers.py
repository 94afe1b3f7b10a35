"""Refusals as HTTP responses, the same ones from a route and from before it."""

from __future__ import annotations

import logging
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from kaguan.cms.api.errors import Unwelcome, answer_to, problem_of

_LOG: Final = logging.getLogger("kaguan.cms.api")
_BUSY_SECONDS: Final = 1


def problem_response(error: BaseException, *, retry_after_seconds: int | None = None) -> HttpResponse:
    """Return the response that tells of the error, with Retry-After where asking again may help."""
    answer = answer_to(error)
    response = JsonResponse(problem_of(error), status=answer.status)
    if answer.retryable:
        response["Retry-After"] = str(_BUSY_SECONDS if retry_after_seconds is None else retry_after_seconds)
    if answer.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="kaguan"'
    return response


def answer_refusals(api: NinjaAPI) -> None:
    """Leave the API answering every error by the table."""
    api.add_exception_handler(Exception, _tell)
    api.add_exception_handler(HttpError, _tell_http)
    api.add_exception_handler(ValidationError, _tell_invalid)


def _tell(_request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    assert isinstance(error, Exception)  # noqa: S101 - the framework hands over what was raised
    if answer_to(error).code == "internal_error":
        # Only the kind: what an error says may be personal, or secret.
        _LOG.error("a request ended in %s", type(error).__name__)
    return problem_response(error)


def _tell_http(_request: HttpRequest, error: HttpError | type[HttpError]) -> HttpResponse:
    if isinstance(error, HttpError) and isinstance(error.__context__, Unwelcome):
        return problem_response(error.__context__)  # what our own parser said
    if isinstance(error, AuthenticationError):
        return problem_response(Unwelcome("unauthenticated", "sign in, or show a token that is good"))
    if isinstance(error, HttpError) and error.status_code == 403:
        return problem_response(Unwelcome("csrf_failed", "send the token of the sign-in in X-CSRFToken"))
    return problem_response(Unwelcome("malformed", "the body is no JSON object in UTF-8"))


def _tell_invalid(_request: HttpRequest, error: ValidationError | type[ValidationError]) -> HttpResponse:
    rows = error.errors if isinstance(error, ValidationError) else []
    if any(row["type"] == "missing" and row["loc"][-1] == "If-Match" for row in rows):
        words = "say in If-Match what you saw, or * when it does not matter"
        return problem_response(Unwelcome("precondition_required", words))
    fields = tuple((".".join(str(part) for part in row["loc"]), str(row["msg"])) for row in rows)
    return problem_response(Unwelcome("invalid", "the request does not have the form that is asked for", fields=fields))
