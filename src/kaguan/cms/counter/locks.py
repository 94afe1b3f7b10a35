"""Lock, unlock and end the chip in the reader: the books first, then the chip, then the books."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from uuid import UUID

from kaguan.apdu.link import Link
from kaguan.cms.counter.desk import Desk
from kaguan.cms.counter.readback import chip_state, compare, read_back
from kaguan.cms.rules.chip_state import ChipApplication
from kaguan.cms.rules.lifecycle import LockReason
from kaguan.cms.services.case import CardState
from kaguan.cms.services.chip.locking import begin_chip_lock, begin_chip_unlock, end_chip_lock, end_chip_unlock
from kaguan.cms.services.loss import card_being_blocked, confirm_blocked, order_block, presume_blocked
from kaguan.cms.services.use_case import was_done
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.blocking import block_application, block_card, unblock_application
from kaguan.terminal.refusals import CardBlocked, CardRefused
from kaguan.terminal.script import Script, converse

HOW_BLOCKED = "blocked in a reader"


def lock(desk: Desk, link: Link, request_id: UUID, reason: LockReason) -> CardState:
    """Card and chip are locked, once, however often it is asked. Raises as `Outlet.lock_card`."""
    begin = partial(begin_chip_lock, reason=reason)
    return _told(desk, link, request_id, "lock", begin, end_chip_lock, block_application, ChipApplication.BLOCKED)


def unlock(desk: Desk, link: Link, request_id: UUID) -> CardState:
    """Chip and card serve again, once, however often it is asked. Raises as `Outlet.unlock_card`."""
    begin, end = begin_chip_unlock, end_chip_unlock
    return _told(desk, link, request_id, "unlock", begin, end, unblock_application, ChipApplication.SERVING)


def _told(
    desk: Desk,
    link: Link,
    request_id: UUID,
    verb: str,
    begin: Callable[..., CardState],
    end: Callable[..., CardState],
    script: Callable[[CardKeys], Script[None]],
    wanted: ChipApplication,
) -> CardState:
    """The chip's application is what is wanted, and the books know it; a chip that was brought there before is left
    alone."""
    identity, keys = desk.identify(link)
    card_no = identity.card_no
    if was_done(request_id, f"end chip {verb}"):
        return end(desk.actor, request_id, card_no=card_no)
    begin(desk.actor, request_id, card_no=card_no)
    with read_back(desk, link, keys, card_no, f"{verb} chip"):
        if chip_state(link, keys, desk.terminal).application is not wanted:
            converse(link, script(keys))
        return end(desk.actor, request_id, card_no=card_no)


def block(desk: Desk, link: Link, request_id: UUID) -> CardState:
    """The lost or ended chip is dead, and the books know what it held. Raises as `Outlet.block_card`."""
    try:
        identity, keys = desk.identify(link)
    except CardBlocked:
        card_no = card_being_blocked(link.atr.hex().upper())
        if card_no is not None:
            presume_blocked(desk.actor, request_id, card_no=card_no)
        raise
    card_no = identity.card_no
    order_block(desk.actor, request_id, card_no=card_no)
    # A dead chip tells nothing: what it holds is asked in the session in which it dies, and the books have it first.
    _open_for_reading(desk, link, keys)
    compare(desk, link, keys, card_no, "block chip", wants_purse=True)
    with read_back(desk, link, keys, card_no, "block chip"):
        converse(link, block_card(keys))
        return confirm_blocked(desk.actor, request_id, card_no=card_no, how=HOW_BLOCKED)


def _open_for_reading(desk: Desk, link: Link, keys: CardKeys) -> None:
    """A locked chip serves once more, for it would not tell what it holds; one that is locked for ever stays so."""
    if chip_state(link, keys, desk.terminal).application is ChipApplication.BLOCKED:
        with suppress(CardRefused):
            converse(link, unblock_application(keys))
