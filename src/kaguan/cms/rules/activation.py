"""What activating asks for: the ways, what is shown, measured and copied, and the record on the chip."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.choices import Check
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.terms import Channel


class ActivationWay(StrEnum):
    """How a card and its medical account come into use; the values are the events of the application axis."""

    BANK_OUTLET = "activate"
    SERVICE_CENTRE = "activate_at_centre"
    FIRST_REGISTRATION = "activate_by_registration"
    OLD_CARD = "activate_by_old_card"
    ONLINE = "activate_online"


CHANNEL_OF: Final = MappingProxyType(
    {
        ActivationWay.BANK_OUTLET: Channel.BANK_OUTLET,
        ActivationWay.SERVICE_CENTRE: Channel.SERVICE_CENTRE,
        ActivationWay.FIRST_REGISTRATION: Channel.HOSPITAL,
        ActivationWay.OLD_CARD: Channel.PHARMACY,
        ActivationWay.ONLINE: Channel.WEBSITE,
    }
)
"""Where each way goes: a region names the channels by which it lets cards be activated."""

MEDICAL_INSURANCE: Final = "310"
"""职工基本医疗保险 in the social insurance code AAE140."""
_FIELDS: Final = ("kind", "region", "from")


class Visit(StrEnum):
    """What a person registers for at a hospital; an emergency is no normal registration and activates nothing."""

    OUTPATIENT = "outpatient"
    INPATIENT = "inpatient"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class ApplicationForm:
    """What the form says that identifies person and bank card; the form itself is among the sealed copies."""

    name: str
    cert_no: str
    bank_card_no: str

    def __repr__(self) -> str:
        """Nothing of it: all of it is personal."""
        return "ApplicationForm()"


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """A document's copy, sealed for the archive as CMS EnvelopedData; `digest` is SHA-256 of the copy in clear."""

    document: str
    digest: str
    sealed: bytes

    def __repr__(self) -> str:
        """Which document it is a copy of."""
        return f"SealedCopy({self.document})"


@dataclass(frozen=True, slots=True)
class SignedVerdict:
    """What a verifier found: how alike, in thousandths, the person with this card is to the one on record.

    `signature` is the verifier's Ed25519 signature (hex) over `message()`.
    """

    verifier: str
    verdict_id: str
    check: Check
    card_no: str
    score: int
    measured_at: datetime
    signature: str

    def message(self) -> bytes:
        """The bytes that are signed: the fields in order, one a line, in UTF-8."""
        moment = self.measured_at.isoformat(timespec="seconds")
        lines = (self.verifier, self.verdict_id, self.check.value, self.card_no, str(self.score), moment)
        return "\n".join(lines).encode()


@dataclass(frozen=True, slots=True)
class ChipRecord:
    """An insurance record of the chip, counted from 1: its text now and after; slot 0 is none, for want of a reader."""

    slot: int
    before: str
    after: str


NO_READER: Final = ChipRecord(0, "", "")


def medical_record(records: list[str], region: str, day: date) -> ChipRecord:
    """Return the record that says that medical insurance is in use in the region from the day on.

    It is the one that speaks of medical insurance already, else the first without content; what else it says stays.
    Refuses with NotEligible when every record speaks of something else.
    """
    parts = [text.split(",") for text in records]
    wanted = [number for number, part in enumerate(parts) if part[0] == MEDICAL_INSURANCE]
    free = [number for number, text in enumerate(records) if not text]
    if not wanted and not free:
        raise NotEligible("every insurance record of the chip is taken: medical insurance finds no place")
    index = (wanted or free)[0]
    kept = parts[index][len(_FIELDS) :]
    after = ",".join([MEDICAL_INSURANCE, region, f"{day:%Y%m%d}", *kept])
    return ChipRecord(index + 1, records[index], after)
