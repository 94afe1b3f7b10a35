"""The API as a client sees it, and accounts to use it with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyotp
import requests
from django.test import Client

from kaguan.cms.services.access import sign_in as door
from kaguan.cms.services.access.machine_tokens import issue_token, new_token
from kaguan.cms.services.access.passwords import give_password
from kaguan.cms.services.access.second_factor import enrol_second_factor
from kaguan.vault.secret import Secret

FIRST, OWN = "given-by-admin-1", "my own words 22"
ROOT = "/api/v1"
PROGRAMS = Path(sys.executable).parent


class Caller:
    """Somebody who asks over the web, with a token or without."""

    def __init__(self, token: str = "", **more: str) -> None:
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        self.headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more}

    def get(self, path: str, **headers: str):
        """The answer to a look."""
        return self.client.get(ROOT + path, secure=True, headers={**self.headers, **headers})

    def post(self, path: str, body=None, *, key=None, seen: str | None = "*", **headers: str):
        """The answer to a change, under a new key if none is given."""
        asked = {**self.headers, "Idempotency-Key": str(key or uuid4()), **headers}
        if seen is not None:
            asked["If-Match"] = seen
        content = {} if body is None else {"data": body, "content_type": "application/json"}
        return self.client.post(ROOT + path, secure=True, headers=asked, **content)


def have_password(town, code: str, own: str = OWN) -> None:
    """The operator has a password of their own."""
    give_password(town.administrator, uuid4(), code=code, password=Secret(FIRST.encode()))
    door.change_password(code, Secret(FIRST.encode()), Secret(own.encode()), source="10.0.0.9")


def machine(town, code: str, days: int = 30) -> Caller:
    """A program that acts as the operator."""
    token = new_token()
    issue_token(town.administrator, uuid4(), operator=code, purpose="tests", days=days, token=token)
    return Caller(token.reveal().decode())


def signed_in_supervisor(town) -> Caller:
    """The town's supervisor, signed in with password and second factor."""
    have_password(town, "supervisor")
    enrol_second_factor(town.administrator, uuid4(), code="supervisor", secret=Secret(bytes(range(20))))
    code = pyotp.TOTP("AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT").now()
    entered = Caller().post("/sign-in", {"operator": "supervisor", "password": OWN, "second_factor": code})
    return Caller(entered.json()["token"])


def shown(cert_no: str) -> dict[str, object]:
    """A document on the counter, as JSON."""
    return {"cert_type": "01", "cert_no": cert_no, "original": True}


@contextmanager
def served(database: str, *options: str) -> Iterator[str]:
    """The API over the database, by the door; its address."""
    command = [PROGRAMS / "kaguan", "cms", "serve", "--db", database, "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as server:
        try:
            address = server.stdout.readline().strip()
            if address.startswith("http:"):
                requests.get(address, timeout=120)  # the description is worked out once, for whoever asks first
            yield address
        finally:
            server.terminate()
