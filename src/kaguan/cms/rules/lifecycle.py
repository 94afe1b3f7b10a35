"""The four axes of a card's life, as tables: production, application, bank function, PIN.

The codes of the application axis are those of the 人社 card application state, plus A for not enabled yet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kaguan.cms.rules.activation import ActivationWay
from kaguan.cms.rules.axis import Axis, row
from kaguan.cms.rules.axis import validate as validate_axes
from kaguan.cms.rules.guards import Guard
from kaguan.cms.rules.production import PRODUCTION, Production
from kaguan.cms.rules.refusals import IllegalTransition
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.temporary import TEMPORARY_CARD

__all__ = [
    "ALLOWED_IN",
    "APPLICATION",
    "AXES",
    "BANK_FUNCTION",
    "LOST_OR_ENDED",
    "PIN",
    "PIN_RESETS",
    "PRODUCTION",
    "SLIPS",
    "Application",
    "BankFunction",
    "CancelReason",
    "ExchangeReason",
    "LockReason",
    "Pin",
    "Production",
    "Use",
    "check_use",
    "validate",
]


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
    TEMPORARY_LOSS = "4"
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
    EXPIRED = "7"
    NOT_COLLECTED = "8"


class ExchangeReason(StrEnum):
    """Why a card that is not lost is exchanged for a new one."""

    QUALITY = "01"
    DAMAGE = "02"
    FACE_CHANGED = "03"
    BANK_CHANGED = "04"
    EXPIRY = "05"
    OTHER = "99"


class LockReason(StrEnum):
    """Why the application is locked."""

    SUSPECTED_MISUSE = "1"
    COURT_ORDER = "2"
    OTHER = "9"


_OPEN: Final = [state for state in Application if state is not Application.CANCELLED]

_ALIVE: Final = (Guard.PREDECESSOR_CLOSED, Guard.NOT_EXPIRED)
_OTHER_WAYS: Final = (
    (
        ActivationWay.SERVICE_CENTRE,
        Right.ACTIVATE,
        (Guard.AT_CENTRE, Guard.ORIGINAL_DOCUMENT, Guard.GUARDIAN_PRESENT, Guard.EVIDENCE_COMPLETE),
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
        row(
            "activate",
            [Application.NOT_ENABLED],
            Application.NORMAL,
            Right.ACTIVATE,
            Guard.DELIVERED,
            Guard.OWN_BANK,
            Guard.ORIGINAL_DOCUMENT,
            Guard.GUARDIAN_PRESENT,
            Guard.PAPERS_SHOWN,
            Guard.PREDECESSOR_CLOSED,
            Guard.NOT_EXPIRED,
        ),
        *(
            row(way, [Application.NOT_ENABLED], Application.NORMAL, right, Guard.DELIVERED, *guards, *_ALIVE)
            for way, right, guards in _OTHER_WAYS
        ),
        row("seal", [Application.NOT_ENABLED], Application.SEALED, Right.CANCEL, Guard.NOT_DELIVERED),
        row(
            "seal_uncollected",
            [Application.NOT_ENABLED],
            Application.SEALED,
            Right.CLOCK,
            Guard.NOT_DELIVERED,
            Guard.TIME_PASSED,
        ),
        row("report_temporary_loss", [Application.NORMAL], Application.TEMPORARY_LOSS, Right.LOSS),
        row(
            "report_own_loss",
            [Application.NORMAL],
            Application.TEMPORARY_LOSS,
            Right.SERVE_ONLINE,
            Guard.HOLDER_SIGNED_IN,
        ),
        row("release_loss", [Application.TEMPORARY_LOSS], Application.NORMAL, Right.LOSS, Guard.NOT_EXPIRED),
        row(
            "release_loss",
            [Application.FORMAL_LOSS],
            Application.NORMAL,
            Right.LOSS,
            Guard.RELEASE_ALLOWED,
            Guard.ORIGINAL_DOCUMENT,
            Guard.GUARDIAN_PRESENT,
            Guard.NOT_EXPIRED,
        ),
        row("lapse", [Application.TEMPORARY_LOSS], Application.NORMAL, Right.LOSS, Guard.TIME_PASSED),
        row("become_formal", [Application.TEMPORARY_LOSS], Application.FORMAL_LOSS, Right.CLOCK, Guard.TIME_PASSED),
        row("mature", [Application.FORMAL_LOSS], Application.CANCELLED, Right.CLOCK, Guard.TIME_PASSED),
        row("expire", _OPEN, Application.CANCELLED, Right.CLOCK, Guard.EXPIRED),
        row(
            "report_formal_loss",
            [Application.NORMAL, Application.TEMPORARY_LOSS],
            Application.FORMAL_LOSS,
            Right.LOSS,
            Guard.ORIGINAL_DOCUMENT,
            Guard.GUARDIAN_PRESENT,
            Guard.PAPERS_SHOWN,
        ),
        row("take_back_loss", [Application.TEMPORARY_LOSS, Application.FORMAL_LOSS], Application.NORMAL, Right.LOSS),
        row("take_back_formal_loss", [Application.FORMAL_LOSS], Application.TEMPORARY_LOSS, Right.LOSS),
        row("lock", [Application.NORMAL], Application.LOCKED, Right.LOCK, reasons=LockReason),
        row("unlock", [Application.LOCKED], Application.NORMAL, Right.LOCK),
        row(
            "cancel",
            _OPEN,
            Application.CANCELLED,
            Right.CANCEL,
            reasons=CancelReason,
        ),
        row("replace", [Application.FORMAL_LOSS], Application.CANCELLED, Right.REPLACE, reasons=CancelReason),
        row(
            "exchange",
            [Application.NOT_ENABLED, Application.NORMAL],
            Application.CANCELLED,
            Right.REPLACE,
            reasons=ExchangeReason,
        ),
        row(
            "renew",
            [Application.NOT_ENABLED, Application.NORMAL],
            Application.CANCELLED,
            Right.REPLACE,
            Guard.RENEWAL_DUE,
        ),
        row("apply_again", [Application.SEALED], Application.CANCELLED, Right.ORDER),
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

_BANK_LOST: Final = (BankFunction.TEMPORARY_LOSS, BankFunction.LOST)
_BANK_OPEN: Final = (BankFunction.INACTIVE, BankFunction.ACTIVE, *_BANK_LOST)

BANK_FUNCTION: Final = Axis(
    name="bank function",
    states=BankFunction,
    initial=BankFunction.INACTIVE,
    final=frozenset({BankFunction.CLOSED}),
    transitions=(
        row("activate", [BankFunction.INACTIVE], BankFunction.ACTIVE, Right.ACTIVATE, Guard.OWN_BANK),
        row(
            "suspend_with_card",
            [BankFunction.ACTIVE],
            BankFunction.TEMPORARY_LOSS,
            Right.LOSS,
            Guard.BANK_SIDE_HERE,
        ),
        row(
            "suspend_with_own_report",
            [BankFunction.ACTIVE],
            BankFunction.TEMPORARY_LOSS,
            Right.SERVE_ONLINE,
            Guard.HOLDER_SIGNED_IN,
            Guard.BANK_SIDE_HERE,
        ),
        row("lapse", [BankFunction.TEMPORARY_LOSS], BankFunction.ACTIVE, Right.CLOCK, Guard.TIME_PASSED),
        row(
            "report_loss",
            [BankFunction.ACTIVE, BankFunction.TEMPORARY_LOSS],
            BankFunction.LOST,
            Right.LOSS,
            Guard.BANK_SIDE_HERE,
        ),
        row("release_loss", _BANK_LOST, BankFunction.ACTIVE, Right.LOSS, Guard.BANK_SIDE_HERE),
        row("take_back_loss", _BANK_LOST, BankFunction.ACTIVE, Right.LOSS),
        row("take_back_formal_loss", [BankFunction.LOST], BankFunction.TEMPORARY_LOSS, Right.LOSS),
        row("close", _BANK_OPEN, BankFunction.CLOSED, Right.REPLACE),
        row("end_with_card", _BANK_OPEN, BankFunction.CLOSED, Right.CLOCK),
    ),
    refusals={
        BankFunction.INACTIVE: "the bank function is not active yet",
        BankFunction.ACTIVE: "the bank function is active",
        BankFunction.LOST: "the bank function is reported lost",
        BankFunction.TEMPORARY_LOSS: "the bank function is reported lost for the time being",
        BankFunction.CLOSED: "the bank function is closed",
    },
)

PIN: Final = Axis(
    name="PIN",
    states=Pin,
    initial=Pin.INITIAL,
    final=frozenset({Pin.VOID}),
    transitions=(
        row("change", [Pin.INITIAL, Pin.SET], Pin.SET, Right.PIN),
        row("block", [Pin.INITIAL, Pin.SET], Pin.BLOCKED, Right.PIN),
        row(
            "reset",
            [Pin.INITIAL, Pin.SET, Pin.BLOCKED],
            Pin.SET,
            Right.PIN,
            Guard.ORIGINAL_DOCUMENT,
            Guard.GUARDIAN_PRESENT,
            Guard.PAPERS_SHOWN,
            Guard.RESETS_LEFT,
        ),
        *(
            row(
                event,
                [Pin.BLOCKED],
                target,
                Right.PIN,
                Guard.ORIGINAL_DOCUMENT,
                Guard.GUARDIAN_PRESENT,
                Guard.PAPERS_SHOWN,
                Guard.RESETS_LEFT,
            )
            for event, target in (("unblock", Pin.SET), ("unblock_initial", Pin.INITIAL))
        ),
        row("void", [Pin.BLOCKED], Pin.VOID, Right.PIN, Guard.NO_RESETS_LEFT),
    ),
    refusals={
        Pin.BLOCKED: "the PIN is blocked: reset it at an outlet with the identity document",
        Pin.VOID: "the PIN was blocked for good: order a replacement card",
    },
)

LOST_OR_ENDED: Final = frozenset({Application.FORMAL_LOSS, Application.CANCELLED})
"""Where the chip may be blocked for good, and no certificate of the card is good any more."""

PIN_RESETS: Final = ("reset", "unblock", "unblock_initial")
"""What a region allows so often and no more: the PIN has all its tries again, and is a new one or the one it was."""

AXES: Final = (PRODUCTION, APPLICATION, BANK_FUNCTION, PIN)
SLIPS: Final = (TEMPORARY_CARD,)
"""What walks along a table of its own, beside the card."""


def validate() -> None:
    """Return when the tables are sound; refuse with RuleTableError otherwise."""
    validate_axes((*AXES, *SLIPS))


class Use(StrEnum):
    """What may be asked of a card that leaves its application state as it is."""

    MOVE_MONEY = "moving money"
    CARE_FOR_PIN = "care for the PIN"
    HAND_OVER = "handing over"
    CERTIFY = "certifying"


ALLOWED_IN: Final = {
    Use.MOVE_MONEY: frozenset({Application.NORMAL}),
    Use.CARE_FOR_PIN: frozenset({Application.NOT_ENABLED, Application.NORMAL}),
    Use.HAND_OVER: frozenset({Application.NOT_ENABLED}),
    Use.CERTIFY: frozenset({Application.NORMAL}),
}


def check_use(application: str, use: Use) -> None:
    """Return when a card in this application state may be used so; refuse with the state's own reason otherwise."""
    state = Application(application)
    if state not in ALLOWED_IN[use]:
        because = APPLICATION.refusals.get(state, "the card is active already")
        raise IllegalTransition(f"{use.value} refused: {because}")
