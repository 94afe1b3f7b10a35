"""Headers that keep an answer where it belongs: in no cache, no frame, and nobody's script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

Respond = Callable[[HttpRequest], HttpResponse]


def shut_in(respond: Respond) -> Respond:
    """Return the view with these headers on all that it answers."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = respond(request)
        for name, value in _HEADERS.items():
            response.setdefault(name, value)
        return response

    return answer
