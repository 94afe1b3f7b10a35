"""A Dask cluster on this machine: a scheduler and its workers, for as long as one process lives.

Bound to loopback if no other address is asked for; no dashboard, and no pages behind the HTTP port that Dask opens
all the same; nothing is spilled to disk. What the certificate protects, `credentials` says.
Run as `python -m kaguan.personalization.preparation.hosting FOLDER WORKERS HOST PORT` for one in the background.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaguan.apdu.errors import KaguanError
from kaguan.durable import InUse, locked, write_whole
from kaguan.personalization.preparation.cluster import PORT, SCHEME, EngineAbsent, dask, security_of
from kaguan.personalization.preparation.credentials import make_credentials, remove_credentials

LOG = "engine.log"
LOOPBACK = "127.0.0.1"
_STATE, _LOCK, _SCRATCH = "engine.json", ".engine.lock", "scratch"
_START_SECONDS, _STOP_SECONDS, _POLL_SECONDS, _MEND_SECONDS = 120, 60, 0.1, 1.0
_SETTINGS = {
    "distributed.comm.require-encryption": True,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.deploy.lost-worker-timeout": "60s",  # a busy machine takes its time
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.scheduler.no-workers-timeout": "60s",  # not for ever
    "distributed.worker.profile.enabled": False,
    "distributed.admin.low-level-log-length": 0,
}


@dataclass(frozen=True, slots=True)
class HostedEngine:
    """A cluster that this machine hosts."""

    address: str
    workers: int
    pid: int


def host_engine(folder: Path, *, workers: int, host: str, port: int, ready: Callable[[HostedEngine], None]) -> None:
    """The cluster has lived until SIGTERM or Ctrl-C, and its certificate is gone with it.

    Raises:
        InUse: another cluster has this folder.
        EngineAbsent: Dask is not installed, or the port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(folder / _LOCK, f"the engine in {folder}"):
        (folder / _STATE).unlink(missing_ok=True)
        make_credentials(folder)
        try:
            with dask("dask").config.set(_SETTINGS):
                _live(folder, workers, host, port, ready)
        finally:
            (folder / _STATE).unlink(missing_ok=True)
            remove_credentials(folder)


def _live(folder: Path, workers: int, host: str, port: int, ready: Callable[[HostedEngine], None]) -> None:
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        cluster = dask("distributed").LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host=host,
            scheduler_port=port,
            protocol="tls://",
            security=security_of(folder),
            dashboard_address=f"{LOOPBACK}:0",
            scheduler_kwargs={"dashboard": False},
            local_directory=str(folder / _SCRATCH),
        )
    except (OSError, RuntimeError) as error:
        raise EngineAbsent(f"no cluster can be started at {host}:{port}: {error.__cause__ or error}") from None
    with cluster:
        engine = HostedEngine(SCHEME + cluster.scheduler_address.partition("://")[2], workers, os.getpid())
        state = {"address": engine.address, "workers": engine.workers, "pid": engine.pid}
        write_whole(folder / _STATE, json.dumps(state).encode(), mode=0o600)
        ready(engine)
        while not over.wait(_MEND_SECONDS):
            cluster.loop.add_callback(_mend, cluster, workers)


def _mend(cluster: Any, workers: int) -> None:
    """Workers that Dask gave up are begun anew: it starts one again that dies at work, but not one that dies while it
    starts, nor one that is long in coming back."""
    for name in [name for name, nanny in cluster.workers.items() if nanny.status.name in ("closed", "failed")]:
        del cluster.workers[name]
    cluster.scale(workers)


def start_engine(folder: Path, *, workers: int, host: str = LOOPBACK, port: int = PORT) -> HostedEngine:
    """The cluster is up, in a process of its own that outlives this one; what it says is in `engine.log`.

    Raises:
        InUse: another cluster has this folder.
        EngineAbsent: it did not start; with the last thing that it said.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(folder / _LOCK, f"the engine in {folder}"):
        (folder / _STATE).unlink(missing_ok=True)
    command = [sys.executable, "-m", __name__, str(folder), str(workers), host, str(port)]
    descriptor = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, start_new_session=True
        )
    finally:
        os.close(descriptor)
    for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
        engine = hosted_engine(folder)
        if engine is not None:
            process.returncode = 0  # it is on its own from here; Python would warn that it still runs
            return engine
        if process.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    process.kill()
    process.wait()
    said = (folder / LOG).read_text(errors="replace").strip().splitlines()
    raise EngineAbsent(f"the engine did not start: {said[-1] if said else 'it said nothing'}; see {folder / LOG}")


def hosted_engine(folder: Path) -> HostedEngine | None:
    """The cluster that this machine hosts from the folder, or None."""
    try:
        state = json.loads((folder / _STATE).read_bytes())
    except FileNotFoundError:
        return None
    try:  # only where there is a state, for one that is just starting must find the lock free
        with locked(folder / _LOCK, f"the engine in {folder}"):
            return None  # it was killed
    except InUse:
        pass
    return HostedEngine(state["address"], state["workers"], state["pid"])


def stop_engine(folder: Path) -> HostedEngine | None:
    """No cluster is hosted from the folder, and no key of one is left there; the one that was, or None.

    Raises:
        InUse: it does not end.
    """
    engine = hosted_engine(folder)
    if engine is None:
        if (folder / _STATE).exists():  # it was killed; without a state the certificate is a copy of another machine's
            remove_credentials(folder)
            (folder / _STATE).unlink()
        return None
    os.kill(engine.pid, signal.SIGTERM)
    for _ in range(int(_STOP_SECONDS / _POLL_SECONDS)):
        if hosted_engine(folder) is None:
            return engine
        time.sleep(_POLL_SECONDS)
    raise InUse(f"the engine, process {engine.pid}, does not end: stop it yourself")


def main() -> None:
    """Host a cluster until told to end."""
    folder, workers, host, port = sys.argv[1:]
    try:
        host_engine(Path(folder), workers=int(workers), host=host, port=int(port), ready=lambda _: None)
    except KaguanError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
