"""What the books may say of a person, and what each fact has to look like.

Law. Name and document change only by an approved correction; every other fact by whoever may enrol.
Law. A reason says what is wrong with a fact and never quotes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.apdu.identifiers import citizen_number_ok
from kaguan.cms.rules.refusals import NotEligible

RESIDENT_CARD: Final = "01"
_NATIONS: Final = frozenset({f"{number:02d}" for number in range(1, 58)} | {"90", "97", "98", "99"})
_MOST_CHARACTERS: Final = 80
_PRINTABLE: Final = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]+")


class Fact(StrEnum):
    """A fact that may be edited, with its name in the books."""

    SEX = "sex"
    NATION = "nation"
    BIRTH_DATE = "birth_date"
    BIRTH_PLACE = "birth_place"
    NATIONALITY = "nationality"
    HOUSEHOLD_KIND = "household_kind"
    HOUSEHOLD_ADDRESS = "household_address"
    ADDRESS = "address"
    POSTCODE = "postcode"
    PHONE = "phone"
    MARITAL_STATUS = "marital_status"
    EDUCATION = "education"
    EMPLOYER = "employer"
    PERSONAL_NUMBER = "personal_number"


class Correction(StrEnum):
    """A fact that only an approved correction changes."""

    NAME = "name"
    CERT_TYPE = "cert_type"
    CERT_NO = "cert_no"


class Relation(StrEnum):
    """What a guardian is to the minor."""

    FATHER = "father"
    MOTHER = "mother"
    GRANDPARENT = "grandparent"
    SIBLING = "sibling"
    APPOINTED = "appointed"


def _in(values: frozenset[str], what: str) -> Callable[[str], str | None]:
    return lambda text: None if text in values else f"is none of {what}"


def _matching(pattern: str, what: str) -> Callable[[str], str | None]:
    form = re.compile(pattern)
    return lambda text: None if form.fullmatch(text) else f"is not {what}"


def _day(text: str) -> str | None:
    try:
        date.fromisoformat(text)
    except ValueError:
        return "is no day YYYY-MM-DD"
    return None if len(text) == len("2026-01-01") else "is no day YYYY-MM-DD"


def _text(text: str) -> str | None:
    if not text.strip() or not _PRINTABLE.fullmatch(text):
        return "is empty, or has characters that cannot be printed"
    return None if len(text) <= _MOST_CHARACTERS else f"has more than {_MOST_CHARACTERS} characters"


CHECKS: Final[Mapping[Fact, Callable[[str], str | None]]] = MappingProxyType(
    {
        Fact.SEX: _in(frozenset({"1", "2", "9"}), "1, 2 and 9 (GB/T 2261.1)"),
        Fact.NATION: _in(_NATIONS, "the codes of GB 3304"),
        Fact.BIRTH_DATE: _day,
        Fact.BIRTH_PLACE: _matching(r"[0-9]{6}", "a region of six digits (GB/T 2260)"),
        Fact.NATIONALITY: _matching(r"[0-9]{3}", "a country of three digits (GB/T 2659)"),
        Fact.HOUSEHOLD_KIND: _in(frozenset({"10", "11", "12", "20", "21", "22", "30", "40", "50"}), "the kinds"),
        Fact.HOUSEHOLD_ADDRESS: _text,
        Fact.ADDRESS: _text,
        Fact.POSTCODE: _matching(r"[0-9]{6}", "a postcode of six digits"),
        Fact.PHONE: _matching(r"\+?[0-9-]{7,15}", "a phone number of 7 to 15 digits"),
        Fact.MARITAL_STATUS: _in(frozenset({"1", "2", "3", "4", "9"}), "1, 2, 3, 4 and 9 (GB 4766)"),
        Fact.EDUCATION: _matching(r"[0-9]{2}", "a level of two digits (GB 4658)"),
        Fact.EMPLOYER: _text,
        Fact.PERSONAL_NUMBER: _matching(r"[0-9A-Z]{6,20}", "a personal number of 6 to 20 digits and capitals"),
    }
)


def check_facts(facts: Mapping[str, str], *, cert_type: str, cert_no: str) -> None:
    """Return when every fact has its form and agrees with the document; refuse with NotEligible otherwise.

    Refuses, in this order: no facts, a fact that is corrected and not edited, an unknown fact, one out of form, birth
    date or sex other than a resident identity card says.
    """
    if not facts:
        raise NotEligible("no fact is given: name at least one")
    for name, text in facts.items():
        if name in list(Correction):
            raise NotEligible(f"{name} is not edited: ask for a correction, which a second person approves")
        if name not in list(Fact):
            raise NotEligible(f"{name!r} is no fact: use one of {', '.join(Fact)}")
        reason = CHECKS[Fact(name)](text)
        if reason:
            raise NotEligible(f"{name} {reason}")
    said = told_by_document(cert_type, cert_no)
    for name, text in facts.items():
        if name in said and said[name] != text:
            raise NotEligible(f"{name} is not what the identity card number says")


def told_by_document(cert_type: str, cert_no: str) -> dict[str, str]:
    """Return birth date and sex as a resident identity card number tells them; nothing for other documents."""
    if cert_type != RESIDENT_CARD or not re.fullmatch(r"[0-9]{17}[0-9X]", cert_no):
        return {}
    born = f"{cert_no[6:10]}-{cert_no[10:12]}-{cert_no[12:14]}"
    if _day(born):
        return {}
    return {Fact.BIRTH_DATE: born, Fact.SEX: "1" if int(cert_no[16]) % 2 else "2"}


def check_document(cert_type: str, cert_no: str) -> None:
    """Return when type and number may be a document's; a resident identity card has its check character and day."""
    if not re.fullmatch(r"[0-9A-Z]{1,2}", cert_type):
        raise NotEligible("the type of the document is not one or two digits or capitals")
    if cert_type == RESIDENT_CARD:
        if not citizen_number_ok(cert_no) or not told_by_document(cert_type, cert_no):
            raise NotEligible("the number is no identity card number: its check character or its birth date is wrong")
    elif not re.fullmatch(r"[0-9A-Z/()-]{4,30}", cert_no):
        raise NotEligible("the number of the document is not 4 to 30 digits and capitals")


def check_name(name: str) -> None:
    """Return when the text may be a name; refuse with NotEligible otherwise."""
    reason = _text(name)
    if reason or name != name.strip():
        raise NotEligible(f"the name {reason or 'begins or ends with a space'}")


def age_on(day: date, born: date) -> int:
    """Return the whole years of age on that day; born on 29 February one grows older on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
