"""Every command works with the key that its file names, and with no other that the card has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.bank_teller import challenged
from card.banks import ADF, SELECT, bank
from card.cards import DF01, DF04, MF, PROFILE, SSSE, Terminal, a_key, counted, specimen, with_key
from card.natives import LINE_KEY, at_application, guarded
from card.oracle import retail
from kaguan.card_os.access import find_key, first_key
from kaguan.card_os.image import ROOT, CardImage, Lifecycle, key_address
from kaguan.card_os.outcome import Chip, Refuse, View
from kaguan.card_os.session import Session
from kaguan.vault.vault import Usage

LINE_KEYS = {"00": LINE_KEY, "01": bytes.fromhex("3601" * 8), "02": bytes.fromhex("3602" * 8)}
READING, WRITING = "01", "02"
CONTROL = "79"  # reading key 01, writing key 02, a MAC for both
TRANSPARENT, VARIABLE = f"80E0000B07A80010F0F0FF{CONTROL}", f"80E0000C07AC0040F0F0FF{CONTROL}"
FIRST, OTHER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("55" * 8 + "AA" * 8)


@pytest.mark.parametrize("number", LINE_KEYS)
@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("04B08B0004", READING),
        ("04D68B0004" + "11223344", WRITING),
        ("04B2016404", READING),
        ("04DC016404" + "70020102", WRITING),
        ("04E2006004" + "70020304", WRITING),
    ],
)
def test_a_protected_file_is_read_with_one_key_and_written_with_another(command: str, key: str, number: str) -> None:
    card = at_application(state=4)
    for reference in ("01", "02"):
        card.go(f"80D401{reference}1536F0F4FF33" + LINE_KEYS[reference].hex())
    card.go(TRANSPARENT, VARIABLE)
    first = guarded(card, LINE_KEYS[WRITING], "04E2006004" + "70020000", encrypted=False)
    assert card.send(first) == "9000"
    before = card.card.image
    answer = card.send(guarded(card, LINE_KEYS[number], command, encrypted=False))
    assert answer[-4:] == ("9000" if number == key else "6988")
    assert (card.card.image == before) == (number != key or key == READING)


@pytest.mark.parametrize(("size", "word"), [(0xFE, "9000"), (0xFF, "9000"), (0x00, "6700")])
def test_an_enciphered_answer_counts_its_bytes_in_one(size: int, word: str) -> None:
    card = at_application(state=4)
    card.go("80E0000B07E80200F0F0FF7F")
    raw = guarded(card, LINE_KEY, f"04B08B00{size:02X}", encrypted=False)
    assert card.send(raw)[-4:] == word


def guarded_by(card: Terminal, key: bytes, header: str) -> str:
    """The answer to a command that has a MAC under this key and nothing else."""
    head = bytes.fromhex(header + "04")
    return card.send(head + retail(key, challenged(card).ljust(8, b"\0"), head))


def maintained(*, messaging: int, unblocking: int) -> CardImage:
    """A bank's card with two maintenance keys, 00 and 05, whose application names these."""
    image = bank()
    for reference, value in ((0, FIRST), (5, OTHER)):
        image = with_key(image, ADF, a_key(Usage.APPLICATION_MAINTENANCE, reference, value))
    named = image.dedicated[ADF]._replace(messaging_key=messaging, unblock_key=unblocking)
    return image._replace(dedicated={**image.dedicated, ADF: named})


@pytest.mark.parametrize(
    ("messaging", "unblocking", "blocks", "unblocks"),
    [
        (0xFF, 0xFF, FIRST, FIRST),
        (0x05, 0xFF, OTHER, OTHER),
        (0x00, 0x05, FIRST, OTHER),
        (0x05, 0x00, OTHER, FIRST),
        (0xFF, 0x05, FIRST, OTHER),
    ],
)
def test_an_application_is_blocked_with_one_key_and_unblocked_with_its_own(
    messaging: int, unblocking: int, blocks: bytes, unblocks: bytes
) -> None:
    card = Terminal(maintained(messaging=messaging, unblocking=unblocking))
    card.send(SELECT)
    for header, right, state in (
        ("841E0000", blocks, Lifecycle.DEACTIVATED),
        ("84180000", unblocks, Lifecycle.ACTIVATED),
    ):
        wrong = OTHER if right == FIRST else FIRST
        assert guarded_by(card, wrong, header) == "6988"
        assert guarded_by(card, right, header) == "9000"
        assert card.card.image.dedicated[ADF].lifecycle is state


FILES = (ROOT, MF, SSSE, DF04, DF01)
PLACES = st.tuples(st.sampled_from(FILES), st.sampled_from([0x00, 0x01, 0x7F, 0x80, 0xFE]))


@given(st.sets(PLACES, max_size=6), st.sampled_from(FILES[1:]), st.booleans())
def test_the_first_key_is_the_lowest_that_reaches_here(
    places: set[tuple[bytes, int]], here: bytes, native: bool
) -> None:
    """One from 80 on reaches no further than its own file, on a native card none does; of two with one reference the
    nearer serves."""
    keys = {
        key_address(scope, Usage.TAC, reference): (a_key(Usage.TAC, reference, scope.ljust(16, b"\1")),)
        for scope, reference in places
    }
    behaviour = PROFILE.behaviour._replace(local_references=native)
    view = View(specimen()._replace(keys=keys), Session(here), b"", None, Chip(counted(), behaviour))
    reaching = [
        (reference, -len(scope), scope)
        for scope, reference in places
        if scope == here or (reference < 0x80 and not native and here.startswith(scope))
    ]
    if not reaching:
        with pytest.raises(Refuse, match="9406"):
            first_key(view, Usage.TAC, absent=0x9406)
        return
    reference, _, scope = min(reaching)
    found = (scope, keys[key_address(scope, Usage.TAC, reference)][0])
    assert first_key(view, Usage.TAC, absent=0x9406) == found
    assert find_key(view, Usage.TAC, reference, absent=0x9406) == found
