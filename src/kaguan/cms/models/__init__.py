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
from kaguan.cms.models.blacklists import BlacklistChange, BlacklistPush
from kaguan.cms.models.books import Account, Contribution, Entry, Reconciliation, Transfer
from kaguan.cms.models.cards import Card, CardEvent, CardOrder, StockItem
from kaguan.cms.models.certificates import Certificate, CertificateKey
from kaguan.cms.models.chip_cases import ChipCase
from kaguan.cms.models.instant import InstantMark
from kaguan.cms.models.lives import CardRequest, Departure, Reminder, TemporaryCard
from kaguan.cms.models.machines import MachineToken
from kaguan.cms.models.making import CardFee, OrderDeadline
from kaguan.cms.models.misuse import MisuseReport
from kaguan.cms.models.notices import BankEndpoint, Notice
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
from kaguan.cms.models.regions import RegionVersion

__all__ = [
    "Account",
    "Activation",
    "Approval",
    "ApprovalDecision",
    "AuditEntry",
    "BankEndpoint",
    "BlacklistChange",
    "BlacklistPush",
    "Card",
    "CardEvent",
    "CardFee",
    "CardOrder",
    "CardRequest",
    "Certificate",
    "CertificateKey",
    "ChipCase",
    "Contribution",
    "Credential",
    "DayClose",
    "Departure",
    "DocumentCopy",
    "Entry",
    "FormerPassword",
    "Guardian",
    "Holder",
    "HolderChange",
    "HolderCredential",
    "HolderDetails",
    "HolderPhoto",
    "InstantMark",
    "Institution",
    "MachineToken",
    "Merge",
    "MisuseReport",
    "Notice",
    "OldCardSeen",
    "Operator",
    "OrderDeadline",
    "Receipt",
    "Reconciliation",
    "Region",
    "RegionVersion",
    "Reminder",
    "Session",
    "SourceFailures",
    "StockItem",
    "TemporaryCard",
    "Terminal",
    "Transfer",
    "Verifier",
    "VerifierVerdict",
]
