"""Tecsun: state lists of one vendor's counters and data exchange."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kaguan.cms.rules.adapters.table import CodeTable, Row
from kaguan.cms.rules.lifecycle import Application, Production

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
        Row("10", "export to the bank failed"),
        Row("11", "return from the bank failed"),
        Row("12", "export to the factory failed"),
        Row("13", "return from the factory failed", Production.MAKE_FAILED),
        Row("14", "export to the key centre failed"),
        Row("15", "return from the key centre failed"),
        Row("16", "batch failed"),
        Row("17", "instant issue failed"),
        Row("18", "centre failed"),
        Row("19", "abnormal"),
    ),
    {
        Production.RECOVERED: "the list follows persons: the card that was taken back is not in it",
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
        Row("10", "in a batch"),
        Row("20", "exported to the bank"),
        Row("21", "returned by the bank"),
        Row("22", "export to the bank failed"),
        Row("23", "return from the bank failed"),
        Row("2a", "exported to the CA"),
        Row("2b", "returned by the CA"),
        Row("2c", "export to the CA failed"),
        Row("2d", "return from the CA failed"),
        Row("30", "exported to the factory"),
        Row("31", "returned by the factory"),
        Row("32", "export to the factory failed"),
        Row("33", "return from the factory failed", Production.MAKE_FAILED),
        Row("40", "exported to the key centre"),
        Row("41", "returned by the key centre"),
        Row("60", "at the outlet", Production.AT_OUTLET),
        Row("70", "issued", Production.HANDED_OVER),
    ),
    {Production.RECOVERED: "the list ends with the issue"},
)

TABLES: Final = (PERSON, CARD)


def person_state(production: Production, application: Application) -> StrEnum:
    """Return which axis the person's state is told from: the application once the card is enabled."""
    return production if application is Application.NOT_ENABLED else application
