"""Medical purchases behind iDoDebit: what is paid, by whom the card is told, and what the caller hears of it."""

from __future__ import annotations

from datetime import datetime

from kaguan.apdu.errors import LinkError
from kaguan.card_os.profile import CardProfile
from kaguan.card_os.profile.medical import MEDICAL_PURCHASE, SHARES
from kaguan.card_os.profile.values import BETWEEN_FIELDS, decode_layout
from kaguan.terminal.cardkeys import card_factor, region_factors
from kaguan.terminal.conversations.files import read_record, select_dedicated, select_file
from kaguan.terminal.conversations.medical_purchase import (
    MedicalAmounts,
    MedicalOffer,
    begin_medical_purchase,
    debit_medical,
    prove_medical,
)
from kaguan.terminal.conversations.module_purchase import Mac2Checker, PurchaseReceipt, Signature
from kaguan.terminal.conversations.purse import TransactionProof
from kaguan.terminal.ministry.powered import PoweredCard
from kaguan.terminal.ministry.settings import DebitItem, Settings
from kaguan.terminal.ministry.strings import FILE_END, PayInfo, fields_text
from kaguan.terminal.refusals import FileAbsent
from kaguan.terminal.script import Script, converse

PURCHASE_KEY = "DF04.DPK"


class RememberedMac2:
    """MAC2 as the card gave it, checked by another."""

    mac2 = b""

    def __init__(self, checker: Mac2Checker | None = None) -> None:
        self._checker = checker

    def check(self, mac2: bytes) -> None:
        """Nothing happens when MAC2 is right, or when nobody here can tell."""
        self.mac2 = mac2
        if self._checker is not None:
            self._checker.check(mac2)


def bill_of(settings: Settings, amounts_fen: tuple[int, int]) -> MedicalAmounts:
    """Who pays the two amounts of pPayInfo."""
    amounts = dict(zip(settings.pay_shares, amounts_fen, strict=True))
    return MedicalAmounts(*(amounts.get(share, 0) for share in SHARES))


def begin(card: PoweredCard, pay: PayInfo, key_index: int) -> MedicalOffer:
    """The card is ready for the purchase; DF04 is selected, the PIN verified."""
    terminal = bytes.fromhex(card.terminal_number)
    bill = bill_of(card.settings, pay.amounts_fen)
    card.run(select_dedicated(card.profile.by_name["DF04"]))
    return card.run(begin_medical_purchase(bill, terminal, key_index))


def pay_with_module(card: PoweredCard, pay: PayInfo) -> str:
    """The card has paid and the module has seen it; the answer of iDoDebit. The PIN is verified.

    Raises:
        NotGenuine: MAC2 is wrong; the card has paid all the same.
        LinkError: nobody knows whether it has paid; iReadDebitRecord tells.
    """
    module = card.require_module()
    offer = begin(card, pay, module.key_index)
    factors = (region_factors(card.region)[1], card_factor(card.atr))
    signature = module.begin_medical_purchase(offer.head(pay.when), *factors)
    return debited(card, offer, signature, pay.when, module)


def debited(
    card: PoweredCard, offer: MedicalOffer, signature: Signature, when: datetime, checker: Mac2Checker | None
) -> str:
    """The card has paid; the answer of iDoDebit. An answer that was lost on the way is asked for again.

    Raises:
        LinkError: nobody knows whether it has paid.
    """
    seen = RememberedMac2(checker)
    try:
        receipt = card.run(debit_medical(seen, signature, when))
    except LinkError:
        proof = _proof(card, offer)
        if proof is None:
            raise
        seen.check(proof.mac)
        receipt = PurchaseReceipt(signature.number, proof.tac)
    return _answer(card.settings, offer, receipt, when, seen.mac2)


def read_debits(profile: CardProfile) -> Script[str]:
    """The answer of iReadDebitRecord, newest first; DF04 selected, its reader admitted."""
    file = profile.file("DF04", "EF08")
    yield from select_file(file.fid)
    text = ""
    for number in range(1, file.record_count + 1):
        try:
            raw = yield from read_record(number)
        except FileAbsent:
            break
        values = decode_layout(file.layout, raw).split(BETWEEN_FIELDS)
        text += fields_text(values + [""] * (len(file.layout) - len(values))) + FILE_END
    return text


def _proof(card: PoweredCard, offer: MedicalOffer) -> TransactionProof | None:
    """What the same card, reset, proves of this purchase; None when it proves nothing."""
    try:
        if card.link.reset() != card.atr:
            return None
        return converse(card.link, _prove(card.profile, offer))
    except LinkError:
        return None


def _prove(profile: CardProfile, offer: MedicalOffer) -> Script[TransactionProof | None]:
    yield from select_dedicated(profile.by_name["SSSE"])
    yield from select_dedicated(profile.by_name["DF04"])
    return (yield from prove_medical(offer))


def _answer(settings: Settings, offer: MedicalOffer, receipt: PurchaseReceipt, when: datetime, mac2: bytes) -> str:
    values = {
        DebitItem.SEQUENCE: f"{offer.sequence:04X}",
        DebitItem.TYPE: chr(MEDICAL_PURCHASE),
        DebitItem.TERMINAL: offer.terminal.hex().upper(),
        DebitItem.WHEN: when.strftime("%Y%m%d%H%M%S"),
        DebitItem.ACCOUNT: f"{offer.amounts.account_fen:08d}",
        DebitItem.SELF_PAID: f"{offer.amounts.self_paid_fen:08d}",
        DebitItem.POOL: f"{offer.amounts.pool_fen:08d}",
        DebitItem.NUMBER: receipt.number.hex().upper(),
        DebitItem.TAC: receipt.tac.hex().upper(),
        DebitItem.MAC2: mac2.hex().upper(),
    }
    return fields_text(values[item] for item in settings.debit_answer)
