"""`kaguan demo` on an order of three: the seven steps, what it leaves behind, and what it leaves alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from house.tree import ROOT

ORDER = ROOT / "examples" / "order-3.zip"
STEPS = (
    "An order becomes sealed cards",
    "The cards come back as stock",
    "A card is handed over, activated, and its PIN lived through",
    "Money reaches the card and buys medicine",
    "The power goes in the middle of a load",
    "The card is lost, blocked and replaced",
    "The sum",
)


def demo(out, order=ORDER):
    """One run of the demo."""
    return subprocess.run(
        [sys.executable, "-m", "kaguan", "demo", "--order", str(order), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )


def told(text, title):
    """What the demo says under this title."""
    parts = re.split(r"^\d\. (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


@pytest.mark.slow
def test_the_seven_steps_can_be_read_and_a_second_run_starts_anew(tmp_path):
    out = tmp_path / "out"
    first = demo(out)
    assert (first.returncode, first.stderr) == (0, "")
    assert re.findall(r"^(\d)\. (.*)$", first.stdout, flags=re.MULTILINE) == [
        (str(number), title) for number, title in enumerate(STEPS, 1)
    ]
    for title, *facts in (
        (STEPS[0], "3 good, no faults", "3 cards written, read back, compared and sealed; 0 rejected"),
        (STEPS[1], "3 cards received as stock"),
        (STEPS[2], "refused, activate refused: the card belongs to bank", "0 tries left", "blocked", "it is accepted"),
        (STEPS[3], "a top-up from cash is refused", "120.00 yuan on the chip", "74.40 yuan on the chip"),
        (STEPS[4], "the load is void", "the load is settled", "no fen lost, none doubled"),
        (STEPS[5], "the old card at the pharmacy: refused", "have followed onto", "0.00 yuan are left"),
        (STEPS[6], "total 0 fen", "entries verified"),
    ):
        for fact in facts:
            assert fact in told(first.stdout, title)
    named = [Path(line.strip().split("  ")[0]) for line in first.stdout.split("Look at what was made")[1].splitlines()]
    assert len([path for path in named if path.is_relative_to(out) and path.is_file()]) >= 5

    left_over = out / "left-over"
    left_over.touch()
    second = demo(out)
    assert second.returncode == 0, second.stderr
    assert not left_over.exists()
    head = re.compile(r"head ([0-9a-f]{16})")
    assert head.search(first.stdout)[1] != head.search(second.stdout)[1]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    treasure = tmp_path / "treasure"
    treasure.write_text("keep")
    run = demo(tmp_path)
    assert run.returncode == 5
    assert "choose another folder with --out" in run.stderr
    assert treasure.read_text() == "keep"
    assert list(tmp_path.iterdir()) == [treasure]


def test_a_missing_order_is_named(tmp_path):
    run = demo(tmp_path / "out", order=tmp_path / "absent.zip")
    assert run.returncode == 7
    assert "absent.zip: there is no such order; name one with --order" in run.stderr
    assert not (tmp_path / "out").exists()
