"""Every command has one defined answer in every state, to everybody, with every kind of file current."""

from __future__ import annotations

from card.manual import documented, written
from card.matrix import all_cards, cells, computed, staged
from kaguan.apdu.instruction import INSTRUCTIONS


def test_every_cell_has_one_documented_answer() -> None:
    first = computed()
    cards = {card.name: card for card in all_cards()}
    words = {(cell.command, cell.card): frozenset[str]() for cell in first}
    for command, card in words:
        words[command, card] = documented(command, cards[card].behaviour)
    strange = {cell: f"{sw:04X}" for cell, sw in first.items() if written(sw, words[cell.command, cell.card]) is None}
    assert strange == {}
    assert {row.name for row in INSTRUCTIONS} <= {cell.command for cell in first}


def test_the_answer_is_the_same_every_time() -> None:
    for number, (cell, card) in enumerate(cells()):
        if number % 5 == 0:
            assert staged(cell, card).outcome()[:2] == staged(cell, card).outcome()[:2], cell


def test_what_is_right_and_allowed_is_served_somewhere() -> None:
    """A matrix of refusals alone would prove nothing; the module alone has no objects that GET DATA finds."""
    served = {cell.command for cell, sw in computed().items() if sw >> 8 in (0x90, 0x61)}
    assert {row.name for row in INSTRUCTIONS} - served == {"GET DATA", "GET DATA (odd)"}
