"""The medical purchase: which items its MACs, its TAC and the unknown part of its offer are made of.

The shapes of the commands are seen in drivers; what the codes are computed over is not public. So it is a setting, read
alike by the card, by the security module and by whoever checks the TAC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from kaguan.apdu.errors import ProfileError

MEDICAL_PURCHASE = 0x32
"""The transaction type byte, an ASCII 2."""

UNKNOWN_SIZE = 14
"""Bytes of the offer that nobody has explained."""


class MedicalItem(StrEnum):
    """What an order may name."""

    ACCOUNT = "account"  # from the personal account (个人账户)
    SELF_PAID = "self-paid"  # by the holder (个人自负)
    POOL = "pool"  # by the pooled fund (统筹)
    BALANCE = "balance"
    SEQUENCE = "sequence"  # the card's offline number
    TYPE = "type"
    TERMINAL = "terminal"
    TERMINAL_NUMBER = "terminal-number"
    WHEN = "when"  # date and time


_SIZES = {
    MedicalItem.ACCOUNT: 4,
    MedicalItem.SELF_PAID: 4,
    MedicalItem.POOL: 4,
    MedicalItem.BALANCE: 4,
    MedicalItem.SEQUENCE: 2,
    MedicalItem.TYPE: 1,
    MedicalItem.TERMINAL: 6,
    MedicalItem.TERMINAL_NUMBER: 4,
    MedicalItem.WHEN: 7,
}
SHARES = (MedicalItem.ACCOUNT, MedicalItem.SELF_PAID, MedicalItem.POOL)
_OFFERED = frozenset(_SIZES) - {MedicalItem.TERMINAL_NUMBER, MedicalItem.WHEN}
_SIGNED = frozenset(_SIZES) - {MedicalItem.BALANCE}  # the module does not know it

Order = tuple[MedicalItem | bytes, ...]


class MedicalRules(NamedTuple):
    """Orders of items; bytes among them stand for themselves."""

    offer: Order = (MedicalItem.BALANCE, bytes(10))
    """The first 14 bytes of the answer to INITIALIZE."""

    mac1: Order = (*SHARES, MedicalItem.TYPE, MedicalItem.TERMINAL, MedicalItem.WHEN)
    mac2: Order = SHARES
    tac: Order = (*SHARES, MedicalItem.TYPE, MedicalItem.TERMINAL, MedicalItem.TERMINAL_NUMBER, MedicalItem.WHEN)

    debits: tuple[MedicalItem, ...] = (MedicalItem.ACCOUNT,)
    """The shares that leave the wallet."""


def composed(order: Order, values: Mapping[MedicalItem, bytes]) -> bytes:
    """The items' values, one after the other."""
    return b"".join(values[item] if isinstance(item, MedicalItem) else item for item in order)


def shares(amounts: bytes) -> dict[MedicalItem, bytes]:
    """The three amounts of 4 bytes by their names."""
    return {item: amounts[4 * place : 4 * place + 4] for place, item in enumerate(SHARES)}


def parse_medical_rules(table: Mapping[str, Any]) -> MedicalRules:
    """The rules in this table; an item is a name or, for bytes as they are, hex digits.

    Raises:
        ProfileError: an unknown setting or item, an item that is not known when the code is made, or an offer of
            another length than 14 bytes.
    """
    for name in table:
        if name not in MedicalRules._fields:
            raise ProfileError(f"medical has no setting '{name}': it has {', '.join(MedicalRules._fields)}")
    default = MedicalRules()
    rules = MedicalRules(
        offer=_order("offer", table, default.offer, _OFFERED),
        mac1=_order("mac1", table, default.mac1, _SIGNED),
        mac2=_order("mac2", table, default.mac2, _SIGNED),
        tac=_order("tac", table, default.tac, _SIGNED),
        debits=tuple(MedicalItem(name) for name in table.get("debits", default.debits)),
    )
    if sum(_SIZES[item] if isinstance(item, MedicalItem) else len(item) for item in rules.offer) != UNKNOWN_SIZE:
        raise ProfileError(f"medical.offer must come to {UNKNOWN_SIZE} bytes")
    if not set(rules.debits) <= set(SHARES):
        raise ProfileError(f"medical.debits may name {', '.join(SHARES)} alone")
    return rules


def _order(name: str, table: Mapping[str, Any], default: Order, known: frozenset[MedicalItem]) -> Order:
    if name not in table:
        return default
    texts: Iterable[str] = table[name]
    order = tuple(_item(name, text) for text in texts)
    for item in order:
        if isinstance(item, MedicalItem) and item not in known:
            raise ProfileError(f"medical.{name}: {item} is not known when it is made")
    return order


def _item(name: str, text: str) -> MedicalItem | bytes:
    try:
        return MedicalItem(text)
    except ValueError:
        pass
    try:
        return bytes.fromhex(text)
    except ValueError:
        known = ", ".join(MedicalItem)
        raise ProfileError(f"medical.{name}: '{text}' is neither hex digits nor one of {known}") from None
