"""The counter: the one place where card management touches a card.

Law 1. The books know what is about to happen before the chip does it, so that a crash leaves an open entry and never
an unexplained card.
Law 2. When the chip's answer is lost, the chip is asked what it did (GET TRANSACTION PROVE); nothing is done again
blindly.
Law 3. Each number of the chip belongs to one transaction. A transfer is cancelled only when its number is still free,
or was used by another transfer on the books; a number that is used up and proves nothing leaves the transfer open.
Law 4. A card is believed only after INTERNAL AUTHENTICATE, and only when the books know it by the same number.
Law 5. While something is open on a card nothing new begins with it, and no PIN is tried before the rules agree.

Law 6. After each step the chip is read back; where it disagrees with the books, a case is opened.

What is done in several steps stands in `counter/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.cms.counter import activations, loads, locks, pins, purchases
from kaguan.cms.counter.desk import Desk
from kaguan.cms.counter.readback import chip_state, compare
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.models import Card
from kaguan.cms.rules.activation import ApplicationForm, SealedCopy, SignedVerdict, Visit
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document, mask_name
from kaguan.cms.rules.lifecycle import Application, LockReason
from kaguan.cms.rules.purchases import Item
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.activation.centre import activate_at_centre
from kaguan.cms.services.activation.entry import ActivationState
from kaguan.cms.services.activation.old_card import OldCardShown, activate_by_old_card, show_old_card
from kaguan.cms.services.activation.visit import RegisteredVisit
from kaguan.cms.services.case import CardState
from kaguan.cms.services.issue import activate
from kaguan.cms.services.reservation import Resolution
from kaguan.terminal.conversations.pin import pin_tries_left, verify_pin
from kaguan.terminal.conversations.purse import read_balance, select_medical
from kaguan.terminal.script import Script, converse
from kaguan.vault.secret import Pin


@dataclass(frozen=True, slots=True)
class CardOnCounter:
    """A card in the reader; the name is masked, amounts are in fen.

    `chip` is the chip's own word on its medical application, `open_cases` what waits to be explained.
    """

    card_no: str
    card_ident_code: str
    name: str
    application: str
    chip: str
    pin_tries_left: int | None
    chip_fen: int | None
    books_fen: int
    open_cases: str


@dataclass(frozen=True, slots=True)
class PinTries:
    """How often the PIN of the card may still be wrong."""

    card_no: str
    pin_tries_left: int


class Outlet(Desk):
    """Everything that is done at a counter with a card in its reader."""

    def activate(
        self, link: Link, request_id: UUID, document: Document, papers: Sequence[Paper] = ()
    ) -> ActivationState:
        """The card in the reader is in normal use, and says so on its chip.

        Asked again under the same id it is told what became of it; one whose answer was lost is recovered first.

        Raises:
            RuleBroken: as `services.issue.activate`, before the card is touched; or the books refuse afterwards, and
                the chip is as it was.
            CardRefused: the card did not take the record, and the activation is cancelled.
            LinkError: nobody knows whether it took it; the activation is open until `recover_activation`.
        """
        return activations.activate(
            self,
            link,
            request_id,
            lambda card_no, chip: activate(
                self.actor,
                request_id,
                card_no=card_no,
                document=document,
                papers=[Paper.SOCIAL_CARD, *papers],
                chip=chip,
            ),
        )

    def activate_at_centre(
        self,
        link: Link,
        request_id: UUID,
        document: Document,
        form: ApplicationForm,
        copies: Sequence[SealedCopy],
        verdicts: Sequence[SignedVerdict],
    ) -> ActivationState:
        """The same at a service centre. Raises as `activate`, and as `services.activation.centre`."""
        return activations.activate(
            self,
            link,
            request_id,
            lambda card_no, chip: activate_at_centre(
                self.actor,
                request_id,
                card_no=card_no,
                document=document,
                form=form,
                copies=list(copies),
                verdicts=list(verdicts),
                chip=chip,
            ),
        )

    def register_visit(self, link: Link, request_id: UUID, visit: Visit, registration_no: str) -> RegisteredVisit:
        """The visit is registered with the card in the reader, which is in use from the first one on.

        Raises as `activate`, and as `services.activation.visit`.
        """
        return activations.register(self, link, request_id, visit, registration_no)

    def show_old_card(self, link: Link, request_id: UUID) -> OldCardShown:
        """The old card in the reader was read here; its holder's new one may follow.

        Raises as `services.activation.old_card.show_old_card`.
        """
        identity, _ = self.identify(link)
        holder = Card.objects.get(pk=identity.card_no).holder
        return show_old_card(
            self.actor,
            request_id,
            old_card_no=identity.card_no,
            cert_type=holder.cert_type,
            cert_no=holder.cert_no,
            terminal_no=self.terminal.hex().upper(),
        )

    def activate_by_old_card(self, link: Link, request_id: UUID) -> ActivationState:
        """The new card in the reader is in use, for the old one was here just before. Raises as `activate`."""
        terminal_no = self.terminal.hex().upper()
        return activations.activate(
            self,
            link,
            request_id,
            lambda card_no, chip: activate_by_old_card(
                self.actor, request_id, card_no=card_no, terminal_no=terminal_no, chip=chip
            ),
        )

    def recover_activation(self, link: Link, activation_id: UUID) -> ActivationState:
        """The open activation is done when the chip has its record, and cancelled when it has the old one.

        Raises:
            NotFound, AlreadyResolved: there is no such open activation.
            NotEligible: another card is in the reader.
            NeedsReconciliation: the chip has neither; still open.
        """
        return activations.recover(self, link, activation_id)

    def write_owed_record(self, link: Link, request_id: UUID) -> ActivationState:
        """The card in the reader has the record that an activation elsewhere owed it. Refuses with NotFound."""
        return activations.write_owed(self, link, request_id)

    def change_pin(self, link: Link, request_id: UUID, old: Pin, new: Pin) -> CardState:
        """The card's PIN is the new one, and the books know that the holder chose it.

        Raises:
            RuleBroken: as `services.chip.pin.begin_pin_change`; the card has not been touched.
            PinRefused: the old one is wrong; with the tries left.
            PinBlocked: no tries are left; the books know it.
            LinkError: nobody knows whether the card took it; asked again, with the same PINs, it is found out.
        """
        return pins.change(self, link, request_id, old, new)

    def verify_pin(self, link: Link, request_id: UUID, pin: Pin) -> None:
        """The session holds the PIN's right. Raises as `change_pin`."""
        identity, _ = self.identify(link)
        self.with_pin(link, identity.card_no, request_id, verify_pin(pin))

    def unblock_pin(
        self,
        link: Link,
        request_id: UUID,
        document: Document,
        new: Pin,
        *,
        papers: Sequence[Paper] = (),
        channel: Channel | None = None,
    ) -> CardState:
        """The card has the new PIN and all its tries.

        Asked again after a crash between books and chip, it goes on with the chip.

        Raises:
            RuleBroken: as `services.pin.reset_pin`, before the card is touched.
            LinkError: nobody knows whether the card took it; its case is open until it has.
        """
        return pins.give_new(self, link, request_id, document, new, papers=papers, channel=channel)

    def restore_pin(
        self,
        link: Link,
        request_id: UUID,
        document: Document,
        *,
        papers: Sequence[Paper] = (),
        channel: Channel | None = None,
    ) -> CardState:
        """The card with the blocked PIN has all its tries, and the PIN that it had. Raises as `unblock_pin`, and as
        `services.chip.pin.begin_pin_unblock`."""
        return pins.give_tries(self, link, request_id, document, papers=papers, channel=channel)

    def lock_card(self, link: Link, request_id: UUID, reason: LockReason) -> CardState:
        """Card and chip are locked: no terminal takes it, online or not. Raises as `unblock_pin`, and as
        `services.chip.locking.begin_chip_lock`."""
        return locks.lock(self, link, request_id, reason)

    def unlock_card(self, link: Link, request_id: UUID) -> CardState:
        """Chip and card serve again. Raises as `unblock_pin`, and as `services.chip.locking.begin_chip_unlock`."""
        return locks.unlock(self, link, request_id)

    def read(self, link: Link) -> CardOnCounter:
        """What the genuine card in the reader is, with what chip and books say of it side by side.

        A disagreement opens a case. The balance of a locked chip, which it does not tell, is None.
        """
        identity, keys = self.identify(link)
        open_cases = compare(self, link, keys, identity.card_no, "read")
        chip = chip_state(link, keys, self.terminal)
        return CardOnCounter(
            card_no=identity.card_no,
            card_ident_code=identity.card_ident_code,
            name=mask_name(identity.name),
            application=Application(Card.objects.get(pk=identity.card_no).application).name,
            chip=chip.application.value,
            pin_tries_left=chip.pin_tries_left,
            chip_fen=chip.balance_fen,
            books_fen=balance(purse_account(identity.card_no)),
            open_cases=", ".join(open_cases),
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

        Asked again under the same id, a load that was done is told and not done again, without a PIN; one whose
        answer was lost is recovered first.

        Raises:
            RuleBroken: as `services.load.allow_load`, before the PIN is tried, and `begin_load`; nothing has changed.
            IdempotencyConflict: the id was used for another card or amount, or elsewhere.
            AlreadyResolved: the load under this id was cancelled, or is now, for the card never took it.
            CardRefused: the card did not take it, and the load is cancelled.
            LinkError, NotGenuine: nobody knows whether the card took it; the load is grey until `recover_load`.
        """
        return loads.load(self, link, load_id, amount_fen, pin)

    def carry_over(self, link: Link, load_id: UUID, pin: Pin) -> Resolution:
        """What the replaced cards still held is on this one. Raises as `load`."""
        return loads.carry_over(self, link, load_id, pin)

    def recover_load(self, link: Link, load_id: UUID, pin: Pin | None = None) -> Resolution:
        """The open load, or carry-over, is confirmed when the chip did it, cancelled when it did not.

        A load that the chip can prove needs no PIN. Otherwise a load of
        nothing is begun and left: the card answers which number it is at.

        Raises:
            NotFound, AlreadyResolved: there is no such open load.
            NotEligible: another card is in the reader.
            NeedsReconciliation: the chip has gone on and proves nothing, or the PIN is needed to tell; still open.
        """
        return loads.recover_load(self, link, load_id, pin)

    def purchase(self, link: Link, purchase_id: UUID, items: Sequence[Item], pin: Pin | None) -> Resolution:
        """The card has paid for the items. Asked again under the same id it is as with `load`.

        No PIN is one that was not asked for: where the region asks for it, that is refused. A chip may still want it.

        Raises:
            RuleBroken: as `services.purchase.allow_purchase`, before the PIN is tried, and `authorise_purchase`;
                nothing has changed.
            IdempotencyConflict, AlreadyResolved: as `load`.
            CardRefused: the card did not pay, and the purchase is cancelled.
            LinkError, NotGenuine: nobody knows whether the card paid; the purchase is grey until `recover_purchase`.
        """
        return purchases.purchase(self, link, purchase_id, items, pin)

    def recover_purchase(self, link: Link, purchase_id: UUID, pin: Pin | None = None) -> Resolution:
        """The open purchase is recorded when the chip paid, cancelled when it did not. Raises as `recover_load`."""
        return purchases.recover_purchase(self, link, purchase_id, pin)

    def block_card(self, link: Link, request_id: UUID) -> CardState:
        """The lost or cancelled card in the reader is dead for ever, and the books know it.

        Refuses as `services.loss.order_block`, before the card is touched.

        Raises:
            CardBlocked: it says that it is dead already, which any card with the right ATR could say. Where the
                block was ordered before, the books presume it; the purse still waits for the region's days.
        """
        return locks.block(self, link, request_id)


def _balance(profile: CardProfile) -> Script[int]:
    yield from select_medical(profile)
    return (yield from read_balance())
