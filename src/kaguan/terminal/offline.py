"""A terminal that nobody answers: its security module signs, and its blacklist says whom it does not serve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.terminal.blacklist import TerminalBlacklist
from kaguan.terminal.cardkeys import card_factor, region_factors
from kaguan.terminal.conversations.identity import REGION_DIGITS, read_issuer_data
from kaguan.terminal.conversations.module_purchase import begin_purchase, debit
from kaguan.terminal.conversations.pin import verify_pin
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.psam import SecurityModule
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin

_IDENT_CODE, _CARD_NO = 0x01, 0x07


@dataclass(frozen=True, slots=True)
class OfflineReceipt:
    """What proves a purchase to the back office when it is told of it: number and TAC in hex, the amount in fen."""

    card_no: str
    amount_fen: int
    offline_sequence: int
    terminal_no: str
    terminal_sequence: int
    terminal_time: str
    tac: str


@dataclass(frozen=True)
class OfflineTerminal:
    """A terminal with its module, its list, and the profile of the cards that it takes."""

    module: SecurityModule
    blacklist: TerminalBlacklist
    profile: CardProfile

    def purchase(self, link: Link, amount_fen: int, pin: Pin | None, when: datetime) -> OfflineReceipt:
        """The card has paid, and the module has seen it.

        Raises, in this order:
            CardListed: the card is on the blacklist, or there is no good one; no PIN was shown, nothing asked.
            PinRefused, PinBlocked: as the card says.
            CardRefused: it holds less, or wants a PIN that nobody typed.
            NotGenuine: MAC2 is wrong; the card has paid all the same.
            LinkError: nobody knows whether it has paid.
        """
        link.reset()
        issuer = converse(link, read_issuer_data(self.profile))
        self.blacklist.check(issuer[_IDENT_CODE], when)
        if pin is not None:
            converse(link, verify_pin(pin))
        converse(link, select_medical(self.profile))
        offer = converse(link, begin_purchase(amount_fen, self.module.terminal, key_index=self.module.key_index))
        factors = (region_factors(issuer[_IDENT_CODE][:REGION_DIGITS])[1], card_factor(link.atr))
        signature = self.module.begin_purchase(offer.head(when), *factors)
        receipt = converse(link, debit(self.module, signature, when))
        return OfflineReceipt(
            card_no=issuer[_CARD_NO],
            amount_fen=amount_fen,
            offline_sequence=offer.sequence,
            terminal_no=self.module.terminal.hex().upper(),
            terminal_sequence=int.from_bytes(receipt.number, "big"),
            terminal_time=when.isoformat(),
            tac=receipt.tac.hex().upper(),
        )
