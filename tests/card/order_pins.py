"""Scenes of PIN, authentication and blocking commands, of both families of cards, and what may be wrong with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from card import banks
from card.bank_teller import pin_reload
from card.cards import DF04, PIN_ADDRESS, SSSE, a_file, specimen, with_file
from card.oracle import tdes
from card.order import Order
from card.scene import (
    Scene,
    Violation,
    altered,
    bare,
    data,
    forged,
    gone,
    guarded,
    ill_padded,
    keys,
    ne,
    no_challenge,
    no_keys,
    p1,
    p2,
    patch,
    scene,
    settings,
    shortened,
    standing,
    without,
)
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import CARD_CODE
from kaguan.card_os.image import Lifecycle
from kaguan.card_os.profile import NEVER, FileKind
from kaguan.card_os.profile.model import Authentication
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

CHALLENGE = bytes.fromhex("0102030405060708")
ORIGINAL = bytes.fromhex("1112131415161718")
NOWHERE = standing(current=b"\x00\x00")
LOCK, UNLOCK_PIN, SSSE_LOCK = 0x83, 0x06, 0x05
LIFE = "dedicated"


def _social(command: str, *rights: int, at: bytes = SSSE) -> Scene:
    return scene(specimen(), at, command, *rights, challenge=CHALLENGE)


def _sealed(command: str, *rights: int, at: bytes, reference: int, encrypted: bool = False) -> Scene:
    seal = guarded(Usage.MESSAGING, reference, Scheme.SSC, encrypted=encrypted)
    return replace(_social(command, *rights, at=at), seal=seal)


def _bank(command: str, *rights: int) -> Scene:
    return scene(banks.rich(), banks.ADF, command, *rights, challenge=CHALLENGE)


def _proving(made: Scene) -> Scene:
    """EXTERNAL AUTHENTICATE with the cryptogram that the card's key makes, wherever the scene comes to stand."""
    return replace(made, seal=_proof)


def _proof(before: Scene) -> CommandApdu:
    key = before.key(Usage.EXTERNAL_AUTHENTICATION, before.command.p2)
    value, challenge = key.value if key else bytes(16), before.session.challenge or bytes(8)
    if before.behaviour.authentication is Authentication.DIRECT:
        return before.command._replace(data=tdes(value, challenge))
    return before.command._replace(data=tdes(tdes(value, challenge), ORIGINAL) + ORIGINAL)


def _issued(command: str, usage: Usage, *, encrypted: bool = False) -> Scene:
    return replace(_bank(command), seal=guarded(usage, None, Scheme.PBOC, encrypted=encrypted))


def _blocked(before: Scene, lifecycle: Lifecycle = Lifecycle.DEACTIVATED) -> Scene:
    return altered(LIFE, None, lifecycle=lifecycle)(before)


def _life(lifecycle: Lifecycle) -> Violation:
    return altered(LIFE, None, lifecycle=lifecycle)


def _pin(**parts: Any) -> Violation:
    return altered("pins", PIN_ADDRESS, **parts)


def _with_code() -> Scene:
    made = _bank("80CA000009")
    file = a_file(FileKind.TRANSPARENT, content=bytes(range(9)))
    return replace(made, image=with_file(made.image, CARD_CODE, file))


NO_PIN = gone("pins", PIN_ADDRESS)
SEALED = [("6984", no_challenge), ("6987", bare(""))]
LOCKED = [
    ("6A81", altered(LIFE, DF04, lock_key=0xFF)),
    ("6982", without(LOCK)),
    ("6A88", no_keys(Usage.MESSAGING)),
    *SEALED,
    ("6988", forged),
    ("6A80", data("01")),
]
ENDED = ("9303", _life(Lifecycle.TERMINATED))
NOT_BLOCKED = ("6985", _life(Lifecycle.ACTIVATED))
MAINTENANCE = Usage.APPLICATION_MAINTENANCE
MAINTAINED = [
    ("6A88", no_keys(MAINTENANCE)),
    ("9303", keys(MAINTENANCE, tries_left=0)),
    ("6700", bare("0000000000")),
    *SEALED,
]

SOCIAL = (
    Order("GET DATA", lambda: _social("00CA9F7F00"), [("6A88", p1(0))]),
    Order("GET DATA (odd)", lambda: _social("00CB9F7F00"), [("6A88", p1(0))]),
    Order(
        "VERIFY",
        lambda: _social("0020000003123456"),
        [
            ("6A86", p1(1)),
            ("6A88", p2(7)),
            ("6984", _pin(value=b"")),
            ("6982", _pin(use=NEVER)),
            ("6983", _pin(tries_left=0)),
            ("6700", data("12")),
            ("6A80", data("12AB56")),
        ],
    ),
    Order(
        "CHANGE PIN",
        lambda: _social("805E010007123456FF654321"),
        [
            ("6A88", p2(7)),
            ("6984", _pin(value=b"")),
            ("6983", _pin(tries_left=0)),
            ("6A80", data("123456")),
            ("6700", shortened(2)),
            ("6A80", patch(0, "12AB56")),
        ],
    ),
    Order(
        "PIN UNBLOCK",
        lambda: _sealed("8424000103654321", UNLOCK_PIN, at=SSSE, reference=0x02, encrypted=True),
        [
            ("6A86", p1(1)),
            ("6A88", NO_PIN),
            ("6982", without(UNLOCK_PIN)),
            ("6A88", no_keys(Usage.MESSAGING)),
            *SEALED,
            ("6988", forged),
            ("6700", data("12")),
            ("6A80", data("12AB56")),
        ],
    ),
    Order("GET CHALLENGE", lambda: _social("0084000008"), [("6A86", p1(1)), ("6700", ne(5))]),
    Order(
        "INTERNAL AUTHENTICATE",
        lambda: _social("0088000010" + "00" * 16),
        [
            ("6A86", p1(1)),
            ("6700", data("00" * 7)),
            ("6A88", p2(9)),
            ("6700", lambda before: settings(sm4=True)(data("00" * 24)(before))),
        ],
    ),
    Order(
        "EXTERNAL AUTHENTICATE",
        lambda: _proving(_social("00820004")),
        [
            ("6A86", p1(1)),
            ("6700", bare("00" * 7)),
            ("6A88", p2(0x50)),
            ("6700", lambda before: settings(sm4=True)(bare("00" * 32)(before))),
            ("6983", keys(Usage.EXTERNAL_AUTHENTICATION, tries_left=0)),
            ("6984", no_challenge),
        ],
    ),
    Order(
        "APPLICATION BLOCK",
        lambda: _sealed("841E0000", LOCK, at=DF04, reference=0x82),
        [("6A86", p1(1)), *LOCKED],
    ),
    Order(
        "APPLICATION UNBLOCK",
        lambda: _blocked(_sealed("84180000", LOCK, at=DF04, reference=0x82)),
        [("6A86", p1(1)), ENDED, NOT_BLOCKED, *LOCKED],
    ),
    Order(
        "CARD BLOCK",
        lambda: _sealed("84160000", SSSE_LOCK, at=SSSE, reference=0x02),
        [
            ("6A86", p1(1)),
            ("6A81", altered(LIFE, SSSE, lock_key=0xFF)),
            ("6982", without(SSSE_LOCK)),
            *LOCKED[2:],
        ],
    ),
)

BANK = (
    Order(
        "INTERNAL AUTHENTICATE",
        lambda: _bank("0088000008" + "00" * 8),
        [
            ("6A86", p1(3)),
            ("6700", data("")),
            ("6A88", p2(9)),
            ("6982", keys(Usage.INTERNAL_AUTHENTICATION, use=NEVER)),
            ("6700", data("00" * 7)),
        ],
        otherwise=True,
    ),
    Order(
        "EXTERNAL AUTHENTICATE",
        lambda: _proving(_bank("00820000")),
        [
            ("6A86", p1(1)),
            ("6A88", p2(9)),
            ("6982", keys(Usage.EXTERNAL_AUTHENTICATION, use=NEVER)),
            ("6700", bare("00" * 7)),
            ("6983", keys(Usage.EXTERNAL_AUTHENTICATION, tries_left=0)),
            ("6984", no_challenge),
        ],
        otherwise=True,
    ),
    Order(
        "RELOAD PIN",
        lambda: _bank(pin_reload()),
        [
            ("6A86", p2(1)),
            ("6A88", no_keys(Usage.PIN_RELOAD)),
            ("9303", keys(Usage.PIN_RELOAD, tries_left=0)),
            ("6700", data("1200000000")),
            ("6A80", patch(0, "12AB56")),
        ],
    ),
    Order(
        "PIN UNBLOCK (purse)",
        lambda: _issued("8424000003654321", Usage.PIN_UNBLOCK, encrypted=True),
        [
            ("6A86", p1(1)),
            ("6A88", no_keys(Usage.PIN_UNBLOCK)),
            ("9303", keys(Usage.PIN_UNBLOCK, tries_left=0)),
            *SEALED,
            ("6988", ill_padded(Usage.PIN_UNBLOCK, None, Scheme.PBOC)),
            ("6700", data("12")),
            ("6A80", data("12AB56")),
        ],
    ),
    Order(
        "APPLICATION BLOCK (purse)",
        lambda: _issued("841E0000", MAINTENANCE),
        [("6A86", p1(1)), ("6A81", NOWHERE), *MAINTAINED],
    ),
    Order(
        "APPLICATION UNBLOCK (purse)",
        lambda: _blocked(_issued("84180000", MAINTENANCE)),
        [("6A86", p1(1)), ("6A81", NOWHERE), ENDED, NOT_BLOCKED, *MAINTAINED],
    ),
    Order(
        "CARD BLOCK (purse)",
        lambda: _issued("84160000", MAINTENANCE),
        [("6A86", p1(1)), ("6A81", NOWHERE), *MAINTAINED],
    ),
    Order(
        "GET DATA (card code)",
        _with_code,
        [("6A86", p1(1)), ("6700", data("00")), ("6A88", gone("files", CARD_CODE))],
    ),
)


ORDERS = SOCIAL + BANK
