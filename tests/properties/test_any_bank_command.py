"""Whatever is sent to the bank's purse: a well-formed answer, no key in it, and no change that nobody may make."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.bank_teller import RECORD, RECORD_COMMAND, Teller, initialize
from card.banks import ADF, PROFILE, SELECT, VERIFY, rich
from card.cards import Terminal, counted
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.instruction import INSTRUCTIONS
from kaguan.card_os.image import CardImage
from properties.bank_laws import SECRETS
from properties.commands import well_formed

pytestmark = pytest.mark.slow

STATES: dict[str, tuple[str, ...]] = {
    "just reset": (),
    "selected": (SELECT,),
    "verified": (SELECT, VERIFY),
    "challenged": (SELECT, VERIFY, "0084000004"),
    "in a load": (SELECT, VERIFY, initialize("load")),
    "in an unload": (SELECT, VERIFY, initialize("unload")),
    "in an update": (SELECT, VERIFY, initialize("overdraft")),
    "in a withdrawal": (SELECT, VERIFY, initialize("cash")),
    "in a composite purchase": (SELECT, initialize("composite"), RECORD_COMMAND),
    "PIN used up": (SELECT, *("0020000003000000",) * 3),
    "application ended": (SELECT, *("805E00000712345600000000",) * 3),
}
ROWS = [row for row in INSTRUCTIONS if row.sets & PROFILE.behaviour.commands]
COUNTED = {0x16, 0x18, 0x1E, 0x20, 0x24, 0x5E, 0x82}
"""Instructions that take a try when what they bring is wrong."""


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    """Commands that the card knows, with data of lengths that it may like."""
    row = draw(st.sampled_from(ROWS))
    p1 = row.p1 if row.p1 is not None else draw(st.sampled_from([0, 0, 1, 2, 4, 9, 0x95]) | st.integers(0, 255))
    p2 = draw(st.sampled_from([0, 1, 2, 4, 9, 0xB8, 0xBC, 0xC4]) | st.integers(0, 255))
    size = draw(st.sampled_from([0, 2, 4, 5, 7, 8, 10, 11, 12, 14, 15, 48]))
    data = draw(
        st.sampled_from([bytes(size), bytes.fromhex(RECORD), bytes.fromhex("0100000001112233445566")])
        | st.binary(min_size=size, max_size=size)
    )
    ne = draw(st.none() | st.sampled_from([4, 8, 15, 16, 256]) | st.integers(1, 300))
    return bytes(CommandApdu(row.cla, row.ins, p1, p2, data, ne))


def _money(image: CardImage) -> list[tuple[int, int]]:
    return [(purse.balance_fen, purse.overdraft_limit_fen) for purse in image.purses.values()]


@settings(max_examples=400)
@given(st.sampled_from(sorted(STATES)), st.lists(commands() | st.binary(max_size=60), min_size=1, max_size=4))
def test_any_command(state: str, sent: list[bytes]) -> None:
    terminal = Terminal(rich(), random=counted())
    for command in STATES[state]:
        terminal.send(command)
    for command in sent:
        before = terminal.card.image
        answer = bytes.fromhex(terminal.send(command))
        well_formed(command, answer)
        assert not any(secret in answer for secret in SECRETS)
        after = terminal.card.image
        if answer[-2] not in (0x90, 0x61) and (len(command) < 2 or command[1] not in COUNTED):
            assert after == before, f"{command.hex()}: {answer[-2:].hex()} and yet it wrote"
        assert _money(after) == _money(before), "money moved without a key"
        assert after.files[ADF + b"\x00\x17"] == before.files[ADF + b"\x00\x17"]


@given(st.sampled_from(["load", "unload", "cash", "purchase", "composite", "overdraft"]), st.integers(0, 9_999))
def test_a_right_command_after_any_wrong_one(name: str, amount_fen: int) -> None:
    terminal = Terminal(rich(), random=counted())
    terminal.go(SELECT, VERIFY)
    terminal.send(initialize(name))
    terminal.send("80DCFFFF01AA")
    Teller(terminal).do(name, amount_fen)
