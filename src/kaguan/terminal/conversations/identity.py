"""Whose card it is: SSSE EF05 and EF06, read as every terminal reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kaguan.card_os.profile import FREE, CardProfile
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as
from kaguan.terminal.conversations.files import read_fields, select_dedicated, select_file
from kaguan.terminal.script import Script

READING_KEY = "SSSE.RK"
REGION_DIGITS = 6


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
        return self.card_ident_code[:REGION_DIGITS]

    def __repr__(self) -> str:
        """The card's number alone: the rest is personal."""
        return f"<CardIdentity {self.card_no}>"


def read_issuer_data(profile: CardProfile) -> Script[dict[int, str]]:
    """What every card of every generation shows to everyone: SSSE EF05, by tag; SSSE is selected afterwards.

    Raises:
        CardRefused: no social security card, or a blocked one.
        CodecError: a record is not what the profile says.
    """
    yield from select_dedicated(profile.by_name["SSSE"])
    file = profile.file("SSSE", "EF05")
    yield from select_file(file.fid)
    return (yield from read_fields(file))


def read_identity(profile: CardProfile, keys_of: Callable[[str], CardKeys] | None = None) -> Script[CardIdentity]:
    """The identity on the card; SSSE is selected afterwards.

    The third generation shows its holder to a key alone: `keys_of` gives the card's keys for its region.

    Raises:
        CardRefused: no social security card, or a blocked one.
        CodecError: a record is not what the profile says.
    """
    issuer = yield from read_issuer_data(profile)
    holder_file = profile.file("SSSE", "EF06")
    if holder_file.read != FREE and keys_of is not None:
        yield from authenticate_as(keys_of(issuer[0x01][:REGION_DIGITS]), READING_KEY)
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
