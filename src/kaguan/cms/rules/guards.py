"""Guards: what a transition looks at besides the state; each returns its objection, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.choices import LossScope, Paper
from kaguan.cms.rules.regions import DEFAULT_REGION, InstitutionKind, RegionRules


class Verdict(StrEnum):
    """What comparing the person at the counter with the document came to."""

    SAME_PERSON = "same person"
    ANOTHER_PERSON = "another person"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known at the counter when an event is asked for.

    `days_left` are those until the card's last day, below zero when it has passed. `days_passed` and `days_needed`
    are those of a time rule; None when the region has no such rule. `before_go_live` is of a card from before the day
    on which the region went over to the national card, when that day is over.
    """

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
    guardian_needed: bool = False
    guardian_present: bool = False
    application_ended: bool = False
    days_left: int = 0
    days_passed: int = 0
    days_needed: int | None = None
    site_kind: str = ""
    site_designated: bool = False
    site_blacklisted: bool = False
    evidence_complete: bool = False
    old_card_shown: bool = False
    holder_signed_in: bool = False
    papers_missing: tuple[Paper, ...] = ()
    before_go_live: bool = False


class Guard(StrEnum):
    """The names under which transition tables ask for a guard."""

    OWN_BANK = "own bank"
    ORIGINAL_DOCUMENT = "original document"
    PERSON_CHECKED = "person checked"
    DELIVERED = "delivered"
    NOT_DELIVERED = "not delivered"
    PREDECESSOR_CLOSED = "predecessor closed"
    NOT_EXPIRED = "not expired"
    RELEASE_ALLOWED = "release allowed"
    RESETS_LEFT = "resets left"
    NO_RESETS_LEFT = "no resets left"
    GUARDIAN_PRESENT = "guardian present"
    PAPERS_SHOWN = "papers shown"
    BANK_SIDE_HERE = "bank side here"
    CARD_ENDED = "card ended"
    CARD_LIVES = "card lives"
    TIME_PASSED = "time passed"
    EXPIRED = "expired"
    RENEWAL_DUE = "renewal due"
    AT_CENTRE = "at a centre"
    AT_HOSPITAL = "at a designated hospital"
    AT_PHARMACY = "at a designated pharmacy"
    EVIDENCE_COMPLETE = "evidence complete"
    OLD_CARD_SHOWN = "old card shown"
    HOLDER_SIGNED_IN = "holder signed in"


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


def _not_delivered(now: Circumstances) -> str | None:
    return "the card has been handed over to its holder" if now.delivered else None


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


def _guardian_present(now: Circumstances) -> str | None:
    if not now.guardian_needed or now.guardian_present:
        return None
    return f"the holder is under {now.region.guardian_below_years}: a guardian with an original document has to come"


def _papers_shown(now: Circumstances) -> str | None:
    if not now.papers_missing:
        return None
    return f"in {now.region.name} this has to be shown too: {', '.join(now.papers_missing)}"


def _bank_side_here(now: Circumstances) -> str | None:
    return None if now.region.bank_loss is LossScope.TOGETHER else _own_bank(now)


def _card_ended(now: Circumstances) -> str | None:
    return None if now.application_ended else "the card is not cancelled yet"


def _card_lives(now: Circumstances) -> str | None:
    return "the card is cancelled: it is scrapped, not given back" if now.application_ended else None


def _time_passed(now: Circumstances) -> str | None:
    if now.days_needed is None:
        return f"{now.region.name} has no such rule"
    if now.days_passed >= now.days_needed:
        return None
    return f"the state stands for {now.days_needed} days, of which {now.days_passed} have passed"


def _expired(now: Circumstances) -> str | None:
    return None if now.expired else "the card has not expired"


def _renewal_due(now: Circumstances) -> str | None:
    if now.before_go_live or now.days_left <= now.region.renewal_days:
        return None
    return f"the card is valid for {now.days_left} more days: it can be renewed in the last {now.region.renewal_days}"


def _at_centre(now: Circumstances) -> str | None:
    if now.site_kind in {InstitutionKind.CENTRE, InstitutionKind.AUTHORITY}:
        return None
    return "this is done at a card service centre or at the authority"


def _at_designated(now: Circumstances, kinds: frozenset[InstitutionKind], what: str) -> str | None:
    if now.site_kind not in kinds:
        return f"this is done at a designated {what}"
    if now.site_blacklisted or not now.site_designated:
        return f"this {what} is not designated, or is on the dishonesty blacklist"
    return None


def _at_hospital(now: Circumstances) -> str | None:
    return _at_designated(now, frozenset({InstitutionKind.HOSPITAL, InstitutionKind.CLINIC}), "hospital")


def _at_pharmacy(now: Circumstances) -> str | None:
    return _at_designated(now, frozenset({InstitutionKind.PHARMACY}), "pharmacy")


def _evidence_complete(now: Circumstances) -> str | None:
    return None if now.evidence_complete else "form, copies and verdicts are not complete"


def _old_card_shown(now: Circumstances) -> str | None:
    return None if now.old_card_shown else "the same person's old card has to be read here first, then the new one"


def _holder_signed_in(now: Circumstances) -> str | None:
    return None if now.holder_signed_in else "the holder in person has to be signed in"


GUARDS: Final[Mapping[Guard, Callable[[Circumstances], str | None]]] = MappingProxyType(
    {
        Guard.OWN_BANK: _own_bank,
        Guard.ORIGINAL_DOCUMENT: _original_document,
        Guard.PERSON_CHECKED: _person_checked,
        Guard.DELIVERED: _delivered,
        Guard.NOT_DELIVERED: _not_delivered,
        Guard.PREDECESSOR_CLOSED: _predecessor_closed,
        Guard.NOT_EXPIRED: _not_expired,
        Guard.RELEASE_ALLOWED: _release_allowed,
        Guard.RESETS_LEFT: _resets_left,
        Guard.NO_RESETS_LEFT: _no_resets_left,
        Guard.GUARDIAN_PRESENT: _guardian_present,
        Guard.PAPERS_SHOWN: _papers_shown,
        Guard.BANK_SIDE_HERE: _bank_side_here,
        Guard.CARD_ENDED: _card_ended,
        Guard.CARD_LIVES: _card_lives,
        Guard.TIME_PASSED: _time_passed,
        Guard.EXPIRED: _expired,
        Guard.RENEWAL_DUE: _renewal_due,
        Guard.AT_CENTRE: _at_centre,
        Guard.AT_HOSPITAL: _at_hospital,
        Guard.AT_PHARMACY: _at_pharmacy,
        Guard.EVIDENCE_COMPLETE: _evidence_complete,
        Guard.OLD_CARD_SHOWN: _old_card_shown,
        Guard.HOLDER_SIGNED_IN: _holder_signed_in,
    }
)
