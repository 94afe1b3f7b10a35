"""Made-up people of region 9901xx with a card each, in every state that a card can be in, as many as are wanted.

Law. Nobody in it is real: the regions 9901xx do not exist, and the names say that they are tests.
Law. The same number gives the same person, so that a sample can be made larger later.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple

from kaguan.cms.rules.lifecycle import Application, BankFunction, Pin, Production

REGION: Final = "9901"
CARD_LETTER: Final = "S"
MOST: Final = 10_000_000
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_FIRST_BIRTH: Final = date(1940, 1, 1)
_BIRTH_DAYS: Final = 25_000
_DISTRICTS: Final = 100
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
_CHECKS: Final = "10X98765432"
_SURNAMES: Final = "赵钱孙李周吴郑王冯陈褚卫"
_ISSUED: Final = date(2026, 1, 5)
_VALID_UNTIL: Final = date(2036, 1, 5)


class State(NamedTuple):
    """Where a card stands on its four axes, and the step that brought it there."""

    production: str
    application: str
    bank_function: str
    pin: str
    axis: str
    event: str
    from_state: str
    to_state: str
    reason: str = ""


def _state(
    production: Production,
    application: Application = Application.NOT_ENABLED,
    *,
    event: str,
    axis: str = "production",
    before: str = "",
    bank: BankFunction = BankFunction.INACTIVE,
    reason: str = "",
) -> State:
    after = production if axis == "production" else application
    pin = Pin.SET if bank is BankFunction.ACTIVE else Pin.INITIAL
    return State(production, application, bank, pin, axis, event, before, after, reason)


def _in_use(application: Application, event: str, before: Application, *, reason: str = "") -> State:
    bank = BankFunction.CLOSED if application is Application.CANCELLED else BankFunction.ACTIVE
    return _state(
        Production.HANDED_OVER, application, event=event, axis="application", before=before, bank=bank, reason=reason
    )


_NORMAL: Final = _in_use(Application.NORMAL, "activate", Application.NOT_ENABLED)
STATES: Final = (
    *[_NORMAL] * 12,
    _state(Production.ORDERED, event="order"),
    _state(Production.AT_OUTLET, event="receive", before=Production.ORDERED),
    _state(Production.HANDED_OVER, event="hand_over", before=Production.AT_OUTLET),
    _in_use(Application.TEMPORARY_LOSS, "report_temporary_loss", Application.NORMAL),
    _in_use(Application.FORMAL_LOSS, "report_formal_loss", Application.NORMAL),
    _in_use(Application.LOCKED, "lock", Application.NORMAL, reason="9"),
    _state(Production.AT_OUTLET, Application.SEALED, event="seal", axis="application", before=Application.NOT_ENABLED),
    _in_use(Application.CANCELLED, "cancel", Application.NORMAL, reason="01"),
)
"""Of twenty cards twelve are in use."""


class Person(NamedTuple):
    """One made-up person, the card they have, and where it stands."""

    number: int
    cert_no: str
    name: str
    card_no: str
    card_ident_code: str
    atr: str
    bank_card_no: str
    issue_date: date
    valid_until: date
    state: State


def people(first: int, count: int) -> Iterator[Person]:
    """Give so many people, beginning with this number (from 0)."""
    for number in range(first, first + count):
        yield person(number)


def person(number: int) -> Person:
    """Return the person of this number."""
    state = STATES[number % len(STATES)]
    made = state.production != Production.ORDERED
    serial = f"{number:08X}"
    return Person(
        number=number,
        cert_no=cert_no_of(number),
        name=f"测试{_SURNAMES[number % len(_SURNAMES)]}{number}",
        card_no=card_no_of(number),
        card_ident_code=f"990100D1560000F5{serial}00000000" if made else "",
        atr=f"3B6D00000081543100866020F1{serial}" if made else "",
        bank_card_no=f"62299998{number:08d}",
        issue_date=_ISSUED,
        valid_until=_VALID_UNTIL,
        state=state,
    )


def cert_no_of(number: int) -> str:
    """Return the identity number of the person: 9901xx, day of birth, sequence, check character."""
    rest, district = divmod(number, _DISTRICTS)
    sequence, day = divmod(rest, _BIRTH_DAYS)
    born = _FIRST_BIRTH + timedelta(days=day)
    body = f"{REGION}{district:02d}{born:%Y%m%d}{sequence:03d}"
    return body + _CHECKS[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def card_no_of(number: int) -> str:
    """Return the number of the person's card: a letter and eight digits to the base of 36."""
    digits = ""
    for _ in range(8):
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return CARD_LETTER + digits
