"""The counter: the one place where card management touches a card.

Law 1. The books know what is about to happen before the chip does it, so that a crash leaves an open entry and never
an unexplained card.
Law 2. When the chip's answer is lost, the chip is asked what it did (GET TRANSACTION PROVE); nothing is done again
blindly.
Law 3. Each number of the chip belongs to one transaction. A transfer is cancelled only when its number is still free,
or was used by another transfer on the books; a number that is used up and proves nothing leaves the transfer open.
Law 4. A card is believed only after INTERNAL AUTHENTICATE, and only when the books know it by the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaguan.apdu.errors import KaguanError, RuleBroken
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.models import Card
from kaguan.cms.rules.documents import Document, mask_name
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.purchases import Item, check_items
from kaguan.cms.rules.refusals import NeedsReconciliation, NotEligible, NotFound
from kaguan.cms.services.case import Actor, CardState
from kaguan.cms.services.issue import activate
from kaguan.cms.services.load import (
    PendingLoad,
    begin_carry_over,
    begin_load,
    cancel_load,
    carried_fen,
    confirm_load,
    load_under,
    mark_load_grey,
    open_load,
)
from kaguan.cms.services.loss import card_being_blocked, confirm_blocked, order_block
from kaguan.cms.services.pin import allow_pin_change, record_pin_blocked, record_pin_change, reset_pin
from kaguan.cms.services.purchase import (
    authorise_purchase,
    cancel_purchase,
    mark_purchase_grey,
    open_purchase,
    purchase_under,
    record_purchase,
)
from kaguan.cms.services.reservation import Resolution
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import prove_genuine
from kaguan.terminal.conversations.blocking import block_card
from kaguan.terminal.conversations.identity import CardIdentity, read_identity
from kaguan.terminal.conversations.load import LoadOffer, credit_load, prove_load
from kaguan.terminal.conversations.load import begin_load as initialize_load
from kaguan.terminal.conversations.pin import change_pin, pin_tries_left, reload_pin, verify_pin
from kaguan.terminal.conversations.purchase import PurchaseOffer, begin_purchase, debit, prove_purchase
from kaguan.terminal.conversations.purse import read_balance, select_medical
from kaguan.terminal.refusals import CardBlocked, CardRefused, PinBlocked, PinRefused
from kaguan.terminal.script import Script, converse
from kaguan.vault.secret import Pin
from kaguan.vault.vault import KeyVault

SURELY_NOT_DONE = frozenset((*range(0x67, 0x6F), 0x93, 0x94))
"""SW1 of a card that has looked at a command and left it; after any other the memory may have changed."""

HOW_BLOCKED = "blocked in a reader"


@dataclass(frozen=True, slots=True)
class CardOnCounter:
    """A card in the reader; the name is masked, amounts are in fen."""

    card_no: str
    card_ident_code: str
    name: str
    application: str
    pin_tries_left: int
    chip_fen: int
    books_fen: int


@dataclass(frozen=True, slots=True)
class PinTries:
    """How often the PIN of the card may still be wrong."""

    card_no: str
    pin_tries_left: int


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
            RuleBroken: as `services.pin.allow_pin_change`; the card has not been touched.
            PinRefused: the old one is wrong; with the tries left.
            PinBlocked: no tries are left; the books know it.
        """
        identity, _ = self.identify(link)
        allow_pin_change(self.actor, request_id, card_no=identity.card_no)
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

    def read(self, link: Link) -> CardOnCounter:
        """What the genuine card in the reader is, with what chip and books say of it side by side."""
        identity, _ = self.identify(link)
        tries_left = converse(link, pin_tries_left())
        return CardOnCounter(
            card_no=identity.card_no,
            card_ident_code=identity.card_ident_code,
            name=mask_name(identity.name),
            application=Application(Card.objects.get(pk=identity.card_no).application).name,
            pin_tries_left=tries_left,
            chip_fen=converse(link, _balance(self.profile)),
            books_fen=balance(purse_account(identity.card_no)),
        )

    def tries_left(self, link: Link) -> PinTries:
        """How many tries the PIN has left; asking costs none."""
        identity, _ = self.identify(link)
        return PinTries(identity.card_no, converse(link, pin_tries_left()))

    def balance_fen(self, link: Link) -> int:
        """What the wallet on the chip holds."""
        self.identify(link)
        return converse(link, _balance(self.profile))

    def load(self, link: Link, load_id: UUID, amount_fen: int, pin: Pin) -> Resolution:
        """The amount has left the account and is on the card.

        Raises:
            RuleBroken: as `services.load.begin_load`; nothing has changed.
            CardRefused: the card did not take it, and the load is cancelled.
            LinkError, NotGenuine: nobody knows whether the card took it; the load is grey until `recover_load`.
        """
        return self._load(link, load_id, lambda _: amount_fen, pin, begin_load)

    def carry_over(self, link: Link, load_id: UUID, pin: Pin) -> Resolution:
        """What the replaced card still held is on this one. Raises as `load`."""
        return self._load(link, load_id, carried_fen, pin, begin_carry_over)

    def recover_load(self, link: Link, load_id: UUID, pin: Pin | None = None) -> Resolution:
        """The open load, or carry-over, is confirmed when the chip did it, cancelled when it did not.

        A load that the chip can prove needs no PIN. Otherwise a load of
        nothing is begun and left: the card answers which number it is at.

        Raises:
            NotFound, AlreadyResolved: there is no such open load.
            NotEligible: another card is in the reader.
            NeedsReconciliation: the chip has gone on and proves nothing, or the PIN is needed to tell; still open.
        """
        pending = open_load(load_id)
        _, keys = self._identify_as(link, pending.card_no)
        if load_under(pending.card_no, pending.online_sequence):
            return cancel_load(self.actor, load_id, why="the card gave its number to another load")
        converse(link, select_medical(self.profile))
        offer = LoadOffer(
            amount_fen=pending.amount_fen,
            terminal=bytes.fromhex(pending.terminal_no),
            balance_fen=pending.purse_before_fen,
            sequence=pending.online_sequence,
            session=keys.ref("DF04.DLK"),
        )
        tac = converse(link, prove_load(keys, offer, datetime.fromisoformat(pending.terminal_time)))
        if tac is not None:
            return confirm_load(self.actor, load_id, tac=tac.hex().upper())
        self._ready_to_pay(link, pending.card_no, load_id, _needed(pin))
        present = converse(link, initialize_load(keys, 0, self.terminal))
        _check_unused(pending.online_sequence, present.sequence, present.balance_fen)
        return cancel_load(self.actor, load_id, why="the card did not take the load: its number is unused")

    def purchase(self, link: Link, purchase_id: UUID, items: Sequence[Item], pin: Pin) -> Resolution:
        """The card has paid for the items.

        Raises:
            RuleBroken: as `services.purchase.authorise_purchase`; nothing has changed.
            CardRefused: the card did not pay, and the purchase is cancelled.
            LinkError, NotGenuine: nobody knows whether the card paid; the purchase is grey until `recover_purchase`.
        """
        identity, keys = self.identify(link)
        self._ready_to_pay(link, identity.card_no, purchase_id, pin)
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
        open_purchase(purchase_id)  # asked again under an id that was cancelled, it must not reach the chip
        with _booked(
            lambda: mark_purchase_grey(self.actor, purchase_id),
            lambda why: cancel_purchase(self.actor, purchase_id, why=why),
        ):
            tac = converse(link, debit(keys, offer, allowed.terminal_sequence, when))
        return record_purchase(self.actor, purchase_id, tac=tac.hex().upper())

    def recover_purchase(self, link: Link, purchase_id: UUID, pin: Pin | None = None) -> Resolution:
        """The open purchase is recorded when the chip paid, cancelled when it did not. Raises as `recover_load`."""
        open_one = open_purchase(purchase_id)
        _, keys = self._identify_as(link, open_one.card_no)
        if purchase_under(open_one.card_no, open_one.offline_sequence):
            return cancel_purchase(self.actor, purchase_id, why="the card gave its number to another purchase")
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
        if tac is not None:
            return record_purchase(self.actor, purchase_id, tac=tac.hex().upper())
        self._ready_to_pay(link, open_one.card_no, purchase_id, _needed(pin))
        present = converse(link, begin_purchase(0, self.terminal))
        _check_unused(open_one.offline_sequence, present.sequence, present.balance_fen)
        return cancel_purchase(self.actor, purchase_id, why="the card did not pay: its number is unused")

    def block_card(self, link: Link, request_id: UUID) -> CardState:
        """The lost or cancelled card in the reader is dead for ever, and the books know it.

        Asked again when the answer was lost, it goes on; a card that is dead by then is known by its ATR.
        Refuses as `services.loss.order_block`, before the card is touched.
        """
        try:
            identity, keys = self.identify(link)
        except CardBlocked:
            card_no = card_being_blocked(link.atr.hex().upper())
            if card_no is None:
                raise
        else:
            card_no = identity.card_no
            order_block(self.actor, request_id, card_no=card_no)
            converse(link, block_card(keys))
        return confirm_blocked(self.actor, request_id, card_no=card_no, how=HOW_BLOCKED)

    def _identify_as(self, link: Link, card_no: str) -> tuple[CardIdentity, CardKeys]:
        identity, keys = self.identify(link)
        if identity.card_no != card_no:
            raise NotEligible(f"it was card {card_no}, the one in the reader is {identity.card_no}")
        return identity, keys

    def _load(
        self,
        link: Link,
        load_id: UUID,
        amount_of: Callable[[str], int],
        pin: Pin,
        begin: Callable[..., PendingLoad],
    ) -> Resolution:
        """The load is reserved in the books and on the card, or cancelled, or grey."""
        identity, keys = self.identify(link)
        card_no = identity.card_no
        amount_fen = amount_of(card_no)
        self._ready_to_pay(link, card_no, load_id, pin)
        offer = converse(link, initialize_load(keys, amount_fen, self.terminal))
        when = self.clock()
        begin(
            self.actor,
            load_id,
            card_no=card_no,
            amount_fen=amount_fen,
            purse_before_fen=offer.balance_fen,
            online_sequence=offer.sequence,
            terminal_no=self.terminal.hex().upper(),
            terminal_time=when,
        )
        open_load(load_id)  # asked again under an id that was cancelled, it must not reach the chip
        with _booked(
            lambda: mark_load_grey(self.actor, load_id),
            lambda why: cancel_load(self.actor, load_id, why=why),
        ):
            tac = converse(link, credit_load(keys, offer, when))
        return confirm_load(self.actor, load_id, tac=tac.hex().upper())

    def _ready_to_pay(self, link: Link, card_no: str, request_id: UUID, pin: Pin) -> None:
        """The card stands in DF04 and holds the PIN's right. Raises as `verify_pin`."""
        self._with_pin(link, card_no, request_id, verify_pin(pin))
        converse(link, select_medical(self.profile))

    def _with_pin(self, link: Link, card_no: str, request_id: UUID, script: Script[None]) -> None:
        """The conversation that shows a PIN is done; when that blocks the PIN, the books know it."""
        try:
            converse(link, script)
        except (PinRefused, PinBlocked) as refusal:
            if isinstance(refusal, PinRefused) and refusal.tries_left:
                raise
            with suppress(RuleBroken):  # the books knew already, or may not hear it from here: the log has it
                record_pin_blocked(self.actor, request_id, card_no=card_no)
            raise


def _balance(profile: CardProfile) -> Script[int]:
    yield from select_medical(profile)
    return (yield from read_balance())


def _needed(pin: Pin | None) -> Pin:
    if pin is None:
        raise NeedsReconciliation("the card proves nothing: ask again with the PIN, to see how far it has gone")
    return pin


def _check_unused(sequence: int, present: int, balance_fen: int) -> None:
    """Nothing happens when the card's next transaction will have this number.

    Raises:
        NeedsReconciliation: it has another one.
    """
    if present != sequence:
        raise NeedsReconciliation(
            f"the card is at number {present}, this was number {sequence}, and its proof is gone: "
            f"it stays open until somebody reconciles it (the card holds {balance_fen} fen)"
        )


@contextmanager
def _booked(mark_grey: Callable[[], object], cancel: Callable[[str], object]) -> Iterator[None]:
    """What fails within is cancelled in the books when the chip surely has not done it, and grey otherwise."""
    try:
        yield
    except KaguanError as error:
        if isinstance(error, CardRefused) and error.sw >> 8 in SURELY_NOT_DONE:
            cancel(str(error))
        else:
            mark_grey()
        raise
