"""Social security cards with one fault each, and the chapters of the conformance suite that must fail for it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from card.cards import DF01, DF04, PROFILE, SSSE
from kaguan.apdu.chaining import Layer
from kaguan.card_os.image import CardImage, Lifecycle
from kaguan.card_os.profile import FREE, NEVER, FileKind, load_profile
from kaguan.card_os.profile.rules import AccessRule, pin_right
from kaguan.personalization.specimen import specimen_card
from kaguan.vault.vault import Usage
from terminal.spoilers import (
    CostlyPinQuestion,
    Fault,
    NoChange,
    NoTags,
    OneChange,
    PretendsToChange,
    Shifty,
    ShowsFiles,
    Spoil,
    asks_nobody,
    atr_with,
    dedicated_with,
    file_with,
    finds_no_short_identifier,
    forgets_that_tries_count,
    ident_code,
    keeps_local_rights,
    keeps_rights,
    keeps_tries_spent,
    loses_rights,
    of_city,
    other_key,
    other_version,
    pin_with,
    record_with,
    records_with,
    takes_any_cryptogram,
    takes_any_pin,
    without_dedicated,
    without_file,
    without_key,
    without_version,
)

ATR, PIN, SUBMISSION, KEYS = "ATR", "CHANGE_PIN", "PRE_SUBMISSION", "KEY_VER1"
EVERY_DF = tuple(spec.name for spec in PROFILE.dedicated if spec.parent)
EXTERNAL = Usage.EXTERNAL_AUTHENTICATION


EVERY_RECORD = tuple(f"{name}_RECORD" for name in EVERY_DF)


def every_safety(*but: str) -> tuple[str, ...]:
    """The chapters on rights, but those of these dedicated files, whose rules the fault does not touch."""
    return tuple(f"{name}_SAFETY" for name in EVERY_DF if name not in but)


@cache
def specimen_of(profile: str) -> CardImage:
    """The specimen of this profile."""
    return specimen_card(load_profile(profile)).image


class Spoiled(NamedTuple):
    """A card with a fault: in its memory, in its chip (`fault`), or on the wire (`wire`); and the chapters that must
    find it."""

    name: str
    chapters: frozenset[str]
    spoil: Spoil = lambda image: image
    fault: Fault = lambda patch: None
    wire: type[Layer] = Layer
    profile: str = PROFILE.name

    @property
    def image(self) -> CardImage:
        """The spoiled memory."""
        return self.spoil(specimen_of(self.profile))


def fails(*chapters: str) -> frozenset[str]:
    """These chapters, and no other."""
    return frozenset(chapters)


_PIN_RULE = AccessRule.right(pin_right(0))
_FULL_LOG = tuple(bytes((number,)) * 28 for number in range(10))

SPOILED: tuple[Spoiled, ...] = (
    # files
    Spoiled("EF missing", fails("DF01_RECORD", SUBMISSION), without_file("DF01/EF07")),
    Spoiled("photo missing", fails("SSSE_RECORD", SUBMISSION), without_file("SSSE/EF08")),
    Spoiled("holder's file missing", fails("SSSE_RECORD", SUBMISSION), without_file("SSSE/EF06")),
    Spoiled("local file of the MF missing", fails(SUBMISSION), without_file("MF/0003")),
    Spoiled("DF missing", fails("DF05_RECORD", SUBMISSION), without_dedicated("DF05")),
    Spoiled("wrong tag", fails("DF01_RECORD"), record_with("DF01/EF07", 1, "2A0131")),
    Spoiled("wrong tag in the holder's file", fails("SSSE_RECORD"), record_with("SSSE/EF06", 5, "1B0101")),
    Spoiled("wrong width", fails("DF01_RECORD"), record_with("DF01/EF07", 1, "29023100")),
    Spoiled(
        "records in another order",
        fails("SSSE_RECORD"),
        records_with("SSSE/EF06", lambda found: (*found[:3], found[4], found[3], *found[5:])),
    ),
    Spoiled("record missing", fails("DF03_RECORD"), records_with("DF03/EF07", lambda found: found[:-1])),
    Spoiled(
        "record too many", fails("DF01_RECORD"), records_with("DF01/EF07", lambda found: (*found, b"\x2a\x01\x31"))
    ),
    Spoiled("digits that are none", fails("SSSE_RECORD"), record_with("SSSE/EF06", 6, "0C0399ABCD")),
    Spoiled("sex that is none", fails("SSSE_RECORD", SUBMISSION), record_with("SSSE/EF06", 4, "0A0137")),
    Spoiled(
        "nested field of another tag",
        fails("DF03_RECORD"),
        records_with("DF03/EF19", lambda found: (found[0][:2] + b"\x19" + found[0][3:], *found[1:])),
    ),
    Spoiled("binary file too short", fails("SSSE_RECORD"), file_with("SSSE/EF07", size=256, content=bytes(256))),
    Spoiled("binary file too long", fails("SSSE_RECORD"), file_with("SSSE/EF07", size=600, content=bytes(600))),
    Spoiled(
        "records where bytes should be",
        fails("SSSE_RECORD", "SSSE_SAFETY"),
        file_with("SSSE/EF07", kind=FileKind.LINEAR_VARIABLE, size=0, content=b""),
    ),
    Spoiled(
        "log of another width",
        fails("DF04_RECORD"),
        file_with("DF04/EF08", record_size=23, records=(bytes(23),)),
    ),
    Spoiled("log too long", fails("DF04_RECORD"), file_with("DF04/EF08", size=12, records=_FULL_LOG + _FULL_LOG[:2])),
    Spoiled(
        "directory of another application",
        fails("SSSE_RECORD"),
        records_with("SSSE/EF1E", lambda found: (found[1], *found[1:])),
    ),
    Spoiled("by tag nothing is found", fails(*EVERY_RECORD), wire=NoTags),
    # selection
    Spoiled("EF shows an FCI", fails(*EVERY_RECORD), wire=ShowsFiles),
    Spoiled("wrong FCI", fails("SSSE_RECORD"), dedicated_with(SSSE, shown=bytes.fromhex("88011F"))),
    Spoiled("no FCI", fails("SSSE_RECORD"), dedicated_with(SSSE, shown=b"")),
    Spoiled("DF of another name", fails("DF01_RECORD", SUBMISSION), dedicated_with(DF01, name=b"\xd1\x56\x00")),
    # rights
    Spoiled("read without a right", fails("DF01_SAFETY"), file_with("DF01/EF05", read=FREE)),
    Spoiled("read with the PIN alone", fails("DF04_SAFETY"), file_with("DF04/EF06", read=_PIN_RULE)),
    Spoiled(
        "read with another key",
        fails("DF07_SAFETY", "DF07_RECORD"),
        file_with("DF07/EF05", read=AccessRule.right(0x89)),
    ),
    Spoiled("never read", fails("SSSE_SAFETY", "SSSE_RECORD"), file_with("SSSE/EF0D", read=NEVER)),
    Spoiled("free update", fails("SSSE_SAFETY"), file_with("SSSE/EF06", update=FREE)),
    Spoiled("update with the PIN", fails("DF01_SAFETY"), file_with("DF01/EF06", update=_PIN_RULE)),
    Spoiled("never updated", fails("DF01_SAFETY"), file_with("DF01/EF07", update=NEVER)),
    Spoiled("log that can be written", fails("DF04_SAFETY"), file_with("DF04/EF08", update=_PIN_RULE)),
    Spoiled("photo that anybody replaces", fails("SSSE_SAFETY"), file_with("SSSE/EF08", update=FREE)),
    Spoiled(
        "rights kept across applications",
        fails(*every_safety()),
        fault=keeps_rights,
    ),
    Spoiled("local keys count next door", fails(*every_safety("SSSE", "DF04")), fault=keeps_local_rights),
    Spoiled("PIN forgotten on the way", fails(*every_safety("SSSE", "DF07")), fault=loses_rights),
    Spoiled("nobody is asked for rights", fails(*every_safety()), fault=asks_nobody),
    Spoiled(
        "short identifiers mixed up",
        fails(SUBMISSION, *EVERY_RECORD, *every_safety("DF05")),
        fault=finds_no_short_identifier,
    ),
    # PIN
    Spoiled("too many tries", fails(PIN, SUBMISSION), pin_with(tries=5, tries_left=5)),
    Spoiled("PIN that is no BCD", fails(SUBMISSION), pin_with(value=b"123456")),
    Spoiled("PIN of longer format", fails(SUBMISSION), pin_with(min_bytes=4)),
    Spoiled("PIN blocked", fails(SUBMISSION), pin_with(tries_left=0)),
    Spoiled("a try is spent", fails(SUBMISSION), pin_with(tries_left=2)),
    Spoiled("PIN not changeable", fails(PIN), wire=NoChange),
    Spoiled("PIN changed once and never again", fails(PIN), wire=OneChange),
    Spoiled("PIN only seems changed", fails(PIN), wire=PretendsToChange),
    Spoiled("PIN of any length", fails(PIN), pin_with(min_bytes=1, max_bytes=8)),
    Spoiled("any PIN is right", fails(PIN), fault=takes_any_pin),
    Spoiled("no try comes back", fails(PIN), fault=keeps_tries_spent),
    Spoiled("tries are not counted", fails(PIN), fault=forgets_that_tries_count),
    Spoiled("asking for the PIN's tries costs one", fails(PIN, SUBMISSION), wire=CostlyPinQuestion),
    # reset
    Spoiled("wrong ATR prefix", fails(ATR), atr_with(lambda atr: b"\x3b\x6e" + atr[2:])),
    Spoiled("ATR that offers T=1", fails(ATR), atr_with(lambda atr: b"\x3b\xed\x00\x00\x81" + atr[4:])),
    Spoiled("ATR that changes", fails(ATR), wire=Shifty),
    # keys
    Spoiled("key missing", fails(KEYS), without_key(DF01, EXTERNAL, 0x83)),
    Spoiled("wrong key", fails(KEYS), other_key(DF01, EXTERNAL, 0x83)),
    Spoiled("wrong card lock key", fails(KEYS), other_key(SSSE, EXTERNAL, 0x05)),
    Spoiled("wrong unblocking key", fails(KEYS), other_key(SSSE, EXTERNAL, 0x06)),
    Spoiled("wrong messaging key", fails(KEYS), other_key(SSSE, Usage.MESSAGING, 0x02)),
    Spoiled("wrong load key", fails(KEYS), other_key(DF04, Usage.LOAD, 0x01)),
    Spoiled("wrong IRK", fails(KEYS, SUBMISSION), other_key(SSSE, Usage.INTERNAL_AUTHENTICATION, 0x00)),
    Spoiled("IRK missing", fails(KEYS, SUBMISSION), without_key(SSSE, Usage.INTERNAL_AUTHENTICATION, 0x00)),
    Spoiled("keys of another city", fails(KEYS, SUBMISSION), of_city("990200")),
    Spoiled("keys of another province", fails(KEYS, SUBMISSION), of_city("980100")),
    Spoiled("any cryptogram is right", fails(KEYS), fault=takes_any_cryptogram),
    Spoiled("key blocked", fails(KEYS), other_key(DF01, EXTERNAL, 0x83, tries_left=0)),
    Spoiled(
        "another key in version 2",
        fails("KEY_VER2"),
        other_version(SSSE, EXTERNAL, 0x04, version=2),
        profile="ssc-v2+key-versions",
    ),
    Spoiled(
        "version 3 missing", fails("KEY_VER3"), without_version(SSSE, EXTERNAL, 0x06, 3), profile="ssc-v2+key-versions"
    ),
    Spoiled("SM4 key that is another one", fails(KEYS), other_key(SSSE, EXTERNAL, 0x04), profile="ssc-v3+sm4"),
    # generations
    Spoiled("holder's data free", fails("SSSE_SAFETY"), file_with("SSSE/EF06", read=FREE), profile="ssc-v3"),
    Spoiled(
        "FCI without the algorithm",
        fails("SSSE_RECORD"),
        dedicated_with(SSSE, shown=bytes.fromhex("88011E")),
        profile="ssc-v3",
    ),
    Spoiled("older file missing", fails("DF02_RECORD", SUBMISSION), without_file("DF02/EF08"), profile="ssc-v1"),
    Spoiled(
        "three tries instead of six",
        fails(PIN, SUBMISSION),
        pin_with(tries=3, tries_left=3),
        profile="ssc-v2+pin-tries-6",
    ),
    # composition
    Spoiled("code with a wrong MAC", fails(SUBMISSION), ident_code(lambda code: code[:-1] + b"\x00")),
    Spoiled("code of another city", fails(SUBMISSION), ident_code(lambda code: b"\x99\x02\x00" + code[3:])),
    Spoiled("code of no city", fails(SUBMISSION), ident_code(lambda code: b"\x99\x0a\x00" + code[3:])),
    Spoiled(
        "code with another serial number", fails(SUBMISSION), ident_code(lambda code: code[:8] + bytes(4) + code[12:])
    ),
    Spoiled("code of another registration", fails(SUBMISSION), ident_code(lambda code: code[:3] + bytes(5) + code[8:])),
    Spoiled("another version", fails(SUBMISSION), record_with("SSSE/EF05", 3, b"\x03\x041.00")),
    Spoiled(
        "another organisation's prefix", fails(SUBMISSION), record_with("SSSE/EF05", 4, "040C815600000299010099010000")
    ),
    Spoiled("card number that does not check", fails(SUBMISSION), record_with("SSSE/EF05", 7, b"\x07\x09A00000012")),
    Spoiled("expired before it was issued", fails(SUBMISSION), record_with("SSSE/EF05", 6, "060420140101")),
    Spoiled("issued on no day", fails(SUBMISSION), record_with("SSSE/EF05", 5, "050420240230")),
    Spoiled(
        "holder's number that does not check",
        fails(SUBMISSION),
        record_with("SSSE/EF06", 1, b"\x08\x12990101199003070016"),
    ),
    Spoiled("sex of another number", fails(SUBMISSION), record_with("SSSE/EF06", 4, b"\x0a\x012")),
    # life
    Spoiled(
        "application blocked",
        fails("DF04_RECORD", SUBMISSION),
        dedicated_with(DF04, lifecycle=Lifecycle.DEACTIVATED),
    ),
)
