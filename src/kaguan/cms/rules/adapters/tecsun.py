"""Tecsun: state lists of one vendor's counters and data exchange."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kaguan.cms.rules.adapters.table import CodeTable, Row, missing
from kaguan.cms.rules.lifecycle import Application, Production
from kaguan.cms.rules.production import IN_REQUEST

DIALECT: Final = "Tecsun"

PERSON: Final[CodeTable[StrEnum]] = CodeTable(
    DIALECT,
    "person",
    "where a person stands with the newest card: its production until it is enabled, its application from then on",
    (*Production, *Application),
    (
        Row("00", "initial"),
        Row("01", "being made", Production.ORDERED),
        Row("02", "to be collected", Production.AT_OUTLET),
        Row("03", "collected", Production.HANDED_OVER),
        Row("04", "activated", Application.NORMAL),
        Row("05", "formal loss", Application.FORMAL_LOSS),
        Row("06", "temporary loss", Application.TEMPORARY_LOSS),
        Row("07", "being replaced after loss"),
        Row("08", "being exchanged"),
        Row("09", "cancelled", Application.CANCELLED),
        Row("10", "export to the bank failed", Production.BANK_EXPORT_FAILED),
        Row("11", "return from the bank failed", Production.ACCOUNT_FAILED),
        Row("12", "export to the factory failed", Production.BUREAU_EXPORT_FAILED),
        Row("13", "return from the factory failed", Production.MAKE_FAILED),
        Row("14", "export to the key centre failed"),
        Row("15", "return from the key centre failed"),
        Row("16", "batch failed", Production.BATCH_FAILED),
        Row("17", "instant issue failed"),
        Row("18", "centre failed"),
        Row("19", "abnormal"),
    ),
    {
        **missing(sorted(IN_REQUEST), "the list begins with the order: a request is no card of the person yet"),
        **missing(
            (
                Production.BATCHED,
                Production.SENT_TO_BANK,
                Production.ACCOUNT_OPENED,
                Production.SENT_TO_BUREAU,
                Production.MADE,
                Production.RETURNED,
            ),
            "the list has one word for all of making, and it is sent for a card that is ordered",
        ),
        **missing(
            (Production.SHIPPING_FAILED, Production.UNDELIVERABLE),
            "the list does not say what goes wrong after the factory: abnormal may be anything",
        ),
        **missing(
            (Production.RECOVERED, Production.SCRAPPED),
            "the list follows persons: the card that was taken back is not in it",
        ),
        Application.NOT_ENABLED: "until a card is enabled the list tells its production",
        Application.LOCKED: "the list knows no lock",
        Application.SEALED: "the list knows no sealing",
    },
)

CARD: Final = CodeTable(
    DIALECT,
    "card",
    "where a card is on its way",
    tuple(Production),
    (
        Row("00", "uploaded", Production.ORDERED),
        Row("10", "in a batch", Production.BATCHED),
        Row("20", "exported to the bank", Production.SENT_TO_BANK),
        Row("21", "returned by the bank", Production.ACCOUNT_OPENED),
        Row("22", "export to the bank failed", Production.BANK_EXPORT_FAILED),
        Row("23", "return from the bank failed", Production.ACCOUNT_FAILED),
        Row("2a", "exported to the CA"),
        Row("2b", "returned by the CA"),
        Row("2c", "export to the CA failed"),
        Row("2d", "return from the CA failed"),
        Row("30", "exported to the factory", Production.SENT_TO_BUREAU),
        Row("31", "returned by the factory", Production.RETURNED),
        Row("32", "export to the factory failed", Production.BUREAU_EXPORT_FAILED),
        Row("33", "return from the factory failed", Production.MAKE_FAILED),
        Row("40", "exported to the key centre"),
        Row("41", "returned by the key centre"),
        Row("60", "at the outlet", Production.AT_OUTLET),
        Row("70", "issued", Production.HANDED_OVER),
    ),
    {
        **missing(sorted(IN_REQUEST), "the list begins with the upload: a request is no card yet"),
        Production.BATCH_FAILED: "the list knows no batch that failed",
        Production.MADE: "the list tells of a card that is made only when the factory has returned it",
        **missing(
            (Production.SHIPPING_FAILED, Production.UNDELIVERABLE),
            "the list does not say what goes wrong after the factory",
        ),
        **missing((Production.RECOVERED, Production.SCRAPPED), "the list ends with the issue"),
    },
)

TABLES: Final = (PERSON, CARD)


def person_state(production: Production, application: Application) -> StrEnum:
    """Return which axis the person's state is told from: the application once the card is enabled."""
    return production if application is Application.NOT_ENABLED else application
