"""Messages of provinces, each in its own words; they are described in the docs of dialects, not in OpenAPI."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Router

from kaguan.cms.api.asked import actor_of_request
from kaguan.cms.api.dialects.henan.answering import answer_message
from kaguan.cms.api.errors import Unwelcome

router: Final = Router(tags=["dialects"])
_XML: Final = frozenset({"application/xml", "text/xml"})


@router.post("/henan", include_in_schema=False)
def ask_in_henan(request: HttpRequest) -> HttpResponse:
    """Answer one message of Henan or Jilin."""
    if request.content_type not in _XML:
        raise Unwelcome("wrong_content_type", "send the message as application/xml")
    answer = answer_message(actor_of_request(request), request.body)
    return HttpResponse(answer, content_type="application/xml; charset=utf-8")
