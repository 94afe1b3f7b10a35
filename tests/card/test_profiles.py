"""The three generations of the social security card: their descriptions, and the cards that are made from them."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import CARD_KEY, SELECT_SSSE, Terminal, with_key
from card.cards import a_key as tdes_key
from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.errors import CodecError
from kaguan.apdu.tlv import records
from kaguan.card_os.image import CardImage, CardKey, key_address
from kaguan.card_os.profile import CardProfile, FieldSpec, FileKind, FileSpec, load_profile, profile_names
from kaguan.card_os.profile.model import Confidence
from kaguan.card_os.profile.parse import KEY_TRIES, whole_table
from kaguan.card_os.profile.settings import settings_of
from kaguan.card_os.profile.values import (
    decode_field,
    decode_layout,
    encode_field,
    encode_layout,
    example_layout,
)
from kaguan.personalization.specimen import specimen_card, specimen_keys
from kaguan.terminal.conversations.authentication import authenticate_as, prove_genuine
from kaguan.terminal.conversations.files import read_fields, select_dedicated, select_file
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.conversations.pin import reload_pin, unblock_pin, verify_pin
from kaguan.terminal.refusals import CardRefused
from kaguan.terminal.script import converse
from kaguan.vault.ciphers import Algorithm, fresh_cipher
from kaguan.vault.diversify import diversify
from kaguan.vault.mac import pad80
from kaguan.vault.secret import Pin
from kaguan.vault.vault import Usage

GENERATIONS = ("ssc-v1", "ssc-v2", "ssc-v3")
VARIANTS = [f"{name}+{variant.name}" for name in GENERATIONS for variant in load_profile(name).variants]
SSSE = bytes.fromhex("3F00DDF1")


@cache
def image_of(name: str) -> CardImage:
    return specimen_card(load_profile(name)).image


def every_field() -> list[tuple[str, FileSpec, FieldSpec]]:
    return [(name, file, spec) for name in GENERATIONS for file, spec in load_profile(name).fields.values()]


FIELDS = [
    pytest.param(name, file, spec, id=f"{name} {file.dedicated}/{file.name} {spec.tag:02X}")
    for name, file, spec in every_field()
]
LAYOUTS = [
    pytest.param(file, id=f"{name} {file.dedicated}/{file.name}")
    for name in GENERATIONS
    for file in load_profile(name).files()
    if file.layout
]


@pytest.mark.parametrize(("name", "file", "spec"), FIELDS)
def test_an_example_comes_back(name: str, file: FileSpec, spec: FieldSpec) -> None:
    """By itself, and from the specimen card that was made with it."""
    values = encode_field(spec, spec.example)
    assert [len(value) for value in values] == [spec.width] * spec.count
    assert decode_field(spec, values) == spec.example
    own = load_profile(name)
    stored = image_of(name).files[own.path(file.dedicated) + file.fid.to_bytes(2, "big")].records
    on_card = [value for record in stored for tag, value in records(record) if tag == spec.tag]
    if spec.name not in ("card_ident_code", "specification", "card_category", "initialising_organisation"):
        assert decode_field(spec, on_card) == spec.example
    assert stored[spec.record - 1][0] == spec.tag, "records stand in the sequence of the description"


@pytest.mark.parametrize("file", LAYOUTS)
def test_a_record_without_tags_comes_back(file: FileSpec) -> None:
    example = example_layout(file.layout)
    raw = encode_layout(file.layout, example)
    assert len(raw) == (file.record_size or file.size)
    assert decode_layout(file.layout, raw) == example


NESTED = [spec for _, _, spec in every_field() if spec.inner]
TEXT = {
    FieldFormat.AN: lambda width: st.text("甲乙丙丁AZ09 -", max_size=width // 2).map(str.strip),
    FieldFormat.CN: lambda width: st.text("0123456789", max_size=2 * width),
}


@given(st.data())
def test_nested_values_come_back(data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(NESTED))
    rows = [
        ",".join(data.draw(TEXT[part.format](part.width)) for part in spec.inner).rstrip(",")
        for _ in range(data.draw(st.integers(1, spec.count)))
    ]
    text = ";".join(rows).rstrip(";")
    values = encode_field(spec, text)
    assert decode_field(spec, values) == text
    assert all([tag for tag, _ in records(value)] == [part.tag for part in spec.inner] for value in values)


def test_a_single_value_may_end_with_a_semicolon() -> None:
    spec = load_profile("ssc-v2").fields["SSSE", "EF06", 0x09][1]
    assert decode_field(spec, encode_field(spec, "a;")) == "a;"


def test_nested_values_that_do_not_fit() -> None:
    spec = load_profile("ssc-v2").fields["DF02", "EF15", 0x99][1]
    for text in ("a;b;c;d;e", "101,20200201,990101,x", "1010", "101,2020020a"):
        with pytest.raises(CodecError):
            encode_field(spec, text)
    for values in ([bytes(16)] * 4, [encode_field(spec, "")[0]] * 3):
        with pytest.raises(CodecError):
            decode_field(spec, values)


def test_published_record_lengths() -> None:
    """What personalization scripts write as the lengths of nested and cyclic records."""
    profile = load_profile("ssc-v2")
    widths = {spec.tag: spec.width for spec in NESTED}
    assert widths == {0x40: 0x34, 0x43: 0x6C, 0x44: 0x65, 0x99: 0x10, 0x4A: 0x61, 0x79: 0x27}
    cyclic = {f"{f.dedicated}/{f.name}": (f.record_size, f.record_count) for f in profile.files() if f.record_size}
    assert cyclic == {"DF02/EF07": (85, 4), "DF02/EF16": (18, 4), "DF04/EF08": (28, 10), "DF04/EF15": (3, 8)}


def test_the_whole_of_ef05_is_71_bytes() -> None:
    card = Terminal(image_of("ssc-v2"))
    answer = bytes.fromhex(card.go(SELECT_SSSE, "00A4000002EF05", "00B2010500"))
    assert [(tag, len(value)) for tag, value in records(answer[:-2])] == [
        (1, 16), (2, 1), (3, 4), (4, 12), (5, 4), (6, 4), (7, 9)
    ]  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_makes_a_card(name: str) -> None:
    """And the card still answers as itself after it was stored under that name."""
    profile = load_profile(name)
    assert profile.name == name
    card = Terminal(image_of(name))
    assert card.go(SELECT_SSSE)[-4:-2] in ("90", "61")


def test_two_variants_at_once() -> None:
    profile = load_profile("ssc-v2+pin-tries-6+df04-pin-and-key")
    assert profile.by_name["SSSE"].pins[0].tries == 6
    assert str(profile.file("DF04", "EF05").read) == "all(pin, key(0x84))"
    assert load_profile("ssc-v2").by_name["SSSE"].pins[0].tries == 3


@pytest.mark.parametrize(
    ("name", "fci"),
    [
        ("ssc-v1", "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA50388011E"),
        ("ssc-v2", "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA50388011E"),
        ("ssc-v3", "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860101"),
        ("ssc-v3+sm4", "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860103"),
    ],
)
def test_what_the_ssse_shows(name: str, fci: str) -> None:
    card = Terminal(image_of(name))
    assert card.send(SELECT_SSSE) == f"61{len(fci) // 2:02X}"
    assert card.send(f"00C00000{len(fci) // 2:02X}") == fci + "9000"


@pytest.mark.parametrize("name", GENERATIONS)
def test_answer_to_reset(name: str) -> None:
    """T = 0 with 13 historical bytes: chip maker 2, system 3, card maker 2, serial number 6."""
    profile = load_profile(name)
    atr = profile.atr(bytes.fromhex("200101000001"))
    assert (len(atr), atr[:4].hex().upper()) == (17, "3B6D0000")
    assert atr[4:6].hex().upper() in profile.codes["chip_maker"].values
    assert atr[-6:].hex() == "200101000001"


def test_the_generations_tell_themselves_apart() -> None:
    fields = {name: {key for key in load_profile(name).fields if key[:2] == ("SSSE", "EF06")} for name in GENERATIONS}
    assert fields["ssc-v2"] - fields["ssc-v1"] == {("SSSE", "EF06", 0x4E)} == load_profile("ssc-v1").absent
    assert fields["ssc-v3"] == fields["ssc-v2"]
    for name, version in zip(GENERATIONS, ("1.00", "2.00", "3.00"), strict=True):
        card = Terminal(image_of(name))
        answer = card.go(SELECT_SSSE, "00A4000002EF05", "00B2030006")
        assert bytes.fromhex(answer[4:-4]).decode() == version == load_profile(name).specification
    third = Terminal(image_of("ssc-v1")).go(SELECT_SSSE, "00A4000002EF06", "00B2030400")
    assert third == "0A01319000", "without the name's extension the third record is the sex"


def test_the_third_generation_shows_its_holder_to_a_key() -> None:
    profile = load_profile("ssc-v3")
    card = specimen_card(profile)
    keys = specimen_keys(profile, card.atr)
    converse(card, select_dedicated(profile.by_name["SSSE"]))
    converse(card, verify_pin(Pin.of("123456")))
    converse(card, select_file(0xEF06))
    with pytest.raises(CardRefused) as refusal:
        converse(card, read_fields(profile.file("SSSE", "EF06")))
    assert refusal.value.sw == 0x6982
    converse(card, authenticate_as(keys, "SSSE.RK"))
    assert converse(card, read_fields(profile.file("SSSE", "EF06")))[0x09] == "张三"


def test_the_identity_of_every_generation() -> None:
    for name in (*GENERATIONS, "ssc-v3+sm4"):
        profile = load_profile(name)
        card = specimen_card(profile)
        identity = converse(card, read_identity(profile, lambda _, made=card, of=profile: specimen_keys(of, made.atr)))
        assert (identity.name, identity.card_no, identity.region) == ("张三", "A00000011", "990100")


def test_the_directory_lists_the_applications() -> None:
    profile = load_profile("ssc-v2")
    card = Terminal(image_of("ssc-v2"))
    answer = card.go(SELECT_SSSE, "00B201F400")
    body = bytes.fromhex(answer[:-4])
    assert (body[0], body[2], body[4:6].hex().upper()) == (0x70, 0x61, "4F06")
    assert body[6:12].hex().upper() == "D15600000500"
    assert body[14:].decode("gb18030") == "公共应用信息区"
    assert len(profile.directories["SSSE"]) == 7


# Keys in versions


@pytest.mark.parametrize("version", range(4))
def test_each_version_of_a_key_opens(version: int) -> None:
    profile = load_profile("ssc-v2+key-versions")
    card = specimen_card(profile)
    keys = specimen_keys(profile, card.atr)
    assert len(card.image.keys[key_address(SSSE, Usage.EXTERNAL_AUTHENTICATION, 0x04)]) == 4
    converse(card, select_dedicated(profile.by_name["SSSE"]))
    converse(card, authenticate_as(keys, "SSSE.UK", version))
    converse(card, select_file(0xEF05))
    assert card.transceive(bytes.fromhex("00DC020403020131")) == b"\x90\x00"


def test_a_version_that_is_not_there() -> None:
    card = Terminal(image_of("ssc-v2+key-versions"))
    card.go(SELECT_SSSE)
    assert card.external_authenticate(0x04, version="04") == "6A88"
    assert card.external_authenticate(0x04, version="03") == "9000"
    assert card.external_authenticate(0x05, version="01") == "6A88", "BK has one version"


def test_each_version_has_tries_of_its_own() -> None:
    image = image_of("ssc-v2+key-versions")
    card = Terminal(image)
    card.go(SELECT_SSSE)
    assert card.external_authenticate(0x04, key=bytes(16), version="02") == f"63C{KEY_TRIES - 1}"
    left = {
        key.version: key.tries_left for key in card.card.image.keys[key_address(SSSE, Usage.EXTERNAL_AUTHENTICATION, 4)]
    }
    assert left == {0: KEY_TRIES, 1: KEY_TRIES, 2: KEY_TRIES - 1, 3: KEY_TRIES}


# SM4: unconfirmed, and behind a setting

FACTOR = bytes.fromhex("A1A2A3A4A5A6A7A8")


def sm4_card_key(profile: CardProfile) -> bytes:
    key = bytes(range(16))
    for factor in (b"990000sh", b"990100sx", profile.atr(bytes.fromhex("200101000001"))[-8:]):
        key = diversify(key, factor, Algorithm.SM4)
    return key


def sm4(key: bytes, data: bytes) -> bytes:
    return fresh_cipher(key, Algorithm.SM4).encrypt(data)


def test_sm4_keys_authenticate_where_the_setting_is_on() -> None:
    profile = load_profile("ssc-v3+sm4")
    key, original = sm4_card_key(profile), bytes(range(16))
    card = Terminal(image_of("ssc-v3+sm4"))
    card.go(SELECT_SSSE)
    expected = sm4(sm4(key, pad80(FACTOR, 16)), original).hex().upper()
    assert card.send(b"\x00\x88\x00\x00\x18" + FACTOR + original + b"\x10") == expected + "9000"
    assert card.send(b"\x00\x88\x00\x00\x10" + FACTOR + bytes(8) + b"\x08") == "6700"
    cryptogram = sm4(sm4(key, pad80(card.challenge(), 16)), original)
    assert card.send(b"\x00\x82\x00\x0a\x20" + cryptogram + original) == "9000"
    assert card.go("00A4000002EF06", "00B2080014").endswith("9000")


def test_sm4_conversations() -> None:
    profile = load_profile("ssc-v3+sm4")
    card = specimen_card(profile)
    keys = specimen_keys(profile, card.atr)
    converse(card, select_dedicated(profile.by_name["SSSE"]))
    converse(card, prove_genuine(keys, FACTOR, bytes(8)))
    converse(card, unblock_pin(keys))
    converse(card, reload_pin(keys, Pin.of("654321")))
    converse(card, verify_pin(Pin.of("654321")))


def test_sm4_keys_are_no_keys_where_the_setting_is_off() -> None:
    key = CardKey(Usage.INTERNAL_AUTHENTICATION, 0, 0, Algorithm.SM4, bytes(16), 8, 8)
    image = with_key(image_of("ssc-v3"), SSSE, key)
    image = with_key(image, SSSE, key._replace(usage=Usage.EXTERNAL_AUTHENTICATION, reference=0x04))
    card = Terminal(image)
    card.go(SELECT_SSSE)
    assert card.send(b"\x00\x88\x00\x00\x10" + bytes(16)) == "6A88"
    assert card.send(b"\x00\x88\x00\x00\x18" + bytes(24)) == "6700"
    card.challenge()
    assert card.send(b"\x00\x82\x00\x04\x10" + bytes(16)) == "6A88"
    assert card.send(b"\x00\x82\x00\x04\x20" + bytes(32)) == "6700"


def test_3des_keys_still_serve_beside_sm4() -> None:
    image = with_key(image_of("ssc-v3+sm4"), SSSE, tdes_key(Usage.EXTERNAL_AUTHENTICATION, 0x04, CARD_KEY))
    card = Terminal(image)
    card.go(SELECT_SSSE)
    assert card.external_authenticate(0x04) == "9000"
    card.challenge()
    assert card.send(b"\x00\x82\x00\x04\x20" + bytes(32)) == "6700"


# How sure it all is


@pytest.mark.parametrize("name", GENERATIONS)
def test_every_part_says_how_sure_it_is(name: str) -> None:
    """Files, keys, PINs and purses say it themselves."""
    top = whole_table(name)
    for dedicated in top["df"]:
        for kind in ("file", "key", "pin", "purse"):
            assert all("confidence" in entry for entry in dedicated.get(kind, ())), (dedicated["name"], kind)
        assert "confidence" in dedicated


@pytest.mark.parametrize("name", profile_names())
def test_every_setting_says_how_sure_it_is(name: str) -> None:
    confidence = load_profile(name).confidence
    assert dict(settings_of(whole_table(name))).keys() == confidence.keys()
    assert all(isinstance(value, Confidence) for value in confidence.values())


@pytest.mark.parametrize("name", ["ssc-v1", "ssc-v2", "ssc-v3", "psam"])
def test_nobody_knows_what_the_codes_of_a_medical_purchase_are_over(name: str) -> None:
    marks = {setting: mark for setting, mark in load_profile(name).confidence.items() if ".medical." in setting}
    assert marks
    assert set(marks.values()) == {Confidence.GUESS}


def test_no_record_file_is_longer_than_its_records_can_be() -> None:
    for name in GENERATIONS:
        for file in load_profile(name).files():
            if file.kind is FileKind.LINEAR_VARIABLE:
                assert sum(spec.count for spec in file.fields) <= 255
