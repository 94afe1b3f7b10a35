"""What makes a function a use case: one transaction, one receipt, one line in the audit log, whatever comes of it.

A question is the lesser kind: it changes nothing, so it is answered afresh each time and leaves no receipt.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

from django.utils import timezone

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.cms import audit
from kaguan.cms.canonical import canonical
from kaguan.cms.models import Operator, Receipt
from kaguan.cms.rules.refusals import IdempotencyConflict, NotAllowed
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Actor, Case
from kaguan.cms.services.transacting import in_transaction

P = ParamSpec("P")
R = TypeVar("R")

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As it stands in JSON; a backslash that is itself escaped begins no such character."""


def use_case(
    action: str, right: Right, result: type[R]
) -> Callable[[Callable[Concatenate[Case, P], R]], Callable[Concatenate[Actor, UUID, P], R]]:
    """Make a function over a Case a use case, asked for by an actor under a request id that the client made.

    `result` is a flat dataclass of plain values, so that a receipt can give it back. Of one request sent several times
    at once each gets that answer, whichever is done.
    A colleague at the same institution may ask again, another institution may not.
    Refuses before the function is entered, in this order: InputError (a text that no database keeps), NotAllowed,
    IdempotencyConflict.
    Raises what `in_transaction` does: after DatabaseGone nobody knows whether it was done, and asking again under the
    same id does it, or answers as the first time.
    """

    def make(work: Callable[Concatenate[Case, P], R]) -> Callable[Concatenate[Actor, UUID, P], R]:
        @wraps(work)
        def ask(actor: Actor, request_id: UUID, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if args:
                raise TypeError(f"{work.__name__} takes keyword arguments only")
            request = _Request(actor, request_id, action, right, _fingerprint([actor.institution, kwargs]))
            notes: dict[str, object] = {}

            def once() -> R:
                notes.clear()
                case = request.admit(notes)
                first = request.first_result()
                if first is not None:
                    return result(**first)
                answer = work(case, *args, **kwargs)
                request.keep(case, asdict(answer))  # type: ignore[call-overload]
                return answer

            try:
                return in_transaction(once)
            except RuleBroken as refusal:
                if not isinstance(refusal, NotAllowed) and request.was_done_meanwhile():
                    return ask(actor, request_id, *args, **kwargs)  # what stood in its way was its own twin
                request.note_refusal(refusal, notes)
                raise

        return ask

    return make


def question(
    action: str, right: Right, *, noted: bool = False
) -> Callable[[Callable[Concatenate[Case, P], R]], Callable[Concatenate[Actor, UUID, P], R]]:
    """Make a function over a Case a question: may this be done now? The audit log hears of refusals only, or, where
    looking is what has to be known (`noted`), of every answer.

    Refuses before the function is entered, in this order: InputError (a text that no database keeps), NotAllowed.
    """

    def make(work: Callable[Concatenate[Case, P], R]) -> Callable[Concatenate[Actor, UUID, P], R]:
        @wraps(work)
        def ask(actor: Actor, request_id: UUID, /, *args: P.args, **kwargs: P.kwargs) -> R:
            request = _Request(actor, request_id, action, right, _fingerprint(kwargs))
            notes: dict[str, object] = {}

            def answered() -> R:
                notes.clear()
                case = request.admit(notes)
                answer = work(case, *args, **kwargs)
                if noted:
                    request.note_answer(case)
                return answer

            try:
                return in_transaction(answered)
            except RuleBroken as refusal:
                request.note_refusal(refusal, notes)
                raise

        return ask

    return make


def _fingerprint(content: object) -> str:
    """Return SHA-256 over what is asked; refuse with InputError a text with NUL or half a character in it."""
    try:
        told = canonical(content)
    except UnicodeEncodeError:
        raise InputError("a text holds half a character (a surrogate without its other half): take it out") from None
    if _NUL.search(told):
        raise InputError("a text holds NUL: take it out")
    return hashlib.sha256(told).hexdigest()


@dataclass(frozen=True, slots=True)
class _Request:
    """A request before and after its work: admitted, looked up, kept, or refused."""

    actor: Actor
    request_id: UUID
    action: str
    right: Right
    fingerprint: str

    def admit(self, notes: dict[str, object]) -> Case:
        """Return a case for the request when its actor may ask for it."""
        operator = Operator.objects.select_related("institution").filter(pk=self.actor.operator, active=True).first()
        if operator is None or operator.institution.code != self.actor.institution:
            raise NotAllowed(f"operator {self.actor.operator!r} does not work at {self.actor.institution!r}")
        at, expects = timezone.now(), self.actor.expects
        case = Case(operator, operator.institution, self.request_id, at, notes, expects=expects)
        case.require(self.right)
        return case

    def first_result(self) -> dict[str, Any] | None:
        """Return what the same request got the first time, if it was made before."""
        receipt = Receipt.objects.filter(request_id=self.request_id, action=self.action).first()
        if receipt is None:
            return None
        if receipt.fingerprint != self.fingerprint:
            raise IdempotencyConflict(f"request {self.request_id} asked for another {self.action} before")
        return dict(receipt.result)

    def was_done_meanwhile(self) -> bool:
        """Return whether the same request was done by now, while this one waited for what it locks."""
        mine = {"request_id": self.request_id, "action": self.action, "fingerprint": self.fingerprint}
        return in_transaction(Receipt.objects.filter(**mine).exists)

    def keep(self, case: Case, result: dict[str, Any]) -> None:
        """Leave the result under the request's id, and a line in the audit log."""
        Receipt.objects.create(
            request_id=self.request_id,
            action=self.action,
            fingerprint=self.fingerprint,
            result=result,
            at=case.at,
        )
        audit.append(self._line("done", case.notes))

    def note_answer(self, case: Case) -> None:
        """Leave a line in the audit log that says what was answered about."""
        audit.append(self._line("done", case.notes))

    def note_refusal(self, refusal: RuleBroken, notes: dict[str, object]) -> None:
        """Leave a line in the audit log that says why not."""
        line = self._line(type(refusal).__name__, {**notes, "why": str(refusal)})
        in_transaction(lambda: audit.append(line))

    def _line(self, outcome: str, detail: dict[str, object]) -> audit.AuditLine:
        return audit.AuditLine(
            at=timezone.now(),
            operator=self.actor.operator,
            institution=self.actor.institution,
            action=self.action,
            request_id=self.request_id,
            outcome=outcome,
            detail=detail,
        )
