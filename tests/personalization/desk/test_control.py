"""A job steered from another terminal while its stations work, and the figures of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.personalization.job.claims import Claims
from kaguan.personalization.job.control import Listed, jobs, set_priority, steer
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.figures import figures
from kaguan.personalization.job.job import Job, find_job
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.job.shifts import open_shift
from kaguan.personalization.line.progress.live import picture
from kaguan.personalization.line.progress.prometheus import listen_address, served_metrics
from kaguan.personalization.line.progress.text import status_lines, time_text
from personalization.job.bureaus import make, open_job
from terminal.doors import call

pytestmark = pytest.mark.slow

TWO_HUNDRED = Path(__file__).parents[3] / "examples" / "order-200.zip"


@pytest.fixture
def job(database: str) -> Iterator[Job]:
    """Three good cards, one bad chip, one row at a station, one at a station that is dead, of ten."""
    with Bureau(database) as bureau:
        made = open_job(bureau)
        shift = open_shift(made, "m1", "night", "li", 20)
        claims = Claims(made, "m1/1", shift)
        for number in range(3):
            make(claims, bytes([number]))
        (bad,) = claims.claim(1)
        assert claims.took(bad, b"\x0a")
        assert claims.fail(bad, "check", "the photo is not what was ordered")
        (held,) = claims.claim(1)
        assert claims.took(held, b"\x0b")
        Claims(made, "m2/1", shift, lease_seconds=-1.0).claim(2)
        yield made


def test_figures_say_who_is_at_what(job: Job) -> None:
    look = figures(job)
    assert [(s.name, s.held, s.row, s.alive) for s in look.stations] == [("m1/1", 1, 4, True), ("m2/1", 2, None, False)]
    assert look.rejects == {"check: the photo is not what was ordered": 1}
    assert look.rate > 0
    assert look.eta_seconds == pytest.approx(7 / look.rate)
    later = figures(job, look)
    assert (later.rate, later.eta_seconds) == (0.0, None)
    lines = status_lines(look)
    assert "station m1/1: holds 1 rows, at row 4" in lines
    assert "station m2/1: holds 2 rows, its time has run out" in lines
    assert "m1, night: 20 chips = 3 good + 1 rejected + not counted back + 0 samples + 0 scrap + 1 at work" in lines
    json.dumps(look.as_json())


def test_the_screen_shows_the_same(job: Job) -> None:
    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115 - the console's own
    with console.file:
        console.print(picture(figures(job)))
        shown = console.export_text()
    for text in ("m1/1", "m2/1", "time has run out", "1 × check: the photo", "3/10", "20 chips = 3 good"):
        assert text in shown


def test_prometheus_reads_the_figures(job: Job, database: str) -> None:
    with served_metrics(database, "", listen_address("0")) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        with pytest.raises(RuleBroken, match="cannot listen"), served_metrics(database, "", ("127.0.0.1", port)):
            pass
    found = {
        (sample.name, *(value for key, value in sorted(sample.labels.items()) if key != "job")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["kaguan_cards", "good"] == 3
    assert found["kaguan_cards", "claimed"] == 3
    assert found["kaguan_chips", "at work"] == 1
    assert found["kaguan_stations_alive",] == 1
    assert found["kaguan_rejects_total", "check: the photo is not what was ordered"] == 1
    assert found["kaguan_card_seconds_count",] == found["kaguan_card_seconds_bucket", "+Inf"] == 3
    assert found["kaguan_cards_per_second",] > 0


@pytest.mark.parametrize(
    ("text", "place"),
    [("9464", ("127.0.0.1", 9464)), (":1", ("127.0.0.1", 1)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:5", ("::1", 5))],  # noqa: S104
)
def test_an_address_to_listen_at(text: str, place: tuple[str, int]) -> None:
    assert listen_address(text) == place


@pytest.mark.parametrize("text", ["", "host", "host:", "host:99999", "1:2:"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError):
        listen_address(text)


def test_steering_twice_does_it_once(job: Job) -> None:
    assert steer(job, JobState.PAUSED, "li")
    assert not steer(job, JobState.PAUSED, "li")
    assert steer(job, JobState.DRAINING, "li")
    assert steer(job, JobState.OPEN, "li")
    set_priority(job, 9, 7, "li")
    assert Claims(job, "m1/2", open_shift(job, "m9", "night", "li", 0)).claim(1)[0].number == 9
    with pytest.raises(RuleBroken, match="row 1 of job night does not wait"):
        set_priority(job, 1, 7, "li")
    (listed,) = jobs(job.bureau)
    assert listed == Listed("night", JobState.OPEN, 10, 7, listed.opened_at, None)


def test_time_in_words() -> None:
    assert [time_text(seconds) for seconds in (None, 0.4, 61, 3_725)] == ["?", "0:00:00", "0:01:01", "1:02:05"]


def test_a_run_obeys_another_terminal(tmp_path: Path) -> None:
    """Paused it stands still within a second, also for a card at the counter; resumed it goes on, drained it ends."""
    out = tmp_path / "job"
    command = [sys.executable, "-m", "kaguan", "perso", "run", str(TWO_HUNDRED), "--out", str(out), "--machine", "m1"]
    run = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    try:
        wait_until(lambda: good(out) >= 10)
        assert call("perso", "pause", out).lines == ["the job is paused"]
        time.sleep(1)
        standing = good(out)
        assert standing < 200
        time.sleep(1)
        assert good(out) == standing
        made = json.loads(call("perso", "instant", "200", out, "--machine", "m1", "--json").lines[0])
        assert made["seconds"] < 1
        assert good(out) == standing + 1
        assert call("perso", "resume", out).lines == ["the job is open"]
        wait_until(lambda: good(out) > standing + 1)
        assert call("perso", "drain", out).lines == ["the job is draining"]
        looks = [json.loads(line) for line in run.stdout]
        assert run.wait(60) == 0
    finally:
        run.kill()
        run.wait()
        run.stdout.close()
    assert looks[0]["total"] == 200
    assert any(look["state"] == "paused" for look in looks)
    status = json.loads(call("perso", "status", out, "--json").lines[0])
    assert status["state"] == "paused"
    assert 0 < status["pending"] < 200
    assert status["claimed"] == 0
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "200 good, 0 rejected" in finished.stdout
    assert len(list((out / "cards").glob("*.card"))) == 200


def good(out: Path) -> int:
    """Good cards of the job in the folder; none while there is no job."""
    if not (out / "job.sqlite").exists():
        return 0
    with Bureau(str(out / "job.sqlite")) as bureau:
        try:
            return find_job(bureau).counts().good
        except RuleBroken:
            return 0


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it never came true")
