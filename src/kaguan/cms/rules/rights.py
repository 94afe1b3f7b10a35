"""Roles and the rights that they give: one table."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Right(StrEnum):
    """What an operator may do; each use case and each transition asks for exactly one."""

    SET_UP = "set up"
    ORDER = "order cards"
    RECEIVE = "receive stock"
    HAND_OVER = "hand over"
    ACTIVATE = "activate"
    PIN = "care for PINs"
    LOSS = "report loss"
    LOCK = "lock"
    REPLACE = "replace"
    CANCEL = "cancel"
    CREDIT = "credit contributions"
    LOAD = "load"
    PURCHASE = "purchase"
    RECONCILE = "reconcile"
    APPROVE = "approve"
    PRIVACY = "care for personal data"


class Role(StrEnum):
    """What an operator is employed for."""

    ADMINISTRATOR = "administrator"
    AUTHORITY_CLERK = "authority clerk"
    AUTHORITY_SUPERVISOR = "authority supervisor"
    OUTLET_TELLER = "outlet teller"
    CASHIER = "cashier"
    HOTLINE = "hotline"


RIGHTS_OF: Final = MappingProxyType(
    {
        Role.ADMINISTRATOR: frozenset({Right.SET_UP}),
        Role.AUTHORITY_CLERK: frozenset(
            {
                Right.ORDER,
                Right.RECEIVE,
                Right.LOSS,
                Right.LOCK,
                Right.REPLACE,
                Right.CANCEL,
                Right.CREDIT,
                Right.RECONCILE,
                Right.PRIVACY,
            }
        ),
        Role.AUTHORITY_SUPERVISOR: frozenset({Right.RECONCILE, Right.APPROVE}),
        Role.OUTLET_TELLER: frozenset(
            {Right.RECEIVE, Right.HAND_OVER, Right.ACTIVATE, Right.PIN, Right.LOSS, Right.REPLACE, Right.LOAD}
        ),
        Role.CASHIER: frozenset({Right.PURCHASE, Right.PIN}),
        Role.HOTLINE: frozenset({Right.LOSS}),
    }
)


def rights_of(roles: list[str]) -> frozenset[Right]:
    """Return every right that the roles give together."""
    return frozenset().union(*(RIGHTS_OF[Role(role)] for role in roles))
