"""The production axis: where a card is on its way from somebody's wish for one to scrap.

The codes 00 to 33, 60 and 70 are those that card management systems use for a card in production; what comes before
the order, and what goes wrong afterwards, has codes of our own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kaguan.cms.rules.axis import Axis, row
from kaguan.cms.rules.guards import Guard
from kaguan.cms.rules.rights import Right


class Production(StrEnum):
    """Where the card is on its way to the holder. Until it is ordered it is a card request, and has no number."""

    APPLIED = "01"
    CHECKED = "02"
    CHECK_FAILED = "03"
    WITHDRAWN = "09"
    ORDERED = "00"
    BATCHED = "10"
    BATCH_FAILED = "12"
    SENT_TO_BANK = "20"
    ACCOUNT_OPENED = "21"
    BANK_EXPORT_FAILED = "22"
    ACCOUNT_FAILED = "23"
    SENT_TO_BUREAU = "30"
    RETURNED = "31"
    BUREAU_EXPORT_FAILED = "32"
    MAKE_FAILED = "33"
    MADE = "34"
    SHIPPING_FAILED = "52"
    AT_OUTLET = "60"
    UNDELIVERABLE = "62"
    HANDED_OVER = "70"
    RECOVERED = "80"
    SCRAPPED = "90"


class CheckFailure(StrEnum):
    """Why a request for a card does not pass its check; 1 to 4 are the answers of the may-apply question."""

    UNKNOWN_PERSON = "1"
    NAME_DIFFERS = "2"
    DUPLICATE = "3"
    NOT_ALLOWED = "4"
    PHOTO = "5"
    DOCUMENTS = "6"


class UndeliverableReason(StrEnum):
    """Why an outlet cannot hand over a card."""

    QUALITY = "2"
    NOT_COLLECTED = "3"
    WRONG_OUTLET = "4"


class ScrapReason(StrEnum):
    """Why a card is destroyed."""

    SPOILED = "1"
    QUALITY = "2"
    UNDELIVERABLE = "3"
    RECOVERED = "4"
    OTHER = "9"


class Report(StrEnum):
    """What can be told of cards in production; the names are events of the production axis."""

    BATCH = "batch"
    FAIL_BATCH = "fail_batch"
    ASK_ACCOUNT = "ask_account"
    FAIL_BANK_EXPORT = "fail_bank_export"
    OPEN_ACCOUNT = "open_account"
    FAIL_ACCOUNT = "fail_account"
    SEND = "send"
    FAIL_BUREAU_EXPORT = "fail_bureau_export"
    MAKE = "make"
    FAIL = "fail"
    FAIL_SHIPPING = "fail_shipping"


FAILURES: Final = frozenset(report for report in Report if report.value.startswith("fail"))


MAKEABLE: Final = frozenset(
    {
        Production.BATCHED,
        Production.ACCOUNT_OPENED,
        Production.BUREAU_EXPORT_FAILED,
        Production.MAKE_FAILED,
        Production.SHIPPING_FAILED,
    }
)
"""Where the bureau may be asked to make the card, for the first time or again."""

OPEN_REQUEST: Final = frozenset({Production.APPLIED, Production.CHECKED, Production.CHECK_FAILED})
"""Where a card request waits for somebody; a person has one open request at a time."""

IN_REQUEST: Final = OPEN_REQUEST | {Production.WITHDRAWN}
"""The states of a card request; a card is never in one of them."""

_P = Production

PRODUCTION: Final = Axis(
    name="production",
    states=Production,
    initial=_P.APPLIED,
    final=frozenset({_P.WITHDRAWN, _P.SCRAPPED}),
    transitions=(
        row("check", [_P.APPLIED], _P.CHECKED, Right.CHECK),
        row("fail_check", [_P.APPLIED], _P.CHECK_FAILED, Right.CHECK, reasons=CheckFailure),
        row("correct", [_P.CHECK_FAILED], _P.APPLIED, Right.APPLY),
        row("withdraw", OPEN_REQUEST, _P.WITHDRAWN, Right.APPLY),
        row("order", [_P.CHECKED], _P.ORDERED, Right.ORDER),
        row("batch", [_P.ORDERED, _P.BATCH_FAILED], _P.BATCHED, Right.ORDER),
        row("fail_batch", [_P.ORDERED], _P.BATCH_FAILED, Right.ORDER),
        row("ask_account", [_P.BATCHED, _P.BANK_EXPORT_FAILED, _P.ACCOUNT_FAILED], _P.SENT_TO_BANK, Right.ORDER),
        row("fail_bank_export", [_P.BATCHED], _P.BANK_EXPORT_FAILED, Right.ORDER),
        row("open_account", [_P.SENT_TO_BANK], _P.ACCOUNT_OPENED, Right.ORDER),
        row("fail_account", [_P.SENT_TO_BANK], _P.ACCOUNT_FAILED, Right.ORDER),
        row("send", MAKEABLE, _P.SENT_TO_BUREAU, Right.ORDER),
        row("fail_bureau_export", [_P.BATCHED, _P.ACCOUNT_OPENED], _P.BUREAU_EXPORT_FAILED, Right.ORDER),
        row("make", [_P.SENT_TO_BUREAU], _P.MADE, Right.RECEIVE),
        row("fail", [_P.ORDERED, _P.SENT_TO_BUREAU, _P.MADE], _P.MAKE_FAILED, Right.RECEIVE),
        row("return", [_P.SENT_TO_BUREAU, _P.MADE, _P.MAKE_FAILED], _P.RETURNED, Right.RECEIVE),
        row("fail_shipping", [_P.MADE, _P.RETURNED], _P.SHIPPING_FAILED, Right.RECEIVE),
        # An outlet that gets cards and return file in one parcel tells of making, return and receipt at once.
        row(
            "receive",
            [_P.ORDERED, _P.SENT_TO_BUREAU, _P.MADE, _P.MAKE_FAILED, _P.RETURNED, _P.SHIPPING_FAILED],
            _P.AT_OUTLET,
            Right.RECEIVE,
        ),
        row("fail_delivery", [_P.AT_OUTLET], _P.UNDELIVERABLE, Right.RECEIVE, reasons=UndeliverableReason),
        row(
            "hand_over",
            [_P.AT_OUTLET, _P.UNDELIVERABLE],
            _P.HANDED_OVER,
            Right.HAND_OVER,
            Guard.ORIGINAL_DOCUMENT,
            Guard.GUARDIAN_PRESENT,
            Guard.PERSON_CHECKED,
            Guard.NOT_EXPIRED,
        ),
        row("recover", [_P.AT_OUTLET, _P.UNDELIVERABLE, _P.HANDED_OVER], _P.RECOVERED, Right.RECEIVE),
        row(
            "give_back",
            [_P.RECOVERED],
            _P.HANDED_OVER,
            Right.HAND_OVER,
            Guard.CARD_LIVES,
            Guard.ORIGINAL_DOCUMENT,
            Guard.GUARDIAN_PRESENT,
            Guard.PERSON_CHECKED,
        ),
        row(
            "scrap",
            [_P.MAKE_FAILED, _P.SHIPPING_FAILED, _P.UNDELIVERABLE, _P.RECOVERED],
            _P.SCRAPPED,
            Right.SCRAP,
            Guard.CARD_ENDED,
            reasons=ScrapReason,
        ),
    ),
    refusals={
        _P.APPLIED: "the request for the card is not checked yet",
        _P.CHECKED: "the card is not ordered yet",
        _P.CHECK_FAILED: "the request for the card did not pass its check: correct it",
        _P.WITHDRAWN: "the request for the card was withdrawn",
        _P.ORDERED: "the card is still being made",
        _P.BATCHED: "the card is still being made",
        _P.BATCH_FAILED: "the card is in no batch: batch it again",
        _P.SENT_TO_BANK: "the bank has not opened the card's account yet",
        _P.ACCOUNT_OPENED: "the card is still being made",
        _P.BANK_EXPORT_FAILED: "the bank was not asked for the account: ask again",
        _P.ACCOUNT_FAILED: "the bank did not open the card's account: ask again",
        _P.SENT_TO_BUREAU: "the card is still being made",
        _P.RETURNED: "the card is on its way to the outlet",
        _P.BUREAU_EXPORT_FAILED: "the bureau was not told to make the card: send it again",
        _P.MAKE_FAILED: "making the card failed: it has to be made again",
        _P.MADE: "the card is made and not shipped yet",
        _P.SHIPPING_FAILED: "the card was lost on its way: it has to be made again",
        _P.AT_OUTLET: "the card waits at its outlet",
        _P.UNDELIVERABLE: "the card could not be handed over and goes back",
        _P.HANDED_OVER: "the card was handed over already",
        _P.RECOVERED: "the card was taken back",
        _P.SCRAPPED: "the card is destroyed",
    },
)
