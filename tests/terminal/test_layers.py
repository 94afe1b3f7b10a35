"""Conversations run on every wire: direct, and split as T=0 splits it."""

from __future__ import annotations

import pytest

from card.cards import PROFILE
from kaguan.apdu.chaining import GetResponse, RightLe, T0Shape
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.link import Link
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.conversations.load import begin_load, credit_load
from kaguan.terminal.conversations.purchase import begin_purchase, debit
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.script import converse
from terminal.counter import TERMINAL, WHEN, balance_fen, keys, new_card, ready_to_pay


class OneWay(T0Shape):
    """The wire of a T=0 reader: it refuses commands that carry data both ways."""

    def transceive(self, command: bytes) -> bytes:
        parsed = CommandApdu.parse(command)
        assert not parsed.data or parsed.ne is None
        return self.link.transceive(command)


def split(link: Link) -> Link:
    """What `for_conversation` makes of a reader that speaks T=0."""
    return GetResponse(RightLe(T0Shape(OneWay(link))))


@pytest.mark.parametrize("layered", [for_conversation, split])
def test_conversations_run_on_every_wire(layered) -> None:
    link = layered(new_card())
    assert converse(link, read_identity(PROFILE)).card_no == "A00000011"
    converse(link, ready_to_pay())
    offer = converse(link, begin_load(keys(), 500, TERMINAL))
    converse(link, credit_load(keys(), offer, WHEN))
    purchase = converse(link, begin_purchase(200, TERMINAL))
    converse(link, debit(keys(), purchase, 1, WHEN))
    assert balance_fen(link) == 300


def test_the_whole_answer_comes_whatever_le_was_sent() -> None:
    link = for_conversation(new_card())
    select = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
    without, short, right = (link.transceive(select + le) for le in (b"", b"\x05", b"\x18"))
    assert without == short == right
    assert right[:2] == bytes.fromhex("6F16")
