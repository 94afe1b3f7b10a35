"""What stands where in the data of commands and answers that are no TLV. Source: JR/T 0025.2 and 0025.9; LD/T 32.5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

from kaguan.apdu.codecs import format_amount


class Shown(Enum):
    """How bytes are written for people."""

    HEX = "hex"
    AMOUNT = "amount"  # fen
    NUMBER = "number"


class Part(NamedTuple):
    """A name and so many bytes."""

    name: str
    size: int
    shown: Shown = Shown.HEX


class Layout(NamedTuple):
    """The parts of a command's data and of its answer."""

    command: tuple[Part, ...] = ()
    answer: tuple[Part, ...] = ()


_KEY_INDEX = Part("key index", 1)
_AMOUNT = Part("amount", 4, Shown.AMOUNT)
_TERMINAL = Part("terminal", 6)
_DATE, _TIME = Part("date", 4), Part("time", 3)
_BALANCE = Part("balance", 4, Shown.AMOUNT)
_SEQUENCE = Part("transaction number", 2, Shown.NUMBER)
_KEY = (Part("key version", 1), Part("algorithm", 1))
_RANDOM = Part("random", 4)
_MAC, _MAC1, _MAC2, _TAC = Part("MAC", 4), Part("MAC1", 4), Part("MAC2", 4), Part("TAC", 4)
_OVERDRAFT = Part("overdraft", 3, Shown.AMOUNT)
_TERMINAL_SEQUENCE = Part("terminal transaction number", 4, Shown.NUMBER)

_BEGIN = (_KEY_INDEX, _AMOUNT, _TERMINAL)
_ONLINE = Layout(_BEGIN, (_BALANCE, _SEQUENCE, *_KEY, _RANDOM, _MAC1))
_OFFLINE = Layout(_BEGIN, (_BALANCE, _SEQUENCE, _OVERDRAFT, *_KEY, _RANDOM))
_MAC_ALONE = Layout((_MAC,))

LAYOUTS: Final[Mapping[str, Layout]] = {
    "INITIALIZE FOR LOAD": _ONLINE,
    "INITIALIZE FOR LOAD (medical)": _ONLINE,
    "INITIALIZE FOR UNLOAD": _ONLINE,
    "INITIALIZE FOR PURCHASE": _OFFLINE,
    "INITIALIZE FOR CASH WITHDRAW": _OFFLINE,
    "INITIALIZE FOR COMPOSITE PURCHASE": _OFFLINE,
    "INITIALIZE FOR UPDATE": Layout((_KEY_INDEX, _TERMINAL), (_BALANCE, _SEQUENCE, _OVERDRAFT, *_KEY, _RANDOM, _MAC1)),
    "INITIALIZE FOR PURCHASE (medical)": Layout(
        (
            _KEY_INDEX,
            Part("own account", 4, Shown.AMOUNT),
            Part("own payment", 4, Shown.AMOUNT),
            Part("pooled fund", 4, Shown.AMOUNT),
            _TERMINAL,
        ),
        (Part("reserved", 14), _SEQUENCE, *_KEY, _RANDOM),
    ),
    "CREDIT FOR LOAD": Layout((_DATE, _TIME, _MAC2), (_TAC,)),
    "DEBIT FOR PURCHASE": Layout((_TERMINAL_SEQUENCE, _DATE, _TIME, _MAC1), (_TAC, _MAC2)),
    "DEBIT FOR PURCHASE (medical)": Layout((_TERMINAL_SEQUENCE, _DATE, _TIME, _MAC1), (_TAC, _MAC2)),
    "DEBIT FOR UNLOAD": Layout((_DATE, _TIME, _MAC2), (Part("MAC3", 4),)),
    "UPDATE OVERDRAW LIMIT": Layout((_OVERDRAFT, _DATE, _TIME, _MAC2), (_TAC,)),
    "GET BALANCE": Layout((), (_BALANCE,)),
    "GET TRANSACTION PROVE": Layout((_SEQUENCE,), (_MAC, _TAC)),
    "GET CHALLENGE": Layout((), (Part("challenge", 4),)),
    "APPLICATION BLOCK": _MAC_ALONE,
    "APPLICATION UNBLOCK": _MAC_ALONE,
    "CARD BLOCK": _MAC_ALONE,
    "APPLICATION BLOCK (purse)": _MAC_ALONE,
    "APPLICATION UNBLOCK (purse)": _MAC_ALONE,
    "CARD BLOCK (purse)": _MAC_ALONE,
    "CREDIT SAM FOR PURCHASE": Layout((_MAC2,)),
    "INITIALIZE SAM FOR PURCHASE": Layout((), (_TERMINAL_SEQUENCE, _MAC1)),
    "INITIALIZE SAM FOR PURCHASE (medical)": Layout((), (_TERMINAL_SEQUENCE, _MAC1)),
}


def described(parts: tuple[Part, ...], data: bytes) -> Iterator[str]:
    """Each part as `name value`; nothing when the parts are not as long as the data together."""
    if not data or sum(part.size for part in parts) != len(data):
        return
    offset = 0
    for part in parts:
        yield f"{part.name} {_written(part, data[offset : offset + part.size])}"
        offset += part.size


def _written(part: Part, raw: bytes) -> str:
    match part.shown:
        case Shown.AMOUNT:
            return f"{format_amount(int.from_bytes(raw, 'big'))} yuan"
        case Shown.NUMBER:
            return str(int.from_bytes(raw, "big"))
        case Shown.HEX:
            return raw.hex().upper()
