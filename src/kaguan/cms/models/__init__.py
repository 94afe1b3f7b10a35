"""What is kept: places, people, cards, books and records."""

from kaguan.cms.models.books import Account, Contribution, Entry, Reconciliation, Transfer
from kaguan.cms.models.cards import Card, CardEvent, CardOrder, StockItem
from kaguan.cms.models.people import Holder, Operator
from kaguan.cms.models.places import Institution, Region, Terminal
from kaguan.cms.models.privacy import PurgeRequest
from kaguan.cms.models.records import AuditEntry, Receipt

__all__ = [
    "Account",
    "AuditEntry",
    "Card",
    "CardEvent",
    "CardOrder",
    "Contribution",
    "Entry",
    "Holder",
    "Institution",
    "Operator",
    "PurgeRequest",
    "Receipt",
    "Reconciliation",
    "Region",
    "StockItem",
    "Terminal",
    "Transfer",
]
