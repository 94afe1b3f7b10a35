"""The API as a whole: its groups of routes, who is let in, and how refusals are answered."""

from __future__ import annotations

from typing import Final

from ninja import NinjaAPI

from kaguan.cms.api.admission import Bearer, SessionCookie
from kaguan.cms.api.answers import answer_refusals
from kaguan.cms.api.bodies import StrictJson
from kaguan.cms.api.routes import (
    access,
    activations,
    approvals,
    books,
    cards,
    certificates,
    clock,
    custody,
    delivery,
    departures,
    dialects,
    loads,
    locks,
    loss,
    orders,
    people,
    pins,
    portal,
    production,
    purchases,
    requests,
    set_up,
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
    ("", orders.router),
    ("", production.router),
    ("", activations.router),
    ("/cards", pins.router),
    ("", loads.router),
    ("/purchases", purchases.router),
    ("", books.router),
    ("", set_up.router),
    ("", clock.router),
    ("/temporary-cards", temporary.router),
    ("/people", people.router),
    ("/departures", departures.router),
    ("/requests", requests.router),
    ("/approvals", approvals.router),
    ("/portal", portal.router),
    ("/dialects", dialects.router),
):
    api.add_router(prefix, group)
