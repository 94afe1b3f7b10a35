"""Henan and Jilin: the operations that both provinces call by the same names, answered in ERR.

00 says done, 01 that the card is in that state already, and anything else says in words why not. A message is
`<allDsjk>` with the operation in 操作 and fields by indicator name: AAZ500 card, AAC147 document, AAC003 name. There is
no key in it: that a repeated operation answers 01 is what makes repeating harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.cms.api.dialects.messages import read_message, written_message
from kaguan.cms.rules.adapters.henan import err_of
from kaguan.cms.rules.adapters.ministry import AAZ502
from kaguan.cms.rules.documents import Document, mask_text
from kaguan.cms.rules.fees import FeeKind, FeeState
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import IllegalTransition
from kaguan.cms.rules.terms import Answer
from kaguan.cms.services.case import Actor
from kaguan.cms.services.fees import FeeRecord, look_at_fees, pay_fee, register_fee, withdraw_fee
from kaguan.cms.services.issue import activate
from kaguan.cms.services.looking import CardView, look_at_card_of
from kaguan.cms.services.loss import release_loss, report_formal_loss, report_temporary_loss

ROOT: Final = "allDsjk"
OPERATION: Final = "操作"
CARD_NO, CERT_NO, NAME, STATE, ERR = "AAZ500", "AAC147", "AAC003", "AAZ502", "ERR"
RECEIPT, FEE_STATE = "票据号", "交费状态"
"""Words of our own: no source names the fields of the fee."""
_REQUIRED: Final = (CARD_NO, CERT_NO, NAME)
_IDENTITY_CARD: Final = "01"

Fields = Mapping[str, str]
Answered = dict[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operation asks for, and the state that it leaves: a card that has it already answers 01."""

    ask: Callable[[Actor, Fields], object]
    leaves: Application


def _shown(fields: Fields) -> Document:
    # Whoever sends the operation says by it that the original lay on their counter.
    return Document(_IDENTITY_CARD, fields[CERT_NO], original=True)


OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "临时挂失": Operation(
            lambda actor, fields: report_temporary_loss(actor, uuid4(), card_no=fields[CARD_NO]),
            Application.TEMPORARY_LOSS,
        ),
        "正式挂失": Operation(
            lambda actor, fields: report_formal_loss(actor, uuid4(), card_no=fields[CARD_NO], document=_shown(fields)),
            Application.FORMAL_LOSS,
        ),
        "解除挂失": Operation(
            lambda actor, fields: release_loss(actor, uuid4(), card_no=fields[CARD_NO], document=_shown(fields)),
            Application.NORMAL,
        ),
        "领卡启用": Operation(
            lambda actor, fields: activate(actor, uuid4(), card_no=fields[CARD_NO], document=_shown(fields)),
            Application.NORMAL,
        ),
    }
)
QUERY: Final = "getCard"


def _register_fee(actor: Actor, fields: Fields) -> Answered:
    """交费登记: the fee for a card in place of a lost one is on the books, and paid."""
    fee = _fee(actor, fields)
    if fee is not None and fee.state == FeeState.PAID:
        return {ERR: err_of(Answer.ALREADY_SO)}
    if not fields.get(RECEIPT):
        raise InputError(f"the message lacks {RECEIPT}")
    if fee is None:
        person = {"cert_type": _IDENTITY_CARD, "cert_no": fields[CERT_NO]}
        fee = register_fee(actor, uuid4(), kind=FeeKind.LOST, **person)
    pay_fee(actor, uuid4(), fee_id=UUID(fee.fee_id), receipt_no=fields[RECEIPT])
    return {ERR: err_of(Answer.DONE)}


def _withdraw_fee(actor: Actor, fields: Fields) -> Answered:
    """撤销交费登记: nothing is paid any more; that nothing was is said as 01."""
    fee = _fee(actor, fields)
    if fee is None:
        return {ERR: err_of(Answer.ALREADY_SO)}
    withdraw_fee(actor, uuid4(), fee_id=UUID(fee.fee_id))
    return {ERR: err_of(Answer.DONE)}


def _show_fee(actor: Actor, fields: Fields) -> Answered:
    """查询交费登记状态: 1 when it is paid, 0 when it is not."""
    fee = _fee(actor, fields)
    return {ERR: err_of(Answer.DONE), FEE_STATE: str(int(fee is not None and fee.state == FeeState.PAID))}


def _fee(actor: Actor, fields: Fields) -> FeeRecord | None:
    fees = look_at_fees(actor, uuid4(), cert_type=_IDENTITY_CARD, cert_no=fields[CERT_NO])
    return next((fee for fee in fees if fee.state in {FeeState.DUE, FeeState.PAID}), None)


FEE_OPERATIONS: Final[Mapping[str, Callable[[Actor, Fields], Answered]]] = MappingProxyType(
    {"交费登记": _register_fee, "撤销交费登记": _withdraw_fee, "查询交费登记状态": _show_fee}
)


def answer_message(actor: Actor, body: bytes) -> bytes:
    """Return the answer to one message, as `actor` asks for it.

    A refusal is an answer, in ERR. Refuses itself, with InputError, what is no message or lacks a required field.
    """
    fields = read_message(body, ROOT)
    missing = [name for name in (OPERATION, *_REQUIRED) if not fields.get(name)]
    if missing:
        raise InputError(f"the message lacks {', '.join(missing)}")
    try:
        return written_message(ROOT, _answer(actor, fields))
    except RuleBroken as refusal:
        return written_message(ROOT, {ERR: err_of(Answer.FAILED, mask_text(str(refusal)))})


def _answer(actor: Actor, fields: Fields) -> Answered:
    card = _card(actor, fields)
    if fields[OPERATION] == QUERY:
        return {ERR: err_of(Answer.DONE), STATE: AAZ502.encode(Application(card.application))}
    if fields[OPERATION] in FEE_OPERATIONS:
        return FEE_OPERATIONS[fields[OPERATION]](actor, fields)
    operation = OPERATIONS.get(fields[OPERATION])
    if operation is None:
        known = ", ".join((*OPERATIONS, *FEE_OPERATIONS, QUERY))
        raise InputError(f"there is no such operation: {known} are understood")
    try:
        operation.ask(actor, fields)
    except IllegalTransition:
        if _card(actor, fields).application != operation.leaves:
            raise
        return {ERR: err_of(Answer.ALREADY_SO)}
    return {ERR: err_of(Answer.DONE)}


def _card(actor: Actor, fields: Fields) -> CardView:
    return look_at_card_of(actor, uuid4(), card_no=fields[CARD_NO], cert_no=fields[CERT_NO], name=fields[NAME])
