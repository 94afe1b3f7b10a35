"""The steps that wait for a second person, each with whom it concerns and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from kaguan.cms.models import Holder
from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.chip_state import Remedy
from kaguan.cms.rules.choices import Demand
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import CancelReason
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.case import Case
from kaguan.cms.services.chip.cases import card_of_case, settle
from kaguan.cms.services.lock import cancel_card, unlock_card
from kaguan.cms.services.loss import release_card
from kaguan.cms.services.orders import Ending, NewCard, order_again
from kaguan.cms.services.people.correction import correct
from kaguan.cms.services.people.merging import merge
from kaguan.cms.services.people.purge import purge

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """A step: the persons whom it concerns, and what carries it out under an approval's id."""

    concerns: Callable[[Case, Content], list[Holder]]
    carry_out: Callable[[Case, Content, UUID], None]


def _person(case: Case, content: Content) -> list[Holder]:
    return [case.person(content["holder_id"])]


def _both(case: Case, content: Content) -> list[Holder]:
    return [case.person(content["merged"]), case.person(content["survivor"])]


def _cardholder(case: Case, content: Content) -> list[Holder]:
    return [case.card(content["card_no"]).holder]


def _correct(case: Case, content: Content, approval: UUID) -> None:
    correct(case, case.person(content["holder_id"]), content["wanted"], approval)


def _merge(case: Case, content: Content, _approval: UUID) -> None:
    merge(case, *_both(case, content))


def _purge(case: Case, content: Content, _approval: UUID) -> None:
    purge(case, case.person(content["holder_id"]))


def _release(case: Case, content: Content, _approval: UUID) -> None:
    allowed = replace(case, approved=Action.RELEASE_FORMAL_LOSS)
    document = Document(**content["document"])
    channel = Channel(content["channel"]) if content["channel"] else None
    release_card(allowed, allowed.card(content["card_no"]), document, channel)


def _unlock(case: Case, content: Content, _approval: UUID) -> None:
    allowed = replace(case, approved=Action.UNLOCK)
    unlock_card(allowed, allowed.card(content["card_no"]))


def _make_again(case: Case, content: Content, _approval: UUID) -> None:
    allowed, new = replace(case, approved=Action.MAKE_AGAIN), content["new"]
    wanted = NewCard(
        card_no=new["card_no"],
        order_no=new["order_no"],
        issue_date=date.fromisoformat(new["issue_date"]),
        valid_until=date.fromisoformat(new["valid_until"]),
        bank_card_no=new["bank_card_no"],
        bank_code=new["bank_code"],
        urgency=Urgency(new["urgency"]),
        channel=Channel(new["channel"]) if new["channel"] else None,
    )
    order_again(allowed, allowed.card(content["card_no"]), Ending(content["ending"]), content["code"], wanted)


def _cancel(case: Case, content: Content, _approval: UUID) -> None:
    allowed, reason = replace(case, approved=Action.CANCEL), CancelReason(content["reason"])
    met = [Met(Demand(one["demand"]), one["evidence"]) for one in content["met"]]
    cancel_card(allowed, allowed.card(content["card_no"]), reason, met)


def _holder_of_case(case: Case, content: Content) -> list[Holder]:
    return [case.card(card_of_case(case, UUID(content["case_id"]))).holder]


def _settle(case: Case, content: Content, approval: UUID) -> None:
    settle(case, UUID(content["case_id"]), Remedy(content["remedy"]), approval)


DEEDS: Final[Mapping[Action, Deed]] = MappingProxyType(
    {
        Action.CORRECT: Deed(_person, _correct),
        Action.MERGE: Deed(_both, _merge),
        Action.PURGE: Deed(_person, _purge),
        Action.RELEASE_FORMAL_LOSS: Deed(_cardholder, _release),
        Action.UNLOCK: Deed(_cardholder, _unlock),
        Action.CANCEL: Deed(_cardholder, _cancel),
        Action.SETTLE_CASE: Deed(_holder_of_case, _settle),
        Action.MAKE_AGAIN: Deed(_cardholder, _make_again),
    }
)
