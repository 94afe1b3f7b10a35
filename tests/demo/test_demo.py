"""`kaguan demo` on an order of three: the twelve steps, what it leaves behind, and what it leaves alone."""

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
    "Card management opens: two cities, and a second factor for who approves",
    "The cards come back as stock, and another city sees none of them",
    "A card is handed over, activated, and its PIN lived through",
    "Other cards come into use in other ways",
    "Money reaches the card and buys medicine",
    "The power goes in the middle of a load",
    "What two people answer for",
    "The card is lost, its bank is told, it is blocked and replaced",
    "A program asks over the web",
    "Time passes, the day ends, the books are proved",
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
    parts = re.split(r"^\d+\. (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


@pytest.mark.slow
@pytest.mark.longest
def test_the_twelve_steps_can_be_read_and_a_second_run_starts_anew(tmp_path):
    out = tmp_path / "out"
    first = demo(out)
    assert (first.returncode, first.stderr) == (0, "")
    assert re.findall(r"^(\d+)\. (.*)$", first.stdout, flags=re.MULTILINE) == [
        (str(number), title) for number, title in enumerate(STEPS, 1)
    ]
    for title, *facts in (
        (STEPS[0], "3 good, no faults", "3 cards written, read back, compared and sealed; 0 rejected"),
        (STEPS[1], "signed in with password and second factor", "the same six digits again: refused"),
        (STEPS[2], "3 cards received as stock", "looks for that person: refused, no person", "refused, no card"),
        (STEPS[3], "refused, activate refused: the card belongs to bank", "0 tries left", "blocked", "it is accepted"),
        (STEPS[4], "is not signed by it", "at the service centre", "of a child: handed to the registered guardian"),
        (STEPS[5], "a top-up from cash is refused", "120.00 yuan on the chip", "74.40 yuan on the chip"),
        (STEPS[6], "the load is void", "the load is settled", "no fen lost, none doubled"),
        (STEPS[7], "approves what the chief asked for: refused", "needs a second person here", "it is in use again"),
        (STEPS[8], "1 notice delivered", "the bank refuses, and the report is taken back: application TEMPORARY_LOSS"),
        (STEPS[8], "the bank takes it: application FORMAL_LOSS", "the old card at the pharmacy: refused"),
        (STEPS[8], "have followed onto", "0.00 yuan are left"),
        (STEPS[9], ": 200, ", "the same answer, done once", "412 state_changed", "401 unauthenticated"),
        (STEPS[10], "1 temporary loss lapses", "has closed", "is append-only", "the same rows, ledger and audit log"),
        (STEPS[11], "total 0 fen", "entries verified"),
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
