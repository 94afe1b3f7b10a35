"""Scenes of the commands on files, plain and protected, and everything that may be wrong with them, in order."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from card import natives
from card.banks import ADF as BANK_ADF
from card.banks import rich
from card.cards import MF, a_file, with_file
from card.order import Make, Order
from card.scene import (
    Scene,
    Seal,
    Violation,
    altered,
    bare,
    both,
    data,
    forged,
    guarded,
    ne,
    no_challenge,
    no_file,
    no_keys,
    p1,
    p2,
    scene,
    standing,
)
from kaguan.card_os.image import CardImage, Lifecycle, Messaging, Protection
from kaguan.card_os.profile import NEVER, FileKind
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

FILE = natives.ADF + b"\x00\x15"
PURSE_FILE = natives.ADF + b"\x00\x01"
RECORD = bytes.fromhex("0702AABB")
LINE_KEY = Usage.APPLICATION_MAINTENANCE
TOO_LONG = "00" * 240
PROTECTED = Protection(Messaging.MAC, Messaging.MAC)
CHALLENGE = bytes.fromhex("0102030405060708")


@cache
def _image(kind: FileKind, *, protected: bool) -> CardImage:
    if kind is FileKind.TRANSPARENT:
        file = a_file(kind, content=bytes(range(16)))
    else:
        file = a_file(kind, size=8, records=(RECORD,))
    file = file._replace(protection=PROTECTED) if protected else file
    return with_file(natives.built(), FILE, file)


def standing_in(kind: FileKind, command: str, *, protected: bool = False) -> Scene:
    """A native card whose current file is of that kind and open to all."""
    made = scene(_image(kind, protected=protected), natives.ADF, command, file=FILE, challenge=CHALLENGE)
    return replace(made, seal=_seal()) if protected else made


def _seal(*, encrypted: bool = False) -> Seal:
    return guarded(LINE_KEY, 0, Scheme.PBOC, encrypted=encrypted)


def _file(**parts: Any) -> Violation:
    return altered("files", FILE, **parts)


wants_protection = _file(protection=PROTECTED)
closed = _file(read=NEVER, update=NEVER)
transparent = _file(kind=FileKind.TRANSPARENT)
with_records = _file(kind=FileKind.LINEAR_VARIABLE)
LOCATED = [
    ("6A86", p1(0xA1)),
    ("6A82", p1(0x9E)),
    ("6986", no_file),
]
ALLOWED = [("6700", data(TOO_LONG)), ("6900", wants_protection), ("6982", closed)]
RECORDS = [("6A82", p2(0xF4)), ("6986", no_file), ("6981", transparent), *ALLOWED]
NO_LE = [("6700", ne(None))]
GUARDED = [
    ("6981", standing(file=PURSE_FILE)),
    ("6900", _file(protection=Protection())),
    ("6A88", no_keys(LINE_KEY)),
    ("6984", no_challenge),
    ("6987", bare("")),
    ("6988", forged),
]
PROTECTED_RECORDS = [("6700", bare(TOO_LONG)), ("6A82", p2(0xF4)), ("6986", no_file), *GUARDED]
MORE_THAN_A_MAC = ("6700", data("01"))
FULL = _file(size=4)
LONG = both(
    _file(protection=Protection(Messaging.ENCIPHERED, Messaging.ENCIPHERED), content=bytes(300), size=300), ne(300)
)
_long_record = b"\x07\xff" + bytes(255)
LONG_RECORD = both(
    _file(protection=Protection(Messaging.ENCIPHERED, Messaging.ENCIPHERED), records=(_long_record,)), ne(257)
)
SHORT = _file(content=bytes(16), size=16)
SHORT_RECORD = _file(records=(RECORD,))


def _selecting() -> Scene:
    return scene(rich(), BANK_ADF, "00A4000002 3F00 00")


def _waiting(command: str = "00C0000004") -> Scene:
    return scene(rich(), MF, command, waiting=b"1234")


def _card_blocked(before: Scene) -> Scene:
    return replace(before, image=before.image._replace(lifecycle=Lifecycle.TERMINATED))


def _unblocked(kind: FileKind, command: str, *, protected: bool = False) -> Make:
    return lambda: standing_in(kind, command, protected=protected)


PLAIN, RECORD_FILE = FileKind.TRANSPARENT, FileKind.LINEAR_VARIABLE

ORDERS = (
    Order(
        "SELECT",
        _selecting,
        [
            ("6A86", p2(0x08)),
            ("6A80", data("3F")),
            ("6A82", data("EF77")),
            ("6A82", data("0001")),  # the electronic deposit's file
        ],
    ),
    Order(
        "GET RESPONSE",
        _waiting,
        [
            ("6A81", _card_blocked),
            ("6A86", p2(1)),
            ("6985", standing(waiting=b"")),
            ("6700", ne(None)),
            ("6Cxx", ne(5)),
        ],
    ),
    Order(
        "READ BINARY",
        _unblocked(PLAIN, "00B0000004"),
        [
            *LOCATED,
            ("6981", with_records),
            *ALLOWED,
            ("6B00", p2(0x40)),
            *NO_LE,
            ("6Cxx", ne(20)),
        ],
    ),
    Order(
        "UPDATE BINARY",
        _unblocked(PLAIN, "00D6000002AABB"),
        [
            *LOCATED,
            ("6981", with_records),
            *ALLOWED,
            ("6B00", p2(0x40)),
            ("6700", data("")),
            ("6A84", data("00" * 17)),
        ],
    ),
    Order(
        "READ RECORD",
        _unblocked(RECORD_FILE, "00B2010404"),
        [*RECORDS, ("6A86", p2(0x06)), ("6A83", p1(9)), *NO_LE, ("6Cxx", ne(9))],
    ),
    Order(
        "UPDATE RECORD",
        _unblocked(RECORD_FILE, "00DC020404 0702CCDD"),
        [
            *RECORDS,
            ("6700", data("")),
            ("6A86", p2(0x06)),
            ("6A83", p1(9)),
            ("6A80", data("0703CCDD")),
            ("6A84", FULL),
        ],
    ),
    Order(
        "APPEND RECORD",
        _unblocked(RECORD_FILE, "00E2000004 0702CCDD"),
        [*RECORDS, ("6700", data("")), ("6A86", p1(1)), ("6A80", data("0703CCDD")), ("6A84", FULL)],
    ),
    Order(
        "READ BINARY (protected)",
        _unblocked(PLAIN, "04B0000004", protected=True),
        [
            ("6A86", p1(0xA1)),
            ("6700", bare(TOO_LONG)),
            ("6A82", p1(0x9E)),
            ("6986", no_file),
            *GUARDED,
            MORE_THAN_A_MAC,
            ("6981", with_records),
            ("6982", closed),
            ("6B00", p1(0x40)),
            *NO_LE,
            ("6Cxx", both(SHORT, ne(20))),
            ("6700", LONG),
        ],
    ),
    Order(
        "UPDATE BINARY (protected)",
        _unblocked(PLAIN, "04D6000002AABB", protected=True),
        [
            ("6A86", p1(0xA1)),
            ("6700", bare(TOO_LONG)),
            ("6A82", p1(0x9E)),
            ("6986", no_file),
            *GUARDED,
            ("6981", with_records),
            ("6982", closed),
            ("6B00", p1(0x40)),
            ("6700", data("")),
            ("6A84", data("00" * 17)),
        ],
    ),
    Order(
        "READ RECORD (protected)",
        _unblocked(RECORD_FILE, "04B2010404", protected=True),
        [
            *PROTECTED_RECORDS,
            MORE_THAN_A_MAC,
            ("6981", transparent),
            ("6982", closed),
            ("6A86", p2(0x06)),
            ("6A83", p1(9)),
            *NO_LE,
            ("6Cxx", both(SHORT_RECORD, ne(9))),
            ("6700", LONG_RECORD),
        ],
    ),
    Order(
        "UPDATE RECORD (protected)",
        _unblocked(RECORD_FILE, "04DC0204040702CCDD", protected=True),
        [
            *PROTECTED_RECORDS,
            ("6981", transparent),
            ("6982", closed),
            ("6700", data("")),
            ("6A86", p2(0x06)),
            ("6A83", p1(9)),
            ("6A80", data("0703CCDD")),
            ("6A84", FULL),
        ],
    ),
    Order(
        "APPEND RECORD (protected)",
        _unblocked(RECORD_FILE, "04E20000040702CCDD", protected=True),
        [
            *PROTECTED_RECORDS,
            ("6981", transparent),
            ("6982", closed),
            ("6700", data("")),
            ("6A86", p1(1)),
            ("6A80", data("0703CCDD")),
            ("6A84", FULL),
        ],
    ),
)
