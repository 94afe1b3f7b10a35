"""Our own terminal at a real PC/SC service: conversations, doors, and cards that are pulled out."""

from __future__ import annotations

import time
from contextlib import closing
from threading import Timer

import pytest

from card.cards import PROFILE, SELECT_SSSE, blank, specimen
from kaguan.apdu.chaining import GetResponse, Layer, RightLe, T0Shape
from kaguan.apdu.errors import CardLost, LinkError, NoCard, NoReader
from kaguan.apdu.link import Link
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.vpcd import InsertedCard
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.conversations.load import begin_load, credit_load, prove_load
from kaguan.terminal.conversations.purchase import begin_purchase, debit
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.pcsc import TransmissionProtocol, open_reader, reader_names, wait_for_card, wait_for_removal
from kaguan.terminal.script import converse
from outside.conftest import NOTICING_SECONDS
from outside.readers import NAME, Readers
from terminal.counter import TERMINAL, WHEN, Counting, Losing, balance_fen, keys, ready_to_pay
from terminal.doors import call

pytestmark = pytest.mark.slow

BEFORE = 10_000


def test_the_readers_are_ours_alone(readers: Readers) -> None:
    assert reader_names() == list(readers.names)


@pytest.mark.usefixtures("inserted")
class TestWithACard:
    """The specimen with 100 yuan is in the first reader."""

    @pytest.mark.parametrize("name", ["0", "00 00", f"{NAME} 00 00", "kaguan 1 00 00"])
    def test_a_reader_is_found_by_number_or_part_of_its_name(self, name: str) -> None:
        with closing(open_reader(name)) as link:
            assert link.atr == specimen().atr
            assert link.protocol is TransmissionProtocol.T0

    def test_bytes_come_back_as_they_are(self) -> None:
        with closing(open_reader("0")) as link:
            assert link.transceive(bytes.fromhex(SELECT_SSSE)) == bytes.fromhex("6118")
            assert link.transceive(bytes.fromhex("00C0000099")) == bytes.fromhex("6C18")

    def test_identity_load_and_purchase(self, card: EmulatedCard) -> None:
        with closing(open_reader("0")) as reader:
            link = for_conversation(reader)
            assert converse(link, read_identity(PROFILE)).name == "张三"
            link.reset()
            converse(link, ready_to_pay())
            load = converse(link, begin_load(keys(), 500, TERMINAL))
            tac = converse(link, credit_load(keys(), load, WHEN))
            assert converse(link, prove_load(keys(), load, WHEN)) == tac
            purchase = converse(link, begin_purchase(1_234, TERMINAL))
            converse(link, debit(keys(), purchase, 1, WHEN))
            assert balance_fen(link) == BEFORE + 500 - 1_234
        assert balance_fen(card) == BEFORE + 500 - 1_234

    def test_the_card_is_ours_alone(self) -> None:
        with closing(open_reader("0")), pytest.raises(LinkError, match="in use by another program"):
            open_reader("0")

    def test_a_new_link_begins_without_a_session(self) -> None:
        with closing(open_reader("0")) as link:
            link.transceive(bytes.fromhex(SELECT_SSSE))
            assert link.transceive(bytes.fromhex("00A4000002EF05")) == bytes.fromhex("9000")
        with closing(open_reader("0")) as link:
            assert link.transceive(bytes.fromhex("00B207000B")) == bytes.fromhex("6986")

    def test_a_reset_forgets_the_session(self) -> None:
        with closing(open_reader("0")) as link:
            link.transceive(bytes.fromhex(SELECT_SSSE))
            link.transceive(bytes.fromhex("00A4000002EF05"))
            assert link.reset() == specimen().atr
            assert link.transceive(bytes.fromhex("00B207000B")) == bytes.fromhex("6986")

    def test_a_closed_link_is_closed(self) -> None:
        link = open_reader("0")
        link.close()
        link.close()
        with pytest.raises(CardLost):
            link.transceive(bytes.fromhex("0084000008"))

    def test_the_door_sends_apdus(self) -> None:
        ended = call("apdu", "send", "--reader", NAME + " 00 00", SELECT_SSSE + "=61XX", "00A4040002AABB=9000")
        assert ended.code == 3
        assert ended.lines[1] == "< 6118"


class TestPullingOut:
    """The card leaves in the middle of something."""

    def test_between_two_commands(self, readers: Readers, inserted: InsertedCard, card: EmulatedCard) -> None:
        with closing(open_reader("0")) as reader:
            link = for_conversation(reader)
            converse(link, ready_to_pay())
            offer = converse(link, begin_load(keys(), 500, TERMINAL))
            inserted.pull_out()
            assert wait_for_removal("0", timeout_seconds=NOTICING_SECONDS)
            with pytest.raises(CardLost, match="CREDIT FOR LOAD"):
                converse(link, credit_load(keys(), offer, WHEN))
            with pytest.raises(NoCard):
                link.reset()
        assert balance_fen(card) == BEFORE

    @pytest.mark.parametrize("commands_before_the_end", [1, 2])
    def test_before_the_answer_arrives(
        self, readers: Readers, card: EmulatedCard, commands_before_the_end: int
    ) -> None:
        """The card took the money; CREDIT, or the GET RESPONSE after it, went without an answer."""
        rehearsal = Counting(EmulatedCard(card.image))
        load_500(GetResponse(RightLe(T0Shape(rehearsal))))
        at = rehearsal.commands - commands_before_the_end
        with InsertedCard(Losing(card, at, heard=True), port=readers.ports[0]):
            assert wait_for_card("0", timeout_seconds=NOTICING_SECONDS)
            with closing(open_reader("0")) as reader, pytest.raises(CardLost):
                load_500(for_conversation(reader))
        assert balance_fen(card) == BEFORE + 500
        assert wait_for_removal("0", timeout_seconds=NOTICING_SECONDS)


def load_500(link: Link) -> None:
    """Five yuan are on the card."""
    converse(link, ready_to_pay())
    offer = converse(link, begin_load(keys(), 500, TERMINAL))
    converse(link, credit_load(keys(), offer, WHEN))


class SpeaksT1(Layer):
    """The same card with an ATR that offers T=1 alone, on which a command without Le gets no data."""

    atr = bytes.fromhex("3B800181")

    def reset(self) -> bytes:
        self.link.reset()
        return self.atr

    def transceive(self, command: bytes) -> bytes:
        answer = self.link.transceive(command)
        return b"\x90\x00" if answer[0] == 0x61 else answer


def test_a_conversation_over_t1(readers: Readers, card: EmulatedCard) -> None:
    with InsertedCard(SpeaksT1(card), port=readers.ports[1]):
        assert wait_for_card("1", timeout_seconds=NOTICING_SECONDS)
        with closing(open_reader("1")) as reader:
            assert reader.protocol is TransmissionProtocol.T1
            assert balance_fen(for_conversation(reader)) == BEFORE
            offer = converse(for_conversation(reader), begin_load(keys(), 500, TERMINAL))
            assert offer.balance_fen == BEFORE
    assert wait_for_removal("1", timeout_seconds=NOTICING_SECONDS)


class TestEmptyReaders:
    """There is no card."""

    def test_an_empty_reader_is_told(self, readers: Readers) -> None:
        with pytest.raises(NoCard, match="is empty"):
            open_reader("1")

    @pytest.mark.parametrize("name", ["nobody", "2", NAME, "kaguan"])
    def test_who_is_not_found_or_not_alone_gets_the_list(self, readers: Readers, name: str) -> None:
        with pytest.raises(NoReader) as refused:
            open_reader(name)
        assert all(name in str(refused.value) for name in readers.names)

    def test_waiting_ends_in_time(self, readers: Readers) -> None:
        begun = time.monotonic()
        assert not wait_for_card("1", timeout_seconds=0.4)
        assert 0.3 < time.monotonic() - begun < NOTICING_SECONDS
        assert wait_for_removal("1", timeout_seconds=0)

    def test_waiting_ends_with_the_card(self, readers: Readers) -> None:
        cards: list[InsertedCard] = []
        insert = Timer(0.2, lambda: cards.append(InsertedCard(EmulatedCard(blank()), port=readers.ports[1])))
        insert.start()
        assert wait_for_card("1", timeout_seconds=NOTICING_SECONDS)
        assert not wait_for_removal("1", timeout_seconds=0.1)
        cards[0].pull_out()
        assert wait_for_removal("1", timeout_seconds=NOTICING_SECONDS)
