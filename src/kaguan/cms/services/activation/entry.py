"""The entry of an activation in the books: begun, confirmed when the chip has its record, or cancelled.

The request id of the way that began it is the activation's own id: confirm and cancel are asked under the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from kaguan.cms.models import Activation, Card
from kaguan.cms.rules.activation import CHANNEL_OF, ActivationWay, ChipRecord
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, BankFunction
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    IdempotencyConflict,
    NeedsReconciliation,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case

_PROVED: Final = (
    "document_is_original",
    "document_is_holders",
    "guardian_present",
    "evidence_complete",
    "old_card_shown",
    "holder_signed_in",
)


class Phase(StrEnum):
    """How far an activation is: open while the chip is being written."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ActivationState:
    """An activation, the card's state on two axes, and what the chip's insurance record was and is to be."""

    activation_id: str
    card_no: str
    way: str
    phase: str
    application: str
    bank_function: str
    chip_slot: int
    chip_before: str
    chip_after: str


def begin(
    case: Case,
    card: Card,
    way: ActivationWay,
    circumstances: Circumstances,
    chip: ChipRecord,
    evidence: Mapping[str, object],
) -> Activation:
    """Leave the activation open, or without a reader done.

    Refuses, in this order: the region has no such way, card state, guards of the way, right, another one is open.
    """
    rules = card.region.rules()
    if CHANNEL_OF[way] not in rules.activate_channels:
        raise NotEligible(f"in {rules.name} cards are not activated like this ({way}): use another way")
    row = APPLICATION.step(card.application, way, circumstances)
    case.require(row.right)
    other = Activation.objects.filter(card=card, phase=Phase.OPEN).first()
    if other is not None:
        raise NeedsReconciliation(
            f"activation {other.pk} of card {card.card_no} is still open: recover it at {other.institution} first"
        )
    activation_id = case.new_id(Activation)
    proved = {name: getattr(circumstances, name) for name in _PROVED}
    activation = Activation.objects.create(
        activation_id=activation_id,
        card=card,
        way=way,
        phase=Phase.OPEN,
        evidence={**evidence, "proved": proved},
        chip_slot=chip.slot,
        chip_before=chip.before,
        chip_after=chip.after,
        operator=case.operator.code,
        institution=case.institution.code,
        at=case.at,
    )
    case.note(way=way.value, **evidence)
    if not chip.slot:
        _take_effect(case, card, activation)
    return activation


def told(activation: Activation) -> ActivationState:
    """Return where the activation and its card stand."""
    card = activation.card
    return ActivationState(
        activation_id=str(activation.pk),
        card_no=card.card_no,
        way=activation.way,
        phase=activation.phase,
        application=card.application,
        bank_function=card.bank_function,
        chip_slot=activation.chip_slot,
        chip_before=activation.chip_before,
        chip_after=activation.chip_after,
    )


@use_case("confirm activation", Right.USE_READER, ActivationState)
def confirm_activation(case: Case, /) -> ActivationState:
    """Leave the card in normal use: its chip has the record.

    Refuses, in this order: no open activation of the actor's institution, own card, card state, guards.
    """
    activation = _own_open(case)
    card = case.card(activation.card.card_no)
    activation.card = card
    activation.chip_written_at = case.at
    _take_effect(case, card, activation)
    return told(activation)


@use_case("cancel activation", Right.USE_READER, ActivationState)
def cancel_activation(case: Case, /, *, why: str) -> ActivationState:
    """Leave the card as it was: its chip does not have the record. Refuses as `confirm_activation`."""
    activation = _own_open(case)
    activation.phase, activation.ended_at, activation.why = Phase.CANCELLED, case.at, why[:200]
    activation.save()
    case.note(way=activation.way, why=why, card_no=activation.card.card_no)
    return told(activation)


@use_case("record owed", Right.USE_READER, ActivationState)
def record_written(case: Case, /, *, card_no: str, chip: ChipRecord) -> ActivationState:
    """Leave on record that the chip got the record that an activation without a reader owed it.

    Refuses, in this order: no such card, own card, nothing owed.
    """
    activation = owed_by(case.card(card_no).card_no)
    if activation is None:
        raise NotFound(f"card {card_no} is owed no record")
    activation.chip_slot, activation.chip_before, activation.chip_after = chip.slot, chip.before, chip.after
    activation.chip_written_at = case.at
    activation.save()
    return told(activation)


def owed_by(card_no: str) -> Activation | None:
    """Return the newest activation that took effect without the chip having its record, None when there is none."""
    done = Activation.objects.select_related("card").filter(card=card_no, phase=Phase.DONE, chip_written_at=None)
    return done.order_by("at").last()


def asked_before(institution: str, activation_id: UUID, *, card_no: str) -> ActivationState | None:
    """Return what became of the activation under this id, None when it was never begun.

    Refuses, in this order: begun elsewhere or for another card, cancelled meanwhile.
    """
    activation = Activation.objects.select_related("card").filter(pk=activation_id).first()
    if activation is None:
        return None
    if (activation.institution, activation.card.card_no) != (institution, card_no):
        raise IdempotencyConflict(f"request {activation_id} asked for something else before")
    if activation.phase == Phase.CANCELLED:
        raise AlreadyResolved(f"activation {activation_id} was cancelled, the card is as before: ask under a new id")
    return told(activation)


def open_activation(institution: str, activation_id: UUID) -> ActivationState:
    """Return the activation that is neither confirmed nor cancelled. Refuses with NotFound, AlreadyResolved."""
    activation = Activation.objects.select_related("card").filter(pk=activation_id, institution=institution).first()
    if activation is None:
        raise NotFound(f"{institution} has no activation {activation_id}")
    if activation.phase != Phase.OPEN:
        raise AlreadyResolved(f"activation {activation_id} is {activation.phase} already")
    return told(activation)


def _own_open(case: Case) -> Activation:
    activation = (
        Activation.objects.select_for_update(no_key=True)
        .filter(pk=case.request_id, institution=case.institution.code)
        .first()
    )
    if activation is None:
        raise NotFound(f"{case.institution.code} has no activation {case.request_id}")
    if activation.phase != Phase.OPEN:
        raise AlreadyResolved(f"activation {case.request_id} is {activation.phase} already")
    return activation


def _take_effect(case: Case, card: Card, activation: Activation) -> None:
    circumstances = replace(case.circumstances(card), **activation.evidence["proved"])
    case.step(card, APPLICATION, activation.way, circumstances)
    at_bank = activation.way == ActivationWay.BANK_OUTLET
    if at_bank and card.bank_function == BankFunction.INACTIVE:
        case.step(card, BANK_FUNCTION, "activate", circumstances)
    activation.phase, activation.ended_at = Phase.DONE, case.at
    activation.save()
