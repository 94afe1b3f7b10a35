"""Whatever is sent to a security module: a well-formed answer, no key in it, and no change that nobody may make."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.cards import CARD_KEY, Terminal
from card.modules import CARD_FACTOR, CITY_FACTOR, COUNTER, MODULE, SELECT_MODULE, module, module_command
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.instruction import INSTRUCTIONS
from kaguan.card_os.image import CardImage
from kaguan.card_os.writes import apply
from properties.scenes import Kept

pytestmark = pytest.mark.slow

FACTORS = CARD_FACTOR + CITY_FACTOR
OFFER = "00" * 14 + "0007" + "0000" + "A1B2C3D4"
SECRETS = {half for key in MODULE.keys() for half in (key.value[:8], key.value[8:])} | {CARD_KEY[:8], CARD_KEY[8:]}  # noqa: SIM118

STATES = {
    "just reset": (),
    "open": (SELECT_MODULE,),
    "in a file": (SELECT_MODULE, "00A40000020019"),
    "a key lent": (SELECT_MODULE, f"801A481210{FACTORS}"),
    "a process key lent": (SELECT_MODULE, f"BFDE481218{FACTORS}1122334455667788"),
    "a MAC half done": (SELECT_MODULE, f"801A480910{FACTORS}", "80FA070010" + "00" * 16),
    "a purchase signed": (SELECT_MODULE, module_command(OFFER, "00000001" * 3)),
    "a challenge given": (SELECT_MODULE, "0084000008"),
}
ROWS = [row for row in INSTRUCTIONS if row.sets & MODULE.behaviour.commands]


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    """Commands that the module knows, with data that may be right."""
    row = draw(st.sampled_from(ROWS))
    p1 = (
        row.p1
        if row.p1 is not None
        else draw(st.sampled_from([0, 1, 3, 5, 7, 0x27, 0x42, 0x48, 0x67]) | st.integers(0, 255))
    )
    p2 = draw(st.sampled_from([0x00, 0x01, 0x08, 0x09, 0x12, 0x19]) | st.integers(0, 255))
    head = draw(st.sampled_from([b"", b"\x3f\x00", b"\xdf\x01", b"\x00\x19"]) | st.binary(max_size=40))
    sized = draw(
        st.sampled_from([4, 8, 16, 20, 24, 28, 32, 36, 44, 48, 255]).flatmap(
            lambda n: st.binary(min_size=n, max_size=n)
        )
    )
    factors = bytes.fromhex(draw(st.sampled_from(["", CARD_FACTOR, FACTORS])))
    data = draw(st.sampled_from([b"", head, sized, sized + factors]))
    ne = draw(st.none() | st.sampled_from([1, 4, 8, 256]) | st.integers(1, 300))
    return bytes(CommandApdu(row.cla, row.ins, p1, p2, data, ne))


@settings(max_examples=400)
@given(st.sampled_from(sorted(STATES)), st.lists(commands() | st.binary(max_size=60), min_size=1, max_size=4))
def test_any_command(state: str, sent: list[bytes]) -> None:
    kept = Kept()
    card = Terminal(module(), storage=kept)
    for command in STATES[state]:
        assert card.send(command)[-4:-2] in ("90", "61")
    for command in sent:
        before = card.card.image
        kept.groups.clear()
        response = bytes.fromhex(card.send(command))
        assert len(response) >= 2
        assert not any(secret in response for secret in SECRETS)
        made = before
        for group in kept.groups:
            made = apply(made, group)
        assert made == card.card.image, "memory and storage differ"
        if response[-2:] not in (b"\x90\x00", b"\x93\x02", b"\x93\x03") and response[-2] != 0x61:
            assert card.card.image == before, "a refusal wrote"
        assert _all_but_counters(card.card.image) == _all_but_counters(module())
        assert _number(before) <= _number(card.card.image) <= _number(before) + 1


def _number(image: CardImage) -> int:
    return int.from_bytes(image.files[COUNTER].content, "big")


def _all_but_counters(image: CardImage) -> CardImage:
    keys = {at: tuple(key._replace(tries_left=0) for key in versions) for at, versions in image.keys.items()}
    return image._replace(keys=keys, files={**image.files, COUNTER: module().files[COUNTER]})
