"""A terminal's blacklist: only what the authority signed for it, only forward, and no card without a good list."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from card.cards import PROFILE
from card.modules import MODULE_TERMINAL, module
from kaguan.apdu.errors import InputError
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.blacklist import LEFT, Blacklist, CardListed, ForgedList, StaleList, TerminalBlacklist
from kaguan.terminal.conversations.identity import read_issuer_data
from kaguan.terminal.conversations.purchase import PurchaseOffer, check_purchase_tac
from kaguan.terminal.offline import OfflineTerminal
from kaguan.terminal.psam import SecurityModule
from kaguan.terminal.refusals import PinRefused
from kaguan.terminal.script import converse
from terminal.counter import PIN, WHEN, WRONG_PIN, Counting, balance_fen, keys, new_card

AUTHORITY = Ed25519PrivateKey.generate()
NOW = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
WHOLE = Blacklist(
    region="990100",
    terminal_no=MODULE_TERMINAL,
    since=0,
    sequence=5,
    issued_at=NOW.isoformat(),
    good_until=(NOW + timedelta(days=7)).isoformat(),
    cards=MappingProxyType({"A": "formal loss", "B": "death"}),
)
CODES = st.sampled_from("ABCDEFGH")


def held(file=None) -> TerminalBlacklist:
    """A terminal's list, with nothing in it yet."""
    return TerminalBlacklist(bytes.fromhex(MODULE_TERMINAL), AUTHORITY.public_key(), file)


def later(made: Blacklist, **changes) -> Blacklist:
    """A list of an hour later, by default of what changed."""
    moment = (datetime.fromisoformat(made.issued_at) + timedelta(hours=1)).isoformat()
    given_changes = {"since": made.sequence, "sequence": made.sequence + 1, "issued_at": moment, **changes}
    return replace(made, **given_changes)


@given(
    whole=st.dictionaries(CODES, st.just("formal loss")),
    changes=st.lists(st.dictionaries(CODES, st.sampled_from(["formal loss", "locked", LEFT]), min_size=1), max_size=6),
)
def test_changes_one_after_the_other_come_to_what_a_whole_list_says(whole, changes):
    terminal, made, expected = held(), replace(WHOLE, cards=MappingProxyType(whole)), dict(whole)
    terminal.take(made.signed(AUTHORITY), NOW)
    for change in changes:
        made = later(made, cards=MappingProxyType(change))
        terminal.take(made.signed(AUTHORITY), NOW)
        expected.update(change)
    assert dict(terminal.cards) == {card: cause for card, cause in expected.items() if cause != LEFT}
    assert terminal.sequence == made.sequence


@given(position=st.integers(min_value=0), flip=st.integers(1, 255))
def test_a_list_with_any_byte_changed_is_not_taken(position, flip):
    signed = bytearray(WHOLE.signed(AUTHORITY))
    signed[position % (len(signed) - 1)] ^= flip
    terminal = held()
    try:
        terminal.take(bytes(signed), NOW)
    except ForgedList:
        assert terminal.sequence is None
    else:  # hex digits say the same in both cases
        assert bytes(signed).lower() == WHOLE.signed(AUTHORITY)


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_list_are_refused(data):
    with pytest.raises(ForgedList):
        held().take(data, NOW)


def test_another_authority_is_not_believed():
    with pytest.raises(ForgedList):
        held().take(WHOLE.signed(Ed25519PrivateKey.generate()), NOW)


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (WHOLE, "no newer"),
        (later(WHOLE, since=0, sequence=4), "no newer"),
        (later(WHOLE, since=4), "begins after 4, held is 5"),
        (later(WHOLE, since=6, sequence=7), "begins after 6, held is 5"),
        (later(WHOLE, terminal_no="990100000009"), "for terminal 990100000009"),
        (later(WHOLE, region="370200"), "of region 370200"),
        (later(WHOLE, good_until=NOW.isoformat()), "fetch a new one"),
    ],
)
def test_a_stale_replayed_or_misled_list_is_refused_and_the_old_one_kept(made, complaint):
    terminal = held()
    terminal.take(WHOLE.signed(AUTHORITY), NOW)
    with pytest.raises(StaleList, match=complaint):
        terminal.take(made.signed(AUTHORITY), NOW)
    assert (terminal.sequence, dict(terminal.cards)) == (5, dict(WHOLE.cards))


def test_changes_are_not_taken_without_a_list_to_change():
    with pytest.raises(StaleList, match="held is None: fetch a whole one"):
        held().take(later(WHOLE).signed(AUTHORITY), NOW)


def test_a_terminal_remembers_its_list_when_it_is_switched_off(tmp_path):
    file = tmp_path / "terminal.json"
    held(file).take(WHOLE.signed(AUTHORITY), NOW)
    again = held(file)
    assert (again.sequence, dict(again.cards)) == (5, dict(WHOLE.cards))
    with pytest.raises(StaleList):
        again.take(WHOLE.signed(AUTHORITY), NOW)
    file.write_bytes(b"{}")
    with pytest.raises(InputError, match="fetch a whole list"):
        held(file)


def offline(listed: bool = False, good: bool = True) -> OfflineTerminal:
    """A terminal with a module, and a list on which the specimen stands or not."""
    blacklist = held()
    card = new_card()
    card.reset()
    code = converse(card, read_issuer_data(PROFILE))[0x01]
    cards = MappingProxyType({code: "formal loss"} if listed else {})
    until = (WHEN.replace(tzinfo=UTC) + timedelta(days=7 if good else -1)).isoformat()
    made = replace(WHOLE, cards=cards, good_until=until, issued_at="2023-12-01T00:00:00+00:00")
    blacklist.take(made.signed(AUTHORITY), datetime(2023, 12, 2, tzinfo=UTC))
    return OfflineTerminal(SecurityModule(EmulatedCard(module())), blacklist, PROFILE)


def test_a_card_that_is_not_listed_pays_offline_and_the_back_office_can_prove_it():
    card, terminal = new_card(1_000), offline()
    receipt = terminal.purchase(card, 300, PIN, WHEN.replace(tzinfo=UTC))
    assert balance_fen(card) == 700
    offer = PurchaseOffer(300, bytes.fromhex(receipt.terminal_no), 0, receipt.offline_sequence, b"")
    moment = datetime.fromisoformat(receipt.terminal_time)
    check_purchase_tac(keys(), offer, receipt.terminal_sequence, moment, bytes.fromhex(receipt.tac))


def test_a_listed_card_is_refused_before_anything_is_asked_of_it():
    card = new_card(1_000)
    before = card.image
    with pytest.raises(CardListed, match=r"blacklist \(formal loss\)"):
        offline(listed=True).purchase(card, 300, WRONG_PIN, WHEN.replace(tzinfo=UTC))
    assert card.image == before


def test_without_a_good_list_no_card_pays():
    card, module_of = new_card(1_000), SecurityModule(EmulatedCard(module()))
    for terminal, complaint in (
        (offline(good=False), "good until"),
        (OfflineTerminal(module_of, held(), PROFILE), "no blacklist yet"),
    ):
        with pytest.raises(CardListed, match=complaint):
            terminal.purchase(Counting(card), 300, PIN, WHEN.replace(tzinfo=UTC))
    assert balance_fen(card) == 1_000


def test_offline_the_pin_counts_as_everywhere():
    card = new_card(1_000)
    with pytest.raises(PinRefused):
        offline().purchase(card, 300, WRONG_PIN, WHEN.replace(tzinfo=UTC))
    assert balance_fen(card) == 1_000
