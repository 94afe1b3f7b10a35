"""Purchase: money from the card to a merchant, in two steps that the caller may record between."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime

from kaguan.apdu.codecs import encode_amount
from kaguan.apdu.command import CommandApdu
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.purse import DEPOSIT, prove, timestamp
from kaguan.terminal.refusals import NotGenuine
from kaguan.terminal.script import Script, ask

PURCHASE = 0x05
KEY_INDEX = 0x01


@dataclass(frozen=True, slots=True)
class PurchaseOffer:
    """What INITIALIZE FOR PURCHASE answered: balance and offline number before the purchase, and its random number."""

    amount_fen: int
    terminal: bytes
    balance_fen: int
    sequence: int
    random: bytes

    @property
    def fields(self) -> bytes:
        """Amount, type and terminal, as every MAC of the purchase begins."""
        return encode_amount(self.amount_fen) + bytes((PURCHASE,)) + self.terminal


def begin_purchase(amount_fen: int, terminal: bytes) -> Script[PurchaseOffer]:
    """The card is ready for `debit`, which must be the next thing it hears. DF04 selected, PIN verified.

    Raises:
        CardRefused: 9401 when the wallet holds less.
    """
    data = bytes((KEY_INDEX,)) + encode_amount(amount_fen) + terminal
    answer = yield from ask(CommandApdu(0x80, 0x50, 0x01, DEPOSIT, data, 0x0F))
    return PurchaseOffer(
        amount_fen=amount_fen,
        terminal=terminal,
        balance_fen=int.from_bytes(answer[:4], "big"),
        sequence=int.from_bytes(answer[4:6], "big"),
        random=answer[11:15],
    )


def debit(keys: CardKeys, offer: PurchaseOffer, terminal_sequence: int, when: datetime) -> Script[bytes]:
    """The money is off the card; its TAC, checked.

    Raises:
        NotGenuine: TAC or MAC2 is wrong; the card has paid all the same.
    """
    number = terminal_sequence.to_bytes(4, "big")
    session = keys.ref("DF04.DPK").session(offer.random + offer.sequence.to_bytes(2, "big") + number[2:])
    mac1 = keys.vault.mac(session, offer.fields + timestamp(when))
    answer = yield from ask(CommandApdu(0x80, 0x54, 0x01, 0x00, number + timestamp(when) + mac1, 0x08))
    tac, mac2 = answer[:4], answer[4:8]
    if not hmac.compare_digest(keys.vault.mac(session, encode_amount(offer.amount_fen)), mac2):
        raise NotGenuine("MAC2 of the purchase is wrong: the card does not hold its purchase key")
    check_purchase_tac(keys, offer, terminal_sequence, when, tac)
    return tac


def prove_purchase(
    keys: CardKeys, offer: PurchaseOffer, terminal_sequence: int, when: datetime
) -> Script[bytes | None]:
    """The TAC of this purchase when the card did it, None when it did not. DF04 must be selected.

    Raises:
        NotGenuine: the TAC is wrong.
    """
    proof = yield from prove(PURCHASE, offer.sequence)
    if proof is None:
        return None
    check_purchase_tac(keys, offer, terminal_sequence, when, proof.tac)
    return proof.tac


def check_purchase_tac(
    keys: CardKeys, offer: PurchaseOffer, terminal_sequence: int, when: datetime, tac: bytes
) -> None:
    """Nothing happens when the TAC is that of this purchase.

    Raises:
        NotGenuine: it is not.
    """
    fields = offer.fields + terminal_sequence.to_bytes(4, "big") + timestamp(when)
    if not keys.vault.verify_mac(keys.ref("DF04.DTK").folded(), fields, tac):
        raise NotGenuine("the TAC of the purchase is wrong")
