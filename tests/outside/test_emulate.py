"""`kaguan emulate`, `kaguan control` and `kaguan doctor` as a tester runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from card.cards import PIN_ADDRESS, SELECT_SSSE, specimen
from kaguan.card_os.profile import load_profile
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.emulator.readers.service import SOCKET_VARIABLE
from kaguan.personalization.specimen import specimen_card
from outside.programs import need, need_pyscard

pytestmark = pytest.mark.slow

SECONDS = 20
WRONG_PIN = "00:20:00:00:03:65:43:21"
SELECT = ":".join(SELECT_SSSE[at : at + 2] for at in range(0, len(SELECT_SSSE), 2))


def kaguan(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kaguan", *map(str, words)], capture_output=True, text=True, timeout=SECONDS, check=False
    )


class Emulator:
    """A `kaguan emulate` at work."""

    def __init__(self, folder: Path, process: subprocess.Popen[str], lines: list[str]) -> None:
        self.control = folder / "control"
        self.process = process
        self.lines = lines
        exports = [line.partition("=")[2] for line in lines if line.startswith("export")]
        self.environment = os.environ | ({SOCKET_VARIABLE: exports[0]} if exports else {}) | {"LC_ALL": "C.UTF-8"}

    def run(self, program: str, *words: str, typed: str = "") -> str:
        done = subprocess.run(
            [need(program), *words], input=typed, capture_output=True, text=True, timeout=SECONDS, check=False,
            env=self.environment,
        )  # fmt: skip
        return done.stdout + done.stderr

    def cards(self) -> list[bool]:
        """Which readers PC/SC sees a card in."""
        rows = self.run("opensc-tool", "--list-readers").splitlines()[2:]
        return [row.split()[1] == "Yes" for row in rows]

    def wait_for(self, cards: list[bool]) -> None:
        give_up = time.monotonic() + SECONDS
        while self.cards() != cards:
            assert time.monotonic() < give_up, self.cards()
            time.sleep(0.05)

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=SECONDS)
        return rest


@contextmanager
def emulating(folder: Path, *words: str | Path, expected: int) -> Iterator[Emulator]:
    need("pcscd")
    need_pyscard()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "kaguan", "emulate", *map(str, words), "--control", str(folder / "control")],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Emulator(folder, process, [process.stdout.readline().strip() for _ in range(expected)])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "my.card"
    save_image(path, specimen())
    return path


@pytest.fixture
def psam(tmp_path: Path) -> Path:
    path = tmp_path / "psam.card"
    save_image(path, specimen_card(load_profile("psam")).image)
    return path


def test_a_script_speaks_to_a_card_and_a_psam_in_two_readers(card: Path, psam: Path, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "examples" / "scripts" / "外部认证.txt"
    with emulating(tmp_path, card, "--psam", psam, "--own-pcscd", expected=3) as emulator:
        emulator.wait_for([True, True])
        words = [sys.executable, "-m", "kaguan", "script", "run", str(script), "--reader", "Kaguan 1 00 00"]
        heard = emulator.run(*words, "--psam-reader", "Kaguan 1 00 01")
        assert "# card 1" in heard
        assert heard.rstrip().endswith("# matched")


def test_two_cards_in_two_readers_kept_taken_out_and_put_in(card: Path, psam: Path, tmp_path: Path) -> None:
    tries = load_image(card).pins[PIN_ADDRESS].tries_left
    with emulating(tmp_path, card, "--psam", psam, "--own-pcscd", expected=3) as emulator:
        emulator.wait_for([True, True])
        heard = emulator.run("opensc-tool", "-r", "Kaguan 1 00 00", "-s", SELECT, "-s", WRONG_PIN)
        assert f"SW1=0x63, SW2=0x{0xC0 | tries - 1:02X}" in heard
        assert load_image(card).pins[PIN_ADDRESS].tries_left == tries - 1
        assert "SW1=0x90" in emulator.run("opensc-tool", "-r", "Kaguan 1 00 01", "-s", "00:84:00:00:04")

        assert kaguan("control", "remove", "1", "--control", emulator.control).returncode == 0
        emulator.wait_for([False, True])
        assert kaguan("control", "insert", "1", "--control", emulator.control).returncode == 0
        emulator.wait_for([True, True])
        heard = emulator.run("opensc-tool", "-r", "Kaguan 1 00 00", "-s", "00:20:00:00")
        assert f"SW1=0x63, SW2=0x{0xC0 | tries - 1:02X}" not in heard, "the PIN's application is still selected"

        other = tmp_path / "other.card"
        save_image(other, specimen_card(load_profile("ssc-v3"), serial=bytes(6)).image)
        listed = kaguan("control", "insert", "1", other, "--control", emulator.control)
        assert f"1: {other}: card in" in listed.stdout
        emulator.wait_for([True, True])
        assert "00:00:00:00:00:00" in emulator.run("opensc-tool", "-r", "Kaguan 1 00 00", "--atr")

        missing = kaguan("control", "insert", "1", tmp_path / "no.card", "--control", emulator.control)
        assert (missing.returncode, "there is no such card image" in missing.stderr) == (5, True)
        assert kaguan("control", "remove", "3", "--control", emulator.control).returncode == 5
        second = kaguan("emulate", other, "--own-pcscd", "--control", emulator.control)
        assert second.returncode == 5
        assert "all cards are out" in emulator.end()
    assert emulator.process.returncode == 0
    assert not emulator.control.exists()
    with load_free(card):
        pass


@contextmanager
def load_free(card: Path) -> Iterator[None]:
    """The image is nobody's any more."""
    assert kaguan("apdu", "send", "--card", card, "0084000008=").returncode == 0
    yield


def test_control_without_an_emulator(tmp_path: Path) -> None:
    ended = kaguan("control", "list", "--control", tmp_path / "nobody")
    assert (ended.returncode, "start one, or name its --control" in ended.stderr) == (4, True)


def test_no_pcscd_is_said_plainly(card: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        ended = kaguan("emulate", card, "--port", port, "--control", tmp_path / "c")
    assert ended.returncode == 4
    assert "apt-get install pcscd vsmartcard-vpcd" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_raw_tcp_for_programs_without_pcsc(card: Path, tmp_path: Path) -> None:
    with emulating(tmp_path, card, "--tcp", "0", expected=1) as emulator:
        host, _, port = emulator.lines[0].rpartition(" ")[2].partition(":")
        assert host == "127.0.0.1"

        def ask(connection: socket.socket, message: bytes) -> bytes:
            for byte in len(message).to_bytes(2, "big") + message:  # as slowly as a network may be
                connection.sendall(bytes((byte,)))
            size = int.from_bytes(_exactly(connection, 2), "big")
            return _exactly(connection, size)

        for _ in range(2):  # each program finds the card reset
            with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
                assert ask(connection, b"\x04") == load_image(card).atr
                assert ask(connection, bytes.fromhex("0020000000")) != b"\x90\x00"
                assert ask(connection, bytes.fromhex(SELECT_SSSE))[0] == 0x61
                assert ask(connection, bytes.fromhex("0020000003123456")) == b"\x90\x00"
                connection.sendall(b"\x00\x01\x00")  # power off
                assert ask(connection, bytes.fromhex("0084000008")) == b"\x00"  # no answer, and vpcd wants one
                connection.sendall(b"\x00\x01\x01")
                assert ask(connection, bytes.fromhex("0084000008"))[-2:] == b"\x90\x00"
        kaguan("control", "remove", "1", "--control", emulator.control)
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            assert connection.recv(1) == b""
        kaguan("control", "stop", "--control", emulator.control)
        assert emulator.process.wait(SECONDS) == 0


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part
        data += part
    return data


def test_a_killed_emulator_leaves_a_good_card_and_a_free_name(card: Path, tmp_path: Path) -> None:
    with emulating(tmp_path, card, "--tcp", "0", expected=1) as emulator:
        emulator.process.kill()
        emulator.process.wait(SECONDS)
    with emulating(tmp_path, card, "--tcp", "0", expected=1) as emulator:
        rows = json.loads(kaguan("control", "list", "--json", "--control", emulator.control).stdout)
        assert [row["state"] for row in rows] == ["card in"]


def test_the_doctor_names_what_is_missing_and_what_mends_it(tmp_path: Path) -> None:
    bare = os.environ | {"PATH": str(tmp_path), SOCKET_VARIABLE: str(tmp_path / "nobody")}
    words = [sys.executable, "-m", "kaguan", "doctor", "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False, env=bare)
    findings = {row["name"]: row for row in json.loads(ended.stdout)}
    for name, remedy in (
        ("tshark", "apt-get install tshark"),
        ("opensc-tool", "apt-get install opensc"),
        ("fonts", "apt-get install fontconfig fonts-noto-cjk"),
        ("pcscd runs", "kaguan emulate --own-pcscd"),
        ("readers", "mend the lines above"),
    ):
        assert findings[name]["verdict"] == "missing"
        assert remedy in findings[name]["remedy"]
    assert findings["Python"]["verdict"] == "ok"
    assert all(bool(row["remedy"]) == (row["verdict"] == "missing") for row in findings.values())
    assert ended.returncode == 1


def test_the_doctor_at_the_command_line() -> None:
    ended = kaguan("doctor", "--json")
    rows = json.loads(ended.stdout)
    assert ended.returncode == any(row["verdict"] == "missing" for row in rows)
    assert "Traceback" not in ended.stderr
