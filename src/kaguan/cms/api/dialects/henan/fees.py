"""The fee for a card in place of a lost one: registered, asked after, withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

from kaguan.cms.api.dialects.henan.cards import card_of
from kaguan.cms.api.dialects.henan.fields import CARD_NO, CERT_NO, PERSON, AlreadySo, Fields, Operation, cert_type_of
from kaguan.cms.rules.fees import OPEN_FEE, FeeKind, FeeState
from kaguan.cms.services.case import Actor
from kaguan.cms.services.fees import FeeRecord, look_at_fees, pay_fee, register_fee, withdraw_fee

RECEIPT, FEE_STATE = "票据号", "交费状态"
"""Words of our own: no source names the fields of the fee."""


def _fee(actor: Actor, fields: Fields) -> FeeRecord | None:
    """Return what is due or paid by whose card the message names."""
    card_of(actor, fields)
    fees = look_at_fees(actor, uuid4(), cert_type=cert_type_of(fields), cert_no=fields[CERT_NO])
    return next((fee for fee in fees if fee.state in OPEN_FEE), None)


def _register(actor: Actor, fields: Fields) -> Fields:
    fee = _fee(actor, fields)
    if fee is not None and fee.state == FeeState.PAID:
        raise AlreadySo
    if fee is None:
        person = {"cert_type": cert_type_of(fields), "cert_no": fields[CERT_NO]}
        fee = register_fee(actor, uuid4(), kind=FeeKind.LOST, **person)
    pay_fee(actor, uuid4(), fee_id=UUID(fee.fee_id), receipt_no=fields[RECEIPT])
    return {}


def _withdraw(actor: Actor, fields: Fields) -> Fields:
    fee = _fee(actor, fields)
    if fee is None:
        raise AlreadySo
    withdraw_fee(actor, uuid4(), fee_id=UUID(fee.fee_id))
    return {}


def _show(actor: Actor, fields: Fields) -> Fields:
    """1 when it is paid, 0 when it is not."""
    fee = _fee(actor, fields)
    return {FEE_STATE: str(int(fee is not None and fee.state == FeeState.PAID))}


OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "交费登记": Operation((CARD_NO, *PERSON, RECEIPT), _register),
        "撤销交费登记": Operation((CARD_NO, *PERSON), _withdraw),
        "查询交费登记状态": Operation((CARD_NO, *PERSON), _show),
    }
)
