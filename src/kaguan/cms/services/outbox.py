"""Leave notices for banks beside their causes, hand them out for delivery, and write down what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from kaguan.cms.compiled import Compiled
from kaguan.cms.models import BankEndpoint, Card, Notice, Region
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, Application, BankFunction
from kaguan.cms.rules.notices import NoticeState, wait_after
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.access.sealing import seal, unseal
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.use_case import use_case
from kaguan.vault.secret import Secret

_SEALED_AS = "signing key"
_LEAST_KEY_BYTES = 32
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_ENDPOINT: Compiled[BankEndpoint] = Compiled(
    lambda region, bank_code: BankEndpoint.objects.filter(region=region, bank_code=bank_code),
    region=str,
    bank_code=str,
)


@dataclass(frozen=True, slots=True)
class EndpointRef:
    """Where a bank is told."""

    bank_code: str
    url: str


@use_case("register bank endpoint", Right.SET_UP, EndpointRef)
def register_endpoint(case: Case, /, *, bank_code: str, url: str, key: Secret) -> EndpointRef:
    """Leave the bank's address and key for notices of the actor's region, in place of those before.

    Refuses, in this order: not a bank of the region, no https address (this machine's own may be http), key shorter
    than 32 bytes, no fixed secret key to seal it under (InputError).
    """
    region = case.institution.region
    banks = region.rules().banks
    if not bank_code or (banks and bank_code not in banks):
        raise NotEligible(f"{bank_code!r} is none of the banks of region {region.code}")
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    if not safe or not parts.hostname or parts.username or len(url) > 300:
        raise NotEligible("a bank is told at an https address without a name or password in it")
    if len(key) < _LEAST_KEY_BYTES:
        raise NotEligible(f"the key has {_LEAST_KEY_BYTES} bytes or more")
    sealed = seal(key, _SEALED_AS, _owner(region, bank_code))
    BankEndpoint.objects.update_or_create(region=region, bank_code=bank_code, defaults={"url": url, "key": sealed})
    case.note(bank_code=bank_code)
    return EndpointRef(bank_code, url)


def key_of(endpoint: BankEndpoint) -> Secret:
    """Return the key that is shared with the bank; refuse with InputError when it was sealed under another secret."""
    return unseal(endpoint.key, _SEALED_AS, _owner(endpoint.region, endpoint.bank_code))


def _owner(region: Region, bank_code: str) -> str:
    return f"{region.code}:{bank_code}"


def tell_bank(case: Case, card: Card, event: str, before: CardState) -> None:
    """Leave a notice for the card's bank beside what just happened; a bank without an endpoint is told nothing."""
    endpoint = _ENDPOINT.first(region=card.region.code, bank_code=card.bank_code)
    if endpoint is None:
        return
    told = {
        "event": event,
        "card_no": card.card_no,
        "application": card.application,
        "bank_function": card.bank_function,
        "at": case.at.isoformat(timespec="seconds"),
    }
    Notice.objects.create(
        notice_id=uuid5(case.request_id, f"{event} {card.card_no}"),
        endpoint=endpoint,
        card=card,
        event=event,
        content=told,
        before=asdict(before),
        at=case.at,
        next_at=case.at,
    )


def claim_due(at: datetime, most: int) -> Iterator[Notice]:
    """Yield notices that are due, oldest first, each claimed: no other deliverer gets it before its next time.

    One that is never settled, because its deliverer died, is due again then.
    """
    due = Notice.objects.filter(state=NoticeState.WAITING, next_at__lte=at).order_by("number")
    for notice in due.select_related("endpoint__region", "card")[:most]:
        attempts = notice.attempts + 1
        mine = Notice.objects.filter(pk=notice.pk, attempts=notice.attempts, state=NoticeState.WAITING)
        if mine.update(attempts=attempts, next_at=at + wait_after(attempts)):
            notice.attempts = attempts
            yield notice


def settle(notice: Notice, state: NoticeState, answer: str) -> None:
    """Leave on the notice what became of it, and what the bank answered."""
    Notice.objects.filter(pk=notice.pk, state=NoticeState.WAITING).update(state=state, answer=answer[:200])


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a bank's refusal did: the notice, and the card as it stands; `late` when it had gone on and stays."""

    notice_id: str
    card_no: str
    application: str
    bank_function: str
    late: bool


REPORTS = {
    "report_temporary_loss": Application.TEMPORARY_LOSS,
    "report_formal_loss": Application.FORMAL_LOSS,
}
"""The reports that a bank may refuse, with the state of the application that each leaves."""


_TAKING_BACK = {
    (BankFunction.ACTIVE, BankFunction.TEMPORARY_LOSS): "take_back_loss",
    (BankFunction.ACTIVE, BankFunction.LOST): "take_back_loss",
    (BankFunction.TEMPORARY_LOSS, BankFunction.LOST): "take_back_formal_loss",
}
"""How the bank's side goes back from where the report left it to where it was."""


@use_case("take back loss", Right.LOSS, TakenBack)
def take_back_loss(case: Case, /, *, notice_id: UUID, why: str) -> TakenBack:
    """Leave the card where it stood before the loss that its bank refused, and why on record.

    The notice is settled in the same transaction: as long as this is not done, it waits and is sent again.
    A card that went on since, or whose chip was made harmless, stays as it is; a person has to look (`late`).
    Refuses, in this order: no such report that was sent and is not settled, no such card, own card.
    """
    sent = Notice.objects.select_for_update().filter(attempts__gt=0, state=NoticeState.WAITING, event__in=REPORTS)
    notice = sent.filter(notice_id=notice_id, card__region__in=case.regions).first()
    if notice is None:
        raise NotEligible(f"no loss report {notice_id} waits for a bank's answer")
    card = case.card(notice.card.card_no)
    case.note(notice=str(notice_id), bank_code=card.bank_code, why=why)
    newer = Notice.objects.filter(card=card, number__gt=notice.number).exists()
    late = card.application != REPORTS[notice.event] or newer or card.chip_blocked_at is not None
    settle(notice, NoticeState.LATE if late else NoticeState.REFUSED, why)
    if not late:
        _put_back(case, card, notice)
    now = state_of(card)
    return TakenBack(str(notice_id), card.card_no, now.application, now.bank_function, late)


def _put_back(case: Case, card: Card, notice: Notice) -> None:
    circumstances = case.circumstances(card)
    was_lost = notice.before["application"] == Application.TEMPORARY_LOSS
    event = "take_back_formal_loss" if was_lost else "take_back_loss"
    case.step(card, APPLICATION, event, circumstances)
    sides = BankFunction(notice.before["bank_function"]), BankFunction(card.bank_function)
    bank_event = _TAKING_BACK.get(sides)
    if bank_event is not None:
        case.step(card, BANK_FUNCTION, bank_event, circumstances)
