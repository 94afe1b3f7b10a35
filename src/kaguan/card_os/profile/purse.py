"""The purse: where cards differ, or public evidence ends, and a site chooses."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from kaguan.apdu.errors import ProfileError

TAC_SIZE = 4


class AfterTransaction(StrEnum):
    """What a finished purse transaction leaves of the rights."""

    KEPT = "kept"
    LOST = "6982"  # none: where a rule asks for one, the next transaction is refused so
    SPENT = "6985"  # none, and no transaction begins before a PIN or a key is shown


class CompositeSuffix(StrEnum):
    """What follows the fields of MAC1 in a composite purchase."""

    NONE = "none"
    CARD_CODE = "card-code"  # the nine bytes that GET DATA answers (CJ/T 166)


class OverdraftLog(StrEnum):
    """The amount that the log shows for a new overdraft limit."""

    ZERO = "zero"
    CHANGE = "change"  # how far the balance moved


class TacKey(StrEnum):
    """Which TAC key signs, in an application that has several."""

    FIRST = "first"  # the lowest reference
    INDEX = "index"  # the one with the transaction's key index


class PurseSettings(NamedTuple):
    """`unload_tac` is what GET TRANSACTION PROVE answers after the MAC of an unload, which has no TAC: four bytes or
    none. `unload_from_limit`: an unload may take from the overdraft limit. `sm4_mark` is the algorithm identifier of an
    SM4 key in the answers of INITIALIZE, `too_much` the word for a balance that would be more than the purse may
    hold."""

    tac_key: TacKey = TacKey.FIRST
    unload_tac: bytes = bytes(TAC_SIZE)
    unload_from_limit: bool = True
    sm4_mark: int = 0x03
    too_much: int = 0x6985


def parse_purse_settings(table: Mapping[str, Any]) -> PurseSettings:
    """The settings in this table, the rest at their defaults; bytes are hex.

    Raises:
        ProfileError: an unknown setting, or bytes of another number than the setting has.
        ValueError: a value that is none of those that there are.
    """
    for name in table:
        if name not in PurseSettings._fields:
            raise ProfileError(f"purse has no setting '{name}': it has {', '.join(PurseSettings._fields)}")
    default = PurseSettings()
    unload_tac = bytes.fromhex(table["unload_tac"]) if "unload_tac" in table else default.unload_tac
    if len(unload_tac) not in (0, TAC_SIZE):
        raise ProfileError(f"purse.unload_tac is {TAC_SIZE} bytes, or none")
    sm4_mark = bytes.fromhex(table["sm4_mark"]) if "sm4_mark" in table else bytes((default.sm4_mark,))
    if len(sm4_mark) != 1:
        raise ProfileError("purse.sm4_mark is one byte")
    return PurseSettings(
        tac_key=TacKey(table.get("tac_key", default.tac_key)),
        unload_tac=unload_tac,
        unload_from_limit=bool(table.get("unload_from_limit", default.unload_from_limit)),
        sm4_mark=sm4_mark[0],
        too_much=int(table.get("too_much", f"{default.too_much:04X}"), 16),
    )
