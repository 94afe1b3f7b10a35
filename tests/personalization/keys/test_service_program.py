"""`kaguan keys serve` as it runs at a bureau: killed and started again, with a token behind it, over the network."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.card_os.profile import load_profile
from kaguan.personalization.keys.service.client import RemoteVault
from kaguan.personalization.keys.service.faults import ServiceLost
from kaguan.personalization.keys.storefile import StoreFile
from kaguan.personalization.keys.tokenstore import store_of
from kaguan.personalization.keystore import AUDIT, RECORDS, make_test_store, open_store, require_keys
from kaguan.terminal.cardkeys import CardKeys
from kaguan.vault.messaging import Scheme
from kaguan.vault.secret import Secret
from kaguan.vault.vault import KeyRef, KeyUsedUp
from personalization.keys.people import OPEN
from personalization.keys.services import program
from personalization.keys.test_store_file import LOAD, ordered
from vault.tokens import LABEL, PIN, module, token_in

pytestmark = pytest.mark.slow

PROFILE = load_profile("ssc-v2")
COMMAND = CommandApdu.of("84 D4 01 00", bytes(5))


@pytest.fixture
def test_store(tmp_path: Path) -> Path:
    path = tmp_path / "test.store"
    make_test_store(path, PROFILE)
    return path


def ended(service: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """What the service has said when it is over."""
    service.send_signal(number)
    return "".join(service.communicate(timeout=30))


def test_a_station_waits_for_a_service_that_comes_back(test_store: Path, tmp_path: Path) -> None:
    """Killed with -9 in the middle of work, again and again: each verb is answered, and rightly."""
    place = f"unix:{tmp_path / 'keys'}"
    local = open_store(test_store)
    service = program(test_store, "--listen", place)
    vault = open_store(store_of(f"service:{place}"))
    wrong: list[int] = []
    done = 0

    def work() -> None:
        nonlocal done
        while done < 3000:
            data = done.to_bytes(4, "big")
            if vault.mac_long(AUDIT, data) != local.mac_long(AUDIT, data):
                wrong.append(done)
            done += 1

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(3):
        before = done
        while done < before + 100 and worker.is_alive():
            time.sleep(0.01)
        ended(service, signal.SIGKILL)
        service = program(test_store, "--listen", place)
    worker.join(60)
    assert (done, wrong) == (3000, [])
    said = ended(service)
    assert "station of user" in said
    vault.close()


def test_without_a_service_the_error_is_not_a_keys(test_store: Path, tmp_path: Path) -> None:
    place = f"unix:{tmp_path / 'keys'}"
    service = program(test_store, "--listen", place)
    store = store_of(f"service:{place}")
    vault = RemoteVault(store, wait=lambda seconds: None)
    ended(service, signal.SIGKILL)
    with pytest.raises(ServiceLost, match="run the same command"):
        vault.mac_long(AUDIT, b"")
    service = program(test_store, "--listen", place)
    assert len(vault.mac_long(AUDIT, b"")) == 16, "and it is found again"
    vault.close()
    assert ended(service, signal.SIGINT)
    assert service.returncode == 0


def test_counters_hold_against_kills_of_the_service(store: Path, tmp_path: Path) -> None:
    """What a killed service had reserved is used up; no key works beyond its limit, whoever asks."""
    ordered(store, LOAD, most=640)
    file, place = tmp_path / "open", f"unix:{tmp_path / 'keys'}"
    file.write_bytes(OPEN.reveal())
    card, done, used_up = KeyRef("DLK").diversified(b"990100sx"), 0, False
    while not used_up:
        service = program(store, "--listen", place, "--passphrase-file", file)
        vault = open_store(store_of(f"service:{place}"))
        try:
            for _ in range(97):
                vault.mac(card, b"message")
                done += 1
        except KeyUsedUp:
            used_up = True
        vault.close()
        ended(service, signal.SIGKILL)
    with StoreFile(store) as opened:
        (used,) = [row.used for row in opened.rows() if row.info.label == "DLK"]
    assert 500 < done <= used == 640


@pytest.fixture
def token_service(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A token of this test's own behind a service; nobody else has its library or PIN."""
    module()
    token = token_in(tmp_path)
    pin = tmp_path / "pin"
    pin.write_bytes(PIN.reveal())
    words = ("token", "make", f"pkcs11:{LABEL}", "--kind", "test", "--pin-file", str(pin))
    made = subprocess.run(
        [sys.executable, "-m", "kaguan", "keys", *words],
        env=token.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert "PERSO.RECORDS 1 records aes" in made.stdout
    place = f"unix:{tmp_path / 'keys'}"
    service = program(f"pkcs11:{LABEL}", "--listen", place, "--passphrase-file", pin, environment=token.environment)
    yield place, service
    if service.poll() is None:
        ended(service)


def test_a_token_behind_the_service(token_service: tuple[str, subprocess.Popen[str]]) -> None:
    place, service = token_service
    vault = open_store(store_of(f"service:{place}"))
    require_keys(vault, PROFILE)
    blob = vault.seal_secret(RECORDS, Secret(b"a data key of a job"), b"job 7")
    assert vault.open_secret(RECORDS, blob, b"job 7") == Secret(b"a data key of a job")
    cards = [CardKeys(vault, PROFILE, "990100", bytes(12) + number.to_bytes(4, "big")) for number in range(4)]
    vault.prepare(keys.ref("SSSE.IRK") for keys in cards)
    sent = {
        bytes(
            vault.protect(
                keys.transport(),
                Scheme.PBOC,
                COMMAND,
                bytes(8),
                encrypted=True,
                append=(b"h", keys.ref("SSSE.IRK"), PIN),
            )
        )
        for keys in cards
    }
    assert len(sent) == 4
    with pytest.raises(VaultError, match="master key"):
        vault.mac(KeyRef("SSSE.IRK"), b"")
    vault.close()
    said = ended(service)
    assert service.returncode == 0
    for secret in (PIN.reveal().decode(), PIN.reveal().hex(), b"a data key of a job".hex(), blob.hex()):
        assert secret not in said


def test_stations_elsewhere_come_over_tls(test_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "identities"
    for words in (("localhost", "127.0.0.1", "--serves"), ("station-1",), ("station-2",)):
        made = kaguan("keys", "service-cert", folder, *words)
        assert made.returncode == 0, made.stderr
    assert kaguan("keys", "service-cert", folder, "a", "b").returncode == 2
    assert kaguan("keys", "serve", test_store, "--listen", "127.0.0.1:0").returncode == 2
    assert kaguan("keys", "serve", test_store, "--listen", "unix:x", "--allow", "a").returncode == 2
    identity = folder / "localhost.pem"
    command = [sys.executable, "-m", "kaguan", "keys", "serve", str(test_store), "--listen", "127.0.0.1:0"]
    service = subprocess.Popen(
        [*command, "--identity", str(identity), "--allow", "station-1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert service.stdout is not None
    address = re.search(r"service:\S+", service.stdout.readline())
    assert address
    vault = open_store(store_of(f"{address[0]}?identity={folder / 'station-1.pem'}"))
    require_keys(vault, PROFILE)
    assert len(vault.mac_long(AUDIT, b"x")) == 16
    vault.close()
    with pytest.raises(VaultError, match="not among those"):
        open_store(store_of(f"{address[0]}?identity={folder / 'station-2.pem'}"))
    said = ended(service)
    assert "station station-1 came" in said
    assert "station station-2 was turned away" in said


def kaguan(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kaguan", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_service_may_serve_a_service(test_store: Path, tmp_path: Path) -> None:
    """A hall of stations may have one of its own, which holds no keys."""
    first, second = f"unix:{tmp_path / 'a'}", f"unix:{tmp_path / 'b'}"
    behind = program(test_store, "--listen", first)
    before = program(f"service:{first}", "--listen", second)
    vault = open_store(store_of(f"service:{second}"))
    assert vault.mac_long(AUDIT, b"x") == open_store(test_store).mac_long(AUDIT, b"x")
    vault.close()
    ended(before)
    ended(behind)
