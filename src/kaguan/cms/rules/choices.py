"""The words among which a region chooses."""

from __future__ import annotations

from enum import StrEnum


class InstitutionKind(StrEnum):
    """What an institution is to the card."""

    AUTHORITY = "authority"
    BANK = "bank"
    OUTLET = "outlet"
    BUREAU = "bureau"
    CENTRE = "centre"
    CLINIC = "clinic"
    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"


class DayCount(StrEnum):
    """Which days are counted."""

    NATURAL = "natural"
    WORKING = "working"


class LossScope(StrEnum):
    """How far a loss report reaches: the bank's side has a report of its own, or comes along."""

    SEPARATE = "separate"
    TOGETHER_AT_BANK = "together at the bank"
    TOGETHER = "together"


class PurseWait(StrEnum):
    """What has to happen before a lost purse is paid out."""

    BLOCKED = "blocked"
    DAYS = "days"
    EITHER = "either"


class CardFunction(StrEnum):
    """What a card is for."""

    IDENTITY = "identity"
    QUERY = "query"
    MEDICAL_SETTLEMENT = "medical settlement"


class Demand(StrEnum):
    """What has to be there before a card is cancelled."""

    PROOF = "proof"
    CARD_RECOVERED = "card recovered"
    ACCOUNTS_CLOSED = "accounts closed"
    AGENCY_TOLD = "agency told"
    SECOND_PERSON = "second person"


class Paper(StrEnum):
    """What lies on the counter."""

    IDENTITY_ORIGINAL = "identity document"
    IDENTITY_COPY = "copy of the identity document"
    SOCIAL_CARD = "social security card"
    BANK_CARD = "bank card"
    HOUSEHOLD_BOOK = "household book"
    FORM = "application form"


class OnlineName(StrEnum):
    """The user name of a holder at the online channel."""

    ID_NUMBER = "ID number"
    CARD_NUMBER = "card number"


class InitialPassword(StrEnum):
    """What the online channel takes as a first password."""

    CARD_NUMBER = "card number"
    PERSONAL_NUMBER = "personal number"


class PasswordChange(StrEnum):
    """What becomes of a first password."""

    SUGGESTED = "suggested"
    FORCED = "forced"


class AccountUse(StrEnum):
    """What the personal account may pay."""

    OWN_CARE = "own care"
    FAMILY_CARE = "family's care"
    FAMILY_PREMIUM = "family's resident premium"


class Reimbursement(StrEnum):
    """How the fund's part of a bill is settled."""

    DIRECT = "direct"
    BANK_CLAIM = "claim at the bank"


class Check(StrEnum):
    """What a verifier compares."""

    FACE = "face"
    FINGERPRINT = "fingerprint"
