"""A card and a security module in two readers of one PC/SC service; resets as PC/SC programs ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from card.cards import SELECT_SSSE, specimen
from card.modules import module
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.vpcd import InsertedCard
from kaguan.terminal.cardkeys import card_factor, region_factors
from kaguan.terminal.conversations.medical_purchase import (
    MedicalAmounts,
    begin_medical_purchase,
    check_medical_tac,
    debit_medical,
)
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.pcsc import open_reader, wait_for_card, wait_for_removal
from kaguan.terminal.psam import SecurityModule
from kaguan.terminal.script import converse
from outside.conftest import NOTICING_SECONDS
from outside.readers import Readers
from terminal.counter import WHEN, balance_fen, keys, ready_to_pay

pytestmark = pytest.mark.slow

BILL = MedicalAmounts(100, 200, 300)
REGION = "990100"


@pytest.fixture
def both(readers: Readers, card: EmulatedCard) -> Iterator[EmulatedCard]:
    """The card in the first reader; the module in the second, which is given."""
    held = EmulatedCard(module())
    with ExitStack() as stack:
        for port, inside in zip(readers.ports, (card, held), strict=True):
            stack.enter_context(InsertedCard(inside, port=port))
        assert all(wait_for_card(name, timeout_seconds=NOTICING_SECONDS) for name in readers.names)
        yield held
    assert all(wait_for_removal(name, timeout_seconds=NOTICING_SECONDS) for name in readers.names)


def test_one_purchase_with_card_and_module(both: EmulatedCard, card: EmulatedCard) -> None:
    with closing(open_reader("0")) as first, closing(open_reader("1")) as second:
        link, held = for_conversation(first), SecurityModule(for_conversation(second))
        before = held.transaction_number
        factors = (region_factors(REGION)[1], card_factor(first.atr))
        converse(link, ready_to_pay())
        offer = converse(link, begin_medical_purchase(BILL, held.terminal, held.key_index))
        signature = held.begin_medical_purchase(offer.head(WHEN), *factors)
        receipt = converse(link, debit_medical(held, signature, WHEN))
        check_medical_tac(keys(), offer, receipt, WHEN)
        assert balance_fen(link) == 10_000 - 100
        assert SecurityModule(for_conversation(second)).transaction_number == before + 1
    assert balance_fen(card) == 10_000 - 100
    assert both.image != module()


@pytest.mark.usefixtures("inserted")
@pytest.mark.parametrize("how", ["SCARD_RESET_CARD", "SCARD_UNPOWER_CARD"])
def test_warm_and_cold_reset_forget_the_session(how: str) -> None:
    """As a pyscard program does it: the PIN was verified, and is not any more."""
    from smartcard import scard  # noqa: PLC0415 - it may be missing

    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    assert code == 0
    code, card, protocol = scard.SCardConnect(
        context, scard.SCardListReaders(context, [])[1][0], scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY
    )
    assert (code, protocol) == (0, scard.SCARD_PROTOCOL_T0)

    def send(apdu: str) -> str:
        code, answer = scard.SCardTransmit(card, scard.SCARD_PCI_T0, list(bytes.fromhex(apdu)))
        assert code == 0
        return bytes(answer).hex().upper()

    try:
        assert send(SELECT_SSSE) == "6118"
        assert send("0020000003123456") == "9000"
        assert send("00A4000002EF05") == "9000"
        code, _ = scard.SCardReconnect(card, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY, getattr(scard, how))
        assert code == 0
        assert bytes(scard.SCardStatus(card)[4]) == specimen().atr
        assert send("00B207000B") == "6986"
    finally:
        scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        scard.SCardReleaseContext(context)


@pytest.mark.usefixtures("inserted")
def test_a_program_written_for_pyscard(readers: Readers) -> None:
    from smartcard.System import readers as connected  # noqa: PLC0415 - it may be missing

    reader = next(one for one in connected() if str(one) == readers.names[0])
    connection = reader.createConnection()
    connection.connect()
    try:
        assert bytes(connection.getATR()) == specimen().atr
        assert connection.transmit(list(bytes.fromhex(SELECT_SSSE))) == ([], 0x61, 0x18)
        data, sw1, sw2 = connection.transmit([0x00, 0x84, 0x00, 0x00, 0x08])
        assert (len(data), sw1, sw2) == (8, 0x90, 0x00)
    finally:
        connection.disconnect()
