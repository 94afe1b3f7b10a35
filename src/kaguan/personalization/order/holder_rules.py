"""What must be true of a holder's row before a card is made from it.

Law 1. Every rule is applied to every row; a column is told the first rule that it breaks.
Law 2. A reason says what is wrong and never quotes the value: reports travel further than orders.
Law 3. A rule that compares two columns is silent when one of them is wrong by itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from kaguan.apdu import codecs, textcodec
from kaguan.apdu.codecs import FieldFormat, real_date
from kaguan.apdu.errors import CodecError
from kaguan.apdu.identifiers import bank_card_number_ok, card_number_ok, citizen_number_ok
from kaguan.card_os.profile import CardProfile, FieldSpec
from kaguan.card_os.profile.values import encode_field
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.reading import HOLDER_COLUMNS, FieldKey, Holder, card_field
from kaguan.personalization.order.validity import years_after

NAME, NAME_EXTENSION = "ssseef0609", "ssseef064e"
NAME_WIDTH, NAME_EXTENSION_WIDTH = 30, 20
ISSUE_DATE, VALID_UNTIL = "ssseef0505", "ssseef0506"
CARD_NUMBER = "ssseef0507"
SECURITY_NUMBER, SEX, BIRTH_DATE = "ssseef0608", "ssseef060a", "ssseef060d"

REQUIRED = frozenset(
    {"data_seq", "customer_id", "cert_type", "cert_no", "bank_card_no"}
    | {ISSUE_DATE, VALID_UNTIL, CARD_NUMBER, SECURITY_NUMBER, NAME, SEX, "ssseef060b", BIRTH_DATE}
)
UNIQUE = ("data_seq", "customer_id", "cert_no", "bank_card_no", CARD_NUMBER)

SEXES = frozenset({"1", "2", "9"})
NATIONS = frozenset({f"{number:02d}" for number in range(1, 58)} | {"90", "97", "98", "99"})
"""GB 3304 numbers, and the codes that offices use for naturalised, other and foreign holders."""

PROVINCES = frozenset(
    str(number)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for number in range(first, last + 1)
)
"""GB/T 2260. A number that begins with 9 is a foreign resident's, or a test person's."""


class FieldWidth(NamedTuple):
    """How a card field is written: its format and its width in bytes."""

    format: FieldFormat
    width: int
    spec: FieldSpec | None = None
    """The field itself, where it is nested or fills several records."""


Layout = Mapping[tuple[str, str, int], FieldWidth]
"""Card fields by (DF name, EF name, tag)."""


def absent_columns(profile: CardProfile) -> frozenset[str]:
    """The columns of the fields that this generation of cards lacks."""
    return frozenset(FieldKey(*address).column for address in profile.absent)


def layout_of(profile: CardProfile) -> Layout:
    """The widths and formats of every field that this card has."""
    return {
        key: FieldWidth(spec.format, spec.width, spec if spec.inner or spec.count > 1 else None)
        for key, (_, spec) in profile.fields.items()
    }


@dataclass(frozen=True)
class HolderRules:
    """What a site asks of its orders. `today` is the day on which the order is judged."""

    today: date
    layout: Layout
    absent: frozenset[str] = frozenset()
    """Columns of fields that this generation of cards lacks: they may stand in an order, without values."""
    columns: tuple[str, ...] = HOLDER_COLUMNS
    required: frozenset[str] = REQUIRED
    certificate_types: frozenset[str] = frozenset({"01"})
    greatest_validity_years: int = 10
    photo_pixels: tuple[int, int] = (358, 441)
    formats: Mapping[str, FieldWidth] = field(init=False)
    """The card fields among the columns, by column name."""

    def __post_init__(self) -> None:
        found = {column: self.layout.get(key) for column in self.columns if (key := card_field(column))}
        object.__setattr__(self, "formats", {column: width for column, width in found.items() if width})

    def unknown_columns(self) -> list[str]:
        """The columns named after a field that this card does not have."""
        known = self.formats.keys() | self.absent
        return [column for column in self.columns if card_field(column) and column not in known]


def judge(holder: Holder, rules: HolderRules, good: dict[str, str] | None = None) -> Iterator[Fault]:
    """Each column's fault in this row, seen by itself. `check_order` adds what only the whole order shows.

    `good` has each column's last text without a fault: rows share regions, dates and codes, and what was judged a
    row before need not be judged again. It belongs to the caller, to be passed for row after row of one set of rules.
    """
    reasons: dict[str, str] = {}
    good = {} if good is None else good
    for column, text in holder.columns.items():
        if good.get(column) == text:
            continue
        if reason := _column_reason(column, text, rules):
            reasons[column] = reason
        else:
            good[column] = text
    for rule in _ROW_RULES:
        for column, reason in rule(holder.columns, frozenset(reasons), rules):
            reasons.setdefault(column, reason)
    for column, reason in reasons.items():
        yield Fault(holder.row, column, reason, holder.task_id, holder.line)


# One column by itself. A rule gets a text that is not empty, and gives the reason against it or None.


def _column_reason(column: str, text: str, rules: HolderRules) -> str | None:
    if not text:
        return "is empty" if column in rules.required else None
    if column in rules.absent:
        return "must be empty: this card has no such field"
    if stray := _STRAY.search(text):
        return f"holds the character U+{ord(stray[0]):04X}, which cannot be printed or written"
    if text[0].isspace() or text[-1].isspace():
        return "begins or ends with a space"
    if column == "cert_type" and text not in rules.certificate_types:
        return "is not a certificate type of this site"
    if column == "cert_no":
        return _citizen_number(text, rules.today)
    width = rules.formats.get(column)
    if width and column not in (NAME, NAME_EXTENSION) and (reason := _width_reason(width, text)):
        return reason
    rule = _COLUMN_RULES.get(column)
    return rule(text) if rule else None


# Controls, format characters, line separators, private use left over after normalising.
_STRAY = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ue000-\uf8ff\U000f0000-\U0010ffff]"
)


def _width_reason(width: FieldWidth, text: str) -> str | None:
    try:
        if width.spec:
            encode_field(width.spec, text)
        else:
            codecs.encode(width.format, width.width, text)
    except CodecError as error:
        return str(error)
    if width.format is FieldFormat.CN and len(text) != 2 * width.width:
        return f"has {len(text)} digits instead of {2 * width.width}"
    return None


def _matches(pattern: str, reason: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: None if compiled.fullmatch(text) else reason


def _passes(test: Callable[[str], object], reason: str) -> Callable[[str], str | None]:
    return lambda text: None if test(text) else reason


def _citizen_number(text: str, today: date) -> str | None:
    if len(text) != 18:
        return f"has {len(text)} characters instead of 18"
    if not citizen_number_ok(text):
        return "is not 17 digits with their check character (ISO 7064 MOD 11-2, capital X)"
    if text[:2] not in PROVINCES and text[0] != "9":
        return "begins with no province's number"
    born = real_date(text[6:14])
    if born is None:
        return "has a birth date that does not exist"
    return "has a birth date in the future" if born > today else None


def _name_characters(text: str) -> str | None:
    if "  " in text:
        return "holds two spaces in a row"
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Zs" and character != " ":
            return f"holds a space that is not U+0020 but U+{ord(character):04X}"
        if kind == "Nd":
            return "holds a digit"
    try:
        textcodec.encode(text)
    except CodecError as error:
        return str(error)
    return None


_REGION = _matches(r"[1-9]\d{5}", "is not a region's six digits")
_DATE = _passes(real_date, "is not a day of the calendar written YYYYMMDD")

_COLUMN_RULES: Mapping[str, Callable[[str], str | None]] = {
    "data_seq": _matches(r"0*[1-9]\d{0,8}", "is not a number above 0"),
    "customer_id": _matches(r"[0-9A-Za-z]{1,20}", "is not 1 to 20 letters or digits"),
    "bank_card_no": _passes(bank_card_number_ok, "is not 13 to 19 digits with their Luhn check digit"),
    ISSUE_DATE: _DATE,
    VALID_UNTIL: _DATE,
    CARD_NUMBER: _passes(card_number_ok, "is not 8 digits or capital letters with their check character"),
    NAME: _name_characters,
    NAME_EXTENSION: _name_characters,
    SEX: _passes(SEXES.__contains__, "is not 1, 2 or 9"),
    "ssseef060b": _passes(NATIONS.__contains__, "is not a nation's number (GB 3304)"),
    "ssseef060c": _REGION,
    BIRTH_DATE: _DATE,
    "df01ef050e": _REGION,
    "df01ef0624": _matches(r"\d{6}", "is not a postal code's six digits"),
    "df01ef0628": _matches(r"\+?\d[\d-]{5,13}\d", "is not a telephone number"),
}


# Columns against each other. A rule gets the columns that are wrong already, and is silent about those.

_Reasons = Iterator[tuple[str, str]]


def _name_split(columns: Mapping[str, str], wrong: frozenset[str], rules: HolderRules) -> _Reasons:
    if NAME not in columns or {NAME, NAME_EXTENSION} & wrong:
        return
    first, rest = columns[NAME], columns.get(NAME_EXTENSION, "")
    rest_width = NAME_EXTENSION_WIDTH if NAME_EXTENSION in columns and NAME_EXTENSION not in rules.absent else 0
    try:
        parts = textcodec.split(first + rest, NAME_WIDTH, rest_width)
    except CodecError as error:
        yield NAME, str(error)
        return
    if parts.first != textcodec.encode(first):
        yield NAME_EXTENSION, "does not begin where the name field is full: it takes only what does not fit there"


def _certificate(columns: Mapping[str, str], wrong: frozenset[str], rules: HolderRules) -> _Reasons:
    number = columns["cert_no"]
    if "cert_no" in wrong or columns["cert_type"] != "01":
        return
    if columns.get(SECURITY_NUMBER, number) != number:
        yield SECURITY_NUMBER, "differs from cert_no"
    if columns.get(BIRTH_DATE, number[6:14]) != number[6:14]:
        yield BIRTH_DATE, "differs from the birth date in cert_no"
    sex = "1" if int(number[16]) % 2 else "2"
    if columns.get(SEX, sex) not in (sex, "9"):
        yield SEX, "differs from the sex in cert_no"


def _validity(columns: Mapping[str, str], wrong: frozenset[str], rules: HolderRules) -> _Reasons:
    issued = real_date(columns.get(ISSUE_DATE, ""))
    until = real_date(columns.get(VALID_UNTIL, ""))
    born = real_date(columns.get(BIRTH_DATE, ""))
    if issued and born and issued < born and BIRTH_DATE not in wrong:
        yield ISSUE_DATE, "is before the holder's birth"
    elif issued and until and until <= issued:
        yield VALID_UNTIL, "is not after the issue date"
    elif issued and until and years_after(issued, rules.greatest_validity_years) < until:
        yield VALID_UNTIL, f"is more than {rules.greatest_validity_years} years after the issue date"


_ROW_RULES: tuple[Callable[[Mapping[str, str], frozenset[str], HolderRules], _Reasons], ...] = (
    _name_split,
    _certificate,
    _validity,
)
