"""A bank that is told of losses over HTTP, looks at the signature, and refuses when it is told to."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

from kaguan.cms.notifying.delivery import signature
from kaguan.cms.services.outbox import register_endpoint
from kaguan.demo.town import Town
from kaguan.vault.secret import Secret

TAKEN, REFUSED = 204, 422


class Bank:
    """What a bank knows: the key that it shares with the authority, and how it answers next."""

    def __init__(self) -> None:
        self.key = Secret(secrets.token_bytes(32))
        self.answer = TAKEN
        self.notices = 0

    def judge(self, header: str, body: bytes) -> int:
        """The HTTP status for a notice: 401 when somebody else signed it."""
        seconds = header.partition(",")[0].removeprefix("t=")
        if not seconds.isdigit() or not secrets.compare_digest(header, signature(self.key, int(seconds), body)):
            return 401
        self.notices += 1
        return self.answer


@contextmanager
def open_bank(town: Town, bank_code: str) -> Iterator[Bank]:
    """Within the context the bank listens on this machine, and is told there of its cards' losses."""
    bank = Bank()

    class Counter(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = bank.judge(self.headers["Kaguan-Signature"], body)
            words = b"no such card here" if status == REFUSED else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *_: object) -> None:
            """Say nothing: the demo does."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Counter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/notices"
        register_endpoint(town.administrator, uuid4(), bank_code=bank_code, url=url, key=bank.key)
        try:
            yield bank
        finally:
            server.shutdown()
