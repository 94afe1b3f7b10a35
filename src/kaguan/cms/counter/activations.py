"""Activation with the card in the reader: the books first, then the chip, then the books.

The record on the chip is written as a whole and can be read back by a key, so a lost answer is found out by reading.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from kaguan.apdu.errors import RuleBroken
from kaguan.apdu.link import Link
from kaguan.cms.counter.desk import Desk
from kaguan.cms.counter.outcome import booked
from kaguan.cms.counter.readback import read_back
from kaguan.cms.models import Card
from kaguan.cms.rules.activation import NO_READER, ChipRecord, Visit, medical_record
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import NeedsReconciliation, NotFound
from kaguan.cms.services.activation.entry import (
    ActivationState,
    Phase,
    asked_before,
    cancel_activation,
    confirm_activation,
    open_activation,
    owed_by,
    record_written,
)
from kaguan.cms.services.activation.visit import RegisteredVisit, register_visit
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.insurance import read_insurances, write_insurance
from kaguan.terminal.script import converse

Begin = Callable[[str, ChipRecord], ActivationState]


def activate(desk: Desk, link: Link, request_id: UUID, begin: Begin) -> ActivationState:
    """The card is in use and its chip says so, once, however often it is asked. Raises as `Outlet.activate`."""
    identity, keys = desk.identify(link)
    before = asked_before(desk.actor.institution, request_id, card_no=identity.card_no)
    if before is not None:
        return recover(desk, link, request_id) if before.phase == Phase.OPEN else before
    begun = begin(identity.card_no, _planned(link, keys, identity.card_no, desk.clock()))
    with read_back(desk, link, keys, identity.card_no, "activate"):
        return _write(desk, link, keys, begun)


def register(desk: Desk, link: Link, request_id: UUID, visit: Visit, registration_no: str) -> RegisteredVisit:
    """The visit is registered, and a card that was not in use is. Raises as `Outlet.register_visit`."""
    identity, keys = desk.identify(link)
    card_no = identity.card_no
    enabled = Card.objects.get(pk=card_no).application != Application.NOT_ENABLED
    before = asked_before(desk.actor.institution, request_id, card_no=card_no)
    chip = NO_READER
    if before is not None:
        chip = ChipRecord(before.chip_slot, before.chip_before, before.chip_after)
    elif not enabled:
        chip = _planned(link, keys, card_no, desk.clock())
    registered = register_visit(
        desk.actor, request_id, card_no=card_no, visit=visit, registration_no=registration_no, chip=chip
    )
    if not registered.activation_id or (before is not None and before.phase == Phase.DONE):
        return registered
    if before is not None:
        done = recover(desk, link, request_id)
    else:
        with read_back(desk, link, keys, card_no, "activate"):
            done = _write(desk, link, keys, open_activation(desk.actor.institution, request_id))
    return RegisteredVisit(
        registration_no, card_no, visit.value, done.application, registered.activation_id, done.phase
    )


def recover(desk: Desk, link: Link, activation_id: UUID) -> ActivationState:
    """The open activation is done or cancelled by what the chip says. Raises as `Outlet.recover_activation`."""
    begun = open_activation(desk.actor.institution, activation_id)
    keys = desk.identify_as(link, begun.card_no)
    with read_back(desk, link, keys, begun.card_no, "recover activation"):
        return _recovered(desk, link, keys, begun)


def _recovered(desk: Desk, link: Link, keys: CardKeys, begun: ActivationState) -> ActivationState:
    present = converse(link, read_insurances(keys))[begun.chip_slot - 1]
    if present == begun.chip_after:
        return _confirm(desk, link, keys, begun)
    if present == begun.chip_before:
        return cancel_activation(desk.actor, UUID(begun.activation_id), why="the card did not take the record")
    raise NeedsReconciliation(
        f"insurance record {begun.chip_slot} of card {begun.card_no} is neither what it was nor what it should be"
    )


def write_owed(desk: Desk, link: Link, request_id: UUID) -> ActivationState:
    """The chip has the record that it is owed. Raises as `Outlet.write_owed_record`."""
    identity, keys = desk.identify(link)
    owed = owed_by(identity.card_no)
    if owed is None:
        raise NotFound(f"card {identity.card_no} is owed no record")
    chip = _planned(link, keys, identity.card_no, timezone.localtime(owed.at))
    with read_back(desk, link, keys, identity.card_no, "write owed record"):
        converse(link, write_insurance(keys, chip.slot, chip.after))
        return record_written(desk.actor, request_id, card_no=identity.card_no, chip=chip)


def _planned(link: Link, keys: CardKeys, card_no: str, day: datetime) -> ChipRecord:
    region = Card.objects.get(pk=card_no).region.code
    return medical_record(converse(link, read_insurances(keys)), region, day.date())


def _write(desk: Desk, link: Link, keys: CardKeys, begun: ActivationState) -> ActivationState:
    activation_id = UUID(begun.activation_id)
    with booked(
        lambda: None,  # it is open already, and stays so
        lambda why: cancel_activation(desk.actor, activation_id, why=why),
    ):
        converse(link, write_insurance(keys, begun.chip_slot, begun.chip_after))
    keys = desk.identify_as(link, begun.card_no)
    return _recovered(desk, link, keys, open_activation(desk.actor.institution, activation_id))


def _confirm(desk: Desk, link: Link, keys: CardKeys, begun: ActivationState) -> ActivationState:
    """The books follow the chip, or the chip is as it was and the activation cancelled."""
    activation_id = UUID(begun.activation_id)
    try:
        return confirm_activation(desk.actor, activation_id)
    except RuleBroken as refusal:
        converse(link, write_insurance(keys, begun.chip_slot, begun.chip_before))
        with suppress(RuleBroken):  # somebody else has ended it meanwhile
            cancel_activation(desk.actor, activation_id, why=str(refusal))
        raise
