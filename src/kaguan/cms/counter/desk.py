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
from kaguan.cms.services.pin import record_pin_blocked
from kaguan.cms.services.scope import regions_seen_from
from kaguan.personalization.keystore import require_fitting
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import prove_genuine
from kaguan.terminal.conversations.identity import CardIdentity, read_identity
from kaguan.terminal.conversations.pin import verify_pin
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

    def ready_to_pay(self, link: Link, card_no: str, request_id: UUID, pin: Pin) -> None:
        """The card stands in DF04 and holds the PIN's right. Raises as `with_pin`."""
        self.with_pin(link, card_no, request_id, verify_pin(pin))
        converse(link, select_medical(self.profile))

    def with_pin(self, link: Link, card_no: str, request_id: UUID, script: Script[None]) -> None:
        """The conversation that shows a PIN is done; when that blocks the PIN, the books know it.

        Raises:
            PinRefused: the PIN is wrong; with the tries left.
            PinBlocked: no tries are left.
        """
        try:
            converse(link, script)
        except (PinRefused, PinBlocked) as refusal:
            if isinstance(refusal, PinRefused) and refusal.tries_left:
                raise
            with suppress(RuleBroken):  # the books may not hear it from this operator: the log has it
                record_pin_blocked(self.actor, request_id, card_no=card_no)
            raise
