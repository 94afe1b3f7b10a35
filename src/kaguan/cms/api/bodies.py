"""Bodies: JSON objects in UTF-8, strictly, so that everybody reads the same out of them."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from kaguan.cms.api.errors import Unwelcome


class StrictJson(Parser):
    """Takes `application/json` alone; refuses doubled names, numbers that are none, and characters nobody keeps."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the object; refuse with Unwelcome (wrong_content_type, malformed)."""
        if request.content_type != "application/json":
            raise Unwelcome("wrong_content_type", "send the body as application/json")
        try:
            content = json.loads(request.body.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise Unwelcome("malformed", "the body is no JSON object in UTF-8") from error
        if not isinstance(content, dict):
            raise Unwelcome("malformed", "the body is no JSON object in UTF-8")
        _check_texts(content)
        return content


def is_kept(text: str) -> bool:
    """Return whether every database keeps the text: it has no NUL, and nothing that is no character."""
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands there twice")
    return content


def _no_number(_text: str) -> None:
    raise ValueError("no number of JSON")


def _check_texts(content: Any) -> None:
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str) and not is_kept(part):
            raise Unwelcome("malformed", "a text holds NUL, or half a character")
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
