"""The line, run as the program that a bureau runs: killed, started again, given the wrong things."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.keystore import passphrase_path, store_orders
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.order.returnfile import read_rejects, read_return
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import Usage
from personalization.orders import Order

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[3] / "examples"
THREE = EXAMPLES / "order-3.zip"
TWO_HUNDRED = EXAMPLES / "order-200.zip"


def kaguan(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """The program, run to its end."""
    command = [sys.executable, "-m", "kaguan", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


def assert_every_holder_has_one_card(order: Path, out: Path) -> None:
    """Read by what stands on the cards themselves: each holder once, nobody twice, nobody else."""
    profile = load_profile("ssc-v2")
    found: Counter[tuple[str, str]] = Counter()
    chips: Counter[bytes] = Counter()
    for path in (out / "cards").glob("*.card"):
        card = EmulatedCard(load_image(path))
        identity = converse(card, read_identity(profile))
        assert path.stem == identity.card_no
        found[identity.card_no, identity.id_no] += 1
        chips[card.atr] += 1
    with open_order(order) as opened:
        expected = Counter((holder.card_no, holder.id_no) for holder in opened.holders())
    assert found == expected
    assert set(chips.values()) == {1}
    with (out / "return-good.txt").open("rb") as file:
        rows = list(read_return(file))
    assert Counter((row.card_no, row.cert_no) for row in rows) == expected
    assert {row.atr for row in rows} == {atr.hex().upper() for atr in chips}


def test_an_order_becomes_cards_and_return_files(tmp_path: Path) -> None:
    done = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--stations", 2)
    assert done.returncode == 0, done.stderr
    assert_every_holder_has_one_card(THREE, tmp_path / "job")
    report = json.loads((tmp_path / "job" / "report.json").read_text())
    assert (report["good"], report["rejected"], report["refused"], report["chips_scrapped"]) == (3, 0, 0, 0)
    with (tmp_path / "job" / "return-bad.txt").open("rb") as file:
        assert not list(read_rejects(file))
    status = kaguan("perso", "status", tmp_path / "job", "--json")
    assert json.loads(status.stdout)["good"] == 3


def test_the_same_command_again_makes_nothing_twice(tmp_path: Path) -> None:
    kaguan("perso", "run", THREE, "--out", tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "cards").iterdir()}
    again = kaguan("perso", "run", THREE, "--out", tmp_path)
    assert again.returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "cards").iterdir()} == before
    assert json.loads((tmp_path / "report.json").read_text())["made_in_this_run"] == 0


def test_another_order_does_not_get_into_the_folder(tmp_path: Path) -> None:
    kaguan("perso", "run", THREE, "--out", tmp_path)
    refused = kaguan("perso", "run", TWO_HUNDRED, "--out", tmp_path)
    assert refused.returncode == 5
    assert "another order" in refused.stderr


def test_a_second_run_beside_the_first_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kaguan", "perso", "run", str(TWO_HUNDRED), "--out", str(tmp_path)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for_cards(tmp_path, 1)
        second = kaguan("perso", "run", TWO_HUNDRED, "--out", tmp_path)
        assert second.returncode == 5
        assert "in use by another process" in second.stderr
    finally:
        assert first.wait(60) == 0
    assert_every_holder_has_one_card(TWO_HUNDRED, tmp_path)


def test_killed_twenty_times_it_still_makes_every_card_once(tmp_path: Path) -> None:
    """Kill -9 of the supervisor, of a station, or of all of them, at moments that nobody chose."""
    dice = random.Random(20261101)
    command = [sys.executable, "-m", "kaguan", "perso", "run", str(TWO_HUNDRED), "--out", str(tmp_path)]
    for number in range(20):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        # Early kills hit the intake, later ones the writing: each run gets a little further than the one before.
        time.sleep(dice.uniform(0.2, 0.9))
        if number % 3 == 0:
            os.killpg(run.pid, signal.SIGKILL)
        else:
            run.kill()
        run.wait()
    last = kaguan("perso", "run", TWO_HUNDRED, "--out", tmp_path)
    assert last.returncode == 0, last.stderr
    assert_every_holder_has_one_card(TWO_HUNDRED, tmp_path)
    assert not list((tmp_path / "cards").glob(".*.part")) or last.returncode == 0


def test_a_station_killed_costs_its_claims_a_retry_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kaguan", "perso", "run", str(TWO_HUNDRED), "--out", str(tmp_path)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for_cards(tmp_path, 5)
    stations = children_of(run.pid)
    assert stations
    os.kill(stations[0], signal.SIGKILL)
    assert run.wait(60) == 0
    assert run.stderr is not None
    run.stderr.close()
    assert_every_holder_has_one_card(TWO_HUNDRED, tmp_path)


def test_a_bad_row_stops_the_order_and_writes_nothing(tmp_path: Path) -> None:
    order = spoiled_in_row_two(tmp_path)
    refused = kaguan("perso", "run", order, "--out", tmp_path / "job")
    assert refused.returncode == 7
    assert "ssseef060a" in refused.stdout
    assert "nothing was made" in refused.stderr
    assert not list((tmp_path / "job").rglob("*.card"))
    assert not (tmp_path / "job" / "return-good.txt").exists()


def test_bad_rows_may_be_skipped_and_are_answered_with_their_reasons(tmp_path: Path) -> None:
    order = spoiled_in_row_two(tmp_path)
    done = kaguan("perso", "run", order, "--out", tmp_path / "job", "--skip-bad")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "job" / "return-bad.txt").open("rb") as file:
        (row,) = read_rejects(file)
    assert (row.data_seq, row.stage) == ("000002", "order")
    assert "ssseef060a" in row.reason
    assert len(list((tmp_path / "job" / "cards").iterdir())) == 4


def test_a_fault_of_the_file_is_never_skipped(tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(THREE.read_bytes()[:-100])
    refused = kaguan("perso", "run", broken, "--out", tmp_path / "job", "--skip-bad")
    assert refused.returncode == 7


def test_a_wrong_passphrase_is_said_before_anything_is_made(tmp_path: Path) -> None:
    kaguan("perso", "run", THREE, "--out", tmp_path / "first")
    wrong = tmp_path / "wrong"
    wrong.write_text("not it\n")
    store = tmp_path / "first" / "keys" / "test.store"
    refused = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", store, "--passphrase-file", wrong)
    assert refused.returncode == 6
    assert not (tmp_path / "job").exists()


def test_a_given_store_makes_the_cards(tmp_path: Path) -> None:
    kaguan("perso", "run", THREE, "--out", tmp_path / "first")
    store = tmp_path / "moved.store"
    shutil.copy(tmp_path / "first" / "keys" / "test.store", store)
    passphrase = tmp_path / "passphrase"
    shutil.copy(tmp_path / "first" / "keys" / "test.store.passphrase", passphrase)
    done = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", store, "--passphrase-file", passphrase)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "job" / "keys").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_the_same_command_finishes(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        full = kaguan("perso", "run", TWO_HUNDRED, "--out", disk / "job")
        assert full.returncode in (4, 5), full.stderr
        assert "No space left" in full.stderr or "full" in full.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        done = kaguan("perso", "run", TWO_HUNDRED, "--out", disk / "job")
        assert done.returncode == 0, done.stderr
        assert_every_holder_has_one_card(TWO_HUNDRED, disk / "job")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_orphans_of_a_killed_run_take_nothing_from_the_next(tmp_path: Path) -> None:
    """Stations that were stopped before they began wake up in the middle of another run."""
    command = [sys.executable, "-m", "kaguan", "perso", "run", str(TWO_HUNDRED), "--out", str(tmp_path)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    orphans = wait_for_children(first.pid)
    time.sleep(0.05)  # they have become programs of their own, and have not begun to work
    for orphan in orphans:
        os.kill(orphan, signal.SIGSTOP)
    first.kill()
    first.wait()
    second = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    wait_for_cards(tmp_path, 20)
    for orphan in orphans:
        os.kill(orphan, signal.SIGCONT)
    assert second.wait(60) == 0
    assert_every_holder_has_one_card(TWO_HUNDRED, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["good"] == 200


def test_a_reader_that_fails_is_no_rows_fault(tmp_path: Path) -> None:
    """Without a PC/SC service nothing is rejected: the job waits for a better day."""
    nowhere = {**os.environ, "PCSCLITE_CSOCK_NAME": str(tmp_path / "nobody")}
    run = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--backend", "pcsc", "--reader", "0", env=nowhere)
    assert run.returncode == 4, run.stderr
    status = json.loads(kaguan("perso", "status", tmp_path / "job", "--json").stdout)
    assert (status["pending"], status["rejected"]) == (3, 0)


def test_a_store_without_the_keys_is_no_rows_fault(tmp_path: Path) -> None:
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.generate("TK", Usage.TRANSPORT, Algorithm.TDES, os.urandom)
    store = tmp_path / "poor.store"
    store.write_bytes(vault.sealed(Secret(b"open"), os.urandom))
    passphrase_path(store).write_bytes(b"open\n")
    run = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", store)
    assert run.returncode == 6, run.stderr
    assert not list((tmp_path / "job" / "cards").iterdir())


def test_a_live_store_does_not_go_onto_emulated_chips(tmp_path: Path) -> None:
    profile = load_profile("ssc-v2")
    vault = SoftwareVault.empty(StoreKind.LIVE)
    for order in store_orders(profile):
        vault.generate(order.label, order.usage, order.algorithm, os.urandom, levels=order.levels)
    vault.generate("TK", Usage.TRANSPORT, Algorithm.TDES, os.urandom)
    store, passphrase = tmp_path / "live.store", tmp_path / "passphrase"
    store.write_bytes(vault.sealed(Secret(b"open"), os.urandom))
    passphrase.write_bytes(b"open\n")
    run = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", store, "--passphrase-file", passphrase)
    assert run.returncode == 5, run.stderr
    assert "live" in run.stderr
    shutil.copy(passphrase, passphrase_path(store))
    beside = kaguan("perso", "run", THREE, "--out", tmp_path / "other", "--keys", store)
    assert beside.returncode == 6
    assert "lies beside it" in beside.stderr


def test_what_a_job_began_with_it_goes_on_with(tmp_path: Path) -> None:
    kaguan("perso", "run", THREE, "--out", tmp_path / "job")
    store = tmp_path / "job" / "keys" / "test.store"
    moved = tmp_path / "moved.store"
    for path in (store, passphrase_path(store)):
        shutil.copy(path, moved.with_name(path.name.replace("test.store", "moved.store")))
    refused = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", moved)
    assert refused.returncode == 5
    assert "was begun with store" in refused.stderr


def test_what_is_about_people_is_for_the_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "job"
    assert kaguan("perso", "run", THREE, "--out", out).returncode == 0
    modes = {path.relative_to(out): stat.S_IMODE(path.stat().st_mode) for path in out.rglob("*") if path.is_file()}
    about_people = [path for path in modes if path.suffix in {".card", ".sqlite", ".store", ".passphrase"}]
    about_people += [path for path in modes if path.name.startswith("return-")]
    assert len(about_people) >= 8
    assert {modes[path] for path in about_people} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


def spoiled_in_row_two(folder: Path) -> Path:
    """An order of five holders, the second of no sex that the standard knows."""
    order = Order()
    order.row(2)["ssseef060a"] = "7"
    return order.write(folder / "spoiled.zip")


def wait_for_cards(out: Path, least: int) -> None:
    """Return when so many cards are stored."""
    for _ in range(6000):
        if (out / "cards").is_dir() and len(list((out / "cards").glob("*.card"))) >= least:
            return
        time.sleep(0.02)
    raise AssertionError("no cards came")


def wait_for_children(pid: int) -> list[int]:
    """The process ids of two children, as soon as they are there."""
    for _ in range(12_000):
        if len(children := children_of(pid)) == 2:
            return children
        time.sleep(0.005)
    raise AssertionError("no stations came")


def children_of(pid: int) -> list[int]:
    """The process ids of the stations among the children."""
    found = []
    for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            if b"station" in Path(f"/proc/{word}/cmdline").read_bytes().split(b"\0"):
                found.append(int(word))
    return found
