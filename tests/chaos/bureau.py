"""The bureau of one seed: its order, keys, database and disk, and the runs that somebody starts there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

from chaos.plan import Plan, write_order_of
from kaguan.card_os.profile import load_profile
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.keys.sitting import sit
from kaguan.personalization.keystore import add_factory_key, passphrase_path, store_orders
from personalization.keys.people import OPEN, TIME, make_store, two
from postgres import Server

TESTS = Path(__file__).parents[1]
HANGS_SECONDS = 240.0
_MARK = "KAGUAN_CHAOS"
CLOCK = Path(__file__).with_name("clock.c")


class Finding(AssertionError):
    """Something that must never be."""


class Place:
    """A folder in which a machine of this name runs the order, with the run that is there now or was last."""

    def __init__(self, out: Path, machine: str) -> None:
        self.out = out
        self.machine = machine
        self.run: subprocess.Popen[bytes] | None = None
        self.ended_with: int | None = None

    @property
    def cards(self) -> int:
        """How many cards are finished here."""
        return len(list((self.out / "cards").glob("*.card")))

    @property
    def goes(self) -> bool:
        """Whether a run is at work here."""
        if self.run is not None and self.run.poll() is not None:
            self.ended_with, self.run = self.run.returncode, None
        return self.run is not None


class House:
    """All that the seed's bureau has. `address` is empty for the database in the first folder."""

    def __init__(self, plan: Plan, folder: Path, server: Server | None, cluster: tuple[str, ...] = ()) -> None:
        self.plan = plan
        self.folder = folder
        self.order = folder / "order.zip"
        self.server = server if plan.server else None
        self.address = self.server.new_database() if self.server else ""
        self.places = [Place(folder / "first" / "job", "m1")]
        self.log = folder / "log"
        self.said: list[str] = []
        self._cluster = cluster
        self._timers: list[Timer] = []
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path[1:]]),
            _MARK: str(folder),
        }
        self._keys: list[str] = []
        write_order_of(plan, self.order)
        self.order_bytes = self.order.read_bytes()
        (folder / "first").mkdir()
        self.store = folder / "keys.store"
        if plan.uses or (self.server and plan.seed % 2):
            self._make_keys()
        if plan.clock:
            self._wind_clock()

    @property
    def first(self) -> Place:
        """The place that every bureau has."""
        return self.places[0]

    @property
    def database(self) -> str:
        """The database's address."""
        return self.address or str(self.first.out / "job.sqlite")

    def place(self, folder: str, machine: str) -> Place:
        """The place of this name."""
        out = self.folder / folder / "job"
        out.parent.mkdir(exist_ok=True)
        found = next((place for place in self.places if place.out == out), None)
        if found is None:
            found = Place(out, machine)
            self.places.append(found)
        return found

    def start(self, place: Place) -> subprocess.Popen[bytes]:
        """A run in this place, in a process group of its own; what it complains of goes into the log."""
        plan = self.plan
        words = ["perso", "run", self.order, "--out", place.out, "--stations", plan.stations, "--sample", plan.sampling]
        words += ["--lease", plan.lease_seconds, "--machine", place.machine, "--operator", "li", *self._keys]
        words += ["--database", self.address] if self.address else []
        words += ["--skip-bad"] if plan.bad else []
        words += self._cluster if plan.engine == "cluster" else []
        with self.log.open("ab") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "chaos.program", *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                env=self._environment,
            )
        self.tell(f"run in {place.out.parent.name} as {place.machine}")
        return run

    def begin(self, place: Place) -> None:
        """A run goes in this place."""
        if not place.goes:
            place.out.parent.mkdir(exist_ok=True)
            place.run = self.start(place)

    def wait(self, run: subprocess.Popen[bytes]) -> int:
        """The run's exit code.

        Raises:
            Finding: it does not end.
        """
        try:
            code = run.wait(HANGS_SECONDS)
        except subprocess.TimeoutExpired:
            seen = {pid: state_of(pid) for pid in self.processes()}
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            raise Finding(f"a run did not end in {HANGS_SECONDS:g} s; its processes: {seen}") from None
        self.tell(f"run ended with {code}")
        return code

    def end_of(self, place: Place) -> int:
        """The exit code of this place's last run, which is over."""
        if place.goes:
            assert place.run is not None
            self.wait(place.run)
            assert not place.goes
        assert place.ended_with is not None
        return place.ended_with

    def processes(self, *words: str) -> list[int]:
        """Every process of this bureau, whoever started it, with all of these words in its command line."""
        own = f"{_MARK}={self.folder}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                line = entry.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
                if all(word in line for word in words) and own in entry.joinpath("environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def later(self, seconds: float, pid: int, number: signal.Signals) -> None:
        """The process gets the signal then, or when the house is mended."""

        def send() -> None:
            if pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

        timer = Timer(seconds, send)
        self._timers.append(timer)
        timer.start()

    def mend(self) -> None:
        """Nothing is in the way of the job any more."""
        for timer in self._timers:
            timer.join()
        self._timers.clear()
        self.order.write_bytes(self.order_bytes)

    def set_clock(self, seconds: float) -> None:
        """The clocks of all programs of the bureau are wrong by so many seconds."""
        (self.folder / "clock").write_text(f"{seconds:.0f}\n")

    @contextmanager
    def bureau(self) -> Iterator[Bureau]:
        """The database, from another process."""
        with Bureau(self.database) as bureau:
            yield bureau

    def tell(self, text: str) -> None:
        """What happened, for whoever reads a finding."""
        self.said.append(f"{time.monotonic():.2f} {text}")

    def complaints(self) -> str:
        """What all runs and stations have said on standard error."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def remove(self) -> None:
        """Nothing is left of it."""
        for timer in self._timers:
            timer.cancel()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.plan.disk_kib and os.path.ismount(self.first.out.parent):
            subprocess.run(["umount", "--lazy", str(self.first.out.parent)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def mount(self) -> bool:
        """The first folder is on a small disk; False when the machine does not let us."""
        options = ["-t", "tmpfs", "-o", f"size={self.plan.disk_kib}k", "tmpfs", str(self.first.out.parent)]
        return subprocess.run(["mount", *options], check=False).returncode == 0

    def enlarge(self) -> None:
        """The disk has room for everything."""
        subprocess.run(["mount", "-o", "remount,size=128m", str(self.first.out.parent)], check=True)

    def _make_keys(self) -> None:
        """A store with a register, of whose keys each may work so often as the plan says."""
        make_store(self.store)
        with sit(self.store, OPEN, two(), lambda: TIME) as sitting:
            orders = store_orders(load_profile("ssc-v2"))
            sitting.generate(orders, most_uses=self.plan.uses, activate=True, given=[add_factory_key])
        passphrase_path(self.store).write_bytes(OPEN.reveal() + b"\n")
        self._keys = ["--keys", str(self.store)]

    def _wind_clock(self) -> None:
        self.set_clock(0)
        library = self.folder / "clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(CLOCK)], check=True)
        self._environment |= {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self.folder / "clock")}


def state_of(pid: int) -> str:
    """What the process is and whether it sleeps, as the system says."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return f"{state} {' '.join(words[1:6])}"
    return "gone"
