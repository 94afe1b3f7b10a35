"""Purchase from a purse card with the purchase key in the terminal's security module (JR/T 0025.2, JR/T 0025.9).

The same two steps as with a vault, and between them the module's signature, whose number the caller records.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from kaguan.apdu.codecs import encode_amount
from kaguan.apdu.command import CommandApdu
from kaguan.terminal.conversations.purse import DEPOSIT, timestamp
from kaguan.terminal.script import Script, ask

KEY_INDEX = 0x01
PURCHASE_OF = {DEPOSIT: 0x05, 0x02: 0x06}
"""Transaction types by purse."""

OFFER_SIZE = 15


class Signature(Protocol):
    """A terminal's transaction number and MAC1."""

    @property
    def number(self) -> bytes:
        """4 bytes."""
        ...

    @property
    def mac1(self) -> bytes:
        """4 bytes."""
        ...


class Mac2Checker(Protocol):
    """Who can tell whether the card has paid."""

    def check(self, mac2: bytes) -> None:
        """Nothing happens when MAC2 is that of the purchase begun; NotGenuine otherwise."""
        ...


class PurchaseReceipt(NamedTuple):
    """What proves the purchase to the back office."""

    number: bytes
    tac: bytes


@dataclass(frozen=True, slots=True)
class ModuleOffer:
    """What INITIALIZE FOR PURCHASE answered: balance and offline number before the purchase, key version and algorithm,
    random number."""

    purse: int
    amount_fen: int
    balance_fen: int
    sequence: int
    key_marks: bytes
    random: bytes

    @property
    def transaction_type(self) -> int:
        """05 from a deposit, 06 from a purse."""
        return PURCHASE_OF[self.purse]

    def head(self, when: datetime) -> bytes:
        """What a security module signs."""
        return (
            self.random
            + self.sequence.to_bytes(2, "big")
            + encode_amount(self.amount_fen)
            + bytes((self.transaction_type,))
            + timestamp(when)
            + self.key_marks
        )


def begin_purchase(
    amount_fen: int, terminal: bytes, purse: int = DEPOSIT, key_index: int = KEY_INDEX
) -> Script[ModuleOffer]:
    """The card is ready for `debit`, which must be the next thing it hears. Its application selected, PIN verified.

    Raises:
        CardRefused: 9401 when the purse holds less.
    """
    data = bytes((key_index,)) + encode_amount(amount_fen) + terminal
    answer = yield from ask(CommandApdu(0x80, 0x50, 0x01, purse, data, OFFER_SIZE))
    return ModuleOffer(
        purse=purse,
        amount_fen=amount_fen,
        balance_fen=int.from_bytes(answer[:4], "big"),
        sequence=int.from_bytes(answer[4:6], "big"),
        key_marks=answer[9:11],
        random=answer[11:15],
    )


def debit(
    checker: Mac2Checker, signature: Signature, when: datetime, header: str = "80540100"
) -> Script[PurchaseReceipt]:
    """The card has paid, and the module has seen it; `header` is that of the card's debit.

    Raises:
        NotGenuine: MAC2 is wrong; the card has paid all the same.
    """
    data = signature.number + timestamp(when) + signature.mac1
    answer = yield from ask(CommandApdu.of(header, data, 8))
    checker.check(answer[4:8])
    return PurchaseReceipt(signature.number, answer[:4])
