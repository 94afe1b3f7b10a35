"""Words that card management shares with its neighbours: channels, documents, banks, kinds of persons and reasons."""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    """By which way somebody asks."""

    SERVICE_CENTRE = "service centre"
    BANK_OUTLET = "bank outlet"
    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"
    EMPLOYER = "employer"
    PORTABLE_MACHINE = "portable machine"
    SELF_SERVICE = "self-service machine"
    WEBSITE = "website"
    APP = "app"
    WECHAT = "WeChat"
    PHONE = "phone"
    SMS = "SMS"


class Certificate(StrEnum):
    """An identity document, by the code that orders give it."""

    IDENTITY_CARD = "01"
    PASSPORT = "02"
    FOREIGN_RESIDENT = "03"
    HONG_KONG_MACAO_PERMIT = "04"
    TAIWAN_PERMIT = "05"
    RESIDENCE_PERMIT = "06"


class Sex(StrEnum):
    """GB/T 2261.1."""

    UNKNOWN = "0"
    MALE = "1"
    FEMALE = "2"
    UNSPECIFIED = "9"


class Bank(StrEnum):
    """A bank, by its number."""

    ICBC = "95588"
    ABC = "95599"
    BOC = "95566"
    CCB = "95533"
    PSBC = "95580"
    BANK_OF_COMMUNICATIONS = "95559"
    CHINA_MERCHANTS = "95555"
    CITIC = "95558"
    RURAL_COMMERCIAL = "96668"
    BANK_OF_QINGDAO = "96588"


class BlacklistCause(StrEnum):
    """Why terminals are told of a card."""

    DEATH = "death"
    FORMAL_LOSS = "formal loss"
    TEMPORARY_LOSS = "temporary loss"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    CANCELLED = "cancelled"


class TransactionState(StrEnum):
    """What became of a transaction by card; grey until somebody knows whether the chip was written."""

    NORMAL = "normal"
    VOIDED = "voided"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    GREY = "grey"


class Answer(StrEnum):
    """What came of something that was asked."""

    DONE = "done"
    ALREADY_SO = "already so"
    UNKNOWN_PERSON = "person unknown"
    OTHER_NAME = "another name on the books"
    DUPLICATE = "duplicate"
    NOT_ALLOWED = "not allowed"
    FAILED = "failed"
