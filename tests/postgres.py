"""A PostgreSQL server of one's own, on a Unix socket, gone with the test process.

A server for tests does not wait for the disk: its programs may be killed, which loses nothing that the kernel holds.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from outside.programs import missing

_ROOMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_SETTINGS = ("-c", "listen_addresses=", "-c", "max_connections=64", "-c", "log_min_messages=fatal")


_STARTED: list[Server] = []


class Server:
    """A running server; a `durable` one answers a commit when it is on the disk."""

    def __init__(self, *, durable: bool) -> None:
        self._settings = _SETTINGS if durable else (*_SETTINGS, "-c", "fsync=off")
        self._programs = _ROOMS[0]
        self._folder = Path(tempfile.mkdtemp(prefix="kaguan-pg-"))
        self._data = self._folder / "data"
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres")
        _STARTED.append(self)
        # trust: only who may enter the folder reaches the socket
        self._run("initdb", "--pgdata", self._data, "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        self._folder.chmod(0o755)
        self.start()
        self._databases = 0

    @property
    def _as_user(self) -> list[str]:
        # PostgreSQL refuses to run as root
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as_user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder)

    def start(self) -> None:
        """The server answers."""
        options = " ".join([f"-k {self._folder}", *self._settings])
        log = self._folder / "log"
        self._run("pg_ctl", "--pgdata", self._data, "--log", log, "--wait", "--silent", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """The server is gone; `immediate` is as if the power failed."""
        self._run("pg_ctl", "--pgdata", self._data, "--wait", "--silent", "--mode", mode, "stop")

    def new_database(self, template: str = "template1") -> str:
        """The URL of a new database: empty, or like the one of this name, which nobody may be using."""
        self._databases += 1
        name = f"bureau{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database on this server."""
        return f"postgresql://{self._user}@/{name}?host={self._folder}"

    def remove(self) -> None:
        """Nothing is left of it."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def server(*, durable: bool = False) -> Server:
    """This process's server; the test is skipped when the machine has no PostgreSQL."""
    if not _ROOMS:
        missing("PostgreSQL is not installed: run scripts/debian-packages")
    return Server(durable=durable)


@atexit.register
def remove_all() -> None:
    """Nothing is left of any server that this process started."""
    while _STARTED:
        _STARTED.pop().remove()
