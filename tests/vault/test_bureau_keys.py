"""The bureau's own keys: what they seal opens under them alone and about the same; and they obey nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.guard import GuardedVault
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealedsecret import LONGEST_SECRET, SealBroken
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import BUREAU_USAGES, KeyAbsent, KeyRef, KeyVault, Usage, UsageForbidden
from kaguan.vault.zone import Zone, zone_of
from vault.test_guard import Book
from vault.tokens import module, seen, token_in, twins

RECORDS, OTHER, AUDIT = KeyRef("PERSO.RECORDS"), KeyRef("PERSO.RECORDS", 2), KeyRef("PERSO.AUDIT")
FACTOR = b"990100sx"
COMMAND = CommandApdu.of("84 D4 01 00", bytes(5))
MASTERS = [
    ("PERSO.RECORDS", Usage.RECORDS, bytes(range(32)), 0, 1),
    ("PERSO.RECORDS", Usage.RECORDS, bytes(range(1, 33)), 0, 2),
    ("PERSO.AUDIT", Usage.AUDIT, bytes(range(2, 34)), 0, 1),
    ("TK", Usage.TRANSPORT, bytes(range(16)), 1, 1),
    ("DLK", Usage.LOAD, bytes(range(1, 17)), 1, 1),
]
values = st.binary(max_size=64)


@pytest.fixture(scope="module")
def vaults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, KeyVault]]:
    """The same keys in memory, in a token, and behind a register."""
    module()
    folder = tmp_path_factory.mktemp("token")
    with pytest.MonkeyPatch.context() as patch, seen(token_in(folder), patch) as token:
        software, inside = twins(token, MASTERS)
        guarded = GuardedVault(software, StoreKind.TEST, Book(10**9), lambda: 0.0)
        yield {"memory": software, "token": inside, "guarded": guarded}


@given(values, values)
@settings(max_examples=60)
def test_what_one_vault_sealed_every_other_opens(vaults, secret, about):
    for sealing in vaults.values():
        blob = sealing.seal_secret(RECORDS, Secret(secret), about)
        assert len(secret) < 8 or secret not in blob
        for opening in vaults.values():
            assert opening.open_secret(RECORDS, blob, about).reveal() == secret


@given(values, values, values, st.data())
@settings(max_examples=60)
def test_whatever_is_changed_nothing_opens(vaults, secret, about, other, draw):
    for vault in vaults.values():
        blob = vault.seal_secret(RECORDS, Secret(secret), about)
        place = draw.draw(st.integers(0, len(blob) - 1))
        flipped = bytearray(blob)
        flipped[place] ^= 1 << draw.draw(st.integers(0, 7))
        attempts = [(RECORDS, bytes(flipped), about), (OTHER, blob, about), (RECORDS, blob[:-1], about)]
        attempts += [(RECORDS, b"", about), (RECORDS, blob + b"\0", about), (RECORDS, other, about)]
        attempts += [(RECORDS, blob, other)] if other != about else []
        for ref, changed, said in attempts:
            with pytest.raises(SealBroken) as refused:
                vault.open_secret(ref, changed, said)
            assert len(secret) < 8 or secret.hex() not in str(refused.value)


@given(values, values)
def test_a_sealed_secret_is_aes_gcm_by_another_library_call(secret, about):
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.import_components("R", Usage.RECORDS, Algorithm.AES, [Secret(MASTERS[0][2])], None, levels=0)
    blob = vault.seal_secret(KeyRef("R"), Secret(secret), about)
    assert blob[:1] == b"\x01"
    assert AESGCM(MASTERS[0][2]).decrypt(blob[1:13], blob[13:], about) == secret


def test_two_seals_share_a_nonce_only_when_they_are_the_same(vaults):
    memory = vaults["memory"]
    blobs = {memory.seal_secret(RECORDS, Secret(secret), about) for secret in (b"", b"a") for about in (b"", b"a")}
    assert len({blob[1:13] for blob in blobs}) == 4
    drawn = {vaults["token"].seal_secret(RECORDS, Secret(b"a"), b"")[1:13] for _ in range(20)}
    assert len(drawn) == 20


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_the_long_mac_is_the_cmac_of_the_standard(vaults, data):
    made = CMAC(AES256(MASTERS[2][2]))
    made.update(data)
    expected = made.finalize()
    assert [vault.mac_long(AUDIT, data) for vault in vaults.values()] == [expected] * 3


def test_the_cmac_of_sp_800_38b():
    """Example 3 of NIST SP 800-38B: AES-256, no data and 40 bytes."""
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.import_components("A", Usage.AUDIT, Algorithm.AES, [Secret(key)], None, levels=0)
    message = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
    assert vault.mac_long(KeyRef("A"), b"").hex() == "028962f61b7bf89efc6b551f4667d983"
    assert vault.mac_long(KeyRef("A"), message).hex() == "aaf3d8f1de5640c232f5b169b9c911e6"


def bureau_verbs(vault: KeyVault, ref: KeyRef) -> dict[Usage, Callable[[], object]]:
    return {
        Usage.RECORDS: lambda: vault.open_secret(ref, vault.seal_secret(ref, Secret(b"s"), b""), b""),
        Usage.AUDIT: lambda: vault.mac_long(ref, b"data"),
    }


def card_verbs(vault: KeyVault, ref: KeyRef) -> list[Callable[[], object]]:
    transport = KeyRef("TK").diversified(FACTOR)
    return [
        lambda: vault.encipher(ref, bytes(16)),
        lambda: vault.mac(ref, b"data"),
        lambda: vault.protect(ref, Scheme.PBOC, COMMAND, bytes(8), encrypted=False),
        lambda: vault.protect(transport, Scheme.PBOC, COMMAND, bytes(8), encrypted=True, append=ref),
    ]


@pytest.mark.parametrize("name", ["memory", "token", "guarded"])
def test_a_key_of_the_bureau_obeys_its_own_verb_alone(vaults, name):
    vault = vaults[name]
    for ref in (RECORDS, AUDIT):
        for derived in (ref, ref.session(bytes(8)), ref.diversified(FACTOR), ref.folded()):
            for act in card_verbs(vault, derived):
                with pytest.raises(VaultError):
                    act()
    for ref, usage in ((RECORDS, Usage.RECORDS), (AUDIT, Usage.AUDIT), (KeyRef("DLK"), None), (KeyRef("TK"), None)):
        for verb, act in bureau_verbs(vault, ref).items():
            if verb is usage:
                act()
            else:
                with pytest.raises(UsageForbidden, match="must not"):
                    act()
    for ref in (RECORDS.diversified(FACTOR), AUDIT.session(bytes(8)), RECORDS.folded()):
        with pytest.raises(UsageForbidden):
            bureau_verbs(vault, ref)[vault.info(ref).usage]()
        with pytest.raises(VaultError):
            vault.check_value(ref)
    for act in bureau_verbs(vault, KeyRef("absent")).values():
        with pytest.raises(KeyAbsent):
            act()


def test_a_key_of_the_bureau_that_is_no_aes_key_does_nothing():
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.generate("R", Usage.RECORDS, Algorithm.TDES, os.urandom, levels=0)
    vault.generate("L", Usage.RECORDS, Algorithm.AES, os.urandom, levels=1)
    for label in ("R", "L"):
        with pytest.raises(UsageForbidden, match="aes key without levels"):
            vault.seal_secret(KeyRef(label), Secret(b"s"), b"")


def test_what_is_too_long_is_refused(vaults):
    longest, about = Secret(bytes(LONGEST_SECRET)), bytes(5000)
    for vault in vaults.values():
        assert vault.open_secret(RECORDS, vault.seal_secret(RECORDS, longest, about), about) == longest
        with pytest.raises(VaultError, match="at most"):
            vault.seal_secret(RECORDS, Secret(bytes(LONGEST_SECRET + 1)), b"")


def test_the_token_makes_and_keeps_them(vaults):
    from pkcs11 import Attribute, PKCS11Error  # noqa: PLC0415 - only where it is installed

    inside = vaults["token"]
    for label, usage in (("R", Usage.RECORDS), ("A", Usage.AUDIT)):
        info = inside.generate(label, usage, Algorithm.AES, levels=0)
        assert inside.guard(KeyRef(label)) == (True, False, True, True)
        assert info == inside.info(KeyRef(label))
        bureau_verbs(inside, KeyRef(label))[usage]()
        for algorithm in (Algorithm.TDES, Algorithm.SM4):
            with pytest.raises(VaultError, match="in a token are aes"):
                inside.generate("other", usage, algorithm)
    key = inside._tree._masters["R", 1]
    with pytest.raises(PKCS11Error):
        _ = key[Attribute.VALUE]
    assert [key[name] for name in (Attribute.WRAP, Attribute.UNWRAP, Attribute.SIGN, Attribute.EXTRACTABLE)] == [
        False
    ] * 4
    again = type(inside).opened(inside._token)
    assert list(again.infos()) == list(inside.infos())


def test_they_belong_to_the_bureaus_own_machines():
    assert {zone_of(usage) for usage in BUREAU_USAGES} == {Zone.PERSONALIZATION}


def test_they_travel_under_the_personalization_zone_and_sleep_in_a_store():
    here, there = SoftwareVault.empty(StoreKind.TEST), SoftwareVault.empty(StoreKind.TEST)
    for vault in (here, there):
        value = [Secret(bytes(range(3, 35)))]
        vault.import_components("Z", Usage.PERSONALIZATION_ZONE, Algorithm.AES, value, None, levels=0)
    made = here.generate("PERSO.RECORDS", Usage.RECORDS, Algorithm.AES, os.urandom, levels=0)
    there.import_block(here.exported(RECORDS, KeyRef("Z"), os.urandom), KeyRef("Z"), made.check_value)
    blob = here.seal_secret(RECORDS, Secret(b"a data key"), b"job 1")
    woken = SoftwareVault.opened(there.sealed(Secret(b"open"), os.urandom), Secret(b"open"))
    assert woken.open_secret(RECORDS, blob, b"job 1") == Secret(b"a data key")


def test_no_zone_key_goes_into_a_command_for_a_card():
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.import_components("TK", Usage.TRANSPORT, Algorithm.TDES, [Secret(bytes(range(16)))], None)
    for zone in Zone:
        vault.generate(zone, zone.usage, Algorithm.AES, os.urandom, levels=0)
        with pytest.raises(UsageForbidden, match="no card's"):
            card_verbs(vault, KeyRef(zone))[-1]()
