"""The store on disk: steps are whole, rows are the store's own, and counters hold against every kill."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from kaguan.apdu.errors import InputError, NeedsSecondPerson, VaultError
from kaguan.durable import InUse
from kaguan.personalization.keys.ceremony import CeremonyPlan, Entered, ceremony_at, hold_ceremony
from kaguan.personalization.keys.opening import check_register, open_guarded, open_vault
from kaguan.personalization.keys.register import StoreRegister
from kaguan.personalization.keys.sitting import sit
from kaguan.personalization.keys.storefile import RegisterBroken, StoreFile
from kaguan.personalization.keystore import open_store
from kaguan.vault.ceremony import KeyOrder, ShareForeign, TooFewShares
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.custodian import CustodianUnknown
from kaguan.vault.guard import GuardedVault, KeyState
from kaguan.vault.record import RecordBroken
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.vault import (
    CheckValueMismatch,
    KeyAbsent,
    KeyNotActive,
    KeyPresent,
    KeyRef,
    KeyUsedUp,
    Usage,
    UsageForbidden,
    WrongPassphrase,
)
from kaguan.vault.zone import Zone
from personalization.keys.people import NAMES, OPEN, TIME, brought, dealt, make_store, passphrase, two

LOAD = KeyOrder("DLK", Usage.LOAD, Algorithm.TDES, 1, 1)
CARD = KeyRef("DLK").diversified(b"990100sx")


def now() -> str:
    return TIME


def ordered(path: Path, *orders: KeyOrder, most: int | None = None, activate: bool = True) -> None:
    with sit(path, OPEN, two(), now) as sitting:
        sitting.generate(orders, most_uses=most, activate=activate)


def changed(path: Path, ref: KeyRef, *states: KeyState) -> None:
    with sit(path, OPEN, two(), now) as sitting:
        for state in states:
            sitting.change_state(ref, state)


def test_a_ceremony_makes_a_whole_store_for_its_owner_alone(store: Path) -> None:
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    vault = open_store(store, OPEN)
    assert isinstance(vault, GuardedVault)
    assert vault.kind is StoreKind.TEST
    assert [info.label for info in vault.infos()] == ["card-masters"]
    with StoreFile(store) as file:
        (entry,) = file.record()
        assert entry.step == "ceremony"
        assert set(entry.signatures) == {"wang", "li"}
        assert file.rows()[0].state is KeyState.ACTIVE


def test_nothing_of_the_shares_keys_and_passphrases_is_in_the_file(tmp_path: Path) -> None:
    path, (shares, value) = tmp_path / "s", dealt()
    with ceremony_at(path):
        hold_ceremony(CeremonyPlan(path, "K"), brought(shares, value, "wang", "li"), OPEN, time=TIME)
    raw = path.read_bytes()
    for secret in (*(share.value for share in shares.values()), *map(passphrase, NAMES), OPEN):
        assert secret.reveal() not in raw
        assert secret.reveal().hex().encode() not in raw.lower()


def test_a_ceremony_that_fails_leaves_no_store(tmp_path: Path) -> None:
    path, (shares, value), (others, _) = tmp_path / "s", dealt(threshold=3), dealt(threshold=3)
    plan, whole = CeremonyPlan(path, "K"), brought(shares, value, *NAMES)
    attempts: list[tuple[type[Exception], dict[str, Entered]]] = [
        (TooFewShares, brought(shares, value, "wang", "li")),
        (ShareForeign, {**whole, "li": Entered(others["li"], passphrase("li"), value)}),
        (CheckValueMismatch, {**whole, "li": Entered(shares["li"], passphrase("li"), CheckValue(bytes(3)))}),
        (VaultError, {**whole, "li": Entered(shares["li"], passphrase("wang"), value)}),
        (VaultError, {**whole, "li": Entered(shares["li"], OPEN, value)}),
        (VaultError, {**whole, "li": Entered(shares["li"], Secret(b"short"), value)}),
    ]
    for error, entered in attempts:
        with ceremony_at(path), pytest.raises(error):
            hold_ceremony(plan, entered, OPEN, time=TIME)
    assert [p.name for p in tmp_path.iterdir()] == [".s.lock"]


def test_two_ceremonies_at_once_are_refused(store: Path) -> None:
    with ceremony_at(store):
        with pytest.raises(InUse), ceremony_at(store):
            raise AssertionError
        with pytest.raises(InUse), sit(store, OPEN, two(), now):
            raise AssertionError


def test_another_zones_key_joins_the_store_when_two_who_are_known_are_there(store: Path) -> None:
    make_store(store, Zone.TRANSPORT)
    with pytest.raises(KeyPresent, match="next version"):
        make_store(store, Zone.TRANSPORT)
    names = ("wang", "qian", "sun")
    shares, value = dealt(zone=Zone.PERSONALIZATION, names=names)
    plan = CeremonyPlan(store, "P")
    for absent in ("wang", "sun"):
        who = [name for name in names if name != absent]
        with ceremony_at(store), pytest.raises(NeedsSecondPerson, match="knows"):
            hold_ceremony(plan, brought(shares, value, *who), OPEN, time=TIME)
    shares, value = dealt(zone=Zone.PERSONALIZATION, names=("wang", "li", "sun"))
    bad = {**brought(shares, value, "wang", "li"), "sun": Entered(shares["sun"], passphrase("sun"), value)}
    with ceremony_at(store), pytest.raises(WrongPassphrase, match="wang"):
        hold_ceremony(plan, {**bad, "wang": Entered(shares["wang"], passphrase("eve"), value)}, OPEN, time=TIME)
    with ceremony_at(store):
        entry = hold_ceremony(plan, bad, OPEN, time=TIME)
    assert set(entry.custodians) == {"sun"}
    with StoreFile(store) as file:
        assert [c.name for c in file.custodians()] == ["li", "sun", "wang"]
        assert len(file.record()) == 3
    with sit(store, OPEN, {"sun": passphrase("sun"), "li": passphrase("li")}, now) as sitting:
        sitting.change_state(KeyRef("P"), KeyState.ACTIVE)


def test_live_and_test_never_meet(store: Path) -> None:
    with pytest.raises(UsageForbidden, match="never meet"):
        make_store(store, Zone.TRANSPORT, StoreKind.LIVE)


def test_it_takes_two_different_people_with_their_own_passphrases(store: Path) -> None:
    one = {"wang": passphrase("wang")}
    for people in ({}, one, {**one, " WANG ": passphrase("wang")}):
        with pytest.raises(NeedsSecondPerson), sit(store, OPEN, people, now):
            raise AssertionError
    with pytest.raises(CustodianUnknown), sit(store, OPEN, {**one, "eve": passphrase("eve")}, now):
        raise AssertionError
    with pytest.raises(WrongPassphrase, match="li"), sit(store, OPEN, {**one, "li": passphrase("wang")}, now):
        raise AssertionError
    with pytest.raises(WrongPassphrase), sit(store, Secret(b"guess"), two(), now):
        raise AssertionError


def test_a_key_lives_and_dies_and_the_record_says_so(store: Path) -> None:
    ordered(store, LOAD, activate=False)
    assert isinstance(open_store(store, OPEN), GuardedVault)

    def works() -> bool:
        vault = open_store(store, OPEN)
        try:
            vault.mac(CARD, b"message")
        except KeyNotActive:
            return False
        return True

    ref = KeyRef("DLK")
    assert not works()
    with pytest.raises(KeyNotActive, match="active, destroyed"):
        changed(store, ref, KeyState.RETIRED)
    for state in (KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.ACTIVE, KeyState.RETIRED):
        changed(store, ref, state)
        assert works() is (state is KeyState.ACTIVE)
    with pytest.raises(KeyNotActive, match="destroyed"):
        changed(store, ref, KeyState.ACTIVE)
    changed(store, ref, KeyState.DESTROYED)
    with pytest.raises(KeyAbsent):
        open_store(store, OPEN).mac(CARD, b"")
    with pytest.raises(KeyPresent):
        ordered(store, LOAD)
    with pytest.raises(KeyNotActive, match="nothing else"):
        changed(store, ref, KeyState.ACTIVE)
    with StoreFile(store) as file:
        assert [entry.step for entry in file.record()][2:] == ["activate", "suspend", "activate", "retire", "destroy"]
        assert file.rows()[0].state is KeyState.DESTROYED


def test_a_key_travels_from_store_to_store(tmp_path: Path) -> None:
    here, there, block = tmp_path / "here", tmp_path / "there", tmp_path / "block"
    shares, value = dealt()
    for path in (here, there):
        with ceremony_at(path):
            plan = CeremonyPlan(path, "ZONE", most_uses=1, activate=True)
            hold_ceremony(plan, brought(shares, value, "wang", "li"), OPEN, time=TIME)
    ordered(here, LOAD)
    with StoreFile(here) as file:
        kcv = file.rows()[0].info.check_value
    with sit(here, OPEN, two(), now) as sitting:
        with pytest.raises(CheckValueMismatch):
            sitting.export_block(KeyRef("DLK"), None, CheckValue(bytes(3)), block)
        assert not block.exists()
        sitting.export_block(KeyRef("DLK"), None, kcv, block)
        with pytest.raises(FileExistsError):
            sitting.export_block(KeyRef("DLK"), None, kcv, block)
        with pytest.raises(KeyUsedUp):
            sitting.export_block(KeyRef("DLK"), None, kcv, tmp_path / "more")
    assert stat.S_IMODE(block.stat().st_mode) == 0o600
    with sit(there, OPEN, two(), now) as sitting:
        sitting.import_block(block.read_text(), KeyRef("ZONE"), kcv, most_uses=None, activate=True)
    assert open_store(here, OPEN).mac(CARD, b"m") == open_store(there, OPEN).mac(CARD, b"m")
    with StoreFile(there) as file:
        assert file.record()[-1].about["under"] == "ZONE.1"


def test_without_an_active_zone_key_nothing_travels(store: Path, tmp_path: Path) -> None:
    ordered(store, LOAD, KeyOrder("TK", Usage.TRANSPORT))
    with StoreFile(store) as file:
        kcv = {row.info.label: row.info.check_value for row in file.rows()}
    with sit(store, OPEN, two(), now) as sitting:
        with pytest.raises(KeyAbsent, match="no active zone key for transport"):
            sitting.export_block(KeyRef("TK"), None, kcv["TK"], tmp_path / "block")
        sitting.change_state(KeyRef("card-masters"), KeyState.SUSPENDED)
        with pytest.raises(KeyNotActive):
            sitting.export_block(KeyRef("DLK"), KeyRef("card-masters"), kcv["DLK"], tmp_path / "block")
    assert not (tmp_path / "block").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE key SET used = 0 WHERE label = 'DLK'",
        "UPDATE key SET most = NULL WHERE label = 'DLK'",
        "UPDATE key SET state = 'active' WHERE label = 'DLK'",
        "DELETE FROM key WHERE label = 'DLK'",
        "UPDATE key SET tag = (SELECT tag FROM key WHERE label = 'card-masters')",
        "UPDATE store SET id = 'another'",
        "INSERT INTO custodian SELECT 'eve', public, sealed FROM custodian WHERE name = 'li'",
        "UPDATE custodian SET public = (SELECT public FROM custodian WHERE name = 'li')",
        "DELETE FROM custodian WHERE name = 'li'",
        "DELETE FROM record WHERE number = (SELECT max(number) FROM record)",
        "UPDATE record SET line = replace(line, 'suspend', 'suspenD')",
        "UPDATE store SET kind = 'live'",
    ],
)
def test_a_register_changed_by_hand_stops_the_store(store: Path, spoil: str) -> None:
    ordered(store, LOAD, most=100)
    vault = open_store(store, OPEN)
    for _ in range(3):
        vault.mac(CARD, b"")
    changed(store, KeyRef("DLK"), KeyState.SUSPENDED)
    connection = sqlite3.connect(store)
    connection.execute(spoil)
    connection.commit()
    connection.close()
    with pytest.raises((RegisterBroken, RecordBroken)):
        open_guarded(store, OPEN)
    with pytest.raises((RegisterBroken, RecordBroken, CustodianUnknown)), sit(store, OPEN, two(), now):
        raise AssertionError


def test_files_that_are_no_store(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="no such"):
        StoreFile(tmp_path / "absent")
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="no key store"):
        StoreFile(other)


def test_the_reserve_shrinks_as_the_limit_comes_near_and_comes_back(store: Path) -> None:
    ordered(store, LOAD, most=6400)
    with StoreFile(store) as file:
        vault = open_vault(file, OPEN)
        register = StoreRegister(file, vault.tag)
        assert register.reserve("DLK", 1) == 100
        register.give_back("DLK", 1, 40)
        assert register.reserve("DLK", 1) == (6400 - 60) // 64
        register.give_back("DLK", 1, 99)
        given = total = 60
        while True:
            try:
                given = register.reserve("DLK", 1)
            except KeyUsedUp:
                break
            total += given
        assert (given, total) == (1, 6400)
        assert check_register(file, vault)[0].used == 6400
