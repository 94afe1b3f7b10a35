"""What is kept: places, people, cards, books and records."""

from kaguan.cms.models.books import Account, Contribution, Entry, Reconciliation, Transfer
from kaguan.cms.models.cards import Card, CardEvent, CardOrder, StockItem
from kaguan.cms.models.lives import CardRequest, Departure, Reminder, TemporaryCard
from kaguan.cms.models.people import Holder, Operator
from kaguan.cms.models.places import Institution, Region, Terminal
from kaguan.cms.models.records import AuditEntry, Receipt
from kaguan.cms.models.regions import RegionVersion

__all__ = [
    "Account",
    "AuditEntry",
    "Card",
    "CardEvent",
    "CardOrder",
    "CardRequest",
    "Contribution",
    "Departure",
    "Entry",
    "Holder",
    "Institution",
    "Operator",
    "Receipt",
    "Reconciliation",
    "Region",
    "RegionVersion",
    "Reminder",
    "StockItem",
    "TemporaryCard",
    "Terminal",
    "Transfer",
]
