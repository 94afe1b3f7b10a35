"""A request for every use case about chips."""

from __future__ import annotations

from uuid import uuid4

from cms.request_cases import ON_CARD, WITH_DOCUMENT, active, funded, in_state, nothing
from kaguan.cms.rules.chip_state import ChipApplication, ChipState
from kaguan.cms.rules.lifecycle import Application, LockReason
from kaguan.cms.services.chip import blacklist, cases, locking, pin, unreadable
from kaguan.cms.services.pin import record_pin_blocked

EMPTY_CHIP = ChipState(ChipApplication.SERVING, 3, 0)
SEEN = {**ON_CARD, "step": "load", "chip": EMPTY_CHIP, "pin_tries": 3, "terminal_no": ""}


def blocked(town, request_id):
    active(town, request_id)
    record_pin_blocked(town.cashier, uuid4(), **ON_CARD)


def changing(town, request_id):
    active(town, request_id)
    pin.begin_pin_change(town.cashier, request_id, **ON_CARD)


def resetting(town, request_id):
    active(town, request_id)
    pin.begin_pin_reset(town.teller, request_id, **WITH_DOCUMENT)


def locking_chip(town, request_id):
    active(town, request_id)
    locking.begin_chip_lock(town.clerk, request_id, **ON_CARD, reason=LockReason.OTHER)


def locked_chip(town, request_id):
    locking_chip(town, uuid4())
    locking.end_chip_lock(town.clerk, uuid4(), **ON_CARD)


def unlocking_chip(town, request_id):
    locked_chip(town, request_id)
    locking.begin_chip_unlock(town.clerk, request_id, **ON_CARD)


TO_PHARMACY = {"terminal_no": "990100000301", "institution": "PHARMACY-1"}
CASES = [
    (cases.hold_against_books, "teller", funded, SEEN),
    (pin.begin_pin_change, "cashier", active, ON_CARD),
    (pin.end_pin_change, "cashier", changing, ON_CARD),
    (pin.leave_pin, "cashier", changing, {**ON_CARD, "why": "wrong"}),
    (pin.begin_pin_reset, "teller", active, WITH_DOCUMENT),
    (pin.begin_pin_unblock, "teller", blocked, WITH_DOCUMENT),
    (pin.end_pin_step, "teller", resetting, ON_CARD),
    (locking.begin_chip_lock, "clerk", active, {**ON_CARD, "reason": LockReason.OTHER}),
    (locking.end_chip_lock, "clerk", locking_chip, ON_CARD),
    (locking.begin_chip_unlock, "clerk", locked_chip, ON_CARD),
    (locking.end_chip_unlock, "clerk", unlocking_chip, ON_CARD),
    (unreadable.register_unreadable, "teller", in_state(Application.CANCELLED), {**ON_CARD, "why": "bent"}),
    (blacklist.push_blacklist, "clerk", nothing, TO_PHARMACY),
]
