"""After a step the chip is asked what it is now, and held against the books; where they disagree a case is opened.

Asking spends no try and changes nothing on the chip. What it does not tell, or what it was pulled out before telling,
is asked after the next step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from kaguan.apdu.errors import CardLost, CodecError, KaguanError, LinkError
from kaguan.apdu.link import Link
from kaguan.cms.counter.desk import Desk
from kaguan.cms.models import Card
from kaguan.cms.rules.chip_state import ChipApplication, ChipState, differences
from kaguan.cms.services.chip.books import books_state, open_facets
from kaguan.cms.services.chip.cases import hold_against_books
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.insurance import read_insurances
from kaguan.terminal.conversations.load import begin_load
from kaguan.terminal.conversations.pin import pin_tries_left
from kaguan.terminal.conversations.purchase import begin_purchase
from kaguan.terminal.conversations.purse import read_balance, select_medical
from kaguan.terminal.refusals import CardBlocked, CardRefused, NotGenuine
from kaguan.terminal.script import Script, converse

UNREADABLE = "unreadable"

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Asked:
    """What a step has won on the card: with the PIN shown in DF04, the chip also tells its next `numbers`."""

    numbers: bool = False


@contextmanager
def read_back(desk: Desk, link: Link, keys: CardKeys, card_no: str, step: str) -> Iterator[Asked]:
    """What was done within is held against the chip's own state, also when it was refused.

    After a lost answer there is nobody to ask: the step itself stands open in the books.
    """
    asked = Asked()
    try:
        yield asked
    except LinkError:
        raise
    except KaguanError:
        # The numbers are left alone: asking would begin a transaction beside the one that is not understood.
        with suppress(LinkError):
            compare(desk, link, keys, card_no, step)
        raise
    with suppress(LinkError):
        compare(desk, link, keys, card_no, step, numbers=asked.numbers)


def compare(
    desk: Desk,
    link: Link,
    keys: CardKeys,
    card_no: str,
    step: str,
    *,
    numbers: bool = False,
    wants_purse: bool = False,
) -> list[str]:
    """The facets about which a case of the card is open, once chip and books were held against each other.

    A difference counts when it is there a second time, for the books may just have been at work elsewhere. A chip that
    keeps its balance to itself differs where it has to be known (`wants_purse`).

    Raises:
        LinkError: the card was pulled out, or another one is in the reader.
    """
    chip = chip_state(link, keys, desk.terminal, numbers=numbers)
    if differences(books_state(Card.objects.get(pk=card_no), desk.pin_tries), chip, wants_purse=wants_purse):
        again = chip_state(link, keys, desk.terminal)
        hold_against_books(
            desk.actor,
            UUID(bytes=desk.random(16), version=4),
            card_no=card_no,
            step=step,
            chip=replace(again, load_number=chip.load_number, purchase_number=chip.purchase_number),
            pin_tries=desk.pin_tries,
            terminal_no=desk.terminal.hex().upper(),
            wants_purse=wants_purse,
        )
    return open_facets(card_no)


def chip_state(link: Link, keys: CardKeys, terminal: bytes, *, numbers: bool = False) -> ChipState:
    """What the chip says of itself; it stands in DF03 afterwards, and the PIN is forgotten.

    Raises:
        LinkError: it was pulled out, or another card is in the reader.
    """
    load_number = _told(link, _load_number(keys, terminal)) if numbers else None
    purchase_number = _told(link, _purchase_number(terminal)) if numbers else None
    if link.reset() != keys.atr:
        raise CardLost("reading back")
    try:
        converse(link, select_dedicated(keys.profile.by_name["SSSE"]))
    except CardBlocked:
        return ChipState(ChipApplication.DEAD)
    tries_left = _told(link, pin_tries_left())
    application, balance_fen = ChipApplication.SERVING, None
    try:
        converse(link, select_medical(keys.profile))
        balance_fen = _told(link, read_balance())
    except CardBlocked:
        application = ChipApplication.BLOCKED
    return ChipState(
        application=application,
        pin_tries_left=tries_left,
        balance_fen=balance_fen,
        load_number=load_number,
        purchase_number=purchase_number,
        records=_records(link, keys),
    )


def _records(link: Link, keys: CardKeys) -> tuple[str, ...]:
    try:
        return tuple(_told(link, read_insurances(keys)) or ())
    except CodecError:
        return (UNREADABLE,) * 8


def _load_number(keys: CardKeys, terminal: bytes) -> Script[int]:
    return (yield from begin_load(keys, 0, terminal)).sequence


def _purchase_number(terminal: bytes) -> Script[int]:
    return (yield from begin_purchase(0, terminal)).sequence


def _told(link: Link, script: Script[_Result]) -> _Result | None:
    """What the chip tells, None when it will not."""
    try:
        return converse(link, script)
    except (CardRefused, NotGenuine):
        return None
