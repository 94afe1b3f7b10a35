"""What the books say that a chip should answer, as they stand now."""

from __future__ import annotations

from typing import Final

from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.ledger.posting import Phase, moves_of
from kaguan.cms.models import Activation, Card, CardEvent, ChipCase, Transfer
from kaguan.cms.rules.chip_state import BooksState, ChipApplication, Facet
from kaguan.cms.rules.lifecycle import Application, Pin

CHIP_LOCKED: Final = "chip_locked"
CHIP_UNLOCKED: Final = "chip_unlocked"
_LOAD_NUMBER, _PURCHASE_NUMBER = "online_sequence", "offline_sequence"


def books_state(card: Card, pin_tries: int) -> BooksState:
    """Return what the chip of the card should answer; `pin_tries` is how many tries its PIN has when none is spent."""
    steps = frozenset(open_facets(card.card_no))
    pending = Transfer.objects.filter(
        phase=Phase.PENDING, resolved_by=None, content__memo__card_no=card.card_no
    ).first()
    return BooksState(
        applications=_applications(card, steps),
        pin=Pin(card.pin),
        pin_open=Facet.PIN_STEP in steps,
        tries_when_blocked=tries_when_blocked(card, pin_tries),
        purse_fen=balance(purse_account(card.card_no)),
        on_its_way_fen=sum(move.amount_fen for move in moves_of(pending)) if pending else 0,
        load_numbers=_numbers(card, _LOAD_NUMBER, pending),
        purchase_numbers=_numbers(card, _PURCHASE_NUMBER, pending),
        record=_record(card),
    )


def open_facets(card_no: str) -> list[str]:
    """Return about what a case of the card is open."""
    return list(ChipCase.objects.filter(card=card_no, state="open").order_by("facet").values_list("facet", flat=True))


def tries_when_blocked(card: Card, pin_tries: int) -> int:
    """Return with how many tries left the PIN counts as blocked: the region may allow fewer than the chip has."""
    return max(0, pin_tries - card.region.rules().pin_tries)


def chip_is_locked(card: Card) -> bool:
    """Return whether the chip said, when it was last told, that its medical application is blocked."""
    told = CardEvent.objects.filter(card=card, event__in=[CHIP_LOCKED, CHIP_UNLOCKED]).order_by("id").last()
    return told is not None and told.event == CHIP_LOCKED


def _applications(card: Card, steps: frozenset[str]) -> frozenset[ChipApplication]:
    """Return what the chip may answer; a card in use whose chip is still locked is owed its unlocking."""
    if Facet.BLOCK_STEP in steps:
        return frozenset(ChipApplication)
    if card.chip_blocked_at is not None:
        return frozenset({ChipApplication.DEAD})
    if Facet.LOCK_STEP in steps:
        return frozenset({ChipApplication.SERVING, ChipApplication.BLOCKED})
    if chip_is_locked(card) and card.application != Application.NORMAL:
        return frozenset({ChipApplication.BLOCKED})
    return frozenset({ChipApplication.SERVING})


def _numbers(card: Card, name: str, pending: Transfer | None) -> frozenset[int]:
    """Return which numbers the chip's next transaction may have; none when the books cannot tell.

    They cannot before the first transaction, nor after two people ended one without the chip's proof.
    """
    ended = Transfer.objects.filter(
        phase__in=[Phase.SETTLED, Phase.VOID], content__memo__card_no=card.card_no, content__memo__has_key=name
    ).order_by("-at")
    for transfer in ended.iterator():
        if "reconciliation" in transfer.evidence:
            return frozenset()
        if transfer.phase == Phase.SETTLED:
            number = int(transfer.content["memo"][name]) + 1
            open_one = pending is not None and name in pending.content["memo"]
            return frozenset({number, number + 1}) if open_one else frozenset({number})
    return frozenset()


def _record(card: Card) -> tuple[int, frozenset[str]] | None:
    """Return the insurance record that was written last and what it may say; while one is open, either text."""
    written = Activation.objects.filter(card=card, chip_slot__gt=0).exclude(phase="cancelled").order_by("at").last()
    if written is None:
        return None
    texts = {written.chip_after, written.chip_before} if written.phase == "open" else {written.chip_after}
    return written.chip_slot, frozenset(texts)
