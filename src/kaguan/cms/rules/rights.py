"""Roles and the rights that they give: one table."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Right(StrEnum):
    """What an operator may do; each use case and each transition asks for exactly one."""

    SET_UP = "set up"
    APPLY = "apply for cards"
    CHECK = "check applications"
    ORDER = "order cards"
    RECEIVE = "receive stock"
    HAND_OVER = "hand over"
    ACTIVATE = "activate"
    PIN = "care for PINs"
    LOSS = "report loss"
    LOCK = "lock"
    REPLACE = "replace"
    CANCEL = "cancel"
    SCRAP = "scrap cards"
    CLOCK = "let time rules run"
    CREDIT = "credit contributions"
    LOAD = "load"
    PURCHASE = "purchase"
    RECONCILE = "reconcile"
    APPROVE = "approve"


class Role(StrEnum):
    """What an operator is employed for."""

    ADMINISTRATOR = "administrator"
    AUTHORITY_CLERK = "authority clerk"
    AUTHORITY_SUPERVISOR = "authority supervisor"
    OUTLET_TELLER = "outlet teller"
    CASHIER = "cashier"
    HOTLINE = "hotline"
    CLOCK = "clock"


RIGHTS_OF: Final = MappingProxyType(
    {
        Role.ADMINISTRATOR: frozenset({Right.SET_UP}),
        Role.AUTHORITY_CLERK: frozenset(
            {
                Right.APPLY,
                Right.ORDER,
                Right.RECEIVE,
                Right.LOSS,
                Right.LOCK,
                Right.REPLACE,
                Right.CANCEL,
                Right.SCRAP,
                Right.CREDIT,
                Right.RECONCILE,
            }
        ),
        Role.AUTHORITY_SUPERVISOR: frozenset({Right.RECONCILE, Right.APPROVE, Right.CHECK, Right.SCRAP}),
        Role.OUTLET_TELLER: frozenset(
            {
                Right.APPLY,
                Right.RECEIVE,
                Right.HAND_OVER,
                Right.ACTIVATE,
                Right.PIN,
                Right.LOSS,
                Right.REPLACE,
                Right.LOAD,
            }
        ),
        Role.CASHIER: frozenset({Right.PURCHASE, Right.PIN}),
        Role.HOTLINE: frozenset({Right.LOSS}),
        Role.CLOCK: frozenset({Right.CLOCK, Right.LOSS}),
    }
)


def rights_of(roles: list[str]) -> frozenset[Right]:
    """Return every right that the roles give together."""
    return frozenset().union(*(RIGHTS_OF[Role(role)] for role in roles))
