"""The desk's doors, on a job of three cards, as people use them."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.order.returnfile import read_return
from personalization.care.bank import certificate, opened
from terminal.doors import Ended, call

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
THREE = ROOT / "examples" / "order-3.zip"
Two = list[str]


def secret(folder: Path, name: str, text: str = "correct horse") -> Path:
    path = folder / name
    path.touch(0o600)
    path.write_text(text + "\n")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished job of three cards, made once."""
    out = tmp_path_factory.mktemp("desk") / "job"
    assert call("perso", "run", THREE, "--out", out, "--stations", "1", "--machine", "m1").code == 0
    return out


@pytest.fixture
def job(made: Path, tmp_path: Path) -> Path:
    """The same, with keys in their first place and two operators."""
    out = tmp_path / "job"
    shutil.copytree(made, out)
    for name in ("Wang Fang", "Li Na"):
        file = secret(tmp_path, name.split()[0].lower())
        assert call("perso", "operator", "add", name, out, "--operator-file", f"{name}={file}").code == 0
    return out


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """Both operators, with their passphrases."""
    files = [f"--operator-file={name}={tmp_path / name.split()[0].lower()}" for name in ("Wang Fang", "Li Na")]
    return ["--by", "wang fang", "--by", "LI NA", *files]


def atrs(out: Path) -> dict[str, bytes]:
    """Card number and answer to reset of every finished card."""
    return {path.stem: EmulatedCard(load_image(path)).atr for path in (out / "cards").glob("*.card")}


def test_a_card_is_made_again_and_its_old_one_is_nowhere(job: Path, two: Two) -> None:
    before = atrs(job)
    card_no = min(before)
    ended = call("perso", "remake", card_no, job, "--reason", "scratched", *two)
    assert (ended.code, ended.complaint) == (0, "")
    assert set(atrs(job)) == set(before) - {card_no}
    again = call("perso", "remake", card_no, job, "--reason", "scratched", *two)
    assert "done before" in again.lines[0]
    row = json.loads(call("perso", "instant", card_no, job, "--machine", "m1", "--json").lines[0])
    assert row["seconds"] < 1
    after = atrs(job)
    assert set(after) == set(before)
    assert after[card_no] != before[card_no]
    assert stat.S_IMODE(os.stat(row["return_row"]).st_mode) == 0o600
    with open(row["return_row"], "rb") as file:
        (returned,) = read_return(file)
    assert (returned.card_no, returned.atr) == (card_no, after[card_no].hex().upper())
    dead = json.loads(call("perso", "dead", job, "--json").lines[0])
    assert [entry["atr"] for entry in dead] == [before[card_no].hex().upper()]
    total = json.loads(call("perso", "balance", job, "--json").lines[0])
    assert (total["total"]["good"], total["total"]["scrap"], total["open"]) == (3, 1, [])
    assert call("perso", "close", job).lines[-1] == "the job is closed"
    assert call("perso", "close", job).lines[-1] == "the job was closed before"


def test_an_image_that_came_back_is_removed_by_the_next_run(job: Path, two: Two) -> None:
    card_no = min(atrs(job))
    old = (job / "cards" / f"{card_no}.card").read_bytes()
    assert call("perso", "sample", card_no, job, "--reason", "bending test", *two).code == 0
    (job / "cards" / f"{card_no}.card").write_bytes(old)
    assert call("perso", "run", THREE, "--out", job, "--stations", "1", "--machine", "m1").code == 0
    assert (job / "cards" / f"{card_no}.card").read_bytes() != old
    report = json.loads((job / "report.json").read_text())
    assert (report["good"], report["state"], len(report["dead_cards"])) == (3, "closed", 1)
    assert report["dead_cards"][0]["fate"] == "sample"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda two: ["--by", "Wang Fang", *two[4:]], "takes two operators"),
        (lambda two: ["--by", "Wang Fang", "--by", "wangfang", *two[4:]], "cannot approve what"),
        (lambda two: ["--by", "Wang Fang", "--by", "Mallory", two[4], two[5].replace("Li Na", "Mallory")], "is wrong"),
        (lambda two: [*two[:4], two[4], two[4].replace("Wang Fang", "Li Na").replace("/wang", "/wrong")], "is wrong"),
    ],
)
def test_one_person_is_not_two(job: Path, two: Two, change: Callable[[Two], Two], complaint: str) -> None:
    secret(job.parent, "wrong", "wrong horse")
    ended = call("perso", "remake", "1", job, "--reason", "scratched", *change(two))
    assert ended.code == 5
    assert complaint in ended.complaint
    assert json.loads(call("perso", "status", job, "--json").lines[0])["good"] == 3


def test_a_passphrase_that_others_can_read_is_none(job: Path, two: Two, tmp_path: Path) -> None:
    (tmp_path / "li").chmod(0o644)
    assert call("perso", "remake", "1", job, "--reason", "scratched", *two).code == 7


def test_the_return_row_of_an_instant_card_may_be_sealed(job: Path, two: Two, tmp_path: Path) -> None:
    card_no, bank = min(atrs(job)), certificate(tmp_path)
    assert call("perso", "remake", card_no, job, "--reason", "scratched", *two).code == 0
    made = json.loads(call("perso", "instant", card_no, job, "--machine", "m1", "--seal-for", bank, "--json").lines[0])
    (row,) = job.glob("return-row-*")
    assert str(row) == made["return_row"]
    (returned,) = read_return(BytesIO(opened(row, tmp_path)))
    assert returned.card_no == card_no


@pytest.mark.parametrize("named", ["row", "card"])
def test_a_row_that_waits_is_let_before_others(job: Path, two: Two, named: str) -> None:
    card_no = min(atrs(job))
    assert call("perso", "remake", card_no, job, "--reason", "scratched", *two).code == 0
    (row,) = (n for n in "123" if "does not wait" not in call("perso", "priority", n, job, "--level", "1").complaint)
    which = row if named == "row" else card_no
    assert call("perso", "priority", which, job, "--level", "7").lines == [f"row {row} has priority 7"]
    refused = call("perso", "priority", "9", job)
    assert (refused.code, refused.lines) == (5, [])


def test_a_row_that_has_its_card_is_no_instant_card(job: Path) -> None:
    ended = call("perso", "instant", "1", job, "--machine", "m1")
    assert ended.code == 5
    assert "has its card" in ended.complaint
    assert "does not exist" in call("perso", "instant", "77", job, "--machine", "m1").complaint
    assert "no row with this card number" in call("perso", "instant", "A12345678", job).complaint


def test_status_says_it_in_lines_and_in_json(job: Path) -> None:
    lines = call("perso", "status", job).lines
    assert lines[1] == "3 of 3 cards good, 0 at work, 0 waiting, 0 rejected, 0 refused"
    assert lines[-1] == "m1, " + lines[-1].split(", ")[1]
    look = json.loads(call("perso", "status", job, "--json", "--watch").lines[-1])
    assert (look["state"], look["good"], look["eta_seconds"], look["balance"][0]["closed"]) == ("closed", 3, 0.0, True)


def test_nobody_says_which_job(tmp_path: Path) -> None:
    assert "say which job" in call("perso", "balance").complaint
    assert "holds no personalization job" in call("perso", "pause", tmp_path).complaint


def commands(page: str) -> list[list[str]]:
    """Every command of the page, in its order."""
    blocks = re.findall(r"^```\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.startswith("kaguan ")]


def test_the_page_of_the_shift_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands, one after another, in a folder with nothing but the order and two passphrases."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(THREE, tmp_path / "order-3.zip")
    secret(tmp_path, "wang.secret"), secret(tmp_path, "li.secret")
    for name in ("room.key", "pairing.key"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(secrets.token_hex(32))
    said: dict[str, list[Ended]] = {}
    for _, *words in commands((ROOT / "docs" / "bureau.md").read_text(encoding="utf-8")):
        ended = call(*words)
        assert ended.code == 0, (words, ended)
        said.setdefault(words[1], []).append(ended)
    assert {
        "operator",
        "run",
        "status",
        "remake",
        "instant",
        "sample",
        "scrap",
        "balance",
        "shift",
        "lost",
        "close",
    } <= set(said)
    assert said["close"][0].lines[-1] == "the job is closed"
    night, day = json.loads(call("perso", "balance", "night", "--database", "bureau.sqlite", "--json").lines[0])[
        "shifts"
    ]
    assert (night["samples"], night["scrap"], night["good"], day["lost"]) == (1, 1, 3, 1)
