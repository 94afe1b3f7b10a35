"""A token with a register: its keys have states and counters too, and two people answer for every step."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaguan.apdu.errors import NeedsSecondPerson, VaultError
from kaguan.personalization.keys.storefile import RegisterBroken, StoreFile
from kaguan.personalization.keys.tokenstore import TokenStore
from kaguan.personalization.keystore import AUDIT, RECORDS, open_store
from kaguan.vault.ceremony import KeyOrder
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.guard import GuardedVault, KeyState
from kaguan.vault.record import verify_record
from kaguan.vault.secret import Secret
from kaguan.vault.vault import KeyAbsent, KeyNotActive, KeyRef, KeyUsedUp, Usage
from personalization.keys.people import NAMES, TIME, passphrase, two
from vault.tokens import LABEL, PIN, ZONE_LABEL, SoftToken, module, seen, token_in

pytestmark = pytest.mark.slow

module()

from kaguan.personalization.keys.token.sitting import make_register, sit_at_token  # noqa: E402 - needs python-pkcs11
from kaguan.vault.pkcs11 import TokenVault  # noqa: E402
from kaguan.vault.token import TokenAddress, TokenSession  # noqa: E402

CARD = KeyRef("SSSE.IRK").diversified(b"990000sh", b"990100sx", bytes(8))


class Bureau:
    """A token, the file of its register, and the people at it."""

    def __init__(self, token: SoftToken, folder: Path) -> None:
        self.token = token
        self.pin = folder / "pin"
        self.pin.write_bytes(PIN.reveal())
        self.register = folder / "token.register"
        self.store = TokenStore(LABEL, Path(token.module), self.pin, self.register)
        self.bare = TokenStore(LABEL, Path(token.module), self.pin)
        self.people = []
        for name in NAMES[:2]:
            file = folder / f"{name}.passphrase"
            file.write_bytes(passphrase(name).reveal())
            file.chmod(0o600)
            self.people += ["--passphrase-file", f"{name}={file}"]

    def keys(self, *words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kaguan", "keys", *map(str, words)]
        return subprocess.run(
            command, env=self.token.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def inside(self) -> TokenVault:
        """The token itself, without its register, for writing."""
        return TokenVault.opened(TokenSession(TokenAddress(self.token.module, LABEL), PIN, writes=True))

    def make(self, *words: object) -> None:
        done = self.keys("token", "make", self.bare, "--kind", "test")
        assert done.returncode == 0, done.stderr
        done = self.keys("token", "register", self.store, *self.people, *words)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def bureau(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bureau]:
    with seen(token_in(tmp_path), monkeypatch) as token:
        yield Bureau(token, tmp_path)


def test_states_and_counters_of_keys_in_a_token(bureau: Bureau) -> None:
    bureau.make("--uses", 200)
    with pytest.raises(VaultError, match="name its register"):
        open_store(bureau.bare)
    vault = open_store(bureau.store)
    assert isinstance(vault, GuardedVault)
    vault.mac(CARD, b"message")
    assert vault.open_secret(RECORDS, vault.seal_secret(RECORDS, Secret(b"k"), b"job"), b"job") == Secret(b"k")
    vault.close()
    changed = bureau.keys("token", "change", bureau.store, "SSSE.IRK", "--to", "suspended", *bureau.people)
    assert changed.returncode == 0, changed.stderr
    with pytest.raises(KeyNotActive):
        open_store(bureau.store).mac(CARD, b"message")
    listed = bureau.keys("list", bureau.register)
    assert re.search(r"SSSE.IRK +1 +suspended .* used 1 of 200", listed.stdout)
    verified = bureau.keys("verify", bureau.register)
    assert verified.returncode == 0, verified.stderr
    assert "register" in verified.stdout
    assert "suspend" in verified.stdout


def test_one_person_alone_does_nothing(bureau: Bureau) -> None:
    bureau.make()
    alone = bureau.people[:2]
    for words in (
        ("change", bureau.store, "SSSE.IRK", "--to", "suspended"),
        ("make", bureau.store, "--kind", "test", "--profile", "ssc-v1"),
    ):
        refused = bureau.keys("token", *words, *alone)
        assert (refused.returncode, "two custodians" in refused.stderr) == (5, True), refused.stderr
    with pytest.raises(NeedsSecondPerson):
        make_register(bureau.register, bureau.inside(), {"wang": passphrase("wang")}, time=TIME, most_uses=None)


def test_a_key_comes_in_with_two_people_and_goes_with_two(bureau: Bureau, tmp_path: Path) -> None:
    bureau.make()
    key = os.urandom(16)
    (tmp_path / "key.hex").write_text(bureau.token.wrapped(key).hex())
    value = check_value(key, Algorithm.TDES)
    words = ("token", "import", bureau.store, tmp_path / "key.hex", "--label", "NEW", "--usage", "load", "--levels", 1)
    words += ("--check-value", value, "--under", ZONE_LABEL)
    refused = bureau.keys(*words)
    assert (refused.returncode, "two custodians" in refused.stderr) == (5, True)
    with pytest.raises(KeyAbsent):
        bureau.inside().info(KeyRef("NEW"))
    done = bureau.keys(*words, *bureau.people, "--uses", 3)
    assert done.returncode == 0, done.stderr
    new = KeyRef("NEW").diversified(bytes(8))
    vault = open_store(bureau.store)
    for _ in range(3):
        vault.mac(new, b"")
    with pytest.raises(KeyUsedUp):
        vault.mac(new, b"")
    for state in ("retired", "destroyed"):
        done = bureau.keys("token", "change", bureau.store, "NEW", "--to", state, *bureau.people)
        assert done.returncode == 0, done.stderr
    with pytest.raises(KeyAbsent):
        bureau.inside().info(KeyRef("NEW"))
    with StoreFile(bureau.register) as file:
        steps = [entry.step for entry in verify_record(file.record_lines())]
    assert steps == ["register", "import", "retire", "destroy"]


def test_a_live_token_takes_no_key_from_one_person(bureau: Bureau, tmp_path: Path) -> None:
    assert bureau.keys("token", "make", bureau.bare, "--kind", "live").returncode == 0
    key = os.urandom(16)
    (tmp_path / "key.hex").write_text(bureau.token.wrapped(key).hex())
    words = ("token", "import", bureau.bare, tmp_path / "key.hex", "--label", "TK", "--usage", "transport")
    words += ("--check-value", check_value(key, Algorithm.TDES), "--under", ZONE_LABEL, "--levels", 1)
    refused = bureau.keys(*words)
    assert (refused.returncode, "token register" in refused.stderr) == (5, True)
    assert bureau.keys("token", "register", bureau.store, *bureau.people).returncode == 0
    words = tuple(bureau.store if word is bureau.bare else word for word in words)
    done = bureau.keys(*words, *bureau.people)
    assert done.returncode == 0, done.stderr


WORKER = """
import sys
from pathlib import Path
from kaguan.personalization.keys.tokenstore import TokenStore
from kaguan.personalization.keystore import AUDIT, open_store
vault = open_store(TokenStore.parse(sys.argv[1]))
while True:
    vault.mac_long(AUDIT, b"checkpoint")
    sys.stdout.write(".")
    sys.stdout.flush()
"""


def test_counters_hold_against_kills(bureau: Bureau) -> None:
    bureau.make("--uses", 900)
    done, ended = 0, 0
    while not ended:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(bureau.store)],
            env=bureau.token.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert worker.stdout is not None
        some = worker.stdout.read(40)
        worker.send_signal(signal.SIGKILL)
        rest, said = worker.communicate()
        done += len(some) + len(rest)
        ended = b"KeyUsedUp" in said
        assert done <= 900
    with StoreFile(bureau.register) as file:
        assert next(row.used for row in file.rows() if row.info.label == AUDIT.label) == 900
    assert done > 100


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE key SET used = 0 WHERE label = 'PERSO.AUDIT'",
        "UPDATE key SET most = NULL WHERE label = 'PERSO.AUDIT'",
        "UPDATE store SET id = 'another'",
    ],
)
def test_a_register_changed_by_hand_stops_the_token(bureau: Bureau, spoil: str) -> None:
    bureau.make("--uses", 100)
    open_store(bureau.store).mac_long(AUDIT, b"")
    with sqlite3.connect(bureau.register) as connection:
        connection.execute(spoil)
    connection.close()
    with pytest.raises(RegisterBroken):
        open_store(bureau.store)


def test_a_step_that_was_killed_is_done_again(bureau: Bureau, tmp_path: Path) -> None:
    """Between the token and the file: the key does not work, and the same step goes on."""
    bureau.make()
    key = os.urandom(16)
    value = check_value(key, Algorithm.TDES)
    inside = bureau.inside()
    cryptogram = bureau.token.wrapped(key)
    inside.unwrap("NEW", Usage.LOAD, Algorithm.TDES, cryptogram, value, under=ZONE_LABEL)  # and then the kill
    new = KeyRef("NEW").diversified(bytes(8))
    with pytest.raises(KeyAbsent):
        open_store(bureau.store).mac(new, b"")
    with sit_at_token(bureau.store, inside, two(), lambda: TIME) as sitting:
        sitting.import_wrapped(
            KeyOrder("NEW", Usage.LOAD), cryptogram, value, under=ZONE_LABEL, most_uses=None, activate=True
        )
        open_store(bureau.store).mac(new, b"")
        sitting.change_state(KeyRef("NEW"), KeyState.RETIRED)
        super(type(sitting), sitting).change_state(KeyRef("NEW"), KeyState.DESTROYED)  # and then the kill
        assert inside.info(KeyRef("NEW"))
        with pytest.raises(KeyNotActive):
            open_store(bureau.store).mac(new, b"")
        sitting.change_state(KeyRef("NEW"), KeyState.DESTROYED)
        with pytest.raises(KeyAbsent):
            inside.info(KeyRef("NEW"))


def test_a_register_that_was_killed_before_the_token_knew(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bureau.keys("token", "make", bureau.bare, "--kind", "test").returncode == 0
    inside = bureau.inside()
    with monkeypatch.context() as patch:
        patch.setattr(TokenVault, "bind_register", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make_register(bureau.register, inside, two(), time=TIME, most_uses=5)
    assert isinstance(open_store(bureau.bare), TokenVault), "no register yet"
    make_register(bureau.register, inside, two(), time=TIME, most_uses=5)
    assert isinstance(open_store(bureau.store), GuardedVault)
    with pytest.raises(VaultError, match="already"):
        make_register(bureau.register.with_name("other"), inside, two(), time=TIME, most_uses=None)


def test_the_tags_are_the_tokens_alone(bureau: Bureau) -> None:
    bureau.make()
    inside = bureau.inside()
    assert all(info.label != "kaguan-register" for info in inside.infos())
    with pytest.raises(KeyAbsent):
        inside.mac_long(KeyRef("kaguan-register"), b"")
    assert str(TokenStore.parse(str(bureau.store))) == str(bureau.store)
    assert bureau.store.resolve() == bureau.store
