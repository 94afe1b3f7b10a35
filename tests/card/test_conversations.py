"""The tapes of tests/conversations: what terminals send, and what this card answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.cards import blank, specimen
from card.oracle import fold, mac, retail, tdes
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS, instruction_of
from kaguan.apdu.tape import Verdict, parse, run
from kaguan.apdu.tape.run import Exchange
from kaguan.apdu.tape.scope import Functions
from kaguan.emulator.card import EmulatedCard

TAPES = sorted((Path(__file__).parents[1] / "conversations").glob("*.apdu"))
FUNCTIONS: Functions = {"tdes": tdes, "mac": mac, "retail": retail, "fold": fold}


def played(tape: Path) -> list[Exchange]:
    """Every exchange of the tape on a new card: a blank chip when its name says so, the specimen otherwise."""
    card = EmulatedCard(blank() if tape.stem.startswith("blank") else specimen())
    return list(run(parse(tape.read_text(encoding="utf-8"), file=tape.name), [card], functions=FUNCTIONS))


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_tape(tape: Path) -> None:
    exchanges = played(tape)
    assert exchanges
    assert all(exchange.verdict is Verdict.MATCHED for exchange in exchanges if exchange.command)


def test_every_command_is_on_a_tape_done_and_refused() -> None:
    done: set[str] = set()
    refused: set[str] = set()
    for exchange in (exchange for tape in TAPES for exchange in played(tape) if len(exchange.command) >= 4):
        row = instruction_of(*exchange.command[:3])
        if row is not None:
            (done if exchange.response[-2] in (0x90, 0x61) else refused).add(row.name)
    every = {row.name for row in (*INSTRUCTIONS, GET_RESPONSE)}
    assert every - done == {"GET DATA", "GET DATA (odd)"}, "this card keeps no data objects"
    assert every - refused == set()
