"""Chip against books, without either: what agrees is silent, and each thing that does not is named by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kaguan.cms.rules.chip_state import BooksState, ChipApplication, ChipState, Facet, differences
from kaguan.cms.rules.lifecycle import Pin

FEN = st.integers(0, 100_000)
NUMBERS = st.integers(0, 65_535)


@st.composite
def agreeing(draw) -> tuple[BooksState, ChipState]:
    """Books, and a chip that is one of those which they explain."""
    tries, limit = draw(st.integers(1, 8)), draw(st.integers(0, 3))
    pin = draw(st.sampled_from(list(Pin)))
    blocked = pin in {Pin.BLOCKED, Pin.VOID}
    left = draw(st.integers(0, limit) if blocked else st.integers(limit + 1, limit + tries))
    on_its_way = draw(st.sampled_from([0, 300]))
    number = draw(NUMBERS)
    slot, text = draw(st.integers(1, 3)), draw(st.text("0123456789,", min_size=1))
    purse_fen = draw(FEN)
    application = draw(st.sampled_from([ChipApplication.SERVING, ChipApplication.BLOCKED]))
    books = BooksState(
        applications=frozenset({application}),
        pin=pin,
        tries_when_blocked=limit,
        purse_fen=purse_fen,
        on_its_way_fen=on_its_way,
        load_numbers=frozenset({number, number + 1}),
        purchase_numbers=frozenset({number}),
        record=(slot, frozenset({text})),
    )
    records = ["310,000000"] * 3
    records[slot - 1] = text
    chip = ChipState(
        application=application,
        pin_tries_left=left,
        balance_fen=purse_fen + draw(st.sampled_from([0, on_its_way])),
        load_number=number + draw(st.sampled_from([0, 1])),
        purchase_number=number,
        records=tuple(records),
    )
    return books, chip


@given(agreeing())
def test_what_the_books_explain_is_no_difference(pair):
    assert differences(*pair) == ()


@given(agreeing(), st.data())
def test_each_difference_is_named_and_no_other(pair, data):
    books, chip = pair
    facet = data.draw(st.sampled_from([Facet.PURSE, Facet.LOAD_NUMBER, Facet.PURCHASE_NUMBER, Facet.RECORD, Facet.PIN]))
    match facet:
        case Facet.PURSE:
            wrong = data.draw(FEN)
            assume(wrong not in {books.purse_fen, books.purse_fen + books.on_its_way_fen})
            chip = replace(chip, balance_fen=wrong)
        case Facet.LOAD_NUMBER:
            chip = replace(chip, load_number=max(books.load_numbers) + data.draw(st.integers(1, 9)))
        case Facet.PURCHASE_NUMBER:
            chip = replace(chip, purchase_number=max(books.purchase_numbers) + data.draw(st.integers(1, 9)))
        case Facet.RECORD:
            slot = books.record[0]
            chip = replace(chip, records=(*chip.records[: slot - 1], "another", *chip.records[slot:]))
        case Facet.PIN:
            assume(books.pin is not Pin.VOID)
            other_side = books.tries_when_blocked + (1 if books.pin is Pin.BLOCKED else 0)
            chip = replace(chip, pin_tries_left=other_side)
    (found,) = differences(books, chip)
    assert found.facet is facet
    if facet is Facet.PURSE:
        assert found.more_fen == chip.balance_fen - books.purse_fen


@given(agreeing())
def test_what_was_not_read_is_no_difference(pair):
    books, chip = pair
    untold = ChipState(chip.application)
    assert differences(books, untold) == ()
    (found,) = differences(books, untold, wants_purse=True)
    assert (found.facet, found.chip, found.more_fen) == (Facet.PURSE, "it does not tell", 0)


@given(agreeing())
def test_while_the_pin_is_being_written_its_tries_tell_nothing(pair):
    books, chip = pair
    assert differences(replace(books, pin_open=True), replace(chip, pin_tries_left=0)) == ()


@pytest.mark.parametrize("application", ChipApplication)
def test_the_application_is_what_the_books_expect(application):
    books = BooksState(applications=frozenset({ChipApplication.SERVING}), pin=Pin.SET)
    found = [difference.facet for difference in differences(books, ChipState(application))]
    assert found == ([] if application is ChipApplication.SERVING else [Facet.APPLICATION])
