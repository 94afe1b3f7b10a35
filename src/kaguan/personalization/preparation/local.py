"""The local engine: as many processes as there are cores, each supervised by a thread of its own.

Law 1. A worker that dies costs the call it was at, and no other: another worker takes its place.
Law 2. Workers end when this process does, however it ends: they live while their standard input is open.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any, ParamSpec, TypeVar

from kaguan.apdu.errors import LinkError
from kaguan.personalization.preparation.transit import dumps, result_of
from kaguan.personalization.preparation.worker import receive, send

P = ParamSpec("P")
T = TypeVar("T")
_COMMAND = (sys.executable, "-m", "kaguan.personalization.preparation.worker")


class WorkerDied(LinkError):
    """A worker died at its work; nothing of what it was to give has come."""


class WorkersDied(WorkerDied):
    """One after another died at the same work: to give it to yet another is no use."""


class LocalEngine(ThreadPoolExecutor):
    """An `Executor` whose calls run in supervised processes; functions must be known by name there."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        super().__init__(self.workers, thread_name_prefix="preparation")
        self._processes = [_Process() for _ in range(self.workers)]
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that live."""
        return [pid for process in self._processes if (pid := process.pid)]

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The call is made in one of the processes; it raises `WorkerDied` when that process dies at it."""
        return super().submit(self._call, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as inherited
        """No process is left. Without waiting, what is at work is lost."""
        if not wait:
            for process in self._processes:
                process.kill()
        super().shutdown(wait=True, cancel_futures=cancel_futures or not wait)
        for process in self._processes:
            process.close()

    def _call(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        process = self._idle.get()
        try:
            outcome = process.call(dumps((function, args, kwargs)))
        finally:
            self._idle.put(process)
        result: T = result_of(outcome)
        return result


class _Process:
    """One worker, started when it is first called, and again when it has died."""

    def __init__(self) -> None:
        self._popen: subprocess.Popen[bytes] | None = None
        self._over = False

    @property
    def pid(self) -> int:
        popen = self._popen
        return popen.pid if popen is not None and popen.poll() is None else 0

    def call(self, raw: bytes) -> bytes:
        popen = self._popen
        if popen is None or popen.poll() is not None:
            self.close()
            if self._over:
                raise WorkerDied("the engine was shut down")
            popen = self._popen = subprocess.Popen(  # noqa: S603 - our own program
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 16
            )
        calls, outcomes = _pipes(popen)
        try:
            send(calls, raw)
            return receive(outcomes)
        except (EOFError, BrokenPipeError):
            pid = popen.pid
            self.close()
            raise WorkerDied(f"worker {pid} of the local engine died, exit code {popen.returncode}") from None

    def kill(self) -> None:
        self._over = True
        if self._popen is not None:
            self._popen.kill()

    def close(self) -> None:
        popen, self._popen = self._popen, None
        if popen is None:
            return
        for pipe in _pipes(popen):
            with suppress(BrokenPipeError):
                pipe.close()
        popen.wait()


def _pipes(popen: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert popen.stdin is not None  # noqa: S101 - both were asked for
    assert popen.stdout is not None  # noqa: S101
    return popen.stdin, popen.stdout
