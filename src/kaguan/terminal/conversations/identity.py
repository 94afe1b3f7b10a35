"""Whose card it is: SSSE EF05 and EF06, read as every terminal reads them."""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.card_os.profile import CardProfile
from kaguan.terminal.conversations.files import read_fields, select_dedicated, select_file
from kaguan.terminal.script import Script


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What the card says of itself and of its holder; dates are YYYYMMDD, codes as the standards number them."""

    card_ident_code: str
    specification: str
    initialising_organisation: str
    issue_date: str
    valid_until: str
    card_no: str
    id_no: str
    name: str
    sex: str
    nation: str
    birth_date: str

    @property
    def region(self) -> str:
        """The six-digit city that stands first in the card identification code."""
        return self.card_ident_code[:6]

    def __repr__(self) -> str:
        """The card's number alone: the rest is personal."""
        return f"<CardIdentity {self.card_no}>"


def read_identity(profile: CardProfile) -> Script[CardIdentity]:
    """The identity on the card; SSSE is selected afterwards.

    Raises:
        CardRefused: no social security card, or a blocked one.
        CodecError: a record is not what the profile says.
    """
    yield from select_dedicated(profile.by_name["SSSE"])
    issuer_file, holder_file = profile.file("SSSE", "EF05"), profile.file("SSSE", "EF06")
    yield from select_file(issuer_file.fid)
    issuer = yield from read_fields(issuer_file)
    yield from select_file(holder_file.fid)
    holder = yield from read_fields(holder_file)
    return CardIdentity(
        card_ident_code=issuer[0x01],
        specification=issuer[0x03],
        initialising_organisation=issuer[0x04],
        issue_date=issuer[0x05],
        valid_until=issuer[0x06],
        card_no=issuer[0x07],
        id_no=holder[0x08],
        name=holder[0x09] + holder.get(0x4E, ""),
        sex=holder[0x0A],
        nation=holder[0x0B],
        birth_date=holder[0x0D],
    )
