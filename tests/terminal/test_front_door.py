"""What every command has in common: how it ends, and that it overwrites nothing that it reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from card.cards import SELECT_SSSE
from kaguan.emulator.imagefile import load_image
from terminal.doors import call, card_file

SECONDS = 30


def program(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "kaguan", *map(str, words)]


@pytest.mark.parametrize(
    "words",
    [
        ("apdu", "send", "--card", "{card}", "--trace", "{card}", SELECT_SSSE),
        ("tape", "run", "{tape}", "--card", "{card}", "--trace", "{tape}"),
        ("tape", "run", "{tape}", "--card", "{card}", "--trace", "{card}"),
        ("script", "run", "{tape}", "--card", "{card}", "--junit", "{tape}"),
        ("script", "run", "{tape}", "--card", "{card}", "--trace", "{link}"),
        ("script", "run", "{tape}", "--card", "{card}", "--junit", "new", "--trace", "new"),
        ("conform", "--card", "{card}", "--html", "{card}"),
        ("conform", "--card", "{card}", "--junit", "{link}"),
        ("emulate", "{card}", "--tcp", "0", "--trace", "{card}"),
        ("emulate", "{card}", "{link}", "--tcp", "0"),
        ("ministry", "iReadCardBas", "3", "--card", "{card}", "--trace", "{card}"),
        ("trace", "show", "{trace}", "--output", "{trace}"),
    ],
    ids=" ".join,
)
def test_no_input_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    card, tape, trace, link = card_file(tmp_path), tmp_path / "t.apdu", tmp_path / "t.jsonl", tmp_path / "link.card"
    link.symlink_to(card)
    tape.write_text("0084000008=\n")
    trace.write_text('{"event":"closed"}\n')
    before = {path: path.read_bytes() for path in (card, tape, trace)}
    ended = call(*(word.format(card=card, tape=tape, trace=trace, link=link) for word in words))
    assert ended.code == 2
    assert "overwritten" in ended.complaint or "named twice" in ended.complaint
    assert {path: path.read_bytes() for path in before} == before
    assert not (tmp_path / "new").exists()


def test_ctrl_c_ends_with_130_and_keeps_what_was_done(tmp_path: Path) -> None:
    card = card_file(tmp_path)
    process = subprocess.Popen(
        program("apdu", "send", "--card", card, "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{SELECT_SSSE}\n0020000003000001\n")
    process.stdin.flush()
    heard = [process.stdout.readline().strip() for _ in range(4)]
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "the same command goes on" in complaint
    assert "Traceback" not in complaint
    assert heard[3] == "< 63C2"
    assert [pin.tries_left for pin in load_image(card).pins.values() if pin.value] == [2]


def test_a_reader_who_has_seen_enough_is_no_error_to_tell(tmp_path: Path) -> None:
    card = card_file(tmp_path)
    reading, writing = os.pipe()
    process = subprocess.Popen(program("card", "show", card), stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    os.close(reading)
    _, complaint = process.communicate(timeout=SECONDS)
    assert (process.returncode, complaint) == (1, "")


def test_a_mistyped_command_is_told_in_two_lines() -> None:
    ended = subprocess.run(program("apdo"), capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 2
    assert "No such command 'apdo'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_empty_apdu_is_none(tmp_path: Path) -> None:
    for empty in ("", "  ", "# nothing"):
        ended = call("apdu", "send", "--card", card_file(tmp_path, f"{len(empty)}.card"), empty)
        assert (ended.code, "an APDU is empty" in ended.complaint) == (2, True)


def test_errors_name_the_file_that_the_user_named(tmp_path: Path) -> None:
    ended = subprocess.run(
        program("card", "new", tmp_path / "nowhere" / "my.card"), capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 5
    assert f"{tmp_path / 'nowhere' / 'my.card'}: No such file or directory" in ended.stderr
    assert ".part" not in ended.stderr
