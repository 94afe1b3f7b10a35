"""Purchase with the card in the reader: the books first, then the chip, then the books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kaguan.apdu.link import Link
from kaguan.cms.counter.desk import Desk
from kaguan.cms.counter.outcome import booked, check_unused, needed
from kaguan.cms.counter.readback import read_back
from kaguan.cms.ledger.posting import Phase
from kaguan.cms.rules.purchases import Item, check_items
from kaguan.cms.services.purchase import (
    AuthorisedPurchase,
    allow_purchase,
    authorise_purchase,
    cancel_purchase,
    mark_purchase_grey,
    open_purchase,
    purchase_before,
    purchase_under,
    record_purchase,
)
from kaguan.cms.services.reservation import Resolution, landed
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.purchase import PurchaseOffer, begin_purchase, debit, prove_purchase
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin


def purchase(desk: Desk, link: Link, purchase_id: UUID, items: Sequence[Item], pin: Pin | None) -> Resolution:
    """The card has paid, once, however often it is asked under this id. Raises as `Outlet.purchase`."""
    identity, keys = desk.identify(link)
    card_no = identity.card_no
    amount_fen = sum(item.amount_fen for item in items)
    before = purchase_before(desk.actor.institution, purchase_id, card_no=card_no, amount_fen=amount_fen)
    if before is not None:
        if before.phase == Phase.PENDING:
            return landed(recover_purchase(desk, link, purchase_id, pin))
        return before
    allow_purchase(desk.actor, purchase_id, card_no=card_no, items=list(items), pin_shown=pin is not None)
    with read_back(desk, link, keys, card_no, "purchase") as asked:
        desk.ready_to_pay(link, card_no, purchase_id, pin)
        done = _paid(desk, link, keys, card_no, purchase_id, items)
        asked.numbers = True
        return done


def recover_purchase(desk: Desk, link: Link, purchase_id: UUID, pin: Pin | None) -> Resolution:
    """The open purchase is recorded or cancelled by what the chip says. Raises as `Outlet.recover_purchase`."""
    open_one = open_purchase(purchase_id)
    keys = desk.identify_as(link, open_one.card_no)
    with read_back(desk, link, keys, open_one.card_no, "recover purchase"):
        return _recovered(desk, link, keys, purchase_id, open_one, pin)


def _paid(desk: Desk, link: Link, keys: CardKeys, card_no: str, purchase_id: UUID, items: Sequence[Item]) -> Resolution:
    offer = converse(link, begin_purchase(check_items(items), desk.terminal))
    when = desk.clock()
    allowed = authorise_purchase(
        desk.actor,
        purchase_id,
        card_no=card_no,
        items=list(items),
        offline_sequence=offer.sequence,
        terminal_no=desk.terminal.hex().upper(),
        terminal_time=when,
    )
    open_purchase(purchase_id)  # another reader may have asked under this id meanwhile and ended it
    with booked(
        lambda: mark_purchase_grey(desk.actor, purchase_id),
        lambda why: cancel_purchase(desk.actor, purchase_id, why=why),
    ):
        tac = converse(link, debit(keys, offer, allowed.terminal_sequence, when))
    return record_purchase(desk.actor, purchase_id, tac=tac.hex().upper())


def _recovered(
    desk: Desk, link: Link, keys: CardKeys, purchase_id: UUID, open_one: AuthorisedPurchase, pin: Pin | None
) -> Resolution:
    if purchase_under(open_one.card_no, open_one.offline_sequence):
        return cancel_purchase(desk.actor, purchase_id, why="the card gave its number to another purchase")
    converse(link, select_medical(desk.profile))
    offer = PurchaseOffer(
        amount_fen=open_one.amount_fen,
        terminal=bytes.fromhex(open_one.terminal_no),
        balance_fen=0,
        sequence=open_one.offline_sequence,
        random=b"",
    )
    when = datetime.fromisoformat(open_one.terminal_time)
    tac = converse(link, prove_purchase(keys, offer, open_one.terminal_sequence, when))
    if tac is not None:
        return record_purchase(desk.actor, purchase_id, tac=tac.hex().upper())
    desk.ready_to_pay(link, open_one.card_no, purchase_id, needed(pin))
    present = converse(link, begin_purchase(0, desk.terminal))
    check_unused(open_one.offline_sequence, present.sequence, present.balance_fen)
    return cancel_purchase(desk.actor, purchase_id, why="the card did not pay: its number is unused")
