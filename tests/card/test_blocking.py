"""APPLICATION BLOCK, APPLICATION UNBLOCK and CARD BLOCK."""

from __future__ import annotations

import pytest

from card.cards import CARD_KEY, DF04, SELECT_DF04, SELECT_SSSE, VERIFY, Terminal, specimen, terminal
from card.oracle import ssc_protected
from kaguan.card_os.image import CardImage, Lifecycle

BLOCK, BLOCK_FOR_EVER, UNBLOCK, CARD_BLOCK = "841E0000", "841E0001", "84180000", "84160000"
LOCK_KEY, CARD_LOCK_KEY = 0x83, 0x05


def protected(card: Terminal, header: str, *, key: bytes = CARD_KEY, data: bytes = b"") -> str:
    """The response to the command with a right MAC under this key."""
    return card.send(ssc_protected(key, card.challenge(), header, data))


def blocked(*, for_ever: bool = False) -> CardImage:
    """The specimen with its medical application blocked."""
    card = terminal(at="DF04")
    card.authenticated(LOCK_KEY)
    assert protected(card, BLOCK_FOR_EVER if for_ever else BLOCK) == "9000"
    return card.card.image


def at_blocked(image: CardImage) -> Terminal:
    card = terminal(image, at="SSSE")
    assert card.send(SELECT_DF04) == "6A81"
    return card


def test_a_blocked_application_serves_nothing_and_the_others_go_on() -> None:
    card = at_blocked(blocked())
    for command in (VERIFY, "805C000104", "00B2012C00", "805001010B" + "00" * 11, "805A00010200FF", "0088000010"):
        assert card.send(command) == "6A81"
    assert card.go(SELECT_SSSE, VERIFY, "00A4000002DF01", "00B2202800").endswith("9000")
    card.go("00A40000023F00", SELECT_SSSE)


def test_a_blocked_application_returns() -> None:
    card = at_blocked(blocked())
    card.authenticated(LOCK_KEY)
    assert protected(card, UNBLOCK) == "9000"
    assert card.card.image == specimen()
    assert card.send("805C000104") == "000000009000"


def test_blocked_for_ever_is_for_ever() -> None:
    card = at_blocked(blocked(for_ever=True))
    card.authenticated(LOCK_KEY)
    assert protected(card, UNBLOCK) == "9303"


def test_unblocking_what_is_not_blocked() -> None:
    assert terminal(at="DF04").send(UNBLOCK) == "6985"


def test_card_block_ends_the_card() -> None:
    card = terminal(at="SSSE")
    card.authenticated(CARD_LOCK_KEY)
    assert protected(card, CARD_BLOCK) == "9000"
    card.card.reset()
    for command in (SELECT_SSSE, "00A40000023F00", "0084000008", "00C0000018", CARD_BLOCK):
        assert card.send(command) == "6A81"


def test_the_card_is_blocked_from_within_a_blocked_application_too() -> None:
    card = at_blocked(blocked())
    card.authenticated(CARD_LOCK_KEY)
    assert protected(card, CARD_BLOCK) == "9000"
    assert card.card.image.lifecycle is Lifecycle.TERMINATED


def test_an_applications_lock_key_does_not_end_the_card() -> None:
    card = terminal(at="DF04")
    card.authenticated(LOCK_KEY)
    assert protected(card, CARD_BLOCK) == "6982"


@pytest.mark.parametrize(
    ("at", "right", "header"),
    [("DF04", LOCK_KEY, BLOCK), ("DF04", LOCK_KEY, BLOCK_FOR_EVER), ("SSSE", CARD_LOCK_KEY, CARD_BLOCK)],
)
def test_refusals_in_order(at: str, right: int, header: str) -> None:
    mac = "0400000000"
    card = terminal(at=at)
    assert card.send(header[:4] + "01" + header[6:] + mac) == "6A86"
    assert card.send(header[:6] + "02" + mac) == "6A86"
    assert terminal().send(header + mac) == "6A81", "the master file has no lock key"
    assert card.send(header + mac) == "6982"
    card.authenticated(right)
    assert card.send(header + mac) == "6984"
    card.challenge(4)
    assert card.send(header + mac) == "6984"
    card.challenge()
    assert card.send(header) == "6987"
    card.challenge()
    assert card.send(header + mac) == "6988"
    assert protected(card, header, key=bytes(16)) == "6988"
    assert protected(card, header, data=b"more") == "6A80"
    assert card.card.image is specimen() or card.card.image == specimen()
    assert protected(card, header) == "9000"


def test_an_application_without_a_lock_key_is_not_blocked() -> None:
    card = terminal(at="SSSE")
    card.select("DF01")
    assert card.send(BLOCK + "0400000000") == "6A81"
    assert card.card.image.dedicated[DF04].lifecycle is Lifecycle.ACTIVATED


@pytest.mark.parametrize("command", ["8418010004", "8418000104"])
def test_unblock_refuses_parameters(command: str) -> None:
    assert at_blocked(blocked()).send(command + "00000000") == "6A86"
