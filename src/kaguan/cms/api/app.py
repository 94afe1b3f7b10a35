"""The API as a whole: its groups of routes, who is let in, and how refusals are answered."""

from __future__ import annotations

from typing import Final

from ninja import NinjaAPI

from kaguan.cms.api.admission import Bearer, SessionCookie
from kaguan.cms.api.answers import answer_refusals
from kaguan.cms.api.bodies import StrictJson
from kaguan.cms.api.routes import (
    access,
    approvals,
    cards,
    certificates,
    custody,
    delivery,
    departures,
    dialects,
    locks,
    loss,
    people,
    portal,
    requests,
    temporary,
)

api: Final = NinjaAPI(
    title="Kaguan",
    version="1",
    description="Card management of the social security card. Refusals: act on `code`, show `message`.",
    auth=[Bearer(), SessionCookie()],
    parser=StrictJson(),
    docs_url=None,
    urls_namespace="kaguan",
)
answer_refusals(api)

for prefix, group in (
    ("", access.router),
    ("/cards", cards.router),
    ("/cards", delivery.router),
    ("/cards", loss.router),
    ("/cards", locks.router),
    ("", custody.router),
    ("", certificates.router),
    ("/temporary-cards", temporary.router),
    ("/people", people.router),
    ("/departures", departures.router),
    ("/requests", requests.router),
    ("/approvals", approvals.router),
    ("/portal", portal.router),
    ("/dialects", dialects.router),
):
    api.add_router(prefix, group)
