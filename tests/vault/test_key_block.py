"""Key blocks: what travels is what was meant, under its own zone's key alone; psec judges the form."""

from __future__ import annotations

import random as seeded
import traceback

import psec.tr31
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.errors import VaultError
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.keyblock import KeyBlockForged, KeyBlockMalformed, TravellingKey, close_block, open_block
from kaguan.vault.sealing import SealingCost, StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import CheckValueMismatch, KeyAbsent, KeyInfo, KeyPresent, KeyRef, Usage, UsageForbidden
from kaguan.vault.zone import Zone, zone_of

LUCK = seeded.Random(7).randbytes
ZONE_KEY = Secret(bytes(range(32)))
CHEAP = SealingCost(memory_kib=8, iterations=1, lanes=1)
LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@st.composite
def travelling(draw: st.DrawFn) -> tuple[Secret, TravellingKey]:
    algorithm = draw(st.sampled_from(Algorithm))
    key = Secret(draw(st.binary(min_size=algorithm.key_size, max_size=algorithm.key_size)))
    value = check_value(key.reveal(), algorithm)
    usage, levels = draw(st.sampled_from(Usage)), draw(st.integers(0, 3))
    info = KeyInfo(
        draw(LABELS.filter(lambda t: len(t.encode()) <= 125)),
        draw(st.integers(1, 99999)),
        algorithm,
        usage,
        value,
        levels,
    )
    return key, TravellingKey(info, draw(st.sampled_from(StoreKind)))


@given(travelling())
@settings(max_examples=100)
def test_what_goes_in_comes_out(packed: tuple[Secret, TravellingKey]) -> None:
    key, about = packed
    block = close_block(key, about, ZONE_KEY, LUCK)
    assert open_block(block + "\n", ZONE_KEY) == (key, about)
    assert key.reveal().hex().upper() not in block


@given(travelling())
@settings(max_examples=60)
def test_another_program_opens_it(packed: tuple[Secret, TravellingKey]) -> None:
    key, about = packed
    header, found = psec.tr31.unwrap(ZONE_KEY.reveal(), close_block(key, about, ZONE_KEY, LUCK))
    assert found == key.reveal()
    assert header.version_id == "D"
    assert header.blocks["KC"] == f"00{about.info.check_value}"


@given(travelling(), st.data())
@settings(max_examples=150)
def test_a_changed_block_is_refused(packed: tuple[Secret, TravellingKey], data: st.DataObject) -> None:
    key, about = packed
    block = close_block(key, about, ZONE_KEY, LUCK)
    at = data.draw(st.integers(0, len(block) - 1))
    other = data.draw(st.sampled_from([c for c in "0123456789ABCDEFtestliv;D" if c != block[at]]))
    with pytest.raises((KeyBlockMalformed, KeyBlockForged)) as refused:
        open_block(block[:at] + other + block[at + 1 :], ZONE_KEY)
    assert key.reveal().hex() not in "".join(traceback.format_exception(refused.value)).lower()


@given(travelling(), st.binary(min_size=32, max_size=32).filter(lambda other: other != ZONE_KEY.reveal()))
@settings(max_examples=30)
def test_another_zone_key_opens_nothing(packed: tuple[Secret, TravellingKey], other: bytes) -> None:
    with pytest.raises(KeyBlockForged):
        open_block(close_block(*packed, ZONE_KEY, LUCK), Secret(other))


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(KeyBlockMalformed):
        open_block(text, ZONE_KEY)


def test_a_block_of_another_maker_is_refused_by_name() -> None:
    foreign = psec.tr31.wrap(ZONE_KEY.reveal(), "D0048K0TB00E0000", bytes(range(16)))
    with pytest.raises(KeyBlockMalformed, match="made by Kaguan"):
        open_block(foreign, ZONE_KEY)


def stores(kind: StoreKind = StoreKind.TEST) -> tuple[SoftwareVault, SoftwareVault]:
    """Two vaults that share the zone keys; the first has a transport key and a card master too."""
    pair = SoftwareVault.empty(StoreKind.TEST), SoftwareVault.empty(kind)
    for zone in Zone:
        key = Secret(LUCK(32))
        info = KeyInfo(zone.value, 1, Algorithm.AES, zone.usage, check_value(key.reveal(), Algorithm.AES), 0)
        for vault in pair:
            vault.take(info, key)
    pair[0].generate("TK", Usage.TRANSPORT, Algorithm.TDES, LUCK)
    pair[0].generate("STK", Usage.MESSAGING, Algorithm.SM4, LUCK, levels=3)
    return pair


@pytest.mark.parametrize("label", ["TK", "STK"])
def test_a_key_travels_under_its_own_zones_key(label: str) -> None:
    here, there = stores()
    ref, info = KeyRef(label), here.info(KeyRef(label))
    own = zone_of(info.usage)
    for zone in set(Zone) - {own}:
        with pytest.raises(UsageForbidden, match="different zones"):
            here.exported(ref, KeyRef(zone), LUCK)
    block = here.exported(ref, KeyRef(own), LUCK)
    for zone in set(Zone) - {own}:
        with pytest.raises(KeyBlockForged):
            there.import_block(block, KeyRef(zone), info.check_value)
    with pytest.raises(CheckValueMismatch):
        there.import_block(block, KeyRef(own), CheckValue(bytes(3)))
    assert there.import_block(block, KeyRef(own), info.check_value) == info
    with pytest.raises(KeyPresent):
        there.import_block(block, KeyRef(own), info.check_value)
    assert there.check_value(ref.diversified(bytes(8))) == here.check_value(ref.diversified(bytes(8)))


def test_what_does_not_travel() -> None:
    here, live = stores(StoreKind.LIVE)
    value = here.info(KeyRef("TK")).check_value
    with pytest.raises(UsageForbidden, match="test key and this is a live store"):
        live.import_block(here.exported(KeyRef("TK"), KeyRef(Zone.TRANSPORT), LUCK), KeyRef(Zone.TRANSPORT), value)
    with pytest.raises(UsageForbidden, match="no zone key"):
        here.exported(KeyRef("TK"), KeyRef("STK"), LUCK)
    with pytest.raises(UsageForbidden, match="as shares"):
        here.exported(KeyRef(Zone.TRANSPORT), KeyRef(Zone.TRANSPORT), LUCK)
    with pytest.raises(UsageForbidden, match="whole"):
        here.exported(KeyRef("TK").diversified(bytes(8)), KeyRef(Zone.TRANSPORT), LUCK)
    with pytest.raises(KeyAbsent):
        here.exported(KeyRef("TK"), KeyRef("nobody"), LUCK)


def test_an_erased_key_is_gone_also_from_what_was_remembered_and_sealed() -> None:
    vault, _ = stores()
    child = KeyRef("TK").diversified(bytes(8))
    vault.check_value(child)
    vault.erase(KeyRef("TK"))
    for act in (lambda: vault.check_value(child), lambda: vault.erase(KeyRef("TK"))):
        with pytest.raises(KeyAbsent):
            act()
    opened = SoftwareVault.opened(vault.sealed(Secret(b"open"), LUCK, cost=CHEAP), Secret(b"open"))
    assert "TK" not in {info.label for info in opened.infos()}


def test_tags_are_the_stores_own_and_survive_sealing() -> None:
    one, other = (SoftwareVault.empty(StoreKind.TEST).with_tags(LUCK) for _ in range(2))
    again = SoftwareVault.opened(one.sealed(Secret(b"open"), LUCK, cost=CHEAP), Secret(b"open"))
    assert one.tag(b"row") == again.tag(b"row") != other.tag(b"row")
    assert one.tag(b"row") != one.tag(b"rox")
    with pytest.raises(VaultError, match="no register"):
        SoftwareVault.empty(StoreKind.TEST).tag(b"row")
