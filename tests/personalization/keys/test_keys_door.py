"""`kaguan keys`, as its custodians use it: at a terminal and from scripts."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kaguan.durable import locked
from kaguan.personalization.keys.storefile import lock_path
from kaguan.vault.record import verify_record
from personalization.keys.people import NAMES, OPEN, make_store, passphrase
from personalization.line.test_line import THREE, assert_every_holder_has_one_card, kaguan

pytestmark = pytest.mark.slow

TWO = NAMES[:2]


def secret_file(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


def passphrase_options(folder: Path, *names: str) -> list[str]:
    options = []
    for name in names:
        file = secret_file(folder / f"{name}.passphrase", passphrase(name).reveal() + b"\n")
        options += ["--passphrase-file", f"{name}={file}"]
    return options


def deal(
    folder: Path, kind: str = "test", zone: str = "card-masters", threshold: int = 2
) -> tuple[dict[str, Path], str]:
    """The sheets of three custodians, by name, and the check value that stands on them."""
    custodians = [part for name in NAMES for part in ("--custodian", name)]
    out = folder / f"sheets-{kind}-{zone}"
    done = kaguan("keys", "deal", "--kind", kind, "--zone", zone, "--threshold", threshold, *custodians, "--out", out)
    assert done.returncode == 0, done.stderr
    value = re.search(r"^check value (\w{6})$", done.stdout, re.MULTILINE)
    assert value
    return dict(zip(NAMES, sorted(out.iterdir()), strict=True)), value[1]


def hold(store: Path, sheets: dict[str, Path], value: str, *more: object) -> subprocess.CompletedProcess[str]:
    shares = [part for name, sheet in sheets.items() for part in ("--share-file", f"{name}={sheet}")]
    values = [part for name in sheets for part in ("--check-value", f"{name}={value}")]
    return kaguan("keys", "ceremony", store, *shares, *values, *passphrase_options(store.parent, *sheets), *more)


def of_two(sheets: dict[str, Path]) -> dict[str, Path]:
    return {name: sheets[name] for name in TWO}


def test_each_share_has_a_file_of_its_own_for_its_owner_alone(tmp_path: Path) -> None:
    sheets, value = deal(tmp_path)
    texts = {name: sheet.read_text() for name, sheet in sheets.items()}
    for name, sheet in sheets.items():
        assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
        text = texts[name]
        assert f"custodian    {name}\n" in text
        assert value in text
        assert len(re.findall(r"^\d: ", text, re.MULTILINE)) == 6
        assert text.count("\f") == 1
        assert len(text.splitlines()) < 60, "one page"
        assert max(map(len, text.splitlines())) <= 80
        assert not any(f"custodian    {other}\n" in text for other in NAMES if other != name)
    numbers = {re.search(r"sheet (\S+)", text)[1] for text in texts.values()}  # type: ignore[index]
    assert len(numbers) == 3


def test_a_bureaus_keys_from_shares_to_cards(tmp_path: Path) -> None:
    """Ceremony, card masters with a limit, a job made with them, counters, record: all of it."""
    sheets, value = deal(tmp_path)
    store, people = tmp_path / "bureau.store", passphrase_options(tmp_path, *TWO)
    made = hold(store, of_two(sheets), value, "--activate")
    assert made.returncode == 0, made.stderr
    generated = kaguan(
        "keys",
        "generate",
        store,
        "--profile",
        "ssc-v2",
        "--transport",
        "emulated",
        "--uses",
        1000,
        "--activate",
        *people,
    )
    assert generated.returncode == 0, generated.stderr
    digest = generated.stdout.split()[-1]
    job = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", store, "--stations", 2)
    assert job.returncode == 0, job.stderr
    assert_every_holder_has_one_card(THREE, tmp_path / "job")
    keys = {row["label"]: row for row in json.loads(kaguan("keys", "list", store, "--json").stdout)}
    assert keys["TK"]["most_uses"] == 1000
    assert 3 <= keys["SSSE.STK"]["used"] <= 30
    assert keys["card-master-zone"]["used"] == 0
    record = tmp_path / "record.jsonl"
    assert kaguan("keys", "record", store, "--out", record).returncode == 0
    assert kaguan("keys", "record", store, "--out", record).returncode == 5
    verified = kaguan("keys", "verify", record, "--store", store, "--digest", digest)
    assert verified.returncode == 0, verified.stderr
    assert "2 entries, every one in place and signed" in verified.stdout
    assert [entry.step for entry in verify_record(record.read_text().splitlines())] == ["ceremony", "generate"]
    shown = json.loads(kaguan("keys", "show", store, "TK", "--json").stdout)
    assert [entry["step"] for entry in shown["record"]] == ["generate"]


def test_a_key_that_is_suspended_makes_no_cards(tmp_path: Path) -> None:
    sheets, value = deal(tmp_path)
    store, people = tmp_path / "bureau.store", passphrase_options(tmp_path, *TWO)
    assert hold(store, of_two(sheets), value).returncode == 0
    options = ("--profile", "ssc-v2", "--transport", "emulated", "--activate", *people)
    assert kaguan("keys", "generate", store, *options).returncode == 0
    assert kaguan("keys", "suspend", store, "TK", *people).returncode == 0
    job = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", store)
    assert job.returncode != 0
    assert "TK.1 is suspended" in job.stderr
    assert not list((tmp_path / "job" / "cards").glob("*.card"))
    assert kaguan("keys", "activate", store, "TK", *people).returncode == 0
    again = kaguan("perso", "run", THREE, "--out", tmp_path / "job", "--keys", store)
    assert again.returncode == 0, again.stderr


def test_live_stores_and_test_orders_refuse_each_other(tmp_path: Path) -> None:
    sheets, value = deal(tmp_path, "live")
    store = tmp_path / "live.store"
    own = secret_file(tmp_path / "own", OPEN.reveal())
    assert hold(store, of_two(sheets), value, "--activate", "--store-passphrase-file", own).returncode == 0
    assert not store.with_name("live.store.passphrase").exists()
    people = [*passphrase_options(tmp_path, *TWO), "--store-passphrase-file", own]
    emulated = kaguan("keys", "generate", store, "--profile", "ssc-v2", "--transport", "emulated", *people)
    assert emulated.returncode == 6
    assert "at least 2 components" in emulated.stderr
    new = kaguan("keys", "generate", store, "--profile", "ssc-v2", "--transport", "new", "--activate", *people)
    assert new.returncode == 0, new.stderr
    options = ("--out", tmp_path / "job", "--keys", store, "--passphrase-file", own)
    refused = kaguan("perso", "run", THREE, *options, "--backend", "pcsc", "--reader", "0")
    assert refused.returncode == 5
    assert "cards of region 990100 are test and the key store is live" in refused.stderr
    sheets, value = deal(tmp_path, "test", "transport")
    mixed = hold(store, of_two(sheets), value, "--store-passphrase-file", own)
    assert mixed.returncode == 6
    assert "never meet" in mixed.stderr


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (lambda f: f.update(li=f["wang"]), 6, "li entered the same share as wang"),
        (lambda f: f.update(li=f["zhao"]), 6, "was not dealt to li"),
        (lambda f: f.pop("li"), 6, "takes 2 shares, 1 were entered"),
        (lambda f: f["li"].chmod(0o640), 7, "others may read"),
        (lambda f: f["li"].write_text(""), 7, "empty"),
        (lambda f: f["li"].write_bytes(b"\xff\xfe"), 7, "no text"),
        (lambda f: f["li"].write_text(f["li"].read_text().replace("3: ", "3: A", 1)), 6, "line 3 should have 18"),
    ],
    ids=["one share twice", "another's share", "too few", "open to others", "empty", "no text", "mistyped"],
)
def test_what_is_wrong_with_shares_is_said(tmp_path: Path, spoil, code: int, said: str) -> None:  # type: ignore[no-untyped-def]
    sheets, value = deal(tmp_path)
    spoil(sheets)
    sheets.pop("zhao")
    done = hold(tmp_path / "s", sheets, value)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "s").exists()
    for line in re.findall(
        r"^\d: (.*)$", "".join(p.read_text(errors="replace") for p in sheets.values()), re.MULTILINE
    ):
        assert line not in done.stdout + done.stderr


def test_a_wrong_check_value_and_a_share_of_another_ceremony(tmp_path: Path) -> None:
    sheets, value = deal(tmp_path)
    others, _ = deal(tmp_path, zone="transport")
    assert "nothing was stored" in hold(tmp_path / "s", of_two(sheets), "000000").stderr
    mixed = hold(tmp_path / "s", {"wang": sheets["wang"], "li": others["li"]}, value)
    assert mixed.returncode == 6
    assert "belongs to set" in mixed.stderr
    assert not (tmp_path / "s").exists()


def test_dangerous_steps_take_two_people_and_one_step_at_a_time(tmp_path: Path) -> None:
    store = tmp_path / "s"
    make_store(store)
    own = ("--store-passphrase-file", secret_file(tmp_path / "own", OPEN.reveal()))
    step = ("keys", "suspend", store, "card-masters", *own)
    alone = kaguan(*step, *passphrase_options(tmp_path, "wang"))
    assert (alone.returncode, "two custodians" in alone.stderr) == (5, True)
    twice = kaguan(*step, *passphrase_options(tmp_path, "wang"), *passphrase_options(tmp_path, "wang"))
    assert "names wang twice" in twice.stderr
    with locked(lock_path(store), "the store"):
        busy = kaguan(*step, *passphrase_options(tmp_path, *TWO))
    assert (busy.returncode, "in use by another process" in busy.stderr) == (5, True)
    nobody = kaguan(*step, "--custodian", "wang", "--custodian", "li", stdin=subprocess.DEVNULL)
    assert (nobody.returncode, "at a terminal" in nobody.stderr) == (2, True)
    assert kaguan(*step, *passphrase_options(tmp_path, *TWO)).returncode == 0


def test_a_record_that_was_changed_does_not_verify(tmp_path: Path) -> None:
    store, record = tmp_path / "s", tmp_path / "record"
    make_store(store)
    text = kaguan("keys", "record", store).stdout
    record.write_text(text.replace("card-masters.1", "card-masters.2"))
    changed = kaguan("keys", "verify", record)
    assert (changed.returncode, "line 1 of the record" in changed.stderr) == (7, True)
    record.write_text(text)
    cut = kaguan("keys", "verify", record, "--digest", "00")
    assert (cut.returncode, "cut off" in cut.stderr) == (7, True)


class Terminal:
    """The program at a terminal of its own; what is typed, and what is shown."""

    def __init__(self, *arguments: object) -> None:
        self.pid, self.descriptor = pty.fork()
        if not self.pid:
            os.execv(sys.executable, [sys.executable, "-m", "kaguan", *map(str, arguments)])  # noqa: S606
        self.shown = ""
        self._seen = 0

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.shown[self._seen :]:
            assert time.monotonic() < deadline, self.shown
            self._read()
        self._seen = self.shown.index(text, self._seen) + len(text)

    def type(self, prompt: str, text: str) -> None:
        self.wait_for(prompt)
        time.sleep(0.05)  # the prompt is there before the echo is off
        os.write(self.descriptor, text.encode() + b"\n")

    def end(self) -> int:
        while self._read():
            pass
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], 0.5)
        try:
            data = os.read(self.descriptor, 65536) if ready else b" "
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode(errors="replace") if ready else ""
        return bool(data)


def test_custodians_type_at_a_terminal_and_nothing_shows(tmp_path: Path) -> None:
    sheets, value = deal(tmp_path)
    store = tmp_path / "s"
    terminal = Terminal("keys", "ceremony", store)
    terminal.type("How many custodians", "2")
    terminal.type("Name of custodian 1", "Wang")
    terminal.type("Name of custodian 2", "Li")
    typed = []
    for name in TWO:
        lines = re.findall(r"^\d: (.*)$", sheets[name].read_text(), re.MULTILINE)
        terminal.wait_for(f"{name} alone is at the screen")
        if name == "wang":
            wrong = lines[0][:-1] + ("0" if lines[0][-1] != "0" else "1")
            terminal.type("Line 1", wrong)
            terminal.wait_for("line 1 is mistyped")
        for number, line in enumerate(lines, 1):
            terminal.type(f"Line {number}", line)
        terminal.type("Check value on the sheet", value)
        terminal.type("your passphrase", f"terminal passphrase of {name}")
        terminal.type("Once more", f"terminal passphrase of {name}")
        typed += [*lines, f"terminal passphrase of {name}"]
    terminal.wait_for("recorded as entry 1")
    assert terminal.end() == 0
    assert [text for text in typed if text in terminal.shown] == []
    step = Terminal("keys", "activate", store, "card-master-zone", "--custodian", "wang", "--custodian", "li")
    for name in TWO:
        step.type(f"{name}: your passphrase", f"terminal passphrase of {name}")
    step.wait_for("recorded as entry 2")
    assert step.end() == 0


def test_shares_are_shown_once_each_on_a_screen_of_its_own() -> None:
    terminal = Terminal(
        "keys",
        "deal",
        "--kind",
        "test",
        "--zone",
        "transport",
        "--threshold",
        2,
        "--custodian",
        "Wang",
        "--custodian",
        "Li",
    )
    for name in TWO:
        terminal.type(f"{name} alone is at the screen", "")
        terminal.wait_for("6: ")
        terminal.type("it is not shown again", "")
    terminal.wait_for("check value")
    assert terminal.end() == 0
    assert terminal.shown.count("\f") == 2
    assert len(re.findall(r"^6: ", terminal.shown, re.MULTILINE)) == 2
