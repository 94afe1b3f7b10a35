"""Load and carry-over with the card in the reader: the books first, then the chip, then the books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from kaguan.apdu.link import Link
from kaguan.cms.counter.desk import Desk
from kaguan.cms.counter.outcome import booked, check_unused, needed
from kaguan.cms.counter.readback import read_back
from kaguan.cms.ledger.posting import Phase
from kaguan.cms.services.load import (
    PendingLoad,
    allow_carry_over,
    allow_load,
    begin_carry_over,
    begin_load,
    cancel_load,
    carry_over_before,
    confirm_load,
    load_before,
    load_under,
    mark_load_grey,
    open_load,
)
from kaguan.cms.services.reservation import Resolution, landed
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.load import LoadOffer, credit_load, prove_load
from kaguan.terminal.conversations.load import begin_load as initialize_load
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin


def load(desk: Desk, link: Link, load_id: UUID, amount_fen: int, pin: Pin) -> Resolution:
    """The amount is on the card, once, however often it is asked under this id. Raises as `Outlet.load`."""
    identity, keys = desk.identify(link)
    card_no = identity.card_no
    before = load_before(desk.actor.institution, load_id, card_no=card_no, amount_fen=amount_fen)
    if before is not None:
        return _as_it_ended(desk, link, load_id, before, pin)
    allow_load(desk.actor, load_id, card_no=card_no, amount_fen=amount_fen)
    return _load(desk, link, load_id, card_no, amount_fen, keys, pin, begin_load)


def carry_over(desk: Desk, link: Link, load_id: UUID, pin: Pin) -> Resolution:
    """What the replaced cards still held is on this one, once. Raises as `Outlet.load`."""
    identity, keys = desk.identify(link)
    card_no = identity.card_no
    before = carry_over_before(desk.actor.institution, load_id, card_no=card_no)
    if before is not None:
        return _as_it_ended(desk, link, load_id, before, pin)
    amount_fen = allow_carry_over(desk.actor, load_id, card_no=card_no)
    return _load(desk, link, load_id, card_no, amount_fen, keys, pin, begin_carry_over)


def recover_load(desk: Desk, link: Link, load_id: UUID, pin: Pin | None) -> Resolution:
    """The open load or carry-over is confirmed or cancelled by what the chip says. Raises as `Outlet.recover_load`."""
    pending = open_load(load_id)
    keys = desk.identify_as(link, pending.card_no)
    with read_back(desk, link, keys, pending.card_no, "recover load"):
        return _recovered(desk, link, keys, load_id, pending, pin)


def _recovered(
    desk: Desk, link: Link, keys: CardKeys, load_id: UUID, pending: PendingLoad, pin: Pin | None
) -> Resolution:
    if load_under(pending.card_no, pending.online_sequence):
        return cancel_load(desk.actor, load_id, why="the card gave its number to another load")
    converse(link, select_medical(desk.profile))
    offer = LoadOffer(
        amount_fen=pending.amount_fen,
        terminal=bytes.fromhex(pending.terminal_no),
        balance_fen=pending.purse_before_fen,
        sequence=pending.online_sequence,
        session=keys.ref("DF04.DLK"),
    )
    tac = converse(link, prove_load(keys, offer, datetime.fromisoformat(pending.terminal_time)))
    if tac is not None:
        return confirm_load(desk.actor, load_id, tac=tac.hex().upper())
    desk.ready_to_pay(link, pending.card_no, load_id, needed(pin))
    present = converse(link, initialize_load(keys, 0, desk.terminal))
    check_unused(pending.online_sequence, present.sequence, present.balance_fen)
    return cancel_load(desk.actor, load_id, why="the card did not take the load: its number is unused")


def _as_it_ended(desk: Desk, link: Link, load_id: UUID, before: Resolution, pin: Pin) -> Resolution:
    """What became of the load that was asked for before; when nobody knows yet, the chip is asked."""
    if before.phase == Phase.PENDING:
        return landed(recover_load(desk, link, load_id, pin))
    return before


def _load(
    desk: Desk,
    link: Link,
    load_id: UUID,
    card_no: str,
    amount_fen: int,
    keys: CardKeys,
    pin: Pin,
    begin: Callable[..., PendingLoad],
) -> Resolution:
    """The load is reserved in the books and on the card, or cancelled, or grey; then the chip is read back."""
    with read_back(desk, link, keys, card_no, "load") as asked:
        desk.ready_to_pay(link, card_no, load_id, pin)
        offer = converse(link, initialize_load(keys, amount_fen, desk.terminal))
        when = desk.clock()
        begin(
            desk.actor,
            load_id,
            card_no=card_no,
            amount_fen=amount_fen,
            purse_before_fen=offer.balance_fen,
            online_sequence=offer.sequence,
            terminal_no=desk.terminal.hex().upper(),
            terminal_time=when,
        )
        open_load(load_id)  # another reader may have asked under this id meanwhile and ended it
        with booked(
            lambda: mark_load_grey(desk.actor, load_id),
            lambda why: cancel_load(desk.actor, load_id, why=why),
        ):
            tac = converse(link, credit_load(keys, offer, when))
        done = confirm_load(desk.actor, load_id, tac=tac.hex().upper())
        asked.numbers = True
        return done
