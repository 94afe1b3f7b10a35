"""The laws of the vault, on the vault in memory."""

from __future__ import annotations

import itertools
import pickle
import random as seeded
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault import ceremony
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.diversify import diversify, fold, session_key
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import Scheme, unprotect
from kaguan.vault.sealing import SealedStoreMalformed, SealingCost, StoreKind
from kaguan.vault.secret import CheckValue, Pin, Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import (
    BUREAU_USAGES,
    CheckValueMismatch,
    KeyAbsent,
    KeyPresent,
    KeyRef,
    KeyVault,
    Usage,
    UsageForbidden,
    Verb,
    WrongPassphrase,
)

FACTOR, CHALLENGE = b"990100sx", bytes(range(8))
COMMAND = CommandApdu.of("84 D4 01 00", bytes.fromhex("39F0F0AAFF"))
PASSPHRASE = Secret(b"correct horse battery staple")
CHEAP = SealingCost(memory_kib=32, iterations=1, lanes=1)
LUCK = seeded.Random(1).randbytes
CARD_USAGES = [usage for usage in Usage if usage not in BUREAU_USAGES]
KEYS = st.binary(min_size=16, max_size=16).filter(any)


def _vault(*keys: tuple[str, Usage, bytes], levels: int = 1) -> SoftwareVault:
    vault = SoftwareVault.empty(StoreKind.TEST)
    for label, usage, key in keys:
        vault.import_components(label, usage, Algorithm.TDES, [Secret(key)], None, levels=levels)
    return vault


def _verbs(vault: KeyVault, ref: KeyRef) -> dict[Verb, Callable[[], object]]:
    return {
        Verb.ENCIPHER: lambda: vault.encipher(ref, bytes(8)),
        Verb.MAC: lambda: vault.mac(ref, b"message"),
        Verb.PROTECT: lambda: vault.protect(ref, Scheme.PBOC, COMMAND, CHALLENGE, encrypted=False),
        Verb.WRAP: lambda: vault.protect(ref, Scheme.PBOC, COMMAND, CHALLENGE, encrypted=True, append=ref),
        Verb.SEAL: lambda: vault.seal_secret(ref, Secret(b"data key"), b"job"),
        Verb.MAC_LONG: lambda: vault.mac_long(ref, b"message"),
    }


def _of_usage(usage: Usage) -> tuple[SoftwareVault, KeyRef]:
    """A vault with a key of this usage, and the reference at which it works."""
    if usage not in BUREAU_USAGES:
        return _vault(("key", usage, bytes(range(16)))), KeyRef("key").diversified(FACTOR)
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.import_components("key", usage, Algorithm.AES, [Secret(bytes(range(32)))], None, levels=0)
    return vault, KeyRef("key")


@pytest.mark.parametrize(("usage", "verb"), list(itertools.product(Usage, Verb)))
def test_a_key_does_what_its_usage_allows_and_nothing_else(usage: Usage, verb: Verb) -> None:
    vault, ref = _of_usage(usage)
    act = _verbs(vault, ref.session(CHALLENGE) if verb is Verb.ENCIPHER else ref)[verb]
    if verb in usage.verbs:
        act()
    else:
        with pytest.raises(UsageForbidden, match="must not"):
            act()


@pytest.mark.parametrize("usage", [usage for usage in Usage if Verb.ENCIPHER in usage.verbs])
def test_enciphering_with_a_long_lived_key_would_hand_out_its_sessions(usage: Usage) -> None:
    """What a card calls a process key is its key applied to a challenge: nobody may have that done to a block."""
    vault = _vault(("key", usage, bytes(range(16))))
    with pytest.raises(UsageForbidden, match="session"):
        vault.encipher(KeyRef("key").diversified(FACTOR), CHALLENGE)
    with pytest.raises(UsageForbidden, match="session"):
        vault.encipher(KeyRef("key").diversified(FACTOR).folded(), CHALLENGE)


@pytest.mark.parametrize(("usage", "verb"), [(usage, verb) for usage in CARD_USAGES for verb in sorted(usage.verbs)])
@pytest.mark.parametrize("levels", [1, 3])
def test_a_master_key_works_on_nothing(usage: Usage, verb: Verb, levels: int) -> None:
    vault = _vault(("key", usage, bytes(range(16))), levels=levels)
    above = KeyRef("key").diversified(*[FACTOR] * (levels - 1))
    for ref in (above, above.session(CHALLENGE), above.folded(), above.folded().session(CHALLENGE)):
        with pytest.raises(UsageForbidden, match="master key"):
            _verbs(vault, ref)[verb]()
    assert vault.check_value(above) == check_value(
        bytes(range(16)) if levels == 1 else diversify(diversify(bytes(range(16)), FACTOR), FACTOR),
        Algorithm.TDES,
    )


@given(KEYS, KEYS, st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=3))
def test_a_key_gets_into_a_card_without_leaving_the_vault_in_clear(
    transport: bytes, master: bytes, factors: list[bytes]
) -> None:
    vault = _vault(("TK", Usage.TRANSPORT, transport), ("UK", Usage.EXTERNAL_AUTHENTICATION, master))
    ref = KeyRef("UK").diversified(*factors)
    sent = vault.protect(KeyRef("TK").diversified(FACTOR), Scheme.PBOC, COMMAND, CHALLENGE, encrypted=True, append=ref)
    card_key = master
    for factor in factors:
        card_key = diversify(card_key, factor)
    assert card_key not in bytes(sent)
    received = unprotect(
        cipher(diversify(transport, FACTOR), Algorithm.TDES), Scheme.PBOC, sent, CHALLENGE, encrypted=True
    )
    assert received.data == COMMAND.data + card_key
    assert vault.check_value(ref) == check_value(card_key, Algorithm.TDES)


def test_what_must_not_be_appended_is_refused() -> None:
    key = bytes(range(16))
    vault = _vault(("TK", Usage.TRANSPORT, key), ("STK", Usage.MESSAGING, key), ("UK", Usage.LOAD, key))
    transport, messaging = KeyRef("TK").diversified(FACTOR), KeyRef("STK").diversified(FACTOR)
    card = KeyRef("UK").diversified(FACTOR)

    def append(ref: KeyRef, what: KeyRef | Secret, *, encrypted: bool = True) -> CommandApdu:
        return vault.protect(ref, Scheme.PBOC, COMMAND, CHALLENGE, encrypted=encrypted, append=what)

    for what in (card, Pin.of("123456")):
        with pytest.raises(UsageForbidden, match="in clear"):
            append(transport, what, encrypted=False)
    with pytest.raises(UsageForbidden, match="must not wrap"):
        append(messaging, card)
    for what in (KeyRef("UK"), card.session(CHALLENGE), card.folded()):
        with pytest.raises(UsageForbidden, match="written to a card"):
            append(transport, what)
    assert append(messaging, Pin.of("123456"))


@given(KEYS, st.binary(max_size=40))
def test_sessions_and_folding_are_what_the_primitives_make(master: bytes, message: bytes) -> None:
    vault = _vault(("DLK", Usage.LOAD, master), ("DTK", Usage.TAC, master))
    card_key = diversify(master, FACTOR)
    load, tac = (
        KeyRef("DLK").diversified(FACTOR).session(CHALLENGE),
        KeyRef("DTK").diversified(FACTOR).folded(),
    )
    expected = mac4(cipher(session_key(card_key, CHALLENGE), Algorithm.DES), message)
    assert vault.mac(load, message) == expected
    assert vault.verify_mac(load, message, expected)
    assert not vault.verify_mac(load, message, bytes([expected[0] ^ 1]) + expected[1:])
    assert vault.mac(tac, message) == mac4(cipher(fold(card_key), Algorithm.DES), message)


def test_absent_and_present_keys() -> None:
    vault = _vault(("DLK", Usage.LOAD, bytes(range(16))))
    with pytest.raises(KeyAbsent, match="'DPK' of version 1"):
        vault.mac(KeyRef("DPK").diversified(FACTOR), b"")
    with pytest.raises(KeyAbsent, match="version 2"):
        vault.info(KeyRef("DLK", version=2))
    with pytest.raises(KeyPresent, match="next version"):
        vault.generate("DLK", Usage.LOAD, Algorithm.TDES, LUCK)
    vault.generate("DLK", Usage.LOAD, Algorithm.SM4, LUCK, version=2)
    assert [(info.label, info.version) for info in vault.infos()] == [("DLK", 1), ("DLK", 2)]


def test_components_make_the_key_that_was_expected_or_none() -> None:
    vault = SoftwareVault.empty(StoreKind.LIVE)
    parts = [Secret(bytes(range(16))), Secret(b"\x55" * 16)]
    whole = bytes(byte ^ 0x55 for byte in range(16))
    with pytest.raises(CheckValueMismatch, match="000000"):
        vault.import_components("K", Usage.LOAD, Algorithm.TDES, parts, CheckValue(bytes(3)))
    with pytest.raises(VaultError, match="at least 2"):
        vault.import_components("K", Usage.LOAD, Algorithm.TDES, parts[:1], None)
    with pytest.raises(VaultError, match="entered twice"):
        vault.import_components("K", Usage.LOAD, Algorithm.TDES, [parts[0], parts[0]], None)
    with pytest.raises(VaultError, match="component 2 has 8 bytes"):
        vault.import_components("K", Usage.LOAD, Algorithm.TDES, [parts[0], Secret(bytes(8))], None)
    assert not list(vault.infos())
    expected = check_value(whole, Algorithm.TDES)
    info = vault.import_components("K", Usage.LOAD, Algorithm.TDES, parts, expected)
    assert info.check_value == expected == vault.check_value(KeyRef("K"))


@given(
    st.sampled_from(StoreKind),
    st.lists(st.tuples(st.sampled_from(Usage), st.sampled_from(Algorithm)), max_size=4),
)
@settings(max_examples=20)
def test_a_sealed_store_opens_as_it_was(kind: StoreKind, keys: list[tuple[Usage, Algorithm]]) -> None:
    vault = SoftwareVault.empty(kind)
    for number, (usage, algorithm) in enumerate(keys):
        vault.generate(f"钥{number}", usage, algorithm, LUCK, levels=number)
    opened = SoftwareVault.opened(vault.sealed(PASSPHRASE, LUCK, cost=CHEAP), PASSPHRASE)
    assert opened.kind is kind
    assert list(opened.infos()) == list(vault.infos())


@given(st.data())
@settings(max_examples=60)
def test_a_changed_byte_closes_the_store(data: st.DataObject) -> None:
    blob = bytearray(_vault(("K", Usage.LOAD, bytes(range(16)))).sealed(PASSPHRASE, LUCK, cost=CHEAP))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((WrongPassphrase, SealedStoreMalformed)):
        SoftwareVault.opened(bytes(blob), PASSPHRASE)


def test_stores_that_are_not_opened() -> None:
    blob = _vault(("K", Usage.LOAD, bytes(range(16)))).sealed(PASSPHRASE, LUCK, cost=CHEAP)
    with pytest.raises(WrongPassphrase):
        SoftwareVault.opened(blob, Secret(b"correct horse battery stable"))
    with pytest.raises(SealedStoreMalformed, match="no sealed key store"):
        SoftwareVault.opened(blob[:50], PASSPHRASE)
    greedy = blob[:9] + b"\xff" * 4 + blob[13:]
    with pytest.raises(SealedStoreMalformed, match="bounds"):
        SoftwareVault.opened(greedy, PASSPHRASE)
    with pytest.raises(SealedStoreMalformed, match="a lane"):
        SoftwareVault.opened(blob[:9] + bytes([0, 0, 0, 7]) + blob[13:], PASSPHRASE)


def test_the_default_cost_opens_too() -> None:
    blob = SoftwareVault.empty(StoreKind.TEST).sealed(PASSPHRASE, LUCK)
    assert repr(SoftwareVault.opened(blob, PASSPHRASE)) == "<SoftwareVault test, 0 keys>"


@given(KEYS)
@settings(max_examples=25)
def test_no_error_and_no_text_of_the_vault_holds_a_key(key: bytes) -> None:
    vault = _vault(("K", Usage.TRANSPORT, key))
    shown = [repr(vault), str(vault), repr(list(vault.infos())), repr(KeyRef("K").diversified(FACTOR))]
    wrong: list[Callable[[], object]] = [
        *_verbs(vault, KeyRef("K")).values(),
        lambda: vault.encipher(KeyRef("K").diversified(FACTOR), bytes(7)),
        lambda: vault.encipher(KeyRef("K").diversified(bytes(7)), bytes(8)),
        lambda: pickle.dumps(vault),
    ]
    for act in wrong:
        with pytest.raises((VaultError, TypeError)) as refused:
            act()
        shown += traceback.format_exception(refused.value)
    for text in shown:
        assert key.hex() not in text.lower()
        assert repr(key)[2:-1] not in text


def test_a_ceremony_leaves_keys_in_the_vault_and_check_values_in_the_record() -> None:
    orders = [
        ceremony.KeyOrder("IRK", Usage.INTERNAL_AUTHENTICATION, levels=3),
        ceremony.KeyOrder("DPK", Usage.PURCHASE, Algorithm.SM4),
    ]
    drawn: list[bytes] = []

    def luck(size: int) -> bytes:
        drawn.append(LUCK(size))
        return drawn[-1]

    vault, record = ceremony.hold_test_ceremony(orders, luck)
    assert vault.kind is StoreKind.TEST
    assert sorted(vault.infos(), key=str) == sorted((entry.info for entry in record.entries), key=str)
    pairs = zip(drawn[::2], drawn[1::2], strict=True)
    for entry, parts in zip(record.entries, pairs, strict=True):
        algorithm = entry.info.algorithm
        assert entry.components == tuple(check_value(part, algorithm) for part in parts)
        whole = bytes(one ^ other for one, other in zip(*parts, strict=True))
        assert entry.info.check_value == check_value(whole, algorithm)
        for hidden in (*parts, whole):
            assert hidden.hex() not in f"{record}{record!r}".lower()
    assert str(record).splitlines()[0] == "test key ceremony, 2 keys"
