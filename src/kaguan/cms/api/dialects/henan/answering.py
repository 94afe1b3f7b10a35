"""One message in, one answer out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.cms.api.dialects.henan import cards, fees, instant, people
from kaguan.cms.api.dialects.henan.fields import AlreadySo, Fields, Operation
from kaguan.cms.api.dialects.messages import read_message, written_message
from kaguan.cms.rules.adapters.henan import err_of
from kaguan.cms.rules.documents import mask_text
from kaguan.cms.rules.terms import Answer
from kaguan.cms.services.case import Actor

ROOT: Final = "allDsjk"
OPERATION, ERR = "操作", "ERR"
OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {**cards.OPERATIONS, **people.OPERATIONS, **instant.OPERATIONS, **fees.OPERATIONS}
)


def answer_message(actor: Actor, body: bytes) -> bytes:
    """Return the answer to one message, as `actor` asks for it.

    A refusal is an answer, in ERR. Refuses itself, with InputError, what is no message, no operation, or lacks a field
    that the operation needs.
    """
    fields = read_message(body, ROOT)
    if not fields.get(OPERATION):
        raise InputError(f"the message lacks {OPERATION}")
    operation = OPERATIONS.get(fields[OPERATION])
    if operation is None:
        raise InputError(f"there is no such operation: {', '.join(OPERATIONS)} are understood")
    missing = [name for name in operation.needs if not fields.get(name)]
    if missing:
        raise InputError(f"the message lacks {', '.join(missing)}")
    return written_message(ROOT, _answer(operation, actor, fields))


def _answer(operation: Operation, actor: Actor, fields: Fields) -> Fields:
    try:
        return {ERR: err_of(Answer.DONE), **operation.answer(actor, fields)}
    except AlreadySo as already:
        return {ERR: err_of(Answer.ALREADY_SO), **already.fields}
    except RuleBroken as refusal:
        return {ERR: err_of(Answer.FAILED, mask_text(str(refusal)))}
