"""Scenes of the commands that build cards, blank and native, and of the security module, and what may be wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from card import natives
from card.cards import DF04, MF, SSSE, blank, specimen
from card.modules import CARD_FACTOR, CITY_FACTOR, COUNTER, module
from card.modules import DF01 as MODULE_DF
from card.order import Order
from card.scene import (
    Scene,
    Seal,
    Violation,
    altered,
    bare,
    both,
    data,
    forged,
    gone,
    guarded,
    keys,
    no_challenge,
    no_keys,
    p1,
    p2,
    patch,
    scene,
    settings,
    standing,
    without,
)
from kaguan.card_os.image import CardImage, KeyFile, Lifecycle, Messaging
from kaguan.card_os.profile import FREE, NEVER
from kaguan.card_os.profile.fcp import DF_DESCRIPTOR, Fcp
from kaguan.card_os.profile.keydata import KeyHeader
from kaguan.card_os.session import TRANSPORT_RIGHT, LentKey, ModulePurchase
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

CHALLENGE = bytes.fromhex("0102030405060708")
NOWHERE = standing(current=b"\x00\x00")
SEALED = [("6984", no_challenge), ("6987", bare("")), ("6988", forged)]
HOLDER = ("6982", without(TRANSPORT_RIGHT))
GARBAGE = "77" * 7


@cache
def unsealed() -> CardImage:
    """The specimen before its seal."""
    transport = {at: key for at, key in blank().keys.items() if key[0].usage is Usage.TRANSPORT}
    return specimen()._replace(lifecycle=Lifecycle.CREATION, keys={**specimen().keys, **transport})


def _making(command: str, *, at: bytes = SSSE) -> Scene:
    return scene(unsealed(), at, command, TRANSPORT_RIGHT, challenge=CHALLENGE)


def _create() -> Scene:
    fcp = bytes(Fcp(DF_DESCRIPTOR, 0xDF20, df_name=b"NEW NAME", lifecycle=1))
    return _making(f"00E00000{len(fcp):02X}{fcp.hex()}")


def _fcp(**parts: Any) -> Violation:
    def made(before: Scene) -> Scene:
        fcp = replace(Fcp.parse(before.command.data), **parts)
        return data(bytes(fcp).hex())(before)

    return made


def _write() -> Scene:
    record = bytes(KeyHeader(Usage.LOAD, 0x05, 0, Algorithm.TDES, 8)) + bytes(16)
    seal = guarded(Usage.TRANSPORT, None, Scheme.PBOC, encrypted=True)
    return replace(_making(f"84D40100{len(record):02X}{record.hex()}"), seal=seal)


CREATION = (
    Order(
        "CREATE FILE",
        _create,
        [
            HOLDER,
            ("6A86", p1(1)),
            ("6A80", data(GARBAGE)),
            ("6A82", NOWHERE),
            ("6A84", _fcp(size=0x8000)),
            ("6A89", _fcp(fid=0xDF04)),
            ("6A8A", _fcp(df_name=specimen().dedicated[DF04].name)),
        ],
    ),
    Order(
        "WRITE KEY",
        _write,
        [HOLDER, ("6A86", p1(0)), ("6A82", NOWHERE), *SEALED, ("6A80", data(GARBAGE))],
    ),
    Order(
        "DELETE FILE",
        lambda: _making("00E40000"),
        [HOLDER, ("6A86", p1(1)), ("6700", data("00")), ("6A82", NOWHERE)],
    ),
    Order(
        "ACTIVATE FILE",
        lambda: _making("00440000", at=MF),
        [HOLDER, ("6A86", p1(1)), ("6700", data("00")), ("6985", standing(current=SSSE))],
    ),
)

MASTER, EXTERNAL = 0x00, Usage.EXTERNAL_AUTHENTICATION
NEW_KEY = "3EF0F00100" + "11" * 16
MODULE_KEY = "420500" + "11" * 16


def _native(command: str, seal: Seal | None = None) -> Scene:
    return replace(scene(natives.funded(), natives.ADF, command, challenge=CHALLENGE), seal=seal)


def _region(**parts: Any) -> Violation:
    def made(before: Scene) -> Scene:
        region = before.image.dedicated[natives.ADF].region
        assert region is not None
        return altered("dedicated", natives.ADF, region=region._replace(**parts))(before)

    return made


def _key_file(**parts: Any) -> Violation:
    def made(before: Scene) -> Scene:
        region = before.image.dedicated[natives.ADF].region
        assert region is not None
        key_file = region.key_file or KeyFile(0, 0, FREE)
        return _region(key_file=key_file._replace(**parts))(before)

    return made


def _opened(before: Scene) -> Scene:
    """Who may build here is everybody; who may not, a violation says."""
    return both(_region(create=FREE, erase=FREE), _key_file(add=FREE), keys(Usage.PURCHASE, change=FREE))(before)


def _sealed_key() -> Scene:
    seal = guarded(EXTERNAL, MASTER, Scheme.PBOC, encrypted=True)
    return _opened(_native("84D4010515" + NEW_KEY, seal))


def _module_key() -> Scene:
    seal = guarded(EXTERNAL, MASTER, Scheme.PBOC, encrypted=True)
    return _opened(_native("84D4000013" + MODULE_KEY, seal))


CLOSED = ("6982", both(_region(create=NEVER, erase=NEVER), _key_file(add=NEVER), keys(Usage.PURCHASE, change=NEVER)))
OVER = both(p1(0x3E), p2(0x01))
NO_MASTER_FILE = ("6A81", NOWHERE)
NO_KEY_FILE = ("6A82", _region(key_file=None))
NO_ROOM = ("6A84", _key_file(space_bytes=8))
FLAT = settings(native=natives.PROFILE.behaviour.native._replace(levels=2))
PLACED = [
    ("6A86", p1(0x05)),
    NO_MASTER_FILE,
    NO_KEY_FILE,
    ("6A88", both(p1(0x3E), p2(0x77))),
    CLOSED,
]

NATIVE = (
    Order(
        "CREATE FILE (native)",
        lambda: _opened(_native("80E000550728 0010 F0F0 FFFF")),
        [
            ("6700", data("2800")),
            NO_MASTER_FILE,
            CLOSED,
            ("6A80", data("270010F0F0FFFF")),
            ("6A86", p2(0x05)),
            ("6A80", data("3F0010F0F0FFFF")),
            ("6A84", both(FLAT, data("380010F0F095FFFF4142434445"))),
            ("6A84", patch(1, "FFFF")),
        ],
    ),
    Order(
        "ERASE DF",
        lambda: _opened(_native("800E0000")),
        [("6A86", p1(1)), ("6700", data("00")), NO_MASTER_FILE, CLOSED],
    ),
    Order(
        "WRITE KEY (native)",
        lambda: _opened(_native("80D4010515" + NEW_KEY)),
        [
            *PLACED,
            ("6900", both(OVER, keys(Usage.PURCHASE, messaging=Messaging.MAC))),
            ("6A80", data(GARBAGE)),
            ("6900", both(p1(0x01), p2(0x05), data(NEW_KEY.replace("3E", "BE", 1)))),
            ("6A80", both(OVER, data(NEW_KEY.replace("3E", "3F", 1)))),
            ("6A80", p2(0x01)),
            NO_ROOM,
        ],
    ),
    Order(
        "WRITE KEY (native, protected)",
        _sealed_key,
        [
            *PLACED,
            ("6A88", no_keys(EXTERNAL)),
            *SEALED,
            ("6A80", data(GARBAGE)),
            ("6A80", both(OVER, data(NEW_KEY.replace("3E", "3F", 1)))),
            ("6A80", p2(0x01)),
            NO_ROOM,
        ],
    ),
    Order(
        "WRITE KEY (native, protected)",
        _module_key,
        [
            NO_MASTER_FILE,
            NO_KEY_FILE,
            CLOSED,
            ("6A88", no_keys(EXTERNAL)),
            *SEALED,
            ("6A80", data(GARBAGE)),
            NO_ROOM,
        ],
        otherwise=True,
    ),
)

AMOUNT, TIME, NUMBER = "000002BC", "20240101120000", "112233440001"
FACTORS = CARD_FACTOR + CITY_FACTOR
PURCHASE_HEAD = f"{NUMBER}{AMOUNT}06{TIME}0000"
MEDICAL_HEAD = f"{NUMBER}{AMOUNT}{'00' * 8}32{TIME}0000"
THREE = FACTORS + "0102030405060708"
LENT = LentKey(cipher(bytes(16), Algorithm.TDES), enciphers=True, authenticates=True)
SINGLE = keys(Usage.SECURITY_MODULE, algorithm=Algorithm.DES, value=bytes(8))


def _module(command: str, **session: Any) -> Scene:
    return scene(module(), MODULE_DF, command, **session)


def _loading() -> Scene:
    seal = guarded(Usage.SECURITY_MODULE, MASTER, Scheme.PBOC, encrypted=True, version=0x00)
    return replace(_module(f"84D40000{len(MODULE_KEY) // 2:02X}{MODULE_KEY}", challenge=CHALLENGE), seal=seal)


def _purchase(header: str, head: str) -> Order:
    size = len(head) // 2
    return Order(
        "INITIALIZE SAM FOR PURCHASE" if header == "80700000" else "INITIALIZE SAM FOR PURCHASE (medical)",
        lambda: _module(f"{header}{size + 16:02X}{head}{FACTORS}"),
        [
            ("6A86", p2(1)),
            ("6700", data(head[:-2])),
            ("9403", patch(size - 2, "77")),
            ("6A80", patch(size - 1, "07")),
            ("9303", keys(Usage.SECURITY_MODULE, tries_left=0)),
            ("6A82", gone("files", COUNTER)),
            ("9402", altered("files", COUNTER, content=b"\xff" * 4)),
            ("6985", both(SINGLE, patch(size - 1, "01"))),
        ],
    )


def _lending(name: str, header: str, extra: str) -> Order:
    factors = THREE + extra
    return Order(
        name,
        lambda: _module(f"{header}670A{len(factors) // 2:02X}{factors}"),
        [
            ("6A88", p2(0x77)),
            ("6985", both(p1(0x42), p2(0x00))),
            ("6700", data("0102")),
            ("6985", SINGLE),
        ],
    )


MODULE = (
    _purchase("80700000", PURCHASE_HEAD),
    _purchase("80700100", MEDICAL_HEAD),
    Order(
        "CREDIT SAM FOR PURCHASE",
        lambda: _module("8072000004 01020304", module=ModulePurchase(MODULE_DF, 0x00, 0x42, b"\1\2\3\4")),
        [("6A86", p1(1)), ("6901", standing(module=None)), ("6700", data("01"))],
    ),
    Order(
        "WRITE KEY (security module)",
        _loading,
        [("6A86", p1(1)), ("6A88", no_keys(Usage.SECURITY_MODULE)), *SEALED, ("6A80", data(GARBAGE))],
    ),
    _lending("INITIALIZE FOR DESCRYPT", "801A", ""),
    _lending("INITIALIZE FOR DESCRYPT (process key)", "BFDE", "1112131415161718"),
    Order(
        "DESCRYPT",
        lambda: _module("80FA000008" + "00" * 8, module=LENT),
        [
            ("6A86", p2(1)),
            ("6901", standing(module=None)),
            ("6985", standing(module=LENT._replace(enciphers=False, authenticates=False))),
            ("6700", data("00" * 7)),
            ("6901", p1(0x03)),
        ],
    ),
)

ORDERS = CREATION + NATIVE + MODULE
