"""Jiaxing: the platform of a city card with a purse.

One source; codes of one city are its own, not a standard's.
"""

from __future__ import annotations

from typing import Final

from kaguan.cms.rules.adapters.table import CodeTable, Row, missing
from kaguan.cms.rules.lifecycle import Application, CancelReason, ExchangeReason, Production
from kaguan.cms.rules.terms import BlacklistCause, Channel, TransactionState

DIALECT: Final = "Jiaxing"

CARD: Final = CodeTable(
    DIALECT,
    "card",
    "card state",
    tuple(Application),
    (
        Row("0", "not enabled", Application.NOT_ENABLED),
        Row("1", "normal", Application.NORMAL),
        Row("2", "oral loss", Application.TEMPORARY_LOSS),
        Row("3", "written loss", Application.FORMAL_LOSS),
        Row("4", "locked", Application.LOCKED),
        Row("7", "void"),
        Row("9", "cancelled", Application.CANCELLED),
    ),
    {Application.SEALED: "the platform does not seal: void is something else there"},
)

APPLICATION: Final = CodeTable(
    DIALECT,
    "application",
    "state of an application for a card",
    tuple(Production),
    (
        Row("00", "applied", Production.APPLIED),
        Row("10", "task made"),
        Row("11", "sent to the health bureau"),
        Row("12", "refused by the health bureau"),
        Row("13", "passed by the health bureau"),
        Row("14", "sent to the bank"),
        Row("15", "refused by the bank"),
        Row("16", "passed by the bank"),
        Row("17", "sent to the province"),
        Row("18", "refused by the province"),
        Row("19", "passed by the province"),
        Row("20", "being made", Production.ORDERED),
        Row("30", "made", Production.MADE),
        Row("31", "account being opened"),
        Row("32", "opening the account failed"),
        Row("33", "account opened"),
        Row("40", "shipped", Production.RETURNED),
        Row("50", "received", Production.AT_OUTLET),
        Row("60", "handed out", Production.HANDED_OVER),
        Row("70", "returned", Production.UNDELIVERABLE),
        Row("80", "recovered", Production.RECOVERED),
        Row("90", "cancelled"),
    ),
    {
        **missing(
            (Production.CHECKED, Production.CHECK_FAILED),
            "the platform has three checks, by health bureau, bank and province, and here is one",
        ),
        Production.WITHDRAWN: "90 may be an application withdrawn or a card cancelled",
        Production.BATCHED: "a task is made there before the checks, a batch here after the order",
        **missing(
            (
                Production.SENT_TO_BANK,
                Production.ACCOUNT_OPENED,
                Production.BANK_EXPORT_FAILED,
                Production.ACCOUNT_FAILED,
            ),
            "the platform opens the account of a card that is made, here the account comes first",
        ),
        Production.SENT_TO_BUREAU: "the list has one word for being made, and it is sent for a card that is ordered",
        **missing(
            (Production.BATCH_FAILED, Production.BUREAU_EXPORT_FAILED, Production.MAKE_FAILED),
            "the platform leaves a card that failed in the state of being made",
        ),
        Production.SHIPPING_FAILED: "the platform leaves a card that is lost on its way in the state of being shipped",
        Production.SCRAPPED: "the list ends with a card that was taken back",
    },
)

TRANSACTION: Final = CodeTable(
    DIALECT,
    "transaction",
    "state of a transaction by card",
    tuple(TransactionState),
    (
        Row("0", "normal", TransactionState.NORMAL),
        Row("1", "撤销 void", TransactionState.VOIDED),
        Row("2", "冲正 reversal", TransactionState.REVERSED),
        Row("3", "退货 refund", TransactionState.REFUNDED),
        Row("9", "灰记录 grey: whether the card was written is not known", TransactionState.GREY),
    ),
)

BLACKLIST: Final = CodeTable(
    DIALECT,
    "blacklist",
    "why a card is on the blacklist",
    tuple(BlacklistCause),
    (
        Row("01", "death", BlacklistCause.DEATH),
        Row("02", "written loss", BlacklistCause.FORMAL_LOSS),
        Row("03", "oral loss", BlacklistCause.TEMPORARY_LOSS),
        Row("04", "application locked", BlacklistCause.LOCKED),
        Row("05", "application unlocked", BlacklistCause.UNLOCKED),
        Row("06", "CA"),
        Row("99", "cancelled", BlacklistCause.CANCELLED),
    ),
)

EXCHANGE: Final = CodeTable(
    DIALECT,
    "exchange",
    "why a card is exchanged",
    tuple(ExchangeReason),
    (
        Row("01", "quality", ExchangeReason.QUALITY),
        Row("02", "damage", ExchangeReason.DAMAGE),
        Row("03", "face changed", ExchangeReason.FACE_CHANGED),
        Row("04", "bank changed", ExchangeReason.BANK_CHANGED),
        Row("05", "expiry", ExchangeReason.EXPIRY),
        Row("99", "other", ExchangeReason.OTHER),
    ),
)

CANCEL: Final = CodeTable(
    DIALECT,
    "cancel",
    "why a card is cancelled",
    tuple(CancelReason),
    (
        Row("0", "death", CancelReason.DEATH),
        Row("1", "damage", CancelReason.DAMAGE),
        Row("2", "quality", CancelReason.QUALITY),
        Row("3", "lost", CancelReason.LOST),
        Row("4", "exchanged", CancelReason.EXCHANGED),
        Row("5", "insurance moved elsewhere", CancelReason.TRANSFERRED_OUT),
        Row("6", "other", CancelReason.OTHER),
    ),
    missing(
        (CancelReason.EXPIRED, CancelReason.NOT_COLLECTED), "the platform lists nothing that time alone ends a card for"
    ),
)

CHANNEL: Final = CodeTable(
    DIALECT,
    "channel",
    "by which way somebody asks",
    tuple(Channel),
    (
        Row("1", "counter", Channel.SERVICE_CENTRE),
        Row("2", "agent", Channel.BANK_OUTLET),
        Row("3", "self-service", Channel.SELF_SERVICE),
        Row("4", "phone", Channel.PHONE),
        Row("5", "web", Channel.WEBSITE),
        Row("6", "mall"),
    ),
    missing(
        (
            Channel.HOSPITAL,
            Channel.PHARMACY,
            Channel.EMPLOYER,
            Channel.PORTABLE_MACHINE,
            Channel.APP,
            Channel.WECHAT,
            Channel.SMS,
        ),
        "the platform lists no such channel",
    ),
)

TABLES: Final = (CARD, APPLICATION, TRANSACTION, BLACKLIST, EXCHANGE, CANCEL, CHANNEL)
