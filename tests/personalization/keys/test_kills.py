"""Ceremonies, steps and workers killed at any moment: whole or not begun, and no use beyond the counter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kaguan.personalization.keys.opening import open_guarded, open_vault
from kaguan.personalization.keys.storefile import StoreFile
from kaguan.vault.guard import KeyState
from kaguan.vault.vault import KeyNotActive, KeyRef
from personalization.keys.people import OPEN, make_store
from personalization.keys.test_store_file import CARD, LOAD, changed, ordered

pytestmark = pytest.mark.slow


def test_a_forked_process_has_nothing_of_what_was_reserved(store: Path) -> None:
    ordered(store, LOAD, most=64)
    vault = open_guarded(store, OPEN)
    vault.mac(CARD, b"")
    child = os.fork()
    if not child:
        try:
            vault.mac(CARD, b"")
        except KeyNotActive:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    vault.mac(CARD, b"")


WORKER = """
import sys
from pathlib import Path
from kaguan.personalization.keys.opening import open_guarded
from kaguan.vault.secret import Secret
from kaguan.vault.vault import KeyRef, KeyUsedUp
vault = open_guarded(Path(sys.argv[1]), Secret(b"open the store"))
card = KeyRef("DLK").diversified(b"990100sx")
try:
    while True:
        vault.mac(card, b"")
        sys.stdout.write(".")
        sys.stdout.flush()
except KeyUsedUp:
    sys.stdout.write("!")
"""


@pytest.mark.parametrize("seed", range(2))
def test_no_key_is_used_beyond_its_counter_by_many_that_are_killed(store: Path, seed: int) -> None:
    """Every use is told after it was made, so what was told is no more than what was made: the limit is for both."""
    most = 1000
    ordered(store, LOAD, most=most)
    running: list[subprocess.Popen[bytes]] = []
    told = 0
    finished = False
    for number in range(30):
        while len(running) < 3:
            running.append(subprocess.Popen([sys.executable, "-c", WORKER, str(store)], stdout=subprocess.PIPE))
        time.sleep(0.2 + (seed * 7 + number * 3) % 10 / 50)
        victim = running.pop(0)
        if (seed + number) % 3:
            victim.send_signal(signal.SIGKILL)
        output = victim.communicate()[0]
        told += output.count(b".")
        finished = finished or b"!" in output
        if finished:
            break
    for victim in running:
        told += victim.communicate()[0].count(b".")
    with StoreFile(store) as file:
        row = file.checked_rows(open_vault(file, OPEN).tag)[0]
    assert told <= row.used == most
    assert finished


CEREMONY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from personalization.keys.people import make_store
print("go", flush=True)
make_store(Path(sys.argv[1]))
"""


def test_a_ceremony_killed_at_any_moment_leaves_no_store_or_a_whole_one(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[2])
    outcomes = set()
    process = subprocess.Popen([sys.executable, "-c", CEREMONY, str(tmp_path / "first"), tests], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    begun = time.monotonic()
    assert process.wait() == 0
    process.stdout.close()
    whole_seconds = time.monotonic() - begun
    for number in range(20):
        path = tmp_path / f"store{number}"
        process = subprocess.Popen([sys.executable, "-c", CEREMONY, str(path), tests], stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(whole_seconds * (0.55 + number / 30))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        outcomes.add(path.exists())
        if not path.exists():
            make_store(path)
        assert [info.label for info in open_guarded(path, OPEN).infos()] == ["card-masters"]
        with StoreFile(path) as file:
            assert len(file.record()) == 1
        assert not list(tmp_path.glob(f".{path.name}.*.part*"))
    assert True in outcomes


def test_a_step_is_whole_at_every_write(store: Path) -> None:
    """Killed at each statement of a step in turn: the store is as before, and the step can be done again."""
    ordered(store, LOAD)
    changed(store, KeyRef("DLK"), KeyState.RETIRED)
    with StoreFile(store) as file:
        before = [*file.rows(), *file.record_lines(), file.sealed]
    for failing in range(1, 4):
        script = (
            "import os,sys;sys.path.insert(0, sys.argv[2]);from pathlib import Path;import sqlite3\n"
            "from personalization.keys.test_store_file import changed\n"
            "from kaguan.personalization.keys import storefile\n"
            "from kaguan.vault.guard import KeyState;from kaguan.vault.vault import KeyRef\n"
            "connected=storefile._connected\n"
            "left=[int(sys.argv[3])]\n"
            "def watched(path):\n"
            "    connection=connected(path)\n"
            "    def trace(statement):\n"
            "        if statement.startswith(('INSERT', 'UPDATE')):\n"
            "            left[0]-=1\n"
            "            if not left[0]: os.kill(os.getpid(), 9)\n"
            "    connection.set_trace_callback(trace)\n"
            "    return connection\n"
            "storefile._connected=watched\n"
            "changed(Path(sys.argv[1]), KeyRef('DLK'), KeyState.DESTROYED)\n"
        )
        tests = str(Path(__file__).parents[2])
        killed = subprocess.run([sys.executable, "-c", script, str(store), tests, str(failing)], check=False)
        assert killed.returncode == -signal.SIGKILL
        with StoreFile(store) as file:
            assert [*file.rows(), *file.record_lines(), file.sealed] == before
    changed(store, KeyRef("DLK"), KeyState.DESTROYED)
    with StoreFile(store) as file:
        assert len(file.record_lines()) == 4


OPENER = """
import sys
from pathlib import Path
from kaguan.personalization.keys.opening import open_guarded
from kaguan.vault.secret import Secret
for _ in range(60):
    open_guarded(Path(sys.argv[1]), Secret(b"open the store")).close()
"""


def test_a_store_opens_whatever_step_is_being_done(store: Path) -> None:
    """Sealed keys, rows and record are read as of one moment."""
    ordered(store, LOAD)
    opener = subprocess.Popen([sys.executable, "-c", OPENER, str(store)])
    while opener.poll() is None:
        changed(store, KeyRef("DLK"), KeyState.SUSPENDED, KeyState.ACTIVE)
        ordered(store, LOAD._replace(version=int(time.monotonic_ns() % 60000) + 2))
    assert opener.returncode == 0
