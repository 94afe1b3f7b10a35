"""The use cases about chips, asked twice: the same answer, and nothing twice."""

from __future__ import annotations

import importlib
import pkgutil
from uuid import UUID, uuid4

import pytest

from cms.test_requests import CARD, ON_CARD, WITH_DOCUMENT, active, books, funded, in_state, nothing
from cms.town import shown
from kaguan.cms.models import AuditEntry, BlacklistChange, BlacklistPush, Card, ChipCase
from kaguan.cms.rules.chip_state import ChipApplication, ChipState
from kaguan.cms.rules.lifecycle import Application, LockReason
from kaguan.cms.rules.refusals import IdempotencyConflict
from kaguan.cms.services import chip
from kaguan.cms.services.chip import blacklist, cases, locking, pin, unreadable
from kaguan.cms.services.pin import record_pin_blocked

pytestmark = pytest.mark.slow

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
NAMES = [case[0].__name__ for case in CASES]


def everything():
    """What a second answer must not touch, cases and lists with it."""
    return (
        *books()[:-1],
        [list(model.objects.order_by("pk").values_list()) for model in (ChipCase, BlacklistChange, BlacklistPush)],
    )


def use_cases():
    """Every use case about chips."""
    for module in pkgutil.iter_modules(chip.__path__):
        for thing in vars(importlib.import_module(f"kaguan.cms.services.chip.{module.name}")).values():
            if hasattr(thing, "__wrapped__") and thing.__module__.startswith("kaguan.cms.services.chip"):
                yield thing


def test_every_use_case_is_asked_here():
    assert set(use_cases()) == {case[0] for case in CASES}


@pytest.mark.parametrize(("ask", "who", "prepare", "asked"), CASES, ids=NAMES)
def test_asked_again_it_answers_the_same_and_does_nothing(town, ask, who, prepare, asked):
    request_id, actor = uuid4(), getattr(town, who)
    prepare(town, request_id)
    first = ask(actor, request_id, **asked)
    after = everything()
    assert ask(actor, request_id, **asked) == first
    assert everything() == after
    assert AuditEntry.objects.filter(request_id=request_id, outcome="done").latest("sequence").operator == who


@pytest.mark.parametrize(("ask", "who", "prepare", "asked"), CASES, ids=NAMES)
def test_with_other_content_the_same_request_is_refused(town, ask, who, prepare, asked):
    request_id, actor = uuid4(), getattr(town, who)
    prepare(town, request_id)
    ask(actor, request_id, **asked)
    after = everything()
    with pytest.raises(IdempotencyConflict):
        ask(actor, request_id, **asked, surprise=1)
    assert everything() == after


def test_a_step_that_is_open_goes_on_under_its_own_id(town):
    first, second = UUID(int=1), UUID(int=2)
    active(town, None)
    pin.begin_pin_change(town.cashier, first, **ON_CARD)
    (known,) = ChipCase.objects.all()
    pin.begin_pin_reset(town.teller, second, card_no=CARD, document=shown())
    assert ChipCase.objects.get().pk == known.pk
    pin.end_pin_step(town.teller, second, **ON_CARD)
    assert ChipCase.objects.get().state == "settled"
    assert Card.objects.get().pin == "1"
