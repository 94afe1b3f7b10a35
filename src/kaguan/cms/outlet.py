"""The counter: the one place where card management touches a card.

Law 1. The books know what is about to happen before the chip does it, so that a crash leaves an open entry and never
an unexplained card.
Law 2. When the chip's answer is lost, the chip is asked what it did (GET TRANSACTION PROVE); nothing is done again
blindly.
Law 3. A card is believed only after INTERNAL AUTHENTICATE, and only when the books know it by the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaguan.apdu.errors import LinkError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.cms.models import Card
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.purchases import Item, check_items
from kaguan.cms.rules.refusals import IllegalTransition, NotEligible, NotFound
from kaguan.cms.services.case import Actor, CardState
from kaguan.cms.services.issue import activate
from kaguan.cms.services.load import (
    begin_carry_over,
    begin_load,
    cancel_load,
    carried_fen,
    confirm_load,
    mark_load_grey,
    open_load,
)
from kaguan.cms.services.loss import confirm_blocked
from kaguan.cms.services.pin import record_pin_blocked, record_pin_change, reset_pin
from kaguan.cms.services.purchase import (
    authorise_purchase,
    cancel_purchase,
    mark_purchase_grey,
    open_purchase,
    record_purchase,
)
from kaguan.cms.services.reservation import Resolution
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import prove_genuine
from kaguan.terminal.conversations.blocking import block_card
from kaguan.terminal.conversations.identity import CardIdentity, read_identity
from kaguan.terminal.conversations.load import LoadOffer, credit_load, prove_load
from kaguan.terminal.conversations.load import begin_load as initialize_load
from kaguan.terminal.conversations.pin import change_pin, reload_pin, verify_pin
from kaguan.terminal.conversations.purchase import PurchaseOffer, begin_purchase, debit, prove_purchase
from kaguan.terminal.conversations.purse import read_balance, select_medical
from kaguan.terminal.refusals import CardRefused, PinBlocked, PinRefused
from kaguan.terminal.script import Script, converse
from kaguan.vault.secret import Pin
from kaguan.vault.vault import KeyVault


@dataclass(frozen=True)
class Outlet:
    """A counter: who works there, the keys it may use, its terminal's 6-byte number, its clock and its dice."""

    actor: Actor
    vault: KeyVault
    profile: CardProfile
    terminal: bytes
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]

    def identify(self, link: Link) -> tuple[CardIdentity, CardKeys]:
        """Whose card it is and its keys, once it is proved genuine and found on the books. SSSE stays selected.

        Raises:
            CardRefused: the card is blocked, or no social security card.
            NotGenuine: it does not hold its keys.
            NotFound, NotEligible: the books know no such card, or know it by another number.
        """
        link.reset()
        identity = converse(link, read_identity(self.profile))
        keys = CardKeys(self.vault, self.profile, identity.region, link.atr)
        converse(link, prove_genuine(keys, self.random(8), self.random(8)))
        card = Card.objects.filter(pk=identity.card_no).first()
        if card is None:
            raise NotFound(f"no card {identity.card_no} is on the books")
        if card.card_ident_code != identity.card_ident_code:
            raise NotEligible(f"card {identity.card_no} has another identification code than the books: keep it")
        return identity, keys

    def activate(self, link: Link, request_id: UUID, document: Document) -> CardState:
        """The card in the reader is in normal use. Refuses as `services.issue.activate`."""
        identity, _ = self.identify(link)
        return activate(self.actor, request_id, card_no=identity.card_no, document=document)

    def change_pin(self, link: Link, request_id: UUID, old: Pin, new: Pin) -> CardState:
        """The card's PIN is the new one, and the books know that the holder chose it.

        Raises:
            PinRefused: the old one is wrong; with the tries left.
            PinBlocked: no tries are left; the books know it.
        """
        identity, _ = self.identify(link)
        self._with_pin(link, identity.card_no, request_id, change_pin(old, new))
        return record_pin_change(self.actor, request_id, card_no=identity.card_no)

    def verify_pin(self, link: Link, request_id: UUID, pin: Pin) -> None:
        """The session holds the PIN's right. Raises as `change_pin`."""
        identity, _ = self.identify(link)
        self._with_pin(link, identity.card_no, request_id, verify_pin(pin))

    def unblock_pin(self, link: Link, request_id: UUID, document: Document, new: Pin) -> CardState:
        """The card has the new PIN and all its tries. Refuses as `services.pin.reset_pin`, before the card is touched.

        Asked again after a crash between books and chip, it goes on with the chip.
        """
        identity, keys = self.identify(link)
        state = reset_pin(self.actor, request_id, card_no=identity.card_no, document=document)
        converse(link, reload_pin(keys, new))
        return state

    def balance_fen(self, link: Link) -> int:
        """What the wallet on the chip holds."""
        self.identify(link)
        return converse(link, _balance(self.profile))

    def load(self, link: Link, load_id: UUID, amount_fen: int, pin: Pin) -> Resolution:
        """The amount has left the account and is on the card.

        Raises:
            RuleBroken: as `services.load.begin_load`; nothing has changed.
            LinkError: the card's answer was lost; the load is grey until `recover_load`.
        """
        identity, keys = self.identify(link)
        offer = self._initialized(link, identity, keys, load_id, pin, amount_fen)
        when = self.clock()
        begin_load(
            self.actor,
            load_id,
            card_no=identity.card_no,
            amount_fen=amount_fen,
            purse_before_fen=offer.balance_fen,
            online_sequence=offer.sequence,
            terminal_no=self.terminal.hex().upper(),
            terminal_time=when,
        )
        return self._credited(link, keys, load_id, offer, when)

    def carry_over(self, link: Link, load_id: UUID, pin: Pin) -> Resolution:
        """What the replaced card still held is on this one. Raises as `load`."""
        identity, keys = self.identify(link)
        amount_fen = carried_fen(identity.card_no)
        offer = self._initialized(link, identity, keys, load_id, pin, amount_fen)
        when = self.clock()
        begin_carry_over(
            self.actor,
            load_id,
            card_no=identity.card_no,
            amount_fen=amount_fen,
            purse_before_fen=offer.balance_fen,
            online_sequence=offer.sequence,
            terminal_no=self.terminal.hex().upper(),
            terminal_time=when,
        )
        return self._credited(link, keys, load_id, offer, when)

    def recover_load(self, link: Link, load_id: UUID) -> Resolution:
        """The open load is confirmed when the chip proves that it did it, cancelled when it did not."""
        pending = open_load(load_id)
        _, keys = self._identify_as(link, pending.card_no)
        converse(link, select_medical(self.profile))
        offer = LoadOffer(
            amount_fen=pending.amount_fen,
            terminal=bytes.fromhex(pending.terminal_no),
            balance_fen=pending.purse_before_fen,
            sequence=pending.online_sequence,
            session=keys.ref("DF04.DLK"),
        )
        tac = converse(link, prove_load(keys, offer, datetime.fromisoformat(pending.terminal_time)))
        if tac is None:
            return cancel_load(self.actor, load_id, why="the card proves that it did not take the load")
        return confirm_load(self.actor, load_id, tac=tac.hex().upper())

    def purchase(self, link: Link, purchase_id: UUID, items: Sequence[Item], pin: Pin) -> Resolution:
        """The card has paid for the items.

        Raises:
            RuleBroken: as `services.purchase.authorise_purchase`; nothing has changed.
            LinkError: the card's answer was lost; the purchase is grey until `recover_purchase`.
        """
        identity, keys = self.identify(link)
        self._with_pin(link, identity.card_no, purchase_id, verify_pin(pin))
        converse(link, select_medical(self.profile))
        offer = converse(link, begin_purchase(check_items(items), self.terminal))
        when = self.clock()
        allowed = authorise_purchase(
            self.actor,
            purchase_id,
            card_no=identity.card_no,
            items=list(items),
            offline_sequence=offer.sequence,
            terminal_no=self.terminal.hex().upper(),
            terminal_time=when,
        )
        try:
            tac = converse(link, debit(keys, offer, allowed.terminal_sequence, when))
        except LinkError:
            mark_purchase_grey(self.actor, purchase_id)
            raise
        except CardRefused as refusal:
            cancel_purchase(self.actor, purchase_id, why=str(refusal))
            raise
        return record_purchase(self.actor, purchase_id, tac=tac.hex().upper())

    def recover_purchase(self, link: Link, purchase_id: UUID) -> Resolution:
        """The open purchase is recorded when the chip proves that it paid, cancelled when it did not."""
        open_one = open_purchase(purchase_id)
        _, keys = self._identify_as(link, open_one.card_no)
        converse(link, select_medical(self.profile))
        offer = PurchaseOffer(
            amount_fen=open_one.amount_fen,
            terminal=bytes.fromhex(open_one.terminal_no),
            balance_fen=0,
            sequence=open_one.offline_sequence,
            random=b"",
        )
        when = datetime.fromisoformat(open_one.terminal_time)
        tac = converse(link, prove_purchase(keys, offer, open_one.terminal_sequence, when))
        if tac is None:
            return cancel_purchase(self.actor, purchase_id, why="the card proves that it did not pay")
        return record_purchase(self.actor, purchase_id, tac=tac.hex().upper())

    def block_card(self, link: Link, request_id: UUID) -> CardState:
        """The lost or cancelled card in the reader is dead for ever, and the books know it.

        Refuses as `services.loss.confirm_blocked`, before the card is touched.
        """
        identity, keys = self.identify(link)
        state = confirm_blocked(self.actor, request_id, card_no=identity.card_no, how="blocked in a reader")
        converse(link, block_card(keys))
        return state

    def _identify_as(self, link: Link, card_no: str) -> tuple[CardIdentity, CardKeys]:
        identity, keys = self.identify(link)
        if identity.card_no != card_no:
            raise NotEligible(f"it was card {card_no}, the one in the reader is {identity.card_no}")
        return identity, keys

    def _initialized(
        self, link: Link, identity: CardIdentity, keys: CardKeys, load_id: UUID, pin: Pin, amount_fen: int
    ) -> LoadOffer:
        """The card's offer for a load, MAC1 checked; CREDIT must be the next thing it hears."""
        self._with_pin(link, identity.card_no, load_id, verify_pin(pin))
        converse(link, select_medical(self.profile))
        return converse(link, initialize_load(keys, amount_fen, self.terminal))

    def _credited(self, link: Link, keys: CardKeys, load_id: UUID, offer: LoadOffer, when: datetime) -> Resolution:
        """The reserved load is on the card, or cancelled, or grey."""
        try:
            tac = converse(link, credit_load(keys, offer, when))
        except LinkError:
            mark_load_grey(self.actor, load_id)
            raise
        except CardRefused as refusal:
            cancel_load(self.actor, load_id, why=str(refusal))
            raise
        return confirm_load(self.actor, load_id, tac=tac.hex().upper())

    def _with_pin(self, link: Link, card_no: str, request_id: UUID, script: Script[None]) -> None:
        """The conversation that shows a PIN is done; when that blocks the PIN, the books know it."""
        try:
            converse(link, script)
        except (PinRefused, PinBlocked) as refusal:
            if isinstance(refusal, PinRefused) and refusal.tries_left:
                raise
            with suppress(IllegalTransition):  # the books knew already
                record_pin_blocked(self.actor, request_id, card_no=card_no)
            raise


def _balance(profile: CardProfile) -> Script[int]:
    yield from select_medical(profile)
    return (yield from read_balance())
