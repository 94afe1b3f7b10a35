"""Nothing that the program keeps for itself tells of anybody, while it runs, after kill -9, and in its words."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select, update

from kaguan.apdu.errors import KaguanError
from kaguan.card_os.profile import load_profile
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import find_job
from kaguan.personalization.job.schema import State, card, metadata, pin
from kaguan.personalization.keys.tokenstore import store_of
from kaguan.personalization.keystore import open_store
from kaguan.personalization.paper.pins import draw_pin, pin_block
from kaguan.personalization.preparation.packing import unpack
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.preparation.record import initial_pin
from kaguan.personalization.station.records import open_records
from kaguan.vault.secret import Pin
from personalization.care.jobs import (
    COMMAND,
    done,
    dump,
    every_text,
    files_that_tell,
    holders,
    kaguan,
    made_job,
    order_of_five,
    traces_of,
)
from personalization.orders import Order, Task, holder

pytestmark = pytest.mark.slow
TWO_HUNDRED = Path(__file__).parents[3] / "examples" / "order-200.zip"
NOT_FOR_ITSELF = ("*.card", ".*.stored", ".*.part", "return-*.txt")
"""The cards themselves, and what leaves the house."""


def told_of(folder: Path, traces: Iterable[bytes]) -> list[str]:
    """Files that tell of somebody, but for those that are meant to."""
    return [name for name in files_that_tell(folder, traces) if not any(map(Path(name).match, NOT_FOR_ITSELF))]


def large_order(folder: Path) -> Path:
    """An order that is prepared by processes of their own: its photos are many."""
    people = [holder(number) for number in range(1, 301)]
    for number, person in enumerate(people):
        person["ssseef0609"] = f"测试{chr(0x4E00 + number)}"
    photo = os.urandom(16 << 10)  # refused for what it is: the rows are judged, and their photos travel
    return Order([Task("T1", people)], photos={person["cert_no"]: photo for person in people}).write(folder / "l.zip")


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_a_run_that_is_killed_leaves_nothing_in_clear(tmp_path: Path, database: str, seconds: float) -> None:
    out, temporary = tmp_path / "job", tmp_path / "tmp"
    temporary.mkdir()
    traces = traces_of(holders(TWO_HUNDRED))
    command = [*COMMAND, "perso", "run", str(TWO_HUNDRED), "--out", str(out), "--database", database]
    run = subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(temporary)}, start_new_session=True, stdout=subprocess.DEVNULL
    )
    deadline, told = time.monotonic() + seconds, []
    while time.monotonic() < deadline and run.poll() is None:
        told += told_quietly(temporary, traces)
        time.sleep(0.05)
    with suppress(ProcessLookupError):  # a quick machine has made its two hundred cards by then
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert told == []
    assert files_that_tell(temporary, traces) == []
    assert told_of(out, traces) == []
    assert files_that_tell(dump(database, tmp_path / "dump"), traces) == []


def told_quietly(folder: Path, traces: Iterable[bytes]) -> list[str]:
    """As `files_that_tell`, while files come and go."""
    try:
        return files_that_tell(folder, traces)
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("remote", [False, True])
def test_engines_leave_nothing_in_clear(tmp_path: Path, remote: bool) -> None:
    order, out, temporary, engine = large_order(tmp_path), tmp_path / "job", tmp_path / "tmp", tmp_path / "engine"
    temporary.mkdir()
    traces = traces_of(holders(order))
    env = {**os.environ, "TMPDIR": str(temporary)}
    more: list[object] = []
    if remote:
        pytest.importorskip("distributed")
        said = done("perso", "engine", "up", "--folder", engine, "--workers", 1, "--port", 0, env=env)
        more = ["--engine", said.split()[0], "--folder", engine]
    try:
        ended = kaguan("perso", "run", order, "--out", out, "--skip-bad", *more, env=env)
        assert "300 refused" in ended.stdout, ended.stderr
        assert told_of(out, traces) == []
        assert files_that_tell(temporary, traces) == []
        if remote:
            assert files_that_tell(engine, traces) == []
    finally:
        if remote:
            done("perso", "engine", "down", "--folder", engine, env=env)


def test_a_whole_job_says_nobodys_number(tmp_path: Path, database: str) -> None:
    """Every word of it: standard output and error, report, audit trail, and what errors say."""
    order, out, words = order_of_five(tmp_path), tmp_path / "job", tmp_path / "words"
    words.mkdir()
    broken = tmp_path / "broken.zip"
    broken.write_bytes(order.read_bytes()[:-50])
    where = ("--database", database)
    for number, arguments in enumerate(
        (
            ("order", "check", order),
            ("order", "check", order, "--json"),
            ("order", "check", broken),
            ("perso", "run", order, "--out", out, *where),
            ("perso", "run", broken, "--out", out, *where),
            ("perso", "run", order, "--out", out, *where, "--skip-bad"),
            ("perso", "run", order, "--out", out, *where, "--skip-bad"),
            ("perso", "run", order, "--out", out, *where, "--profile", "ssc-v3"),
            ("perso", "status", out, *where, "--json"),
            ("perso", "audit", "list", *where),
            ("perso", "audit", "export", *where, "--to", words / "trail.jsonl"),
            ("perso", "audit", "verify", *where),
            ("perso", "purge", "--job", out, *where),
        )
    ):
        ended = kaguan(*arguments)
        (words / f"{number}.txt").write_text(ended.stdout + ended.stderr)
    (words / "errors.txt").write_text("\n".join(what_errors_say(database)))
    shutil.copy(out / "report.json", words)
    done("perso", "purge", "--job", out, *where, "--after", 0, "--proofs", words)
    assert len(list(words.iterdir())) == 17
    assert files_that_tell(words, traces_of(holders(order))) == []
    pin = initial_pin(load_profile("ssc-v2")).reveal_digits()
    assert [path.name for path, text in every_text(words) if re.search(rf"(?<![0-9a-f]){pin}(?![0-9a-f])", text)] == []


def what_errors_say(database: str) -> list[str]:
    """The words of errors about records that were tampered with, and of everything that holds one."""
    said = []
    with Bureau(database) as bureau:
        job = find_job(bureau)
        vault, plan = open_store(store_of(job.terms.store)), plan_of(load_profile("ssc-v2"), job.terms.columns)
        records = open_records(job, vault, plan)
        for row in job.settled(State.GOOD, State.REFUSED):
            holder, record = records.open_any(row.number, row.sealed)
            said += [repr(holder), str(holder), repr(record), repr(records.key)]
            for number, sealed in (
                (row.number, row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])),
                (row.number + 1, row.sealed),
            ):
                with pytest.raises(KaguanError) as caught:
                    records.open_any(number, sealed)
                said.append(f"{caught.value} {caught.value!r}")
        with pytest.raises(Exception) as constraint, bureau.transaction() as connection:
            connection.execute(update(card).values(tag=b"same for all", state="good"))
        said.append(str(constraint.value))
    return said


def test_files_are_their_owners_alone_whatever_the_mask(tmp_path: Path) -> None:
    order, out = order_of_five(tmp_path), tmp_path / "job"
    open_for_all = ("sh", "-c", 'umask 000; exec "$@"', "sh", *COMMAND)
    for arguments in (
        ("run", order, "--out", out, "--skip-bad", "--checkpoint", tmp_path / "checkpoints"),
        ("audit", "export", out, "--to", tmp_path / "trail"),
        ("purge", "--job", out, "--after", 0, "--proofs", tmp_path / "proofs"),
    ):
        run = subprocess.run(
            [*open_for_all, "perso", *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        for path in (out, *out.rglob("*"), *(tmp_path / name for name in ("checkpoints", "trail", "proofs"))):
            if path.exists():
                mode = stat.S_IMODE(path.stat().st_mode)
                harmless = path.suffix == ".lock" or path.name == "ceremony.txt"
                assert mode == (0o700 if path.is_dir() else 0o644 if harmless else 0o600), path


@pytest.mark.parametrize("kind", ["profile", "drawn"])
def test_first_pins_are_not_in_the_data_path(tmp_path: Path, database: str, kind: str) -> None:
    """What a card's record holds is the same whatever its PIN is, and no PIN is in any file in clear."""
    order, out = order_of_five(tmp_path), tmp_path / "job"
    made_job(order, out, database, "--pins", kind)
    profile, other, firsts = load_profile("ssc-v2"), draw_pin(os.urandom), []
    with Bureau(database) as bureau:
        job = find_job(bureau)
        plan = plan_of(profile, job.terms.columns)
        records = open_records(job, open_store(store_of(job.terms.store)), plan)
        for row in job.settled(State.GOOD):
            packed = records.key.open(row.number, records.job, row.sealed)
            first = records.open(row.number, row.sealed)[1].pin
            assert not any(trace in packed for trace in pin_traces(first))
            _, with_other = unpack(plan, packed, pin=other)
            assert with_other is not None
            assert with_other.pin.reveal() == other.reveal()
            firsts.append(first)
        with bureau.transaction() as connection:
            blobs = [bytes(blob) for blob in connection.execute(select(pin.c.sealed)).scalars()]
        for blob in blobs:  # the key of the data path opens none of them
            with pytest.raises(KaguanError):
                records.key.open(1, records.job, blob)
    assert len(blobs) == (4 if kind == "drawn" else 0)
    assert len({first.reveal() for first in firsts}) == (4 if kind == "drawn" else 1)
    traces = [trace for first in firsts for trace in pin_traces(first)]
    for folder in (dump(database, tmp_path / "dump"), out):
        assert told_of(folder, traces) == []


def pin_traces(pin: Pin) -> list[bytes]:
    """How a PIN of six digits would be stored: the digits apart from others, or a block of ISO 9564-1 format 1."""
    digits = pin.reveal_digits().encode()
    fence = [b'"', b"'", b"|", b",", b" ", b"\t", b"\n", b"\xa6"]
    return [*(left + digits + right for left in fence for right in fence), pin_block(pin, os.urandom)[:4]]


def test_what_is_secret_in_the_database_is_in_columns_of_bytes() -> None:
    columns = {f"{column.table.name}.{column.name}": column for table in metadata.tables.values() for column in table.c}
    assert {name for name, column in columns.items() if isinstance(column.type, LargeBinary)} == {
        "job.data_key", "job.pin_key", "card.tag", "card.sealed", "card.ident_code", "chip.ident_code", "event.digest",
        "pin.sealed",
    }  # fmt: skip
    texts = {name.split(".")[1] for name, column in columns.items() if not isinstance(column.type, LargeBinary)}
    assert not [name for name in texts if re.search("mailer|address|holder|cert|phone|photo", name)]
