"""The read-back finds what is wrong with a card, whatever it is, as far as a card can show it unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.cards import PROFILE
from kaguan.apdu.tlv import record
from kaguan.card_os.image import CardImage
from kaguan.card_os.writes import PutBytes, PutPin, PutRecord, PutRecords
from kaguan.emulator.card import EmulatedCard
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.specimen import specimen_card, specimen_holder, specimen_keys
from kaguan.personalization.station.check import check_card
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin
from kaguan.vault.vault import Usage

SSSE, DF01, DF04 = (PROFILE.path(name) for name in ("SSSE", "DF01", "DF04"))
EF05, EF06, EF08 = b"\xef\x05", b"\xef\x06", b"\xef\x08"
SHOWN = {Usage.INTERNAL_AUTHENTICATION, Usage.EXTERNAL_AUTHENTICATION, Usage.LOAD}


def as_ordered() -> Holder:
    """The specimen's holder as an order brings it: without what the bureau adds."""
    holder = specimen_holder(PROFILE)
    own = {"ssseef0501", "ssseef0502", "ssseef0503", "ssseef0504"}
    return replace(holder, columns={name: text for name, text in holder.columns.items() if name not in own})


def faults_of(image: CardImage, holder: Holder | None = None) -> tuple[str, ...]:
    """What the read-back says of a specimen with this memory."""
    card = EmulatedCard(image)
    keys = specimen_keys(PROFILE, card.atr)
    check = check_card(keys, holder or as_ordered(), b"", Pin.of("123456"), bytes(8), bytes(8))
    return converse(card, check).faults


def test_a_good_card_is_good() -> None:
    assert faults_of(specimen_card(PROFILE).image) == ()


@pytest.mark.parametrize(
    ("dedicated", "file", "tag", "width"),
    [
        (SSSE, EF05, 0x01, 16),
        (SSSE, EF05, 0x02, 1),
        (SSSE, EF05, 0x03, 4),
        (SSSE, EF05, 0x04, 12),
        (SSSE, EF05, 0x07, 9),
        (SSSE, EF06, 0x09, 30),
        (DF01, EF06, 0x2C, 50),
        (DF04, EF05, 0x81, 8),
    ],
)
def test_a_field_of_another_value_is_found(dedicated: bytes, file: bytes, tag: int, width: int) -> None:
    image = specimen_card(PROFILE).image
    address = dedicated + file
    position = next(n for n, raw in enumerate(image.files[address].records) if raw[0] == tag)
    spoiled = PutRecord(address, position, record(tag, b"1" * width)).put(image)
    (fault,) = faults_of(spoiled)
    assert fault.endswith("is not what was ordered")
    assert f"{tag:02x}" in fault


def test_every_key_that_can_be_shown_is_shown() -> None:
    image = specimen_card(PROFILE).image
    tried = 0
    for address, versions in image.keys.items():
        if versions[0].usage in SHOWN:
            tried += 1
            wrong = tuple(key._replace(value=b"\x99" * 16) for key in versions)
            assert faults_of(image._replace(keys={**image.keys, address: wrong})), address.hex()
    assert tried >= 15


def test_a_pin_that_has_lost_a_try_costs_the_card_no_other() -> None:
    image = specimen_card(PROFILE).image
    ((address, pin),) = image.pins.items()
    spoiled = PutPin(address, pin._replace(tries_left=1)).put(image)
    assert "the PIN has not all its tries" in faults_of(spoiled)


@pytest.mark.parametrize("dedicated", ["MF", "SSSE"])
def test_a_directory_that_lists_something_else_is_found(dedicated: str) -> None:
    image = specimen_card(PROFILE).image
    (file,) = (file for file in PROFILE.by_name[dedicated].files if file.directory)
    address = PROFILE.path(dedicated) + file.fid.to_bytes(2, "big")
    records = image.files[address].records
    for listed in ((*records, records[0]), records[:-1], (*records[:-1], record(0x70, b"?"))):
        spoiled = PutRecords(address, listed).put(image)
        faults = faults_of(spoiled)
        assert len(faults) == 1
        assert "directory" in faults[0] or "6A83" in faults[0]


def test_another_photo_is_found() -> None:
    holder = as_ordered()
    image = specimen_card(PROFILE).image
    written = PutBytes(SSSE + EF08, 0, b"somebody else").put(image)
    card = EmulatedCard(written)
    keys = specimen_keys(PROFILE, card.atr)
    check = check_card(keys, holder, b"the holder...", Pin.of("123456"), bytes(8), bytes(8))
    assert converse(card, check).faults == ("the photo is not what was ordered",)
