"""Stations as processes of their own, started, watched and replaced until every row is settled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TypeAlias

from kaguan.apdu.errors import LinkError
from kaguan.database import DatabaseGone
from kaguan.personalization.job.claims import lapse
from kaguan.personalization.job.job import Counts, Job
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.line.terms import LineOrder

MOST_RESTARTS = 3
"""Stations that are started anew while no row is settled."""
POLL_SECONDS = 0.1
_COUNT_SHARE = 20
"""Counting a large job takes its time: it is to take no more than one part in so many."""


Progress: TypeAlias = Callable[[Job, Counts], None]
"""What is called with a job and how its rows stand now, now and then."""


class StationsDied(LinkError):
    """Stations kept dying; the job is unfinished and the same command goes on with it."""


class Supervisor:
    """Keeps the stations of one machine going until no row is open, or the job is drained."""

    def __init__(self, job: Job, line: LineOrder) -> None:
        self._job = job
        self._line = line
        self._places = len(line.readers) or line.stations
        self._stations: dict[int, subprocess.Popen[bytes]] = {}
        self._restarts = 0
        self._settled = 0  # rows
        self._settled_before = 0  # when a station last died

    def work_off(self, progress: Progress) -> None:
        """No row is open, or the job is drained and no station holds one.

        Raises:
            StationsDied: stations died again and again.
        """
        try:
            while True:
                started = time.monotonic()
                counts = self._job.counts()
                self._settled = counts.total - counts.open
                counted = time.monotonic() - started
                with suppress(DatabaseGone):  # a look that fails is no reason to stop
                    progress(self._job, counts)
                if not counts.open or (self._job.state is JobState.DRAINING and not self._stations):
                    return
                if self._job.state is not JobState.DRAINING:
                    for number in range(1, min(self._places, counts.open) + 1):
                        if number not in self._stations:
                            self._stations[number] = self._start(number)
                self._watch(max(POLL_SECONDS, counted * _COUNT_SHARE))
        finally:
            for process in self._stations.values():
                _close(process)
            for process in self._stations.values():
                process.wait()

    def _watch(self, seconds: float) -> None:
        """Look after the stations for so long, or until all have ended."""
        until = time.monotonic() + seconds
        while self._stations and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            self._bury_the_dead()

    def _bury_the_dead(self) -> None:
        for number, process in list(self._stations.items()):
            code = process.poll()
            if code is None:
                continue
            _close(process)
            del self._stations[number]
            lapse(self._job, station=self._name(number))
            if not code:
                continue
            self._restarts = self._restarts + 1 if self._settled == self._settled_before else 1
            self._settled_before = self._settled
            if self._restarts > MOST_RESTARTS:
                raise StationsDied(
                    f"station {number} ended with {code} and {MOST_RESTARTS} were restarted before: "
                    "mend what it says above, then run the same command again"
                )

    def _name(self, number: int) -> str:
        return station_name(self._line.machine, number)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        """A station process. It lives while its standard input is open; the passphrase comes in there."""
        line, terms = self._line, self._job.terms
        command = [sys.executable, "-m", "kaguan", "perso", "station", "--supervised"]
        command += ["--database", line.address, "--job", terms.name, "--cards", str(line.out)]
        command += ["--machine", line.machine, "--number", str(number)]
        command += ["--keys", terms.store if line.store is None else str(line.store.resolve())]
        command += ["--lease", str(line.lease_seconds)]
        if line.readers:
            command += ["--reader", line.readers[number - 1]]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - our own program
        passphrase = line.passphrase
        pipe = _pipe(process)
        pipe.write((passphrase.reveal() if passphrase else b"") + b"\n")
        pipe.flush()
        return process


def station_name(machine: str, number: int) -> str:
    """What the station of this number at this machine is called in the job."""
    return f"{machine}/{number}"


def _pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    return process.stdin


def _close(process: subprocess.Popen[bytes]) -> None:
    try:
        _pipe(process).close()
    except BrokenPipeError:
        os.waitpid(process.pid, os.WNOHANG)
