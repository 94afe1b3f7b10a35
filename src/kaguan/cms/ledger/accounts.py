"""The chart of accounts; a code is a kind, or a kind and an owner: `PREMIUM_IN`, `PURSE:990100001`."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kaguan.cms.compiled import Compiled
from kaguan.cms.models import Account


class AccountKind(StrEnum):
    """What an account is for."""

    PERSONAL = "PA"
    PURSE = "PURSE"
    UNLOADED = "UNLOADED"
    HELD = "HELD"
    GREY = "GREY"
    MERCHANT = "MERCHANT"
    EMPLOYEE_POOL = "POOL_EMP"
    RESIDENT_POOL = "POOL_RES"
    PREMIUM_IN = "PREMIUM_IN"
    REGION = "REGION"
    SUSPENSE = "SUSPENSE"


OWNED: Final = frozenset(
    {
        AccountKind.PERSONAL,
        AccountKind.PURSE,
        AccountKind.UNLOADED,
        AccountKind.HELD,
        AccountKind.MERCHANT,
        AccountKind.REGION,
    }
)

MAY_GO_NEGATIVE: Final = frozenset({AccountKind.PREMIUM_IN, AccountKind.REGION, AccountKind.SUSPENSE})

HOLDING: Final = frozenset({AccountKind.UNLOADED, AccountKind.HELD, AccountKind.GREY})


_BALANCE: Final[Compiled[tuple[int]]] = Compiled(
    lambda code: Account.objects.filter(pk=code).values_list("balance_fen"), code=str
)


def kind_of(code: str) -> AccountKind:
    """Return what the account is for; a code of no known form is a bug of the caller (ValueError)."""
    name, _, owner = code.partition(":")
    kind = AccountKind(name)
    if bool(owner) != (kind in OWNED):
        raise ValueError(f"account {code!r}: {kind.value} {'needs an' if kind in OWNED else 'has no'} owner")
    return kind


def personal_account(holder_id: int) -> str:
    """Return the code of the person's medical insurance account (个人账户)."""
    return f"{AccountKind.PERSONAL}:{holder_id}"


def unloaded_account(holder_id: int) -> str:
    """Return the code of what left the personal account and is not on a chip yet (未圈存)."""
    return f"{AccountKind.UNLOADED}:{holder_id}"


def purse_account(card_no: str) -> str:
    """Return the code of the purse on the card's chip, as the books know it."""
    return f"{AccountKind.PURSE}:{card_no}"


def held_account(card_no: str) -> str:
    """Return the code of purse money held for purchases that the chip has not proved yet."""
    return f"{AccountKind.HELD}:{card_no}"


def merchant_account(institution_code: str) -> str:
    """Return the code of what is payable to the clinic, hospital or pharmacy."""
    return f"{AccountKind.MERCHANT}:{institution_code}"


def balance(code: str) -> int:
    """Return the balance in fen; an account that nothing ever reached has zero."""
    account = _BALANCE.first(code=code)
    return account[0] if account else 0


def open_accounts(codes: set[str]) -> None:
    """Leave an account under each code, all of them locked until the transaction ends.

    They are locked in the order of their codes, so that no two transfers wait for each other.
    """
    missing = codes - _locked(codes)
    if missing:
        Account.objects.bulk_create(
            (Account(code=code, may_go_negative=kind_of(code) in MAY_GO_NEGATIVE) for code in sorted(missing)),
            ignore_conflicts=True,  # another transfer may be opening the same one
        )
        _locked(codes)


def _locked(codes: set[str]) -> set[str]:
    in_order = Account.objects.select_for_update(no_key=True).filter(code__in=codes).order_by("code")
    return set(in_order.values_list("code", flat=True))
