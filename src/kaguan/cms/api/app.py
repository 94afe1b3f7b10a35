"""The API as a whole: its groups of routes, who is let in, and how refusals are answered."""

from __future__ import annotations

from typing import Any, Final

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from kaguan.cms.api.admission import Bearer, SessionCookie
from kaguan.cms.api.answers import answer_refusals
from kaguan.cms.api.bodies import StrictJson
from kaguan.cms.api.routes import (
    access,
    activations,
    approvals,
    books,
    cards,
    casework,
    certificates,
    chip_steps,
    clock,
    custody,
    delivery,
    departures,
    dialects,
    fees,
    loads,
    locks,
    loss,
    misuse,
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


class DescribedOnce(NinjaAPI):
    """An API that works its description out once: it takes a second or two, and whoever asks may ask often."""

    _description: OpenAPISchema | None = None

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the description, the same object every time."""
        if self._description is None:
            self._description = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        return self._description


api: Final = DescribedOnce(
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
    ("", casework.router),
    ("/cards", delivery.router),
    ("/cards", loss.router),
    ("/cards", locks.router),
    ("", custody.router),
    ("", certificates.router),
    ("", orders.router),
    ("", production.router),
    ("", activations.router),
    ("/cards", chip_steps.router),
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
    ("", fees.router),
    ("", misuse.router),
    ("/approvals", approvals.router),
    ("/portal", portal.router),
    ("/dialects", dialects.router),
):
    api.add_router(prefix, group)
