"""Cards put in and taken out from elsewhere: one JSON object a line over a socket of the file system.

    {"do": "remove", "reader": 1}  ->  {"ok": true, "readers": [{"reader": 1, "card": "my.card", "state": "empty"}]}

`do` is list, insert (perhaps with "card": PATH), remove, or stop. Readers are counted from 1.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from kaguan.apdu.errors import InputError, KaguanError, LinkError, RuleBroken

ACTIONS = ("list", "insert", "remove", "stop")
_LONGEST_LINE = 64 * 1024
_ANSWERING_SECONDS = 30.0


class Request(NamedTuple):
    """What somebody wants done. `reader` 0 means all."""

    action: str
    reader: int = 0
    card: str = ""


class NobodyThere(LinkError):
    """No `kaguan emulate` listens on this socket."""


Handler = Callable[[Request], list[dict[str, object]]]


def default_path() -> Path:
    """The socket of this user, where only he can reach it."""
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder) / "kaguan.sock" if folder else Path(tempfile.gettempdir()) / f"kaguan-{os.getuid()}.sock"


class ControlSocket:
    """Listens until closed; each request is done by the handler, on this socket's own thread."""

    def __init__(self, path: Path, handler: Handler) -> None:
        """Somebody listens now.

        Raises:
            RuleBroken: another process listens there.
            OSError: no right to the folder.
        """
        self.path = path
        self._handler = handler
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._bind()
        except BaseException:
            self._listener.close()
            raise
        self._thread = Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nobody listens any more, and the socket's name is gone."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # wakes the thread
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _bind(self) -> None:
        before = os.umask(0o177)
        try:
            if self.path.is_socket():
                if _answers(self.path):
                    raise RuleBroken(f"{self.path}: another 'kaguan emulate' runs; give this one its own --control")
                self.path.unlink()
            self._listener.bind(str(self.path))
        finally:
            os.umask(before)
        self._listener.listen()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with closing(connection), suppress(OSError):
                connection.settimeout(_ANSWERING_SECONDS)
                connection.sendall(json.dumps(self._answer(_line(connection))).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            return {"ok": True, "readers": self._handler(_request(line))}
        except (KaguanError, OSError) as error:
            return {"ok": False, "error": str(error)}


def ask(path: Path, request: Request) -> list[dict[str, object]]:
    """The readers, once the request has been done.

    Raises:
        NobodyThere: no emulator listens on the socket.
        RuleBroken: it could not be done.
    """
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(_ANSWERING_SECONDS)
        try:
            connection.connect(str(path))
            words = {"do": request.action, "reader": request.reader, "card": request.card}
            connection.sendall(json.dumps(words).encode() + b"\n")
            answer: dict[str, Any] = json.loads(_line(connection))
        except (OSError, ValueError):
            raise NobodyThere(f"{path}: no 'kaguan emulate' answers there; start one, or name its --control") from None
    if not answer["ok"]:
        raise RuleBroken(str(answer["error"]))
    readers: list[dict[str, object]] = answer["readers"]
    return readers


def _answers(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
        return True


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
        part = connection.recv(4096)
        if not part:
            break
        line += part
    return line


def _request(line: bytes) -> Request:
    try:
        words = json.loads(line)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, dict) or words.get("do") not in ACTIONS:
        raise InputError(f"expected a JSON object whose 'do' is one of {', '.join(ACTIONS)}")
    reader, card = words.get("reader", 0), words.get("card", "")
    if not isinstance(reader, int) or isinstance(reader, bool) or not isinstance(card, str):
        raise InputError("'reader' is a number, 'card' a text")
    return Request(words["do"], reader, card)
