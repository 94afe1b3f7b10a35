"""What makes a function a use case: one transaction, one receipt, one line in the audit log, whatever comes of it.

A question is the lesser kind: it changes nothing, so it is answered afresh each time and leaves no receipt.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial, wraps
from operator import attrgetter
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.cms import audit
from kaguan.cms.canonical import canonical
from kaguan.cms.compiled import Compiled, insert
from kaguan.cms.models import Operator, Receipt
from kaguan.cms.models.regions import stamp_of
from kaguan.cms.rules.refusals import IdempotencyConflict, NotAllowed
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Actor, Case
from kaguan.cms.services.transacting import in_transaction

P = ParamSpec("P")
R = TypeVar("R")

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As it stands in JSON; a backslash that is itself escaped begins no such character."""
_ADMITTED: Final[Compiled[Operator]] = Compiled(
    lambda code, request_id, action: (
        Operator.objects.select_related("institution__region")
        .annotate(
            first_asked=Subquery(_receipt(request_id, action).values("fingerprint")),
            first_result=Subquery(_receipt(request_id, action).values("result")),
            rules_stamp=Subquery(stamp_of(OuterRef("institution__region"))),
        )
        .filter(pk=code, active=True)
    ),
    code=str,
    request_id=UUID,
    action=str,
)
"""The operator at work, with what the same request asked for before and got, if it was made before, and the stamp of
the rules by which they work."""


def _receipt(request_id: UUID, action: str) -> QuerySet[Receipt]:
    return Receipt.objects.filter(request_id=request_id, action=action)


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
                case, first = request.admit(notes)
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
                case, _ = request.admit(notes)
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


def was_done(request_id: UUID, action: str) -> bool:
    """Return whether the request was answered before: asked again, it gives that answer and does nothing."""
    return Receipt.objects.filter(request_id=request_id, action=action).exists()


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

    def admit(self, notes: dict[str, object]) -> tuple[Case, dict[str, Any] | None]:
        """Return a case for the request when its actor may ask for it, and what the same request got the first time."""
        operator = _ADMITTED.first(code=self.actor.operator, request_id=self.request_id, action=self.action)
        if operator is None or operator.institution.code != self.actor.institution:
            raise NotAllowed(f"operator {self.actor.operator!r} does not work at {self.actor.institution!r}")
        asked, first, stamp = attrgetter("first_asked", "first_result", "rules_stamp")(operator)
        case = Case(operator, operator.institution, self.request_id, timezone.now(), notes, expects=self.actor.expects)
        operator.institution.region.keep_rules(case.today, stamp or "")
        case.require(self.right)
        if asked is not None and asked != self.fingerprint:
            raise IdempotencyConflict(f"request {self.request_id} asked for another {self.action} before")
        return case, first

    def was_done_meanwhile(self) -> bool:
        """Return whether the same request was done by now, while this one waited for what it locks."""
        mine = {"request_id": self.request_id, "action": self.action, "fingerprint": self.fingerprint}
        return in_transaction(Receipt.objects.filter(**mine).exists)

    def keep(self, case: Case, result: dict[str, Any]) -> None:
        """Leave the result under the request's id, and a line in the audit log."""
        receipt = partial(
            insert,
            Receipt,
            request_id=self.request_id,
            action=self.action,
            fingerprint=self.fingerprint,
            result=result,
            at=case.at,
        )
        audit.append(self._line("done", case.notes), together_with=receipt)

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
