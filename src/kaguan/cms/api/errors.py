"""What each refusal is called on the wire: one table of HTTP status, code and whether asking again may help.

Status 409 is a no of the books, 422 of the form; the code says which.

Law. A code never changes its meaning; clients act on it, and show the message.
Law. What is no refusal of ours is `internal_error`, and says nothing of what happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError

from kaguan.apdu.errors import InputError, KaguanError, LinkError, NeedsSecondPerson, RuleBroken, VaultError
from kaguan.cms.rules import refusals
from kaguan.cms.rules.documents import mask_text
from kaguan.durable import DiskFailed, InUse


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """How one family of refusals is answered; `told` lets the refusal's own words out.

    `retryable` says that the same request, under the same key, may succeed later.
    """

    status: int
    code: str
    retryable: bool = False
    told: bool = True


ANSWERS: Final = MappingProxyType(
    {
        refusals.NotFound: ErrorAnswer(404, "not_found"),
        refusals.NotAllowed: ErrorAnswer(403, "not_allowed"),
        NeedsSecondPerson: ErrorAnswer(403, "needs_second_person"),
        refusals.IllegalTransition: ErrorAnswer(409, "illegal_transition"),
        refusals.DuplicateRequest: ErrorAnswer(409, "duplicate_request"),
        refusals.IdempotencyConflict: ErrorAnswer(409, "idempotency_conflict"),
        refusals.AlreadyResolved: ErrorAnswer(409, "already_resolved"),
        refusals.NeedsReconciliation: ErrorAnswer(409, "needs_reconciliation"),
        refusals.StateChanged: ErrorAnswer(412, "state_changed"),
        refusals.NotEligible: ErrorAnswer(409, "not_eligible"),
        refusals.MayNotHaveCard: ErrorAnswer(409, "may_not_have_card"),
        refusals.NotMedical: ErrorAnswer(409, "not_medical"),
        refusals.ForbiddenSource: ErrorAnswer(409, "forbidden_source"),
        refusals.LimitExceeded: ErrorAnswer(409, "limit_exceeded"),
        refusals.InsufficientFunds: ErrorAnswer(409, "insufficient_funds"),
        refusals.Inexpressible: ErrorAnswer(409, "inexpressible"),
        refusals.ProofFailed: ErrorAnswer(500, "internal_error", told=False),
        RuleBroken: ErrorAnswer(409, "rule_broken"),
        InputError: ErrorAnswer(422, "bad_input"),
        LinkError: ErrorAnswer(502, "card_lost", told=False),
        VaultError: ErrorAnswer(500, "internal_error", told=False),
        InUse: ErrorAnswer(503, "busy", retryable=True, told=False),
        DiskFailed: ErrorAnswer(503, "unavailable", retryable=True, told=False),
        KaguanError: ErrorAnswer(500, "internal_error", told=False),
        OperationalError: ErrorAnswer(503, "busy", retryable=True, told=False),
        RequestDataTooBig: ErrorAnswer(413, "too_large", told=False),
        Exception: ErrorAnswer(500, "internal_error", told=False),
    }
)

OF_THE_WEB: Final = MappingProxyType(
    {
        answer.code: answer
        for answer in (
            ErrorAnswer(400, "malformed"),
            ErrorAnswer(401, "unauthenticated"),
            ErrorAnswer(403, "csrf_failed"),
            ErrorAnswer(404, "no_such_address"),
            ErrorAnswer(404, "no_such_page"),
            ErrorAnswer(405, "method_not_allowed"),
            ErrorAnswer(413, "too_large"),
            ErrorAnswer(415, "wrong_content_type"),
            ErrorAnswer(422, "invalid"),
            ErrorAnswer(428, "precondition_required"),
            ErrorAnswer(429, "too_many_requests", retryable=True),
        )
    }
)
"""Refusals of the way in, before any use case is asked for."""

_UNTOLD: Final = MappingProxyType(
    {
        "internal_error": "something went wrong here; it is written down, and not your doing",
        "busy": "others are writing just now: ask again under the same key",
        "unavailable": "the books cannot be written now: ask again later under the same key",
        "card_lost": "the card did not answer: read its state back before doing anything again",
        "too_large": "the body is larger than is taken here",
    }
)


class Unwelcome(Exception):
    """A request that reaches no use case; `code` is one of `OF_THE_WEB`."""

    def __init__(self, code: str, message: str, *, fields: tuple[tuple[str, str], ...] = ()) -> None:
        """Hold the code, the words, and where in the request what is wrong."""
        super().__init__(message)
        self.answer = OF_THE_WEB[code]
        self.fields = fields


def answer_to(error: BaseException) -> ErrorAnswer:
    """Return the row of the nearest family that the error belongs to."""
    if isinstance(error, Unwelcome):
        return error.answer
    return next(ANSWERS[family] for family in type(error).__mro__ if family in ANSWERS)


def problem_of(error: BaseException) -> dict[str, object]:
    """Return the body that tells of the error: code, message, retryable, and what else belongs to it."""
    answer = answer_to(error)
    message = mask_text(str(error)) if answer.told else _UNTOLD[answer.code]
    fields = error.fields if isinstance(error, Unwelcome) else ()
    numbered = isinstance(error, refusals.MayNotHaveCard)
    return {
        "code": answer.code,
        "message": message,
        "retryable": answer.retryable,
        **({"reason_code": error.code} if numbered else {}),  # type: ignore[attr-defined]
        **({"fields": [{"where": where, "what": what} for where, what in fields]} if fields else {}),
    }
