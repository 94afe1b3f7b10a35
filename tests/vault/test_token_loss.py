"""The token is gone, locked, or does not take the PIN: each is told apart, and nothing is lost or done twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.vault import KeyInfo, KeyRef, KeyVault, Usage
from vault.tokens import LABEL, OFFICER_PIN, PIN, SoftToken, module, seen, token_in, twins

module()

import pkcs11  # noqa: E402 - only where it is installed

from kaguan.vault import tokenkeys  # noqa: E402
from kaguan.vault.pkcs11 import TokenVault  # noqa: E402
from kaguan.vault.token import (  # noqa: E402
    PAUSES_SECONDS,
    MechanismAbsent,
    SessionLost,
    TokenAbsent,
    TokenAddress,
    TokenFailed,
    TokenLocked,
    TokenPinAtRisk,
    TokenSession,
    WrongTokenPin,
)

FACTOR, CHALLENGE = b"990100sx", bytes(range(8))
COMMAND = CommandApdu.of("84 D4 01 00", bytes.fromhex("39F0F0AAFF"))
TRANSPORT, LOAD = KeyRef("TK").diversified(FACTOR), KeyRef("DLK").diversified(FACTOR, FACTOR, FACTOR)
LOCKED = 0x0004_0000
FLAGS = bytes.fromhex("000000008000534B0000000000000002")  # SoftHSM's attribute for them, and its type

Verb = Callable[[KeyVault], object]


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    with seen(token_in(tmp_path), monkeypatch) as token:
        yield token


def session(token: SoftToken, pin: Secret = PIN, **options: object) -> TokenSession:
    return TokenSession(TokenAddress(token.module, LABEL), pin, **options)


def founded(token: SoftToken, **options: object) -> TokenVault:
    return TokenVault.founded(session(token, writes=True, **options), StoreKind.TEST)


def stored(token: SoftToken) -> list[KeyInfo]:
    """What the token itself says that it holds."""
    return list(TokenVault.opened(session(token)).infos())


def in_another_process(token: SoftToken, program: str) -> None:
    """The program runs with the token's session of its security officer as `session`."""
    opening = (
        f"import pkcs11; token = pkcs11.lib({token.module!r}).get_token(token_label={LABEL!r});"
        f"session = token.open(rw=True, so_pin={OFFICER_PIN!r});"
    )
    subprocess.run([sys.executable, "-c", opening + program], env=token.environment, check=True)


def started_again(token: SoftToken) -> None:
    """SoftHSM looks for its tokens anew; all sessions are lost."""
    pkcs11.lib(token.module).finalize()
    pkcs11.lib(token.module)


def test_a_store_stays_test_or_live(token: SoftToken):
    opened = session(token, writes=True)
    with pytest.raises(VaultError, match="no key store yet"):
        TokenVault.opened(opened)
    assert TokenVault.founded(opened, StoreKind.LIVE).kind is StoreKind.LIVE
    with pytest.raises(VaultError, match="is a live store"):
        TokenVault.founded(opened, StoreKind.TEST)
    assert TokenVault.opened(session(token)).kind is StoreKind.LIVE


@pytest.mark.parametrize(
    "verb",
    [
        lambda vault: vault.mac(LOAD.session(CHALLENGE), b"message"),
        lambda vault: vault.mac(LOAD, b"message"),
        lambda vault: vault.check_value(LOAD),
        lambda vault: vault.protect(TRANSPORT, Scheme.PBOC, COMMAND, CHALLENGE, encrypted=True, append=LOAD),
        lambda vault: vault.prepare([LOAD]),
    ],
)
def test_after_a_lost_session_a_verb_does_what_it_would_have_done(token: SoftToken, verb: Verb):
    masters = [("TK", Usage.TRANSPORT, bytes(range(16)), 1, 1), ("DLK", Usage.LOAD, bytes(range(1, 17)), 3, 1)]
    software, inside = twins(token, masters)
    for _ in range(2):  # before anything was derived, and with derived keys that go with the session
        token.close_all_sessions()
        inside.forget()
        assert verb(inside) == verb(software)


def test_a_key_is_made_once_whether_or_not_the_session_lasts(token: SoftToken):
    vault = founded(token)
    token.close_all_sessions()
    made = vault.generate("K", Usage.LOAD, Algorithm.TDES)
    assert stored(token) == [made]


def test_a_key_that_was_stored_before_the_answer_was_lost_is_not_made_again(token: SoftToken):
    vault = founded(token)
    times = 0

    def make(opened: pkcs11.Session) -> None:
        nonlocal times
        times += 1
        opened.generate_key(pkcs11.KeyType.DES2, template=tokenkeys.stored("K", 1, 1, Usage.LOAD))
        token.close_all_sessions()
        opened.generate_random(8)

    vault._tree.make_once("K", 1, make)
    assert times == 1
    assert [info.label for info in stored(token)] == ["K"]


def test_a_token_that_stays_away_is_waited_for_and_then_told(token: SoftToken):
    waits: list[float] = []
    vault = founded(token, wait=waits.append)
    tokens = token.folder / "tokens"
    tokens.rename(token.folder / "away")
    tokens.mkdir()
    started_again(token)
    with pytest.raises(SessionLost, match="when it is back"):
        vault.generate("K", Usage.LOAD, Algorithm.TDES)
    assert tuple(waits) == PAUSES_SECONDS
    tokens.rmdir()
    (token.folder / "away").rename(tokens)
    started_again(token)
    vault.generate("K", Usage.LOAD, Algorithm.TDES)
    assert [info.label for info in stored(token)] == ["K"]


def test_a_token_that_comes_back_in_time_is_not_missed(token: SoftToken):
    tokens, away = token.folder / "tokens", token.folder / "away"

    def wait(seconds: float) -> None:
        if seconds == PAUSES_SECONDS[2]:
            tokens.rmdir()
            away.rename(tokens)
            started_again(token)

    vault = founded(token, wait=wait)
    tokens.rename(away)
    tokens.mkdir()
    started_again(token)
    vault.generate("K", Usage.LOAD, Algorithm.TDES)
    assert [info.label for info in stored(token)] == ["K"]


# the PIN


def test_a_wrong_pin_costs_one_try_however_many_stations_start_with_it(token: SoftToken):
    with pytest.raises(WrongTokenPin, match="PIN in the file is wrong; the token has counted it"):
        session(token, Secret(b"11111111"))
    for pin in (Secret(b"11111111"), PIN):
        with pytest.raises(TokenPinAtRisk, match="log in once by hand"):
            session(token, pin)
    with pytest.raises(WrongTokenPin, match="PIN typed is wrong"):
        session(token, Secret(b"22222222"), attended=True)
    session(token, attended=True).close()
    assert session(token).generation == 1


def test_a_pin_that_was_changed_meanwhile_is_not_tried_a_second_time(token: SoftToken):
    vault = founded(token)
    in_another_process(token, "session.init_pin('33333333')")
    started_again(token)
    with pytest.raises(WrongTokenPin):
        vault.generate("K", Usage.LOAD, Algorithm.TDES)
    session(token, Secret(b"33333333"), attended=True).close()  # the token has forgotten the wrong PIN, and we have not
    with pytest.raises(WrongTokenPin, match="was wrong before"):
        vault.generate("K", Usage.LOAD, Algorithm.TDES)


def test_a_locked_token_is_told_from_a_lost_one(token: SoftToken):
    """SoftHSM never counts so far; its token is made to say what others say after too many wrong PINs."""
    vault = founded(token)
    (file,) = (token.folder / "tokens").glob("*/token.object")
    content = bytearray(file.read_bytes())
    place = content.index(FLAGS) + len(FLAGS)
    flags = int.from_bytes(content[place : place + 8], "big") | LOCKED
    content[place : place + 8] = flags.to_bytes(8, "big")
    file.write_bytes(content)
    started_again(token)
    with pytest.raises(TokenLocked, match="security officer"):
        vault.generate("K", Usage.LOAD, Algorithm.TDES)
    for attended in (False, True):
        with pytest.raises(TokenLocked):
            session(token, attended=attended)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (pkcs11.PinLocked, TokenLocked),
        (pkcs11.PinExpired, TokenAbsent),
        (pkcs11.UserPinNotInitialized, TokenAbsent),
        (pkcs11.PinLenRange, WrongTokenPin),
    ],
)
def test_what_a_token_answers_to_a_pin(token: SoftToken, error: type[Exception], kind: type[VaultError]):
    """As tokens other than SoftHSM answer."""

    class Answering(TokenSession):
        def _logged_in(self, token: pkcs11.Token) -> pkcs11.Session:
            raise error

    with pytest.raises(kind):
        Answering(TokenAddress(token.module, LABEL), PIN)


def test_other_failures_have_their_own_names(token: SoftToken):
    opened = session(token)

    def fail(error: type[Exception]) -> None:
        def act(_: object) -> None:
            raise error

        opened.run(act)

    with pytest.raises(MechanismAbsent, match="MechanismInvalid"):
        fail(pkcs11.MechanismInvalid)
    with pytest.raises(TokenFailed, match="GeneralError"):
        fail(pkcs11.GeneralError)
    with pytest.raises(TokenAbsent, match="no token labelled"):
        TokenSession(TokenAddress(token.module, "another"), PIN)
    with pytest.raises(TokenAbsent, match=r"no PKCS#11 library works"):
        TokenSession(TokenAddress("/nowhere/lib.so", LABEL), PIN)
    for shown in (repr(opened), str(opened), repr(founded(token))):
        assert PIN.reveal().decode() not in shown
