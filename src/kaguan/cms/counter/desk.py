"""A desk with a reader: who works there, whose card lies in it, and how a PIN is shown to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaguan.apdu.errors import RuleBroken
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.cms.models import Card
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.services.case import Actor
from kaguan.cms.services.chip.books import tries_when_blocked
from kaguan.cms.services.chip.pin import pin_is_worn_out
from kaguan.cms.services.pin import record_pin_blocked, void_pin
from kaguan.cms.services.scope import regions_seen_from
from kaguan.personalization.keystore import require_fitting
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import prove_genuine
from kaguan.terminal.conversations.identity import CardIdentity, read_identity
from kaguan.terminal.conversations.pin import pin_tries_left, verify_pin
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.refusals import PinBlocked, PinRefused
from kaguan.terminal.script import Script, converse
from kaguan.vault.secret import Pin
from kaguan.vault.vault import KeyVault


@dataclass(frozen=True)
class Desk:
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
        RuleBroken: the card is real and the keys are for tests, or the other way round.
        """
        link.reset()

        def keys_of(region: str) -> CardKeys:
            require_fitting(self.vault, region)
            return CardKeys(self.vault, self.profile, region, link.atr)

        identity = converse(link, read_identity(self.profile, keys_of))
        keys = keys_of(identity.region)
        converse(link, prove_genuine(keys, self.random(8), self.random(8)))
        regions = regions_seen_from(self.actor.institution)
        card = Card.objects.filter(pk=identity.card_no, region__in=regions).first()
        if card is None:
            raise NotFound(f"no card {identity.card_no} is on the books")
        if card.card_ident_code != identity.card_ident_code:
            raise NotEligible(f"card {identity.card_no} has another identification code than the books: keep it")
        return identity, keys

    def identify_as(self, link: Link, card_no: str) -> CardKeys:
        """The keys of the card, when it is the one with that number. Raises as `identify`; NotEligible if it is not."""
        identity, keys = self.identify(link)
        if identity.card_no != card_no:
            raise NotEligible(f"it was card {card_no}, the one in the reader is {identity.card_no}")
        return keys

    def ready_to_pay(self, link: Link, card_no: str, request_id: UUID, pin: Pin | None) -> None:
        """The card stands in DF04 and holds the PIN's right, where a PIN was typed. Raises as `with_pin`."""
        if pin is not None:
            self.with_pin(link, card_no, request_id, verify_pin(pin))
        converse(link, select_medical(self.profile))

    def with_pin(self, link: Link, card_no: str, request_id: UUID, script: Script[None]) -> None:
        """The conversation that shows a PIN is done; when that blocks the PIN, the books know it.

        Raises:
            NotEligible: as many were wrong as the region allows, though the chip would take more.
            PinRefused: the PIN is wrong; with the tries left.
            PinBlocked: no tries are left.
        """
        self._check_pin_may_be_tried(link, card_no)
        try:
            converse(link, script)
        except (PinRefused, PinBlocked) as refusal:
            left = refusal.tries_left if isinstance(refusal, PinRefused) else 0
            with suppress(RuleBroken):  # the books may not hear it from this operator: the log has it
                self._note_spent_try(card_no, request_id, left)
            raise

    def _check_pin_may_be_tried(self, link: Link, card_no: str) -> None:
        spent_at = tries_when_blocked(Card.objects.get(pk=card_no), self.pin_tries)
        if spent_at and converse(link, pin_tries_left()) <= spent_at:
            raise NotEligible("as many PINs were wrong as the region allows: unblock it with the identity document")

    @property
    def pin_tries(self) -> int:
        """How many tries the PIN of these cards has when none is spent."""
        return self.profile.by_name["SSSE"].pins[0].tries

    def _note_spent_try(self, card_no: str, request_id: UUID, tries_left: int) -> None:
        """Leave the PIN blocked in the books when that was the last try; void when it was reset too often before."""
        card = Card.objects.get(pk=card_no)
        if tries_left > tries_when_blocked(card, self.pin_tries):
            return
        record_pin_blocked(self.actor, request_id, card_no=card_no)
        if pin_is_worn_out(card_no, card.region.rules().pin_resets_allowed):
            void_pin(self.actor, request_id, card_no=card_no)
