"""What the soak found: a card that threw, kept what it had to forget, or made a memory that no chip has."""

from __future__ import annotations

from pathlib import Path

import pytest

from card import natives
from card.cards import CARD_KEY, Terminal, blank, terminal
from card.oracle import mac, tdes
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import InputError
from kaguan.apdu.tlv import Tlv, template
from kaguan.card_os.profile import FREE, FileKind, load_profile
from kaguan.card_os.profile.fcp import READ, UPDATE, Fcp
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.emulator.purse_stock import purse_card
from kaguan.emulator.soundness import require_sound
from properties.population import every_profile
from properties.scenes import MASTER, TRANSPORT, creation


def opened() -> Terminal:
    """A blank chip with its master file, under its transport key."""
    made = Terminal(blank())
    assert made.external_authenticate(0x00, key=TRANSPORT) == "9000"
    assert made.send(creation(MASTER)) == "9000"
    return made


@pytest.mark.parametrize("between", ["00C0010008", "00C0000108"])
def test_a_wrong_get_response_ends_a_challenge_too(between: str) -> None:
    card = terminal(at="SSSE")
    original = bytes(8)
    cryptogram = tdes(tdes(CARD_KEY, card.challenge()), original) + original
    assert card.send(between) == "6A86"
    assert card.send(b"\x00\x82\x00\x04\x10" + cryptogram) == "6984"


def test_a_wrong_get_response_leaves_what_waits() -> None:
    card = terminal(at="SSSE")
    waiting = card.send("00A4000002DF04")
    assert waiting.startswith("61")
    assert card.send("00C0010008") == "6A86"
    assert card.send("00C00000" + waiting[2:]).endswith("9000")


@pytest.mark.parametrize(("size", "sw"), [(255, "9000"), (256, "6700")])
def test_an_enciphered_answer_counts_to_255(size: int, sw: str) -> None:
    card = natives.at_application(state=4)
    assert card.send("80E0000D07E80200F0F0FF7F") == "9000"
    card.select("000D")
    command = natives.guarded(card, natives.LINE_KEY, f"04B00000{size & 0xFF:02X}", encrypted=False)
    assert card.send(command)[-4:] == sw


def condition(tag: int, *parts: Tlv) -> Tlv:
    return template(tag, *parts)


def one_key(reference: int) -> Tlv:
    return template(0xA4, Tlv(0x83, bytes((reference,))), Tlv(0x95, b"\x80"))


def with_condition(rule: Tlv) -> bytes:
    attribute = template(0xAB, Tlv(0x80, b"\x01"), rule)
    parts = Tlv(0x82, b"\x01"), Tlv(0x83, b"\x00\x03"), Tlv(0x80, b"\x00\x14"), attribute
    return bytes(CommandApdu(0x00, 0xE0, 0x00, 0x00, bytes(template(0x62, *parts))))


def test_a_rule_of_too_many_alternatives_is_wrong_data() -> None:
    pairs = (condition(0xA0, one_key(2 * number), one_key(2 * number + 1)) for number in range(7))
    assert opened().send(with_condition(condition(0xAF, *pairs))) == "6A80"


def test_a_rule_that_lies_too_deep_is_wrong_data() -> None:
    rule = Tlv(0x90, b"")
    while len(bytes(rule)) < 60_000:
        rule = condition(0xA0, rule)
    assert opened().send(with_condition(rule)) == "6A80"


def test_a_file_of_records_has_a_greatest_size_too() -> None:
    card = opened()
    for record_size, sw in ((128, "9000"), (1_000, "6A84")):
        fcp = Fcp(
            FileKind.LINEAR_FIXED, record_size, size=255, record_size=record_size, rules={READ: FREE, UPDATE: FREE}
        )
        assert card.send(creation(fcp)) == sw


@pytest.mark.parametrize("log", ["80E0001807280010F0F0FFFF", "80E00018072E0304F0F0FFFF", "80E00018072C0100F0F0FFFF"])
def test_a_purse_whose_log_is_no_log_writes_none(log: str) -> None:
    card = Terminal(natives.factory())
    assert natives.authenticate(card, 0x00, natives.FACTORY_KEY) == "9000"
    card.go("80E03F020D380200F0FA95FFFF4144463032", "00A40000023F02", "80E00000073F008095F0FFFF")
    for kind, key in (("3F", natives.LOAD_KEY), ("34", natives.TAC_KEY)):
        assert card.send(f"80D4010115{kind}F0F40100{key.hex()}") == "9000"
    assert card.go(log, "80E00002072F0208F000FF18") == "9000"
    before = dict(card.card.image.files)
    offer = bytes.fromhex(card.send("805000020B01000003E811223344556610"))
    session = tdes(natives.LOAD_KEY, offer[8:12] + offer[4:6] + b"\x80\x00")
    when = "20240101120000"
    code = mac(session, bytes.fromhex("000003E802112233445566" + when))
    assert card.send(f"805200000B{when}{code.hex()}04").endswith("9000")
    assert card.send("805C000204") == "000003E89000"
    assert dict(card.card.image.files) == before


def test_a_short_tac_key_is_a_key() -> None:
    card = natives.at_application(state=4)
    assert card.send("80D401020D34F0F401001122334455667788") == "9000"
    require_sound(card.card.image)


def test_what_no_purse_and_no_log_holds_is_told_when_it_is_read() -> None:
    image = purse_card(load_profile("pboc-purse"), natives.SERIAL)
    at, purse = next(iter(image.purses.items()))
    log = image.files[purse.rules.log]
    limit = purse._replace(overdraft_limit_fen=0x0100_0000)
    for damaged in (
        image._replace(purses={**image.purses, at: limit}),
        image._replace(files={**image.files, purse.rules.log: log._replace(records=(b"12",))}),
        image._replace(files={**image.files, purse.rules.log: log._replace(records=(bytes(23),) * (log.size + 1))}),
        image._replace(files={**image.files, purse.rules.log: log._replace(kind=FileKind.TRANSPARENT, record_size=0)}),
    ):
        with pytest.raises(InputError, match="no chip has this"):
            require_sound(damaged)


def test_settings_show_no_key() -> None:
    native = natives.PROFILE.behaviour.native
    assert native.transport_key
    assert repr(native.transport_key)[2:-1] not in repr(native)


@pytest.mark.parametrize(
    "name", [profile.name for profile in every_profile() if profile.name.startswith(("pboc", "cjt"))]
)
def test_a_card_of_a_variant_comes_back_from_its_file(tmp_path: Path, name: str) -> None:
    image = purse_card(load_profile(name), natives.SERIAL)
    save_image(tmp_path / "card", image)
    assert load_image(tmp_path / "card") == image
