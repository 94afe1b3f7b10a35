"""The tapes of tests/conversations: what terminals send, and what this card answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.banks import bank
from card.cards import blank, specimen
from card.modules import module
from card.natives import factory
from card.oracle import fold, mac, retail, tdes
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS, instruction_of
from kaguan.apdu.tape import Verdict, parse, run
from kaguan.apdu.tape.run import Exchange
from kaguan.apdu.tape.scope import Functions
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard

TAPES = sorted((Path(__file__).parents[1] / "conversations").glob("*.apdu"))
FUNCTIONS: Functions = {"tdes": tdes, "mac": mac, "retail": retail, "fold": fold}


def played(tape: Path) -> list[Exchange]:
    """Every exchange of the tape on new cards."""
    cards = [EmulatedCard(image) for image in images(tape.stem)]
    return list(run(parse(tape.read_text(encoding="utf-8"), file=tape.name), cards, functions=FUNCTIONS))


def images(tape: str) -> tuple[CardImage, ...]:
    """The cards that a tape of this name speaks to, by their numbers: the specimen, unless the name says otherwise."""
    if tape.startswith("bank"):
        return (bank(),)
    if tape.startswith("city"):
        return (bank("cjt-purse"),)
    if tape.startswith("blank"):
        return (blank(),)
    if tape.startswith("native"):
        return (factory(),)
    if tape.startswith("module"):
        return (module(),)
    return (specimen(), module()) if tape.startswith("medical_purchase") else (specimen(),)


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_tape(tape: Path) -> None:
    exchanges = played(tape)
    assert exchanges
    assert all(exchange.verdict is Verdict.MATCHED for exchange in exchanges if exchange.command)


def test_every_command_is_on_a_tape_done_and_refused() -> None:
    done: set[str] = set()
    refused: set[str] = set()
    for tape, exchange in ((file, one) for file in TAPES for one in played(file) if len(one.command) >= 4):
        profile = load_profile(images(tape.stem)[exchange.card].profile)
        row = instruction_of(*exchange.command[:3], commands=profile.behaviour.commands)
        if row is not None:
            (done if exchange.response[-2] in (0x90, 0x61) else refused).add(row.name)
    every = {row.name for row in (*INSTRUCTIONS, GET_RESPONSE)}
    assert every - done == {"GET DATA", "GET DATA (odd)"}, "this card keeps no data objects"
    assert every - refused == set()
