"""What is kept: places, people, cards, books and records."""

from kaguan.cms.models.access import (
    Credential,
    DayClose,
    FormerPassword,
    HolderCredential,
    Session,
    SourceFailures,
)
from kaguan.cms.models.activations import Activation, DocumentCopy, OldCardSeen, Verifier, VerifierVerdict
from kaguan.cms.models.books import Account, Contribution, Entry, Reconciliation, Transfer
from kaguan.cms.models.cards import Card, CardEvent, CardOrder, StockItem
from kaguan.cms.models.people import Holder, Operator
from kaguan.cms.models.personal import (
    Approval,
    ApprovalDecision,
    Guardian,
    HolderChange,
    HolderDetails,
    HolderPhoto,
    Merge,
)
from kaguan.cms.models.places import Institution, Region, Terminal
from kaguan.cms.models.records import AuditEntry, Receipt

__all__ = [
    "Account",
    "Activation",
    "Approval",
    "ApprovalDecision",
    "AuditEntry",
    "Card",
    "CardEvent",
    "CardOrder",
    "Contribution",
    "Credential",
    "DayClose",
    "DocumentCopy",
    "Entry",
    "FormerPassword",
    "Guardian",
    "Holder",
    "HolderChange",
    "HolderCredential",
    "HolderDetails",
    "HolderPhoto",
    "Institution",
    "Merge",
    "OldCardSeen",
    "Operator",
    "Receipt",
    "Reconciliation",
    "Region",
    "Session",
    "SourceFailures",
    "StockItem",
    "Terminal",
    "Transfer",
    "Verifier",
    "VerifierVerdict",
]
