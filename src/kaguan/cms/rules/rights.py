"""Roles and the rights that they give: one table."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Right(StrEnum):
    """What an operator may do; each use case and each transition asks for exactly one."""

    SET_UP = "set up"
    OPEN_REGION = "open regions"
    LOOK = "look at cards"
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
    ENROL = "enrol people"
    UNMASK = "see personal data unmasked"
    PURGE = "purge people"
    ACTIVATE_BY_USE = "activate by use"
    USE_READER = "work with a card in a reader"
    SERVE_ONLINE = "serve holders online"
    CLOSE_DAY = "close the day"
    CERTIFY = "certify cards"


class Role(StrEnum):
    """What an operator is employed for."""

    ADMINISTRATOR = "administrator"
    AUTHORITY_CLERK = "authority clerk"
    AUTHORITY_SUPERVISOR = "authority supervisor"
    OUTLET_TELLER = "outlet teller"
    CASHIER = "cashier"
    HOTLINE = "hotline"
    CLOCK = "clock"
    OUTLET_HEAD = "outlet head"
    CENTRE_CLERK = "service centre clerk"
    PORTAL = "portal"
    FOUNDER = "founder"


class Level(StrEnum):
    """How far an operator's work on colleagues and their days reaches, by the codes of the Jiaxing platform."""

    TELLER = "0"
    OUTLET = "1"
    OUTLET_AND_BELOW = "2"
    ORGANISATION = "3"
    ORGANISATION_AND_BELOW = "4"
    ADMINISTRATOR = "9"


RIGHTS_OF: Final = MappingProxyType(
    {
        Role.ADMINISTRATOR: frozenset({Right.SET_UP, Right.CLOSE_DAY}),
        Role.AUTHORITY_CLERK: frozenset(
            {
                Right.LOOK,
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
                Right.ENROL,
                Right.UNMASK,
                Right.PURGE,
                Right.CERTIFY,
            }
        ),
        Role.AUTHORITY_SUPERVISOR: frozenset({Right.LOOK, Right.RECONCILE, Right.APPROVE, Right.CHECK, Right.SCRAP}),
        Role.OUTLET_TELLER: frozenset(
            {
                Right.LOOK,
                Right.APPLY,
                Right.RECEIVE,
                Right.HAND_OVER,
                Right.ACTIVATE,
                Right.PIN,
                Right.LOSS,
                Right.REPLACE,
                Right.LOAD,
                Right.ENROL,
                Right.USE_READER,
                Right.CERTIFY,
            }
        ),
        Role.CASHIER: frozenset({Right.LOOK, Right.PURCHASE, Right.PIN, Right.ACTIVATE_BY_USE, Right.USE_READER}),
        Role.HOTLINE: frozenset({Right.LOOK, Right.LOSS}),
        Role.CLOCK: frozenset({Right.CLOCK, Right.LOSS}),
        Role.OUTLET_HEAD: frozenset({Right.LOOK, Right.CLOSE_DAY, Right.UNMASK}),
        Role.CENTRE_CLERK: frozenset(
            {
                Right.LOOK,
                Right.APPLY,
                Right.RECEIVE,
                Right.HAND_OVER,
                Right.ACTIVATE,
                Right.PIN,
                Right.LOSS,
                Right.ENROL,
                Right.USE_READER,
                Right.CERTIFY,
            }
        ),
        Role.PORTAL: frozenset({Right.SERVE_ONLINE}),
        Role.FOUNDER: frozenset({Right.OPEN_REGION}),
    }
)


def rights_of(roles: list[str]) -> frozenset[Right]:
    """Return every right that the roles give together."""
    return frozenset().union(*(RIGHTS_OF[Role(role)] for role in roles))
