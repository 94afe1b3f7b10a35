"""A purge leaves nothing of anybody, proves it, and gets to its end wherever it is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy import event as hooks

from kaguan.apdu.errors import RuleBroken
from kaguan.card_os.profile import load_profile
from kaguan.personalization.care.belongings import belongings
from kaguan.personalization.care.hold import hold, release
from kaguan.personalization.care.proof import (
    ProofBroken,
    read_proof,
    verify_in_database,
    verify_in_folder,
    write_proof,
)
from kaguan.personalization.care.purge import PeopleLeft, Purge, due_jobs, purge_job
from kaguan.personalization.job.audit import entries, verify_trail
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.decisions import remake
from kaguan.personalization.job.job import find_job
from kaguan.personalization.job.schema import card, job, pin
from kaguan.personalization.job.shifts import balances
from kaguan.personalization.keys.tokenstore import store_of
from kaguan.personalization.keystore import OpenVault, make_test_store, open_store
from kaguan.personalization.order.returnfile import read_rejects
from personalization.care.jobs import (
    done,
    dump,
    files_that_tell,
    holders,
    in_child,
    kaguan,
    made_job,
    order_of_five,
    traces_of,
)
from personalization.job.bureaus import PEOPLE, hire
from postgres import server

pytestmark = pytest.mark.slow
NOW = Purge(by="li", machine="m1", days=0.0)


class Made:
    """A closed job: its order, its folder, its database and its store's vault."""

    def __init__(self, order: Path, out: Path, database: str) -> None:
        self.order, self.out, self.database = order, out, database
        with Bureau(database) as bureau:
            store = find_job(bureau).terms.store
        self.vault: OpenVault = open_store(store_of(store))

    @property
    def plan(self) -> Purge:
        return Purge(by="li", machine="m1", days=0.0, folder=self.out)

    def copy(self, to: Path) -> Made:
        """Another one like it."""
        made = object.__new__(Made)
        made.order, made.out, made.vault = self.order, to, self.vault
        shutil.copytree(self.out, to)
        made.database = str(to / "job.sqlite") if "://" not in self.database else copied(self.database)
        return made

    def purge(self) -> str:
        """The proof."""
        with Bureau(self.database) as bureau:
            return purge_job(find_job(bureau), self.vault, self.plan)


def copied(address: str) -> str:
    """The URL of another database with the same in it."""
    new = server().new_database()
    dumped = subprocess.run(["pg_dump", address], check=True, capture_output=True).stdout
    subprocess.run(["psql", "--quiet", "--output", os.devnull, new], input=dumped, check=True)
    return new


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    database = str(folder / "job" / "job.sqlite") if request.param == "sqlite" else server().new_database()
    order = order_of_five(folder)
    (folder / "job").mkdir(mode=0o700)
    made_job(order, folder / "job", database, "--pins", "drawn")
    return Made(order, folder / "job", database)


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    return original.copy(tmp_path / "job")


def assert_nothing_is_left(made: Made, where: Path) -> None:
    traces = traces_of(holders(made.order))
    assert files_that_tell(made.out, traces) == []
    assert files_that_tell(dump(made.database, where), traces) == []
    assert belongings(made.out, "") == []
    with Bureau(made.database) as bureau, bureau.transaction() as connection:
        rest = select(func.count()).where(card.c.sealed.is_not(None) | card.c.tag.is_not(None))
        assert connection.execute(rest).scalar_one() == 0
        assert connection.execute(select(job.c.data_key, job.c.pin_key)).one() == (None, None)
        assert connection.execute(select(func.count()).select_from(pin)).scalar_one() == 0


def test_before_a_purge_the_search_finds_people(made: Made) -> None:
    """Or else what follows would say nothing."""
    told = files_that_tell(made.out, traces_of(holders(made.order)))
    assert {"return-good.txt", "return-bad.txt"} <= set(told)
    assert sum(name.endswith(".card") for name in told) == 4
    with (made.out / "return-bad.txt").open("rb") as file:
        assert [row.data_seq for row in read_rejects(file)] == ["000002"]


def test_a_purge_leaves_counts_and_nobody(made: Made, tmp_path: Path) -> None:
    shutil.copy(made.order, made.out / "copy of the order.zip")
    (made.out / "P_0000000009_20261101080000_V01_S_0_990100_95588.txt").write_bytes(b"a list")
    (made.out / "mailers-A-00000001-00000005.pdf").write_bytes(b"%PDF")
    (made.out / "faces-0001.pdf").write_bytes(b"%PDF")
    (made.out / "pins.bin").write_bytes(b"KAGUANP1 sealed")
    with Bureau(made.database) as bureau:
        this = find_job(bureau)
        before = this.counts(), balances(this), this.rejects_by_reason()
        serials = {row.serial for row in this.settled("good")}
    proof = json.loads(made.purge())
    assert_nothing_is_left(made, tmp_path / "dump")
    with Bureau(made.database) as bureau:
        this = find_job(bureau)
        assert (this.counts(), balances(this), this.rejects_by_reason()) == before
        with bureau.transaction() as connection:
            kept = set(connection.execute(select(card.c.serial).where(card.c.state == "good")).scalars())
        assert kept == serials
        verify_trail(bureau)
    kinds = sorted(found["what"] for found in proof["files"])
    expected = ["PIN file", "PIN mailers", "card previews", *["emulated card"] * 4, "order"]
    assert kinds == [*expected, "report of rejected people", "return file", "task list"]
    assert (proof["rows"], proof["pins"]) == (5, 4)
    assert (proof["searched"]["people"], proof["searched"]["found"]) == (5, 0)
    assert (made.out / "report.json").exists()


def test_the_proof_holds_and_a_changed_one_does_not(made: Made, tmp_path: Path) -> None:
    path = write_proof(tmp_path, made.purge())
    with Bureau(made.database) as bureau:
        proof = read_proof(path, made.vault)
        verify_in_database(proof, bureau)
        verify_in_folder(proof, made.out)
    whole = json.loads(path.read_text())
    for name, value in (("rows", 4), ("files", whole["files"][1:]), ("by", "wang"), ("ended_at", 1.0), ("mac", "00")):
        path.write_text(json.dumps({**whole, name: value}))
        with pytest.raises(ProofBroken, match="changed after it was signed"):
            read_proof(path, made.vault)
    make_test_store(tmp_path / "other.store", load_profile("ssc-v2"))
    path.write_text(json.dumps(whole))
    with pytest.raises(ProofBroken, match="signed under the key"):
        read_proof(path, open_store(tmp_path / "other.store"))
    (made.out / "return-good.txt").write_text("again")
    with pytest.raises(ProofBroken, match="1 files about people"):
        verify_in_folder(proof, made.out)
    with Bureau(made.database) as bureau, bureau.transaction() as connection:
        connection.execute(update(card).where(card.c.number == 1).values(sealed=b"again"))
    with Bureau(made.database) as bureau, pytest.raises(ProofBroken, match="has personal data: 1 rows, 0 PINs, 0 keys"):
        verify_in_database(proof, bureau)


def test_what_is_done_twice_is_done_once(made: Made) -> None:
    first = made.purge()
    assert made.purge() == first
    with Bureau(made.database) as bureau:
        assert [entry.action for entry in entries(bureau)].count("personal data purged") == 1


def test_a_job_whose_folder_is_gone_is_purged(original: Made, tmp_path: Path) -> None:
    if "://" not in original.database:
        pytest.skip("its database went with the folder")
    made = original.copy(tmp_path / "job")
    shutil.rmtree(made.out)
    proof = json.loads(made.purge())
    assert (proof["rows"], proof["files"], proof["folder"]) == (5, [], False)
    shutil.copytree(original.out, made.out)  # it turns up again
    second = json.loads(made.purge())
    assert (second["rows"], len(second["files"]), second["number"]) == (0, 6, proof["number"] + 1)
    assert_nothing_is_left(made, tmp_path / "dump")


def test_an_open_a_young_and_a_held_job_lose_nothing(made: Made) -> None:
    with Bureau(made.database) as bureau:
        hire(bureau)
        this = find_job(bureau)
        assert due_jobs(bureau, 30) == []
        with pytest.raises(RuleBroken, match=r"to be kept for (29\.9|30\.0) days more"):
            purge_job(this, made.vault, Purge("li", "m1", 30, made.out))
        assert hold(this, "li", "a court asked")
        assert not hold(this, "li", "asked again")
        assert due_jobs(bureau, 0) == []
        with pytest.raises(RuleBroken, match="is held"):
            purge_job(this, made.vault, made.plan)
        assert release(this, PEOPLE, "the court is done")
        assert [found.key for found in due_jobs(bureau, 0)] == [this.key]
        assert remake(this, PEOPLE, 1, "scratched")
        with pytest.raises(RuleBroken, match="is open: only a closed job"):
            purge_job(this, made.vault, made.plan)
        assert this.data_key
    assert len(belongings(made.out, "")) == 6


def test_a_purged_job_takes_no_more_orders_holds_or_cards(made: Made, tmp_path: Path) -> None:
    made.purge()
    with Bureau(made.database) as bureau:
        hire(bureau)
        with pytest.raises(RuleBroken, match="purged"):
            hold(find_job(bureau), "li", "too late")
        with pytest.raises(RuleBroken, match="purged"):
            remake(find_job(bureau), PEOPLE, 1, "scratched")
    again = kaguan("perso", "run", made.order, "--out", tmp_path / "new", "--database", made.database, "--skip-bad")
    assert again.returncode == 5, again.stderr
    assert not list(tmp_path.glob("new/cards/*.card"))


def test_a_file_of_somebody_elses_that_names_people_stops_it(made: Made) -> None:
    person = holders(made.order)[3]
    note = made.out / "notes" / "complaints.txt"
    note.parent.mkdir()
    for content in (f"call {person.name}, please".encode("gb18030"), f"x{person.id_no}y".encode()):
        note.write_bytes(content)
        with pytest.raises(PeopleLeft, match="1 files"):
            made.purge()
    with Bureau(made.database) as bureau:
        assert find_job(bureau).data_key
    note.write_bytes(b"nothing about anybody")
    made.purge()
    assert note.exists()


class KilledAt:
    """Ends this process with SIGKILL before the n-th statement to the database or deletion, renaming of a file."""

    def __init__(self, number: int) -> None:
        self._left = number
        hooks.listen(Engine, "before_cursor_execute", lambda *_: self._step())
        hooks.listen(Engine, "commit", lambda *_: self._step())
        sys.addaudithook(
            lambda name, _: self._step() if name in ("os.remove", "os.rename", "sqlite3.connect") else None
        )

    def _step(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def test_killed_anywhere_it_gets_to_its_end(original: Made, tmp_path: Path) -> None:
    """At every second step in SQLite, every seventh in PostgreSQL; and then the same command again."""
    killed = 0
    for step in range(1, 400, 2 if "://" not in original.database else 7):
        made = original.copy(tmp_path / f"job{step}")

        def work(made: Made = made, step: int = step) -> None:
            KilledAt(step)
            made.purge()

        status = in_child(work)
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
        write_proof(tmp_path, made.purge())
        assert_nothing_is_left(made, tmp_path / f"dump{step}")
        with Bureau(made.database) as bureau:
            actions = [entry.action for entry in entries(bureau)]
            verify_trail(bureau)
        assert (actions.count("purge begun"), actions.count("personal data purged")) == (1, 1)
        shutil.rmtree(made.out)
        if status == 0:
            break
    assert killed >= 5


def test_the_doors(made: Made, tmp_path: Path) -> None:
    where = ("--database", made.database) if "://" in made.database else ()
    said = done("perso", "purge", "--job", made.out, *where, "--after", 0)
    assert "5 records and 6 files are destroyed" in said
    (proof,) = made.out.glob("purge-*.json")
    assert proof.stat().st_mode & 0o777 == 0o600
    assert "holds" in done("perso", "purge", "verify", proof, "--job", made.out, *where)
    assert "no job is to be purged" in done("perso", "purge", "--database", made.database, "--after", 0)
    said = done("perso", "audit", "verify", *(where or [made.out]))
    assert "nobody can tell whether the end was cut off" in said
    with Bureau(made.database) as bureau:
        said = " ".join(entry.action for entry in entries(bureau))
    assert said.endswith("purge begun personal data purged checkpoint")


def test_no_page_of_postgresql_holds_a_wrapped_key(original: Made, tmp_path: Path) -> None:
    """They are under a key of the vault that lives on: so they must be gone from the server's files too."""
    if "://" not in original.database:
        pytest.skip("the search through the folder shows it for SQLite")
    made = original.copy(tmp_path / "job")
    with Bureau(made.database) as bureau:
        keys = find_job(bureau).data_key, find_job(bureau).pin_key
        assert all(pages_with(bureau, key) for key in keys)
        made.purge()
        assert not any(pages_with(bureau, key) for key in keys)


def pages_with(bureau: Bureau, wanted: bytes) -> list[Path]:
    """The server's files of this database that hold these bytes."""
    with bureau.statement() as connection:
        connection.execute(text("CHECKPOINT"))
        folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
        number = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    return [path for path in (folder / "base" / str(number)).iterdir() if wanted in path.read_bytes()]
