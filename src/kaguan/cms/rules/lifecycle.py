"""The four axes of a card's life, as tables: production, application, bank function, PIN.

The codes of the application axis are those of the 人社 card application state, plus A for not enabled yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from kaguan.cms.rules.axis import Axis, Transition
from kaguan.cms.rules.axis import validate as validate_axes
from kaguan.cms.rules.guards import Guard
from kaguan.cms.rules.refusals import IllegalTransition
from kaguan.cms.rules.regions import ActivationWay
from kaguan.cms.rules.rights import Right


class Production(StrEnum):
    """Where the card is on its way to the holder."""

    ORDERED = "00"
    MAKE_FAILED = "33"
    AT_OUTLET = "60"
    HANDED_OVER = "70"
    RECOVERED = "80"


class Application(StrEnum):
    """What the social security function of the card may do."""

    NOT_ENABLED = "A"
    NORMAL = "1"
    TEMPORARY_LOSS = "4"
    FORMAL_LOSS = "2"
    LOCKED = "3"
    SEALED = "0"
    CANCELLED = "9"


class BankFunction(StrEnum):
    """What the bank side of the card may do; it is reported lost separately."""

    INACTIVE = "0"
    ACTIVE = "1"
    LOST = "2"
    CLOSED = "9"


class Pin(StrEnum):
    """What is known about the holder's PIN, never the PIN."""

    INITIAL = "0"
    SET = "1"
    BLOCKED = "2"
    VOID = "9"


class CancelReason(StrEnum):
    """Why a card ends."""

    DEATH = "0"
    DAMAGE = "1"
    QUALITY = "2"
    LOST = "3"
    EXCHANGED = "4"
    TRANSFERRED_OUT = "5"
    OTHER = "6"


class LockReason(StrEnum):
    """Why the application is locked."""

    SUSPECTED_MISUSE = "1"
    COURT_ORDER = "2"
    OTHER = "9"


def _row(
    event: str,
    sources: Iterable[StrEnum],
    target: StrEnum,
    right: Right,
    *guards: Guard,
    reasons: Iterable[StrEnum] = (),
) -> Transition:
    return Transition(event, frozenset(sources), target, right, guards, frozenset(reasons))


PRODUCTION: Final = Axis(
    name="production",
    states=Production,
    initial=Production.ORDERED,
    final=frozenset({Production.RECOVERED}),
    transitions=(
        _row("receive", [Production.ORDERED, Production.MAKE_FAILED], Production.AT_OUTLET, Right.RECEIVE),
        _row("fail", [Production.ORDERED], Production.MAKE_FAILED, Right.RECEIVE),
        _row(
            "hand_over",
            [Production.AT_OUTLET],
            Production.HANDED_OVER,
            Right.HAND_OVER,
            Guard.ORIGINAL_DOCUMENT,
            Guard.PERSON_CHECKED,
            Guard.NOT_EXPIRED,
        ),
        _row("recover", [Production.AT_OUTLET, Production.HANDED_OVER], Production.RECOVERED, Right.CANCEL),
    ),
    refusals={
        Production.ORDERED: "the card is still being made",
        Production.MAKE_FAILED: "making the card failed: it has to be made again",
        Production.HANDED_OVER: "the card was handed over already",
        Production.RECOVERED: "the card was taken back",
    },
)

_ALIVE: Final = (Guard.PREDECESSOR_CLOSED, Guard.NOT_EXPIRED)
_OTHER_WAYS: Final = (
    (
        ActivationWay.SERVICE_CENTRE,
        Right.ACTIVATE,
        (Guard.AT_CENTRE, Guard.ORIGINAL_DOCUMENT, Guard.EVIDENCE_COMPLETE),
    ),
    (ActivationWay.FIRST_REGISTRATION, Right.ACTIVATE_BY_USE, (Guard.AT_HOSPITAL,)),
    (ActivationWay.OLD_CARD, Right.ACTIVATE_BY_USE, (Guard.AT_PHARMACY, Guard.OLD_CARD_SHOWN)),
    (ActivationWay.ONLINE, Right.SERVE_ONLINE, (Guard.HOLDER_SIGNED_IN,)),
)

APPLICATION: Final = Axis(
    name="application",
    states=Application,
    initial=Application.NOT_ENABLED,
    final=frozenset({Application.CANCELLED}),
    transitions=(
        _row(
            "activate",
            [Application.NOT_ENABLED],
            Application.NORMAL,
            Right.ACTIVATE,
            Guard.DELIVERED,
            Guard.OWN_BANK,
            Guard.ORIGINAL_DOCUMENT,
            Guard.PREDECESSOR_CLOSED,
            Guard.NOT_EXPIRED,
        ),
        *(
            _row(way, [Application.NOT_ENABLED], Application.NORMAL, right, Guard.DELIVERED, *guards, *_ALIVE)
            for way, right, guards in _OTHER_WAYS
        ),
        _row("seal", [Application.NOT_ENABLED], Application.SEALED, Right.CANCEL),
        _row("report_temporary_loss", [Application.NORMAL], Application.TEMPORARY_LOSS, Right.LOSS),
        _row("release_loss", [Application.TEMPORARY_LOSS], Application.NORMAL, Right.LOSS, Guard.NOT_EXPIRED),
        _row(
            "release_loss",
            [Application.FORMAL_LOSS],
            Application.NORMAL,
            Right.LOSS,
            Guard.RELEASE_ALLOWED,
            Guard.ORIGINAL_DOCUMENT,
            Guard.NOT_EXPIRED,
        ),
        _row("lapse", [Application.TEMPORARY_LOSS], Application.NORMAL, Right.LOSS),
        _row(
            "report_formal_loss",
            [Application.NORMAL, Application.TEMPORARY_LOSS],
            Application.FORMAL_LOSS,
            Right.LOSS,
            Guard.ORIGINAL_DOCUMENT,
        ),
        _row("lock", [Application.NORMAL], Application.LOCKED, Right.LOCK, reasons=LockReason),
        _row("unlock", [Application.LOCKED], Application.NORMAL, Right.LOCK),
        _row(
            "cancel",
            [state for state in Application if state is not Application.CANCELLED],
            Application.CANCELLED,
            Right.CANCEL,
            reasons=CancelReason,
        ),
        _row("replace", [Application.FORMAL_LOSS], Application.CANCELLED, Right.REPLACE, reasons=CancelReason),
    ),
    refusals={
        Application.NOT_ENABLED: "the card is not activated yet",
        Application.TEMPORARY_LOSS: "the card is reported lost for the time being: release the loss first",
        Application.FORMAL_LOSS: "the card is formally reported lost",
        Application.LOCKED: "the card is locked",
        Application.SEALED: "the card was not collected in time and is sealed: apply again",
        Application.CANCELLED: "the card is cancelled",
    },
)

BANK_FUNCTION: Final = Axis(
    name="bank function",
    states=BankFunction,
    initial=BankFunction.INACTIVE,
    final=frozenset({BankFunction.CLOSED}),
    transitions=(
        _row("activate", [BankFunction.INACTIVE], BankFunction.ACTIVE, Right.ACTIVATE, Guard.OWN_BANK),
        _row("report_loss", [BankFunction.ACTIVE], BankFunction.LOST, Right.LOSS, Guard.OWN_BANK),
        _row("release_loss", [BankFunction.LOST], BankFunction.ACTIVE, Right.LOSS, Guard.OWN_BANK),
        _row(
            "close",
            [BankFunction.INACTIVE, BankFunction.ACTIVE, BankFunction.LOST],
            BankFunction.CLOSED,
            Right.REPLACE,
        ),
    ),
)

PIN: Final = Axis(
    name="PIN",
    states=Pin,
    initial=Pin.INITIAL,
    final=frozenset({Pin.VOID}),
    transitions=(
        _row("change", [Pin.INITIAL, Pin.SET], Pin.SET, Right.PIN),
        _row("block", [Pin.INITIAL, Pin.SET], Pin.BLOCKED, Right.PIN),
        _row(
            "reset",
            [Pin.INITIAL, Pin.SET, Pin.BLOCKED],
            Pin.SET,
            Right.PIN,
            Guard.ORIGINAL_DOCUMENT,
            Guard.RESETS_LEFT,
        ),
        _row("void", [Pin.BLOCKED], Pin.VOID, Right.PIN, Guard.NO_RESETS_LEFT),
    ),
    refusals={
        Pin.BLOCKED: "the PIN is blocked: reset it at an outlet with the identity document",
        Pin.VOID: "the PIN was blocked for good: order a replacement card",
    },
)

AXES: Final = (PRODUCTION, APPLICATION, BANK_FUNCTION, PIN)


def validate() -> None:
    """Return when the four tables are sound; refuse with RuleTableError otherwise."""
    validate_axes(AXES)


class Use(StrEnum):
    """What may be asked of a card that leaves its application state as it is."""

    MOVE_MONEY = "moving money"
    CARE_FOR_PIN = "care for the PIN"
    HAND_OVER = "handing over"


ALLOWED_IN: Final = {
    Use.MOVE_MONEY: frozenset({Application.NORMAL}),
    Use.CARE_FOR_PIN: frozenset({Application.NOT_ENABLED, Application.NORMAL}),
    Use.HAND_OVER: frozenset({Application.NOT_ENABLED}),
}


def check_use(application: str, use: Use) -> None:
    """Return when a card in this application state may be used so; refuse with the state's own reason otherwise."""
    state = Application(application)
    if state not in ALLOWED_IN[use]:
        because = APPLICATION.refusals.get(state, "the card is active already")
        raise IllegalTransition(f"{use.value} refused: {because}")
