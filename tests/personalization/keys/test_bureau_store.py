"""Every store has the bureau's own keys, and one that was made without them says what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from kaguan.apdu.errors import RuleBroken
from kaguan.card_os.profile import load_profile
from kaguan.personalization.keys.ceremony import CeremonyPlan, ceremony_at, hold_ceremony
from kaguan.personalization.keys.cli import keys
from kaguan.personalization.keystore import (
    AUDIT,
    BUREAU_KEYS,
    RECORDS,
    key_orders,
    make_test_store,
    open_store,
    require_bureau_keys,
    require_fitting,
    require_keys,
    store_orders,
    usual_label,
)
from kaguan.terminal.psam import ModuleVault
from kaguan.vault.ceremony import deal
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.share import ShareSet
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import BUREAU_USAGES, KeyAbsent, KeyVault, Usage
from personalization.keys.people import NAMES, OPEN, TIME, brought, make_store, passphrase

PROFILE = load_profile("ssc-v2")


def assert_works(vault: KeyVault) -> None:
    """The bureau's keys do what they are for."""
    blob = vault.seal_secret(RECORDS, Secret(b"data key"), b"job")
    assert vault.open_secret(RECORDS, blob, b"job") == Secret(b"data key")
    assert len(vault.mac_long(AUDIT, b"checkpoint")) == 16


def test_a_test_store_has_them(tmp_path: Path) -> None:
    make_test_store(tmp_path / "test.store", PROFILE)
    vault = open_store(tmp_path / "test.store")
    require_keys(vault, PROFILE)
    assert_works(vault)


def test_a_store_made_before_them_opens_and_says_what_to_do() -> None:
    old = SoftwareVault.empty(StoreKind.TEST)
    for order in key_orders(PROFILE):
        old.generate(order.label, order.usage, order.algorithm, os.urandom, levels=order.levels, version=order.version)
    old.generate("TK", Usage.TRANSPORT, Algorithm.TDES, os.urandom)
    vault = SoftwareVault.opened(old.sealed(Secret(b"open"), os.urandom), Secret(b"open"))
    with pytest.raises(KeyAbsent, match="'kaguan keys generate STORE --bureau'"):
        require_keys(vault, PROFILE)


@pytest.mark.slow
def test_two_custodians_add_them_to_an_old_store(store: Path, tmp_path: Path) -> None:
    words = ["generate", str(store), "--bureau", "--activate", "--store-passphrase-file", str(tmp_path / "open")]
    (tmp_path / "open").write_bytes(OPEN.reveal())
    for name in NAMES[:2]:
        (tmp_path / name).write_bytes(passphrase(name).reveal())
        words += ["--passphrase-file", f"{name}={tmp_path / name}"]
    for file in ("open", *NAMES[:2]):
        (tmp_path / file).chmod(0o600)
    with pytest.raises(KeyAbsent):
        require_bureau_keys(open_store(store, OPEN))
    assert CliRunner().invoke(keys, [*words, "--profile", "ssc-v2"]).exit_code == 2
    done = CliRunner().invoke(keys, words)
    assert done.exit_code == 0, done.output
    assert "PERSO.RECORDS.1 records aes" in done.output
    vault = open_store(store, OPEN)
    require_bureau_keys(vault)
    assert_works(vault)


@pytest.mark.slow
def test_they_come_out_of_a_ceremony_too(tmp_path: Path) -> None:
    path = tmp_path / "store"
    make_store(path)
    for usage in sorted(BUREAU_USAGES):
        of = ShareSet(os.urandom(4), StoreKind.TEST, usage, Algorithm.AES, 2, len(NAMES))
        shares, value = deal(of, NAMES, os.urandom)
        plan = CeremonyPlan(path, usual_label(usage), activate=True)  # one level, as cards' keys have
        with ceremony_at(path):
            hold_ceremony(plan, brought(shares, value, "wang", "li"), OPEN, time=TIME)
    assert_works(open_store(path, OPEN))


def test_labels_and_orders() -> None:
    assert [usual_label(order.usage) for order in BUREAU_KEYS] == ["PERSO.RECORDS", "PERSO.AUDIT"]
    assert usual_label(Usage.CARD_MASTER_ZONE) == "card-master-zone"
    assert store_orders(PROFILE) == [*key_orders(PROFILE), *BUREAU_KEYS]
    assert {order.usage for order in BUREAU_KEYS} == BUREAU_USAGES


def test_test_keys_work_with_no_card_of_people_wherever_they_are_used() -> None:
    for kind, fitting, other in ((StoreKind.TEST, "990100", "310100"), (StoreKind.LIVE, "310100", "990100")):
        require_fitting(SoftwareVault.empty(kind), fitting)
        with pytest.raises(RuleBroken, match="name the right store"):
            require_fitting(SoftwareVault.empty(kind), other)
    module = ModuleVault.__new__(ModuleVault)
    require_fitting(module, "310100")  # a security module does not tell, and tells no other
