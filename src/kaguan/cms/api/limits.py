"""How much and how often somebody may ask: the size of a body, requests of a source, of a token, and for signing in.

Counts live in the process that serves: one process serves, with many threads.
"""

from __future__ import annotations

import hashlib
from math import ceil
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja.throttling import SimpleRateThrottle

from kaguan.cms.api.answers import problem_response
from kaguan.cms.api.errors import Unwelcome
from kaguan.cms.api.headers import Respond

COOKIE: Final = "__Host-kaguan-session"
_SIGNING_IN: Final = ("/sign-in", "/password", "/portal/sign-in")


class _Rate(SimpleRateThrottle):
    """The rate of one key; a new object for each request, since it keeps what it counted."""

    def __init__(self, scope: str, ident: str, rate: str) -> None:
        self._key = self.cache_format % {"scope": scope, "ident": hashlib.sha256(ident.encode()).hexdigest()}
        super().__init__(rate)

    def get_cache_key(self, request: HttpRequest) -> str:
        return self._key


def limited(respond: Respond) -> Respond:
    """Return the view for those only who ask neither too much nor too often."""

    def answer(request: HttpRequest) -> HttpResponse:
        request.get_host()  # refuses a name that is none of ours: an answer for it could be kept by somebody's cache
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()) or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            most = f"a body has {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes at most"
            return problem_response(Unwelcome("too_large", most))
        for rate in _rates(request):
            if not rate.allow_request(request):
                seconds = max(1, ceil(rate.wait() or 1))
                return problem_response(
                    Unwelcome("too_many_requests", "you ask too often: wait"), retry_after_seconds=seconds
                )
        return respond(request)

    return answer


def source_of_request(request: HttpRequest) -> str:
    """Return the address that asks: of the connection, or what the trusted proxy says that it serves."""
    address = str(request.META.get("REMOTE_ADDR") or "")
    told = str(request.META.get("HTTP_X_FORWARDED_FOR") or "")
    if settings.TRUSTED_PROXY and address == settings.TRUSTED_PROXY and told:
        return told.rpartition(",")[2].strip()[:64]
    return address


def _rates(request: HttpRequest) -> list[_Rate]:
    source = source_of_request(request)
    rates = [_Rate("source", source, settings.RATE_OF_A_SOURCE)]
    if request.path.endswith(_SIGNING_IN):
        rates.append(_Rate("sign-in", source, settings.RATE_OF_SIGNING_IN))
    token = request.headers.get("Authorization") or request.COOKIES.get(COOKIE)
    if token:
        rates.append(_Rate("token", token, settings.RATE_OF_A_TOKEN))
    return rates
