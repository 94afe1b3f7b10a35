"""Guards: what a transition looks at besides the state; each returns its objection, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.regions import DEFAULT_REGION, RegionRules


class Verdict(StrEnum):
    """What comparing the person at the counter with the document came to."""

    SAME_PERSON = "same person"
    ANOTHER_PERSON = "another person"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known at the counter when an event is asked for."""

    region: RegionRules = DEFAULT_REGION
    card_bank_code: str = ""
    outlet_bank_code: str = ""
    document_is_original: bool = False
    document_is_holders: bool = False
    verdict: Verdict = Verdict.ANOTHER_PERSON
    delivered: bool = False
    predecessor_open: bool = False
    expired: bool = False
    pin_resets_done: int = 0


class Guard(StrEnum):
    """The names under which transition tables ask for a guard."""

    OWN_BANK = "own bank"
    ORIGINAL_DOCUMENT = "original document"
    PERSON_CHECKED = "person checked"
    DELIVERED = "delivered"
    PREDECESSOR_CLOSED = "predecessor closed"
    NOT_EXPIRED = "not expired"
    RELEASE_ALLOWED = "release allowed"
    RESETS_LEFT = "resets left"
    NO_RESETS_LEFT = "no resets left"


def _own_bank(now: Circumstances) -> str | None:
    if now.card_bank_code and now.card_bank_code == now.outlet_bank_code:
        return None
    return f"the card belongs to bank {now.card_bank_code}: go to one of that bank's outlets"


def _original_document(now: Circumstances) -> str | None:
    if not now.document_is_original:
        return "the original identity document has to be shown, not a copy"
    return None if now.document_is_holders else "the document shown is not the holder's, nor for a minor a guardian's"


def _person_checked(now: Circumstances) -> str | None:
    same = now.verdict is Verdict.SAME_PERSON
    return None if same else "the person at the counter is not the person on the document"


def _delivered(now: Circumstances) -> str | None:
    return None if now.delivered else "the card has not been handed over to its holder yet"


def _predecessor_closed(now: Circumstances) -> str | None:
    return "the card that it replaces is not cancelled yet" if now.predecessor_open else None


def _not_expired(now: Circumstances) -> str | None:
    return "the card has expired: renew it" if now.expired else None


def _release_allowed(now: Circumstances) -> str | None:
    if now.region.formal_loss_can_be_released:
        return None
    return f"in {now.region.name} a formal loss cannot be released: order a replacement"


def _resets_left(now: Circumstances) -> str | None:
    if now.pin_resets_done < now.region.pin_resets_allowed:
        return None
    return f"the PIN was reset {now.pin_resets_done} times: order a replacement card"


def _no_resets_left(now: Circumstances) -> str | None:
    return None if _resets_left(now) else "the PIN can still be reset"


GUARDS: Final[Mapping[Guard, Callable[[Circumstances], str | None]]] = MappingProxyType(
    {
        Guard.OWN_BANK: _own_bank,
        Guard.ORIGINAL_DOCUMENT: _original_document,
        Guard.PERSON_CHECKED: _person_checked,
        Guard.DELIVERED: _delivered,
        Guard.PREDECESSOR_CLOSED: _predecessor_closed,
        Guard.NOT_EXPIRED: _not_expired,
        Guard.RELEASE_ALLOWED: _release_allowed,
        Guard.RESETS_LEFT: _resets_left,
        Guard.NO_RESETS_LEFT: _no_resets_left,
    }
)
