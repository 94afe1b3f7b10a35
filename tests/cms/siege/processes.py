"""Acts in processes of their own, that answer, refuse, or are killed: each is forked off, with its own connection."""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from kaguan.apdu.errors import KaguanError

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """How an act ended: with an answer, or refused in these words, or, when `killed`, nobody heard how."""

    answer: Any = None
    refusal: type[KaguanError] | None = None
    words: str = ""
    killed: bool = False


class Running:
    """An act under way in a process of its own."""

    def __init__(self, act: Callable[[], Any], gate: tuple[int, int] | None = None) -> None:
        """Fork; with a gate, wait at it."""
        self._answers, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the child uses no thread of ours
            self.pid = os.fork()
        if self.pid == 0:
            try:
                _act(act, gate, writing)
            finally:
                os._exit(70)  # nothing of what the tests do at their end is the child's
        os.close(writing)

    def kill(self) -> None:
        """It runs no further."""
        os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> Ended:
        """How it ended."""
        told = b""
        while select.select([self._answers], [], [], PATIENCE_SECONDS)[0] and (part := os.read(self._answers, 65_536)):
            told += part
        os.close(self._answers)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return Ended(killed=True)
        ended = pickle.loads(told)  # noqa: S301 - our own child wrote it
        assert isinstance(ended, Ended), ended
        return ended


def apart(act: Callable[[], Any]) -> Ended:
    """How the act ended, in a process of its own."""
    connection.close()
    return Running(act).ended()


def side_by_side(*acts: Callable[[], Any]) -> list[Ended]:
    """How each act ended, all begun at the same moment, each in a process of its own."""
    connection.close()
    gate = os.pipe()
    running = [Running(act, gate) for act in acts]
    for end in gate:
        os.close(end)
    return [one.ended() for one in running]


def all_gone() -> None:
    """No transaction of somebody who was killed is under way in the database."""
    if connection.vendor != "postgresql":
        return
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ends = time.monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while True:
            cursor.execute(others)
            if cursor.fetchone() == (0,):
                return
            assert time.monotonic() < ends, "a transaction of somebody who is gone does not end"
            time.sleep(0.005)


def _act(act: Callable[[], Any], gate: tuple[int, int] | None, writing: int) -> None:
    """Tell how the act ended; never returns."""
    try:
        if gate:
            connection.ensure_connection()
            os.close(gate[1])
            os.read(gate[0], 1)  # until everybody has let go of the other end
        ended: object = Ended(act())
    except KaguanError as refusal:
        ended = Ended(refusal=type(refusal), words=str(refusal))
    except BaseException:
        ended = traceback.format_exc()
    with os.fdopen(writing, "wb") as stream:
        pickle.dump(ended, stream)
    connection.close()
    os._exit(0)
