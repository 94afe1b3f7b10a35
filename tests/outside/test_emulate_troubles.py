"""`kaguan emulate` when things go wrong around it, and as somebody at a terminal uses it."""

from __future__ import annotations

import os
import pty
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from card.cards import PIN_ADDRESS, PIN_TRIES, SELECT_SSSE, specimen
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.emulator.readers import private_service
from kaguan.emulator.readers.service import pcscd, running_service
from kaguan.terminal.trace import read_trace
from outside.programs import need
from outside.test_emulate import SECONDS, Emulator, emulating, kaguan

pytestmark = pytest.mark.slow

WRONG_PIN = "0020000003654321"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "my.card"
    save_image(path, specimen())
    return path


class Screen:
    """A terminal with a `kaguan emulate` in it."""

    def __init__(self, *words: str | Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(  # its terminal is not its controlling one
            [sys.executable, "-u", "-m", "kaguan", "emulate", *map(str, words)],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.text = self.before = ""

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str) -> None:
        """The text has appeared, after all that was waited for before."""
        give_up = time.monotonic() + SECONDS
        while text not in self.text:
            assert time.monotonic() < give_up, self.text
            if not select.select([self._ours], [], [], 0.1)[0]:
                continue
            try:
                self.text += os.read(self._ours, 4096).decode()
            except OSError:  # the program has ended
                assert text in self.text, self.text
        self.before, _, self.text = self.text.partition(text)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextmanager
def screen(*words: str | Path) -> Iterator[Screen]:
    made = Screen(*words)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("end", ["q", "\x03"])
def test_keys_take_cards_out_and_put_them_in(card: Path, tmp_path: Path, end: str) -> None:
    other = tmp_path / "other.card"
    save_image(other, specimen())
    with screen(card, other, "--tcp", "0", "--control", tmp_path / "c") as shown:
        shown.wait_for("keys: ")
        control = tmp_path / "c"
        shown.press("1")
        shown.wait_for(f"1: {card}: empty")
        shown.press("39x")  # no such reader, no such key
        shown.press("1")
        shown.wait_for(f"1: {card}: card in")
        shown.press("2")
        shown.wait_for(f"2: {other}: empty")
        assert "1: " + str(card) + ": card in" in kaguan("control", "list", "--control", control).stdout
        shown.press(end)
        if end == "\x03":  # the line discipline of a terminal makes it a signal for its foreground process
            shown.process.send_signal(signal.SIGINT)
        shown.wait_for("all cards are out")
        assert shown.process.wait(SECONDS) == 0


def say(emulator: Emulator, *apdus: str) -> list[str]:
    """What the card on the TCP port answers, in one session; the empty text when it hangs up."""
    host, _, port = emulator.lines[0].rpartition(" ")[2].partition(":")
    answers = []
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection, connection.makefile("rb") as file:
        for apdu in apdus:
            raw = bytes.fromhex(apdu)
            connection.sendall(len(raw).to_bytes(2, "big") + raw)
            try:
                head = file.read(2)
            except ConnectionResetError:
                head = b""
            answers.append(file.read(int.from_bytes(head, "big")).hex().upper() if head else "")
    return answers


def full(emulator: Emulator, file: Path) -> None:
    """No file that the emulator writes can grow beyond this one's size."""
    size = file.stat().st_size
    resource.prlimit(emulator.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def room_again(emulator: Emulator) -> None:
    resource.prlimit(emulator.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_full_disk_is_a_memory_failure_and_costs_nothing(card: Path, tmp_path: Path) -> None:
    with emulating(tmp_path, card, "--tcp", "0", expected=1) as emulator:
        full(emulator, card)
        assert say(emulator, SELECT_SSSE, WRONG_PIN, "00200000") == ["6118", "6581", f"63C{PIN_TRIES:X}"]
        assert load_image(card).pins[PIN_ADDRESS].tries_left == PIN_TRIES
        room_again(emulator)
        assert say(emulator, SELECT_SSSE, WRONG_PIN) == ["6118", f"63C{PIN_TRIES - 1:X}"]
        assert "all cards are out" in emulator.end()
    assert load_image(card).pins[PIN_ADDRESS].tries_left == PIN_TRIES - 1


def test_a_trace_that_finds_no_room_is_told_and_the_card_goes_on_when_there_is(card: Path, tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    words = (card, "--tcp", "0", "--trace", trace, "--control", tmp_path / "c")
    with screen(*words) as shown:
        shown.wait_for("at 127.0.0.1:")
        shown.wait_for("keys: ")
        port = shown.before.split()[0]
        emulator = Emulator(tmp_path, shown.process, [f"at 127.0.0.1:{port}"])
        assert say(emulator, SELECT_SSSE) == ["6118"]
        full(emulator, trace)
        assert say(emulator, SELECT_SSSE) == [""]
        shown.wait_for(f"1: {card}: ")
        shown.wait_for("File too large")
        room_again(emulator)
        assert say(emulator, SELECT_SSSE) == ["6118"]
        shown.press("q")
        shown.wait_for("all cards are out")
        assert "Traceback" not in shown.before
    assert list(read_trace(trace))
    assert load_image(card) == specimen()


def test_one_image_is_in_one_emulator(card: Path, tmp_path: Path) -> None:
    with emulating(tmp_path, card, "--tcp", "0", expected=1):
        second = kaguan("emulate", card, "--tcp", "0", "--control", tmp_path / "second")
        assert second.returncode == 5
        assert f"card {card} is in use by another process" in second.stderr
        assert "Traceback" not in second.stderr
    twice = kaguan("emulate", card, card, "--tcp", "0", "--control", tmp_path / "twice")
    assert (twice.returncode, "an image is named twice" in twice.stderr) == (2, True)


def test_a_swapped_card_is_traced_and_struck(card: Path, tmp_path: Path) -> None:
    other, trace = tmp_path / "other.card", tmp_path / "t.jsonl"
    save_image(other, specimen())
    words = (card, "--tcp", "0", "--trace", trace, "--fault", "sw@GET CHALLENGE:6F01")
    with emulating(tmp_path, *words, expected=1) as emulator:
        assert say(emulator, "0084000004") == ["6F01"]
        assert kaguan("control", "insert", "1", other, "--control", emulator.control).returncode == 0
        assert say(emulator, "0084000004") == ["6F01"]
        emulator.end()
    told = [str(event.kind) for event in read_trace(trace)]
    assert told.count("fault") == 2


def test_cards_are_in_again_after_pcscd_was_restarted(card: Path, tmp_path: Path) -> None:
    need("pcscd")
    folder, again = tmp_path / "service", tmp_path / "again"
    folder.mkdir()
    again.mkdir()
    with private_service(folder, 2) as service:
        shown = Screen(card, "--port", str(service.ports[0]), "--control", tmp_path / "c")
        try:
            shown.wait_for(f"127.0.0.1:{service.ports[0]}")
            Emulator(tmp_path, shown.process, [f"export A={service.socket}"]).wait_for([True, False])
        except BaseException:
            shown.close()
            raise
    try:
        shown.wait_for(f"1: {card}: connection lost")
        with running_service(again, folder / "readers", pcscd()):
            shown.wait_for(f"1: {card}: card in again")
            Emulator(tmp_path, shown.process, [f"export A={again / 'pcscd.comm'}"]).wait_for([True, False])
            shown.press("q")
            shown.wait_for("all cards are out")
    finally:
        shown.close()


def test_a_killed_emulator_leaves_no_pcscd_behind(card: Path, tmp_path: Path) -> None:
    with emulating(tmp_path, card, "--own-pcscd", expected=2) as emulator:
        children = Path(f"/proc/{emulator.process.pid}/task/{emulator.process.pid}/children")
        (service,) = children.read_text().split()
        assert "pcscd" in Path(f"/proc/{service}/cmdline").read_text()
        emulator.process.kill()
        give_up = time.monotonic() + SECONDS
        while Path(f"/proc/{service}/cmdline").exists() and Path(f"/proc/{service}/cmdline").read_text():
            assert time.monotonic() < give_up
            time.sleep(0.05)
