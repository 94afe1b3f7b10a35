"""What goes wrong with a reader, told apart: each case at a real PC/SC service, in a process that sees no other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kaguan.emulator.readers.service import ADDRESS, LOG, SOCKET_VARIABLE, pcscd, running_service
from outside.programs import missing, need, need_pyscard

pytestmark = pytest.mark.slow

SECONDS = 20
NAME = "Fickle 00 00"
DRIVER = Path(__file__).with_name("fickle_reader.c")

TERMINAL = """
import sys
from kaguan.apdu.errors import LinkError
from kaguan.terminal.pcsc import open_reader
try:
    link = open_reader("0")
    print(link.transceive(bytes.fromhex("00B0000000")).hex(), flush=True)
    for line in sys.stdin:
        print(link.transceive(bytes.fromhex(line)).hex(), flush=True)
except LinkError as error:
    print(type(error).__name__, getattr(error, "during", ""), error, sep="|")
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver of the reader whose fate stands in a file."""
    need_pyscard()
    need("pcscd")
    if not Path("/usr/include/PCSC/ifdhandler.h").exists():
        missing("libpcsclite-dev is not installed: scripts/debian-packages")
    built = tmp_path_factory.mktemp("driver") / "fickle.so"
    words = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I/usr/include/PCSC"]
    subprocess.run([need("gcc"), *words, "-o", str(built), str(DRIVER)], check=True)
    return built


class Scene:
    """The reader, and a terminal that works with the card in it."""

    def __init__(self, folder: Path, service: subprocess.Popen[bytes]) -> None:
        self._state = folder / "state"
        self.service = service
        self.log = folder / LOG
        self.environment = os.environ | {SOCKET_VARIABLE: str(folder / ADDRESS)}

    def becomes(self, state: str) -> None:
        part = self._state.with_suffix(".part")
        part.write_text(f"{state}\n")
        part.replace(self._state)

    def terminal(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", TERMINAL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=self.environment,
        )  # fmt: skip

    def told(self) -> list[str]:
        """Class, command and text of the error with which a terminal that begins now ends."""
        return self.ended(self.terminal())

    def ended(self, terminal: subprocess.Popen[str]) -> list[str]:
        said, _ = terminal.communicate(timeout=SECONDS)
        return said.splitlines()[-1].split("|")

    @contextmanager
    def during_a_command(self) -> Iterator[list[str]]:
        """What happens in the context happens while GET CHALLENGE is under way; the list is the error afterwards."""
        terminal = self.terminal()
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        assert terminal.stdout.readline() == "9000\n"
        terminal.stdin.write("0084000008\n")
        terminal.stdin.flush()
        time.sleep(0.3)
        told: list[str] = []
        yield told
        told += self.ended(terminal)


@pytest.fixture
def scene(driver: Path, tmp_path: Path) -> Iterator[Scene]:
    settings = tmp_path / "settings"
    settings.mkdir()
    state = tmp_path / "state"
    state.write_text("in\n")
    copy = Path(shutil.copy(driver, tmp_path))
    (settings / "fickle").write_text(
        f'FRIENDLYNAME "Fickle"\nDEVICENAME {state}\nLIBPATH {copy}\nCHANNELID 0\n', encoding="utf-8"
    )
    with running_service(tmp_path, settings, pcscd()) as service:
        made = Scene(tmp_path, service)
        give_up = time.monotonic() + SECONDS
        while NAME not in listed(made):
            assert time.monotonic() < give_up, made.log.read_text()
            time.sleep(0.05)
        yield made


def listed(scene: Scene) -> str:
    words = [sys.executable, "-m", "kaguan", "reader", "list"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS, env=scene.environment)
    return done.stdout


def test_an_empty_reader(scene: Scene) -> None:
    scene.becomes("out")
    time.sleep(1)
    assert scene.told() == ["NoCard", "", f"reader '{NAME}' is empty: put a card in"]
    assert f"0 {NAME}: empty" in listed(scene)


def test_a_mute_card(scene: Scene) -> None:
    scene.becomes("out")
    time.sleep(1)
    scene.becomes("mute")
    time.sleep(1)
    kind, _, text = scene.told()
    assert kind == "CardMute"
    assert "turn it round, or clean its contacts" in text


def test_a_card_that_another_program_holds(scene: Scene) -> None:
    first = scene.terminal()
    assert first.stdout is not None
    assert first.stdout.readline() == "9000\n"
    assert scene.told() == ["CardInUse", "", f"the card in reader '{NAME}' is in use by another program: end it and try again"]  # fmt: skip  # noqa: E501
    assert "(in use)" in listed(scene)
    first.communicate(timeout=SECONDS)


@pytest.mark.parametrize(
    ("state", "kind", "text"),
    [("out", "CardPulledOut", "was pulled out of reader"), ("silent", "CardSilent", "did not answer")],
)
def test_a_card_that_fails_during_a_command(scene: Scene, state: str, kind: str, text: str) -> None:
    with scene.during_a_command() as told:
        scene.becomes(state)
    assert told[:2] == [kind, "GET CHALLENGE"]
    assert text in told[2]
    assert "read the card's state back before doing anything again" in told[2]


def test_a_reader_that_is_unplugged_during_a_command(scene: Scene) -> None:
    with scene.during_a_command() as told:
        scene.becomes("unplugged")
    assert told[:2] == ["ReaderUnplugged", "GET CHALLENGE"]
    assert f"reader '{NAME}' was unplugged during GET CHALLENGE" in told[2]


def test_a_service_that_is_killed_during_a_command(scene: Scene) -> None:
    with scene.during_a_command() as told:
        scene.service.kill()
        scene.service.wait(SECONDS)
    assert told[:2] == ["ServiceGone", "GET CHALLENGE"]
    assert "start pcscd again" in told[2]
    kind, _, text = scene.told()
    assert kind == "ServiceGone"
    assert "apt-get install pcscd" in text


def test_a_reader_that_is_listed_and_does_not_answer(scene: Scene) -> None:
    scene.becomes("unplugged")
    time.sleep(1)
    assert listed(scene) == f"0 {NAME}: does not answer: is it unplugged?\n"
    kind, _, text = scene.told()
    assert kind == "ReaderUnplugged"
    assert f"reader '{NAME}' was unplugged" in text


def test_no_reader_at_all(driver: Path, tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    with running_service(tmp_path, tmp_path / "settings", pcscd()) as service:
        scene = Scene(tmp_path, service)
        give_up = time.monotonic() + SECONDS
        while (told := scene.told())[0] == "ServiceGone":
            assert time.monotonic() < give_up
        assert told == ["NoReader", "", "no reader is meant by '0'; connected: none"]
        assert listed(scene) == ""


def test_the_watch_tells_what_comes_and_goes_and_ends_at_ctrl_c(scene: Scene) -> None:
    watch = subprocess.Popen(
        [sys.executable, "-u", "-m", "kaguan", "reader", "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=scene.environment,
    )  # fmt: skip
    assert watch.stdout is not None
    said = [watch.stdout.readline().strip() for _ in range(2)]
    assert said == [f"{NAME}: connected", f"{NAME}: inserted: 3B 02 99 01"]
    scene.becomes("out")
    assert watch.stdout.readline().strip() == f"{NAME}: removed"
    scene.becomes("in")
    assert watch.stdout.readline().strip() == f"{NAME}: inserted: 3B 02 99 01"
    scene.becomes("unplugged")
    assert watch.stdout.readline().strip() == f"{NAME}: removed"
    assert watch.stdout.readline().strip() == f"{NAME}: unplugged"
    time.sleep(1)
    scene.becomes("out")
    assert watch.stdout.readline().strip() == f"{NAME}: connected"
    watch.send_signal(signal.SIGINT)
    rest, complaint = watch.communicate(timeout=SECONDS)
    assert (watch.returncode, rest, "Traceback" in complaint) == (0, "", False)


def test_the_watch_says_when_the_service_ends(scene: Scene) -> None:
    watch = subprocess.Popen(
        [sys.executable, "-u", "-m", "kaguan", "reader", "watch", "--json"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=scene.environment,
    )  # fmt: skip
    assert watch.stdout is not None
    watch.stdout.readline()
    scene.service.kill()
    _, complaint = watch.communicate(timeout=SECONDS)
    assert watch.returncode == 4
    assert "the PC/SC service does not answer" in complaint


def test_somebodys_card_is_not_written_to_without_consent(scene: Scene) -> None:
    words = [sys.executable, "-m", "kaguan", "apdu", "send", "--reader", "fickle"]
    apdus = ["00B0000000=", "0020000003123456="]

    def sent(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, *more, *apdus], capture_output=True, text=True, check=False, timeout=SECONDS, env=scene.environment
        )

    refused = sent()
    assert refused.returncode == 5
    assert refused.stdout.splitlines() == ["> 00B0000000", "< 9000"]
    assert "VERIFY was not sent" in refused.stderr
    assert "--i-own-this-card" in refused.stderr
    assert "123456" not in refused.stderr
    assert sent("--i-own-this-card").returncode == 0
