"""At a designated pharmacy: the old medical card in the reader first, then the same person's new one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from kaguan.cms.models import Card, OldCardSeen
from kaguan.cms.rules.activation import NO_READER, ActivationWay, ChipRecord
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.activation.entry import ActivationState, begin, told
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class OldCardShown:
    """An old card that was read, and until when (ISO 8601) its holder's new one may follow."""

    old_card_no: str
    follow_until: str


@use_case("show old card", Right.ACTIVATE_BY_USE, OldCardShown)
def show_old_card(case: Case, /, *, old_card_no: str, cert_type: str, cert_no: str, terminal_no: str) -> OldCardShown:
    """Leave on record that this person's old card was read at this terminal.

    It may be a medical card that no books know, so it is known by the person whom it names.
    Refuses, in this order: no such person, own card, another person's card.
    """
    holder = case.holder(cert_type, cert_no)
    case.check_not_own(holder.pk)
    known = Card.objects.filter(pk=old_card_no, region__in=case.regions).first()
    if known is not None and known.holder_id != holder.pk:
        raise NotEligible("the old card is another person's than it says")
    case.note(old_card_no=old_card_no, terminal_no=terminal_no, holder=holder.pk)
    OldCardSeen.objects.create(
        holder=holder,
        old_card_no=old_card_no,
        institution=case.institution,
        terminal_no=terminal_no,
        at=case.at,
    )
    until = case.at + timedelta(minutes=case.institution.region.rules().old_card_valid_minutes)
    return OldCardShown(old_card_no, until.isoformat(timespec="seconds"))


@use_case("activate by old card", Right.ACTIVATE_BY_USE, ActivationState)
def activate_by_old_card(
    case: Case, /, *, card_no: str, terminal_no: str, chip: ChipRecord = NO_READER
) -> ActivationState:
    """Leave the new card in use: the last card that this terminal read was the same person's old one, just before.

    Refuses, in this order: no such card, own card, way, state, not handed over yet, no designated pharmacy, old card
    not read here first or too long ago, another person's, or this very card, replaced card still open, expired.
    """
    card = case.card(card_no)
    minutes = card.region.rules().old_card_valid_minutes
    last = (
        OldCardSeen.objects.filter(institution=case.institution, terminal_no=terminal_no, used_at=None)
        .order_by("id")
        .last()
    )
    shown = (
        last is not None
        and last.at >= case.at - timedelta(minutes=minutes)
        and last.holder.pk == card.holder_id
        and last.old_card_no != card.card_no
    )
    circumstances = replace(case.circumstances(card), old_card_shown=shown)
    evidence = {"old_card_no": last.old_card_no if last else "", "terminal_no": terminal_no}
    activation = begin(case, card, ActivationWay.OLD_CARD, circumstances, chip, evidence)
    if last is not None:
        OldCardSeen.objects.filter(pk=last.pk).update(used_at=case.at)
    return told(activation)
