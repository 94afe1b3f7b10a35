"""The PIN with the card in the reader: changed, given anew, or given its tries back; the books first.

A chip shows nobody its PIN. Where the answer to a change was lost, the change is asked for once more, and when the old
PIN is wrong by then the new one is shown: one of the two is right, and gives back the try that the other has cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kaguan.apdu.errors import KaguanError
from kaguan.apdu.link import Link
from kaguan.cms.counter.desk import Desk
from kaguan.cms.counter.outcome import surely_refused
from kaguan.cms.counter.readback import read_back
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.refusals import AlreadyResolved, NeedsReconciliation
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.case import CardState
from kaguan.cms.services.chip.pin import (
    begin_pin_change,
    begin_pin_reset,
    begin_pin_unblock,
    end_pin_change,
    end_pin_step,
    leave_pin,
    pin_step_is_open,
)
from kaguan.cms.services.use_case import was_done
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.pin import change_pin, pin_tries_left, reload_pin, unblock_pin, verify_pin
from kaguan.terminal.refusals import PinRefused
from kaguan.terminal.script import Script, converse
from kaguan.vault.secret import Pin

_TRIES_TO_FIND_OUT = 2


def change(desk: Desk, link: Link, request_id: UUID, old: Pin, new: Pin) -> CardState:
    """The card's PIN is the new one, once, however often it is asked. Raises as `Outlet.change_pin`."""
    identity, keys = desk.identify(link)
    card_no = identity.card_no
    if was_done(request_id, "end PIN change"):
        return end_pin_change(desk.actor, request_id, card_no=card_no)
    if was_done(request_id, "leave PIN"):
        raise AlreadyResolved(f"request {request_id} was refused by the card, its PIN is as before: ask under a new id")
    torn = pin_step_is_open(card_no)
    begin_pin_change(desk.actor, request_id, card_no=card_no)
    with read_back(desk, link, keys, card_no, "change PIN"):
        try:
            if torn:
                _find_out(desk, link, card_no, request_id, old, new)
            else:
                desk.with_pin(link, card_no, request_id, change_pin(old, new))
        except KaguanError as error:
            if surely_refused(error) and not torn:
                leave_pin(desk.actor, request_id, card_no=card_no, why=str(error))
            raise
        return end_pin_change(desk.actor, request_id, card_no=card_no)


def give_new(
    desk: Desk,
    link: Link,
    request_id: UUID,
    document: Document,
    new: Pin,
    *,
    papers: Sequence[Paper],
    channel: Channel | None,
) -> CardState:
    """The card has the new PIN and all its tries. Raises as `Outlet.unblock_pin`."""
    identity, keys = desk.identify(link)
    shown, card_no = _beside_card(papers), identity.card_no
    begun = begin_pin_reset(desk.actor, request_id, card_no=card_no, document=document, papers=shown, channel=channel)
    return _written(desk, link, keys, request_id, begun, reload_pin(keys, new))


def give_tries(
    desk: Desk,
    link: Link,
    request_id: UUID,
    document: Document,
    *,
    papers: Sequence[Paper],
    channel: Channel | None,
) -> CardState:
    """The card has all its tries, and the PIN that it had. Raises as `Outlet.restore_pin`."""
    identity, keys = desk.identify(link)
    shown, card_no = _beside_card(papers), identity.card_no
    begun = begin_pin_unblock(desk.actor, request_id, card_no=card_no, document=document, papers=shown, channel=channel)
    return _written(desk, link, keys, request_id, begun, unblock_pin(keys))


def _beside_card(papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """What lies on the counter with the card in the reader."""
    return (Paper.SOCIAL_CARD, *papers)


def _written(
    desk: Desk, link: Link, keys: CardKeys, request_id: UUID, begun: CardState, script: Script[None]
) -> CardState:
    """The chip has done it, once; a second time would take back what the holder did since."""
    if was_done(request_id, "end PIN step"):
        return begun
    with read_back(desk, link, keys, begun.card_no, "write PIN"):
        converse(link, script)
        return end_pin_step(desk.actor, request_id, card_no=begun.card_no)


def _find_out(desk: Desk, link: Link, card_no: str, request_id: UUID, old: Pin, new: Pin) -> None:
    """The PIN is the new one, whatever became of the change whose answer was lost."""
    if converse(link, pin_tries_left()) < _TRIES_TO_FIND_OUT:
        raise NeedsReconciliation("too few tries are left to find out which PIN the card has: give it a new one")
    try:
        desk.with_pin(link, card_no, request_id, change_pin(old, new))
    except PinRefused:
        converse(link, select_dedicated(desk.profile.by_name["SSSE"]))
        desk.with_pin(link, card_no, request_id, verify_pin(new))
