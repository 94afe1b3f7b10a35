"""A counter in the made-up town: emulated cards that the books know, and outlets that take them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from uuid import uuid4

from card.cards import PROFILE
from cms.town import BANK, CERT_NO, EXPIRES, ISSUED, NAME, Town, shown
from kaguan.card_os.image import CardImage
from kaguan.cms.ledger.accounts import AccountKind, balance, purse_account
from kaguan.cms.ledger.proof import total, verify_books
from kaguan.cms.models import Card, Transfer
from kaguan.cms.outlet import Outlet
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.services.case import Actor
from kaguan.cms.services.issue import activate, hand_over
from kaguan.cms.services.load import begin_load, confirm_load
from kaguan.cms.services.orders import OrderRow, order_cards
from kaguan.cms.services.purchase import authorise_purchase, record_purchase
from kaguan.cms.services.stock import receive_stock
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.order.returnfile import ReturnRow
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.specimen import REGION, specimen_holder, specimen_vault
from kaguan.personalization.station.recipe import make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.conversations.load import begin_load as initialize_load
from kaguan.terminal.conversations.load import credit_load
from kaguan.terminal.conversations.purchase import begin_purchase, debit
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin
from kaguan.vault.software import SoftwareVault

CARD, SUCCESSOR = "A000F9XV3", "A000FG1U0"
SERIALS = {CARD: "200101000001", SUCCESSOR: "200101000002"}
FIRST_PIN, NEW_PIN, WRONG_PIN = Pin.of("123456"), Pin.of("246810"), Pin.of("999999")
MORNING = datetime(2026, 2, 3, 9, 30)
DRUGS = ItemCategory.DRUG


@cache
def vault() -> SoftwareVault:
    """The keys of every card here."""
    return specimen_vault(PROFILE)


@cache
def image(card_no: str, keys: SoftwareVault | None = None) -> CardImage:
    """The sealed card with this number, made under these keys."""
    holder = specimen_holder(PROFILE)
    columns = {**holder.columns, "ssseef0507": card_no, "ssseef0608": CERT_NO, "ssseef0609": NAME}
    record = prepare(PROFILE, replace(holder, columns=columns), b"")
    card = EmulatedCard(blank_chip(PROFILE, bytes.fromhex(SERIALS[card_no])))
    converse(card, make_card(CardKeys(keys or vault(), PROFILE, REGION, card.atr), record))
    return card.image


def new_card(card_no: str = CARD) -> EmulatedCard:
    """A card of that number as the bureau delivers it."""
    return EmulatedCard(image(card_no))


def drugs(amount_fen: int) -> list[Item]:
    """Something to buy."""
    return [Item(DRUGS, amount_fen)]


def order(town: Town, card_no: str = CARD) -> None:
    """The card is ordered for the town's holder."""
    row = OrderRow(card_no, "01", CERT_NO, NAME, BANK, "6229999900000001", ISSUED, EXPIRES)
    order_cards(town.clerk, uuid4(), order_no=f"B{card_no}", rows=[row])


def return_row(card: EmulatedCard) -> ReturnRow:
    """What the bureau reports of this very card."""
    identity = converse(card, read_identity(PROFILE))
    return ReturnRow(
        task_id="T1",
        data_seq="1",
        customer_id="C1",
        name=NAME,
        cert_no=CERT_NO,
        card_no=identity.card_no,
        card_ident_code=identity.card_ident_code,
        atr=card.atr.hex().upper(),
        bank_card_no="6229999900000001",
    )


@dataclass(frozen=True)
class Counter:
    """The town's places with a reader on the table."""

    town: Town

    def at(self, actor: Actor) -> Outlet:
        """The reader where this operator works; each place has its own terminal, and all have one clock."""
        number = sum(actor.institution.encode()).to_bytes(6, "big")
        return Outlet(actor, vault(), PROFILE, number, lambda: MORNING, secrets.token_bytes)

    @property
    def outlet(self) -> Outlet:
        """The outlet of the card's own bank."""
        return self.at(self.town.teller)

    @property
    def pharmacy(self) -> Outlet:
        """The designated pharmacy."""
        return self.at(self.town.pharmacist)

    def in_stock(self, card_no: str = CARD) -> EmulatedCard:
        """A card in the outlet's custody."""
        card = new_card(card_no)
        if not Card.objects.filter(pk=card_no).exists():
            order(self.town, card_no)
        receive_stock(self.town.teller, uuid4(), rows=[return_row(card)])
        return card

    def handed_over(self, card_no: str = CARD) -> EmulatedCard:
        """A card in its holder's hands, not activated yet."""
        card = self.in_stock(card_no)
        hand_over(self.town.teller, uuid4(), card_no=card_no, document=shown(), verdict=Verdict.SAME_PERSON)
        return card

    def active(self, card_no: str = CARD) -> EmulatedCard:
        """A card in normal use, its PIN still the first one."""
        card = self.handed_over(card_no)
        activate(self.town.teller, uuid4(), card_no=card_no, document=shown())
        return card

    def funded(self, amount_fen: int = 10_000) -> EmulatedCard:
        """A card in normal use with 200 yuan credited to its account, and so much of it on the card."""
        card = self.active()
        self.town.credit()
        if amount_fen:
            self.outlet.load(card, uuid4(), amount_fen, FIRST_PIN)
        return card

    def chip_fen(self, card: EmulatedCard) -> int:
        """What the chip says that it holds."""
        return self.outlet.balance_fen(card)

    def agrees(self, card: EmulatedCard, card_no: str = CARD) -> int:
        """What books and chip both say that the card holds; the books are sound, and nothing is on its way."""
        verify_books()
        assert total() == 0
        assert not open_transfers()
        on_books = balance(purse_account(card_no))
        assert self.chip_fen(card) == on_books
        return on_books


def behind_the_rules(counter: Counter, kind: str, card: EmulatedCard, amount_fen: int, *, booked: bool) -> None:
    """The chip has loaded or paid at a place that does not ask what is open; the books hear of it, or nobody does."""
    desk = counter.outlet if kind == "load" else counter.pharmacy
    _, keys = desk.identify(card)
    desk.ready_to_pay(card, CARD, uuid4(), FIRST_PIN)
    at, transfer_id = {"terminal_no": desk.terminal.hex(), "terminal_time": MORNING}, uuid4()
    if kind == "load":
        loaded = converse(card, initialize_load(keys, amount_fen, desk.terminal))
        money = {"amount_fen": amount_fen, "purse_before_fen": loaded.balance_fen, "online_sequence": loaded.sequence}
        if booked:
            begin_load(desk.actor, transfer_id, card_no=CARD, **money, **at)
        tac = converse(card, credit_load(keys, loaded, MORNING))
        if booked:
            confirm_load(desk.actor, transfer_id, tac=tac.hex().upper())
        return
    offer, number = converse(card, begin_purchase(amount_fen, desk.terminal)), 1
    if booked:
        asked = {"items": drugs(amount_fen), "offline_sequence": offer.sequence, **at}
        number = authorise_purchase(desk.actor, transfer_id, card_no=CARD, **asked).terminal_sequence
    tac = converse(card, debit(keys, offer, number, MORNING))
    if booked:
        record_purchase(desk.actor, transfer_id, tac=tac.hex().upper())


def account_fen() -> int:
    """What the holder's medical account has left."""
    card = Card.objects.get(pk=CARD)
    return balance(f"{AccountKind.PERSONAL}:{card.holder_id}")


def grey_fen() -> int:
    """What the grey account holds."""
    return balance(AccountKind.GREY)


def open_transfers() -> int:
    """How many transfers are neither settled nor void."""
    return Transfer.objects.filter(phase="pending", resolved_by=None).count()
