"""A program asks over the web API: a card with its tag, a change under a key, and what it may not see."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import uuid4

from kaguan.cms.services.access.machine_tokens import issue_token, new_token
from kaguan.cms.serving.server import Place, make_server
from kaguan.demo.screen import fact
from kaguan.demo.town import Town
from kaguan.vault.secret import Secret

_JSON = "application/json"


class Answer(NamedTuple):
    """What the API answered."""

    status: int
    tag: str
    content: dict[str, Any]


def ask_over_the_web(town: Town, card_no: str) -> None:
    """The API was asked by a program, for the clerk's account; every answer is shown."""
    token = new_token()
    issue_token(town.administrator, uuid4(), operator=town.clerk.operator, purpose="demo", days=1, token=token)
    with _served() as address:
        card = f"{address}/cards/{card_no}"
        seen = _ask(token, "GET", card)
        name, state = seen.content["name"], seen.content["application"]
        fact(f"GET /cards/{card_no}: {seen.status}, {name}, application {state}, ETag {seen.tag}")
        headers = {"Idempotency-Key": str(uuid4()), "If-Match": seen.tag}
        done = [_ask(token, "POST", f"{card}/temporary-loss", headers) for _ in range(2)]
        same = "the same answer" if done[0] == done[1] else "another answer"
        fact(f"POST .../temporary-loss: {done[0].status}; again under the same key: {same}, done once")
        late = _ask(token, "POST", f"{card}/loss-release", {**headers, "Idempotency-Key": str(uuid4())}, b"{}")
        fact(f"POST .../loss-release with the old ETag: {late.status} {late.content['code']}")
        now = _ask(token, "GET", card).tag
        _ask(token, "POST", f"{card}/loss-release", {"Idempotency-Key": str(uuid4()), "If-Match": now}, b"{}")
        forged = _ask(Secret(b"kgm_forged"), "GET", card)
        fact(f"the same with a forged token: {forged.status} {forged.content['code']}")


@contextmanager
def _served() -> Iterator[str]:
    server = make_server(Place("127.0.0.1", 0), requests_a_minute=600)
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}/api/v1"
    finally:
        server.stop()
        thread.join()


def _ask(token: Secret, verb: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    shown = {"Authorization": f"Bearer {token.reveal().decode()}", **(headers or {})}
    if body:
        shown["Content-Type"] = _JSON
    request = urllib.request.Request(url, data=body or None, headers=shown, method=verb)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - our own server
            return Answer(response.status, response.headers["ETag"] or "", json.loads(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, "", json.loads(error.read()))
