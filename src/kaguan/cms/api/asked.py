"""What every change brings along: the key that makes it one request, and the state in which it was meant."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Header
from pydantic import BaseModel

from kaguan.cms.services.case import Actor

ANY: Final = "*"
_TAG: Final = r'^(\*|(W/)?"[0-9a-f]{1,64}")$'


class Problem(BaseModel):
    """A refusal; act on `code`, show `message`, and ask again under the same key only where `retryable`."""

    class Place(BaseModel):
        """Where in the request something is wrong, and what."""

        where: str
        what: str

    code: str
    message: str
    retryable: bool
    reason_code: str | None = None
    fields: list[Place] = []


Key = Annotated[
    UUID,
    Header(
        alias="Idempotency-Key",
        description="Made by the client, one a request. The same key asks the same again and gets the first answer.",
    ),
]
Seen = Annotated[
    str,
    Header(
        alias="If-Match",
        pattern=_TAG,
        description="The ETag of what the client saw, so that nothing is done to what changed since; * does not mind.",
    ),
]

_REFUSALS: Final = (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 500, 503)


def answers(result: Any, *, status: int = 200) -> dict[Any, Any]:
    """Return what a route may answer: the result, and every refusal."""
    return {status: result, **dict.fromkeys(_REFUSALS, Problem)}


def actor_of_request(request: HttpRequest) -> Actor:
    """Return who asks."""
    actor = request.auth  # type: ignore[attr-defined]
    assert isinstance(actor, Actor)  # noqa: S101 - no route that uses it is open to strangers
    return actor


def asks_for(request: HttpRequest, key: UUID, seen: str | None = None) -> tuple[Actor, UUID]:
    """Return the actor, expecting what they saw, and the request's id: what a use case is asked with."""
    actor = actor_of_request(request)
    if seen is None or seen == ANY:
        return actor, key
    return Actor(actor.operator, actor.institution, expects=seen.removeprefix("W/").strip('"')), key


def goes_on(request: HttpRequest, request_id: UUID) -> tuple[Actor, UUID]:
    """Return what a use case is asked with that ends what an earlier request began: its id is the key."""
    return actor_of_request(request), request_id


def tagged(response: HttpResponse, tag: str) -> None:
    """Leave the tag of what is shown in the response, as a weak ETag: it is of the state, not of the bytes."""
    response["ETag"] = f'W/"{tag}"'
