"""What holders do by themselves at the portal, signed in: see what the books say of them, and activate their card."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kaguan.cms.ledger.accounts import balance, personal_account
from kaguan.cms.models import Card
from kaguan.cms.rules.activation import NO_READER, ActivationWay
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.access.holders import signed_in_holder
from kaguan.cms.services.activation.entry import ActivationState, begin, told
from kaguan.cms.services.case import Case
from kaguan.cms.services.people.own_cards import own_card
from kaguan.cms.services.people.reading import Person, person_as_it_is
from kaguan.cms.services.use_case import question, use_case
from kaguan.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """What the books say of a holder to themselves: the person, their cards' states, their account in fen."""

    person: Person
    cards: dict[str, str]
    medical_account_fen: int


@use_case("activate online", Right.SERVE_ONLINE, ActivationState)
def activate_online(case: Case, /, *, token: Secret, card_no: str) -> ActivationState:
    """Leave the signed-in holder's card in use; the record on its chip is owed.

    Refuses, in this order: the session is over or the password has to be changed first, no such card of this holder,
    own card, way, state, not handed over yet, replaced card still open, expired.
    """
    card = own_card(case, token, card_no)
    circumstances = replace(case.circumstances(card), holder_signed_in=True)
    return told(begin(case, card, ActivationWay.ONLINE, circumstances, NO_READER, {}))


@question("see own record", Right.SERVE_ONLINE)
def own_record(case: Case, /, *, token: Secret) -> OwnRecord:
    """Return what the books say of the signed-in holder, and of nobody else. Refuses as `signed_in_holder`."""
    holder = signed_in_holder(case, token)
    cards = Card.objects.filter(holder=holder).order_by("card_no")
    return OwnRecord(
        person_as_it_is(holder),
        {card.card_no: Application(card.application).name for card in cards},
        balance(personal_account(holder.pk)),
    )
