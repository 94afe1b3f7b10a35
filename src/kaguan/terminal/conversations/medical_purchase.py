"""Medical purchase: personal account, holder and pooled fund pay one bill; the card pays the account's share.

In two steps, as with every purchase: after `begin_medical_purchase` nothing has changed, after `debit_medical` the card
has paid. The terminal's security module makes MAC1 and checks MAC2; the TAC is for the back office, which has its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kaguan.apdu.codecs import encode_amount
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile.medical import MEDICAL_PURCHASE, UNKNOWN_SIZE, MedicalItem, composed, shares
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.module_purchase import Mac2Checker, PurchaseReceipt, Signature, debit
from kaguan.terminal.conversations.purse import DEPOSIT, TransactionProof, prove, timestamp
from kaguan.terminal.refusals import NotGenuine
from kaguan.terminal.script import Script, ask

KEY_INDEX = 0x01
OFFER_SIZE = 22


class MedicalAmounts(NamedTuple):
    """Who pays what: personal account (个人账户), the holder (个人自负), the pooled fund (统筹)."""

    account_fen: int
    self_paid_fen: int
    pool_fen: int

    def __bytes__(self) -> bytes:
        return b"".join(map(encode_amount, self))


@dataclass(frozen=True, slots=True)
class MedicalOffer:
    """What INITIALIZE answered: the offline number before the purchase, key version and algorithm, random number.

    `unknown` are the 14 bytes that nobody has explained.
    """

    amounts: MedicalAmounts
    terminal: bytes
    unknown: bytes
    sequence: int
    key_marks: bytes
    random: bytes

    def head(self, when: datetime) -> bytes:
        """What a security module signs."""
        return (
            self.random
            + self.sequence.to_bytes(2, "big")
            + bytes(self.amounts)
            + bytes((MEDICAL_PURCHASE,))
            + timestamp(when)
            + self.key_marks
        )


def begin_medical_purchase(
    amounts: MedicalAmounts, terminal: bytes, key_index: int = KEY_INDEX
) -> Script[MedicalOffer]:
    """The card is ready for `debit_medical`, which must be the next thing it hears. DF04 selected, PIN verified.

    Raises:
        CardRefused: 9401 when the wallet holds less than the account is to pay.
    """
    data = bytes((key_index,)) + bytes(amounts) + terminal
    answer = yield from ask(CommandApdu(0xB0, 0x28, 0x01, DEPOSIT, data, OFFER_SIZE))
    known = answer[UNKNOWN_SIZE:]
    return MedicalOffer(
        amounts=amounts,
        terminal=terminal,
        unknown=answer[:UNKNOWN_SIZE],
        sequence=int.from_bytes(known[:2], "big"),
        key_marks=known[2:4],
        random=known[4:8],
    )


def debit_medical(checker: Mac2Checker, signature: Signature, when: datetime) -> Script[PurchaseReceipt]:
    """The card has paid, and the module has seen it; record the signature's number before this begins.

    The signature is what `begin_medical_purchase` of the key holder made of the offer's head.

    Raises:
        NotGenuine: MAC2 is wrong; the card has paid all the same.
    """
    return (yield from debit(checker, signature, when, "B02C0100"))


def prove_medical(offer: MedicalOffer) -> Script[TransactionProof | None]:
    """MAC2 and TAC of this purchase when the card did it, None when it did not. DF04 must be selected."""
    return (yield from prove(MEDICAL_PURCHASE, offer.sequence))


def check_medical_tac(keys: CardKeys, offer: MedicalOffer, receipt: PurchaseReceipt, when: datetime) -> None:
    """Nothing happens when the TAC is that of this purchase.

    Raises:
        NotGenuine: it is not.
    """
    values = shares(bytes(offer.amounts)) | {
        MedicalItem.SEQUENCE: offer.sequence.to_bytes(2, "big"),
        MedicalItem.TYPE: bytes((MEDICAL_PURCHASE,)),
        MedicalItem.TERMINAL: offer.terminal,
        MedicalItem.TERMINAL_NUMBER: receipt.number,
        MedicalItem.WHEN: timestamp(when),
    }
    fields = composed(keys.profile.behaviour.medical.tac, values)
    if not keys.vault.verify_mac(keys.ref("DF04.DTK").folded(), fields, receipt.tac):
        raise NotGenuine("the TAC of the medical purchase is wrong")
