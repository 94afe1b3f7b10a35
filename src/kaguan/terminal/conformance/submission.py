"""PRE_SUBMISSION: what is looked at before a card is handed in for testing.

DFs and EFs are present; the PIN has its format and its tries; the card's keys come from the province's and the city's
factors; card identification code, version, initialising organisation and card number are composed as they must be.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import replace

from kaguan.apdu.codecs import FieldFormat, decode, real_date
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import CodecError, TlvSyntaxError
from kaguan.apdu.identifiers import card_number_ok, citizen_number_ok
from kaguan.apdu.tlv import records
from kaguan.terminal.conformance.bench import (
    ABSENT,
    Bench,
    enter,
    read_first,
    select_elementary,
    select_identifier,
    select_name,
)
from kaguan.terminal.conformance.rights import entitle, irk_fits
from kaguan.terminal.script import Script

ISSUER, HOLDER = "EF05", "EF06"
IDENT_CODE, SPECIFICATION, ORGANISATION, ISSUED, EXPIRES, CARD_NUMBER = 0x01, 0x03, 0x04, 0x05, 0x06, 0x07
CITIZEN_NUMBER, SEX, BIRTH_DATE = 0x08, 0x0A, 0x0D

REGISTERED_APPLICATION = "D156000005"
ORGANISATION_PREFIX = "9156000002"
_SIX_DIGITS = re.compile(r"\d{6}")


def check_presence(bench: Bench) -> Script[None]:
    """Every dedicated and elementary file of the profile answers SELECT."""
    for spec in bench.profile.dedicated:
        title = f"{spec.name} is present"
        above = bench.profile.by_name.get(spec.parent)
        if above is not None and above.parent and not (yield from enter(bench, above)):
            bench.failed(title, "9000", "no way there", f"{spec.parent} is not selected", command="SELECT")
            continue
        by = select_name(spec) if spec.parent else select_identifier(spec)
        if not (yield from bench.expect(title, by, "9000")).sw.ok:
            continue
        for file in spec.files:
            response = yield read_first(file)
            if response.sw != ABSENT:
                response = yield select_elementary(file)
            meaning = response.sw.meaning
            title = f"{spec.name}/{file.name} is present"
            good = response.sw.ok
            bench.judge(title, str(response.sw), expected="9000", meaning=meaning, good=good, command="SELECT")


def check_pin(bench: Bench) -> Script[None]:
    """The PIN has all its tries, as many as the profile says, and the length that the profile says."""
    spec = bench.pin_spec
    if spec is None:
        bench.not_covered("the PIN", "the profile has none")
        return
    found = "unknown" if bench.pin_tries is None else str(bench.pin_tries)
    meaning = "tries have been spent, or the card counts to another number"
    bench.judge("the PIN's tries", found, expected=str(spec.tries), meaning=meaning, good=found == str(spec.tries))
    limits = f"{spec.min_bytes} to {spec.max_bytes} bytes of BCD"
    if bench.pin is None and bench.pin_refused and bench.pin_known:
        bench.failed("the PIN's format", limits, bench.pin_refused, bench.no_pin, command="VERIFY")
        return
    if bench.pin is None:
        bench.not_covered("the PIN's format", bench.no_pin)
        return
    raw = bench.pin.reveal()
    good = spec.min_bytes <= len(raw) <= spec.max_bytes
    bench.judge("the PIN's format", "verified", expected=limits, meaning="the PIN has another length", good=good)
    yield from ()


def check_factors(bench: Bench) -> Script[None]:
    """The card's keys are those of the city that its identification code names, and of that city's province."""
    fields = yield from _fields(bench, ISSUER)
    if fields is None:
        return
    city = fields.get(IDENT_CODE, b"")[:3].hex()
    title = "level 1 and 2 factors: the keys are diversified for the city on the card, and its province"
    if bench.offered_keys is None:
        bench.not_covered(title, bench.no_keys)
        return
    meaning = "the city on the card is another one than its keys are for"
    region = bench.offered_keys.region
    bench.judge("the city in the card identification code", city, expected=region, meaning=meaning, good=city == region)
    if not _SIX_DIGITS.fullmatch(city):
        bench.not_covered(title, "the card names no city")
        return
    fits = yield from irk_fits(replace(bench.offered_keys, region=city))
    meaning = f"INTERNAL AUTHENTICATE does not fit the factors {city[:2]}0000sh and {city}sx"
    bench.judge(title, "fits" if fits else "differs", expected="fits", meaning=meaning, good=fits)


def check_composition(bench: Bench) -> Script[None]:
    """The issuer's data in SSSE EF05 are composed as they must be."""
    fields = yield from _fields(bench, ISSUER)
    if fields is None:
        return
    _check_ident_code(bench, fields.get(IDENT_CODE, b""))
    version = _text(FieldFormat.AN, fields.get(SPECIFICATION, b""))
    meaning = "the card is of another generation than the profile"
    _judge(bench, "the version of the specification", version, bench.profile.specification, meaning)
    organisation = fields.get(ORGANISATION, b"").hex().upper()
    good = len(organisation) == 24 and organisation.startswith(ORGANISATION_PREFIX)
    good = good and bool(_SIX_DIGITS.fullmatch(organisation[10:16]))
    meaning = f"it is {ORGANISATION_PREFIX}, the region's six digits and the organisation's eight: 12 bytes"
    bench.judge("the initialising organisation", organisation, expected="12 bytes", meaning=meaning, good=good)
    number = _text(FieldFormat.AN, fields.get(CARD_NUMBER, b""))
    meaning = "its last character does not check the others (GB 11714)"
    _judge_whole(bench, "the card number", meaning, good=card_number_ok(number))
    issued, expires = (_text(FieldFormat.CN, fields.get(tag, b"")) for tag in (ISSUED, EXPIRES))
    first, last = real_date(issued), real_date(expires)
    good = first is not None and last is not None and first < last
    meaning = "both are days of the calendar, and the card expires after it was issued"
    bench.judge("issue and expiry", f"{issued}, {expires}", expected="two dates", meaning=meaning, good=good)


def check_holder(bench: Bench) -> Script[None]:
    """The holder's number checks itself, and agrees with sex and date of birth."""
    fields = yield from _fields(bench, HOLDER)
    if fields is None:
        return
    number, sex = (_text(FieldFormat.AN, fields.get(tag, b"")) for tag in (CITIZEN_NUMBER, SEX))
    birth = _text(FieldFormat.CN, fields.get(BIRTH_DATE, b""))
    meaning = "its last character does not check the others (GB 11643)"
    good = citizen_number_ok(number)
    _judge_whole(bench, "the social security number", meaning, good=good)
    if good:
        same = birth == number[6:14] and sex == ("1" if int(number[16]) % 2 else "2")
        meaning = "sex or date of birth is another one than the number says"
        _judge_whole(bench, "sex and date of birth", meaning, good=same)


def _check_ident_code(bench: Bench, code: bytes) -> None:
    text = code.hex().upper()
    shape = f"city, {REGISTERED_APPLICATION}, serial number, MAC"
    good = len(code) == 16 and bool(_SIX_DIGITS.fullmatch(text[:6])) and text[6:16] == REGISTERED_APPLICATION
    title, meaning = "the card identification code", "it is not composed so"
    bench.judge(title, text[:24], expected=shape, meaning=meaning, good=good)
    if not good:
        return
    title, meaning = "its serial number", "it is the end of the ATR"
    _judge(bench, title, text[16:24], bench.atr[-4:].hex().upper(), meaning)
    title = "its MAC"
    if bench.keys is None:
        bench.not_covered(title, bench.no_keys)
        return
    fits = hmac.compare_digest(bench.keys.vault.mac(bench.keys.ref("SSSE.IRK"), code[:12]), code[12:])
    meaning = "it is not what the IRK makes of the first 12 bytes"
    bench.judge(title, "fits" if fits else "differs", expected="fits", meaning=meaning, good=fits)


def _fields(bench: Bench, name: str) -> Script[dict[int, bytes] | None]:
    """The records of this file of the SSSE by their tags; None, and a check on why, when they cannot be read."""
    spec, file = bench.profile.by_name["SSSE"], bench.profile.file("SSSE", name)
    title = f"SSSE/{name} can be read"
    if not (yield from enter(bench, spec)):
        bench.not_covered(title, "the SSSE is not selected")
        return None
    reason = yield from entitle(bench, spec, file.read)
    if reason:
        bench.not_covered(title, reason)
        return None
    if not (yield select_elementary(file)).sw.ok:
        bench.not_covered(title, f"there is no {name}")
        return None
    found: dict[int, bytes] = {}
    for number in range(1, len(file.fields) + 1):
        response = yield CommandApdu(0x00, 0xB2, number, 0x04, b"", 256)
        if response.sw.ok:
            try:
                found.update(records(response.data))
            except TlvSyntaxError:
                meaning = "it is no data object"
                bench.failed(title, "records", f"{len(response.data)} bytes", meaning, command="READ RECORD")
    return found


def _judge(bench: Bench, title: str, received: str, expected: str, meaning: str = "it is another one") -> None:
    bench.judge(title, received, expected=expected, meaning=meaning, good=received == expected)


def _judge_whole(bench: Bench, title: str, meaning: str, *, good: bool) -> None:
    """The check on a value that is the holder's and is not shown."""
    bench.judge(title, "right" if good else "wrong", expected="right", meaning=meaning, good=good)


def _text(form: FieldFormat, raw: bytes) -> str:
    """The value in the field, empty when it is none."""
    try:
        return decode(form, len(raw), raw)
    except CodecError:
        return ""
