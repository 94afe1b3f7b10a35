"""Deliver what is due in the outbox, and take back the losses that a bank refuses.

The body is signed: `Kaguan-Signature` is t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body" in hex>. A bank refuses
what is signed wrongly or long ago, and takes a `Kaguan-Notice` that it had before as taken.
"""

from __future__ import annotations

import hashlib
import hmac
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid5

from django.utils import timezone

from kaguan.apdu.errors import RuleBroken
from kaguan.cms.canonical import canonical
from kaguan.cms.models import Notice
from kaguan.cms.rules.notices import NoticeState, state_after
from kaguan.cms.services.case import Actor
from kaguan.cms.services.outbox import REPORTS, claim_due, key_of, settle, take_back_loss
from kaguan.vault.secret import Secret

_TIMEOUT_SECONDS: Final = 10
_MOST_AT_ONCE: Final = 500
_ANSWER_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """The HTTP status that a bank answered with, None for no answer, and how its words begin."""

    status: int | None
    text: str


Send = Callable[[str, bytes, dict[str, str]], BankAnswer]


@dataclass(frozen=True, slots=True)
class Round:
    """How many notices of a round were delivered, wait for another try, were refused, or need a person."""

    delivered: int
    waiting: int
    refused: int
    need_person: int


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A notice goes where it was registered to go, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def deliver_due(actor: Actor, send: Send | None = None, *, at: datetime | None = None) -> Round:
    """Leave every notice that is due tried once, as `actor`, who reports losses and so may take them back."""
    counts = dict.fromkeys(NoticeState, 0)
    for notice in claim_due(at or timezone.now(), _MOST_AT_ONCE):
        answer = (send or post)(notice.endpoint.url, *_signed(notice))
        counts[_settled(actor, notice, answer)] += 1
    need_person = counts[NoticeState.LATE] + counts[NoticeState.GIVEN_UP]
    return Round(counts[NoticeState.DELIVERED], counts[NoticeState.WAITING], counts[NoticeState.REFUSED], need_person)


def _settled(actor: Actor, notice: Notice, answer: BankAnswer) -> NoticeState:
    """Return what became of the notice. A loss that this actor cannot take back waits, and is sent again."""
    state = state_after(answer.status, notice.attempts)
    if state is NoticeState.REFUSED and notice.event in REPORTS:
        try:
            asked = uuid5(notice.notice_id, "refused")
            taken_back = take_back_loss(actor, asked, notice_id=notice.notice_id, why=answer.text)
        except RuleBroken:  # in the audit log with its reason
            state = state_after(None, notice.attempts)
        else:
            return NoticeState.LATE if taken_back.late else state
    settle(notice, state, answer.text)
    return state


def post(url: str, body: bytes, headers: dict[str, str]) -> BankAnswer:
    """Return what the bank answered to the notice; no answer is an answer too."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checked when registered
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_SECONDS) as response:
            return BankAnswer(response.status, _text(response.read(_ANSWER_BYTES)))
    except urllib.error.HTTPError as error:
        with error:
            return BankAnswer(error.code, _text(error.read(_ANSWER_BYTES)))
    except OSError as error:
        return BankAnswer(None, type(error).__name__)


def signature(key: Secret, seconds: int, body: bytes) -> str:
    """Return the header that proves body and time to whoever has the key."""
    code = hmac.new(key.reveal(), b"%d.%s" % (seconds, body), hashlib.sha256).hexdigest()
    return f"t={seconds},v1={code}"


def _signed(notice: Notice) -> tuple[bytes, dict[str, str]]:
    about = {"notice_id": notice.notice_id, "number": notice.number, "bank_card_no": notice.card.bank_card_no}
    body = canonical({**about, **notice.content})
    return body, {
        "Content-Type": "application/json",
        "Kaguan-Notice": str(notice.notice_id),
        "Kaguan-Signature": signature(key_of(notice.endpoint), int(timezone.now().timestamp()), body),
    }


def _text(raw: bytes) -> str:
    return "".join(character for character in raw.decode("utf-8", errors="replace") if character.isprintable())
