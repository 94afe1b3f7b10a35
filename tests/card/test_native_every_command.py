"""A card that a tester builds with native commands alone takes every command of the bank's purse, sums by psec."""

from __future__ import annotations

import pytest

from card.bank_teller import (
    KINDS,
    PIN,
    RECORD,
    Teller,
    block_application,
    block_card,
    challenged,
    direct_authentication,
    initialize,
    pin_reload,
    pin_unblock,
    unblock_application,
)
from card.banks import bank_key
from card.cards import Terminal
from card.natives import FACTORY_KEY, authenticate, factory
from kaguan.apdu.instruction import INSTRUCTIONS, CommandSet, instruction_of
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile

COMMANDS = load_profile("fmcos-blank").behaviour.commands
SELECT = "00A4040009A00000000386980701"
VERSIONED = {"DTK": (0x34, 0), "DUK": (0x3C, 1), "DULK": (0x3D, 1), "DPK": (0x3E, 1), "DLK": (0x3F, 1)}
COUNTED = {"DAMK": 0x36, "DPUK": 0x37, "DRPK": 0x38}

BUILD = (
    "800E000000",
    "80E00000073F008001F0FFFF",
    "80D4010015" + "39F0FAAA33" + bank_key("DACK").hex(),
    "80E0008507280009F0F0FFFF",
    "00D6000009" + "85" + "11223344" * 2,
    "80E03F0111381000F0FA95FFFFA00000000386980701",
    SELECT,
    "80E00000073F01CF95F0FFFF",
    "80D4010015" + "30F0F40000" + bank_key("IRK").hex(),
    "80D4010015" + "39F0F44433" + bank_key("DACK").hex(),
    *(f"80D401{index:02X}15{kind:02X}F0F40000{bank_key(label).hex()}" for label, (kind, index) in VERSIONED.items()),
    *(f"80D4010015{kind:02X}F0F4FF33{bank_key(label).hex()}" for label, kind in COUNTED.items()),
    "80D40100083AF0EF0133123456",
    "80E0001507A8001EF0F0FF7F",
    "80E00017072C0040F0F0FFFF",
    "00E200B830" + "022E" + "00" * 46,
    "80E00018072E0A17F0EFFFFF",
    "80E00001072F0208F000FF18",
    "80E00002072F0208F000FF18",
)


def made() -> Terminal:
    """The card, made by its own commands from one that the factory delivers; every one of them is native or ISO's."""
    terminal = Terminal(factory())
    assert authenticate(terminal, 0x00, FACTORY_KEY) == "9000"
    for command in BUILD:
        assert terminal.send(command)[-4:] == "9000", command
    terminal.card.reset()
    assert terminal.send(SELECT)[-4:] == "9000"
    return terminal


def loaded() -> Terminal:
    """The same with a hundred yuan in both purses and the PIN verified."""
    terminal = made()
    assert terminal.send("0020000003123456") == "9000"
    teller = Teller(terminal)
    for name in ("load", "load purse"):
        teller.do(name, 10_000)
    return terminal


def balances(image: CardImage) -> list[int]:
    """Deposit and purse."""
    return [purse.balance_fen for _, purse in sorted(image.purses.items())]


def names(terminal: Terminal, *, words: tuple[bytes, ...]) -> set[str]:
    """The commands that were answered with one of these words."""
    rows = (
        instruction_of(*command[:3], commands=COMMANDS)
        for command, response in terminal.trace
        if response[-2:-1] in words and len(command) >= 4
    )
    return {row.name for row in rows if row is not None}


@pytest.mark.parametrize("name", KINDS)
def test_each_transaction_is_done_and_proven(name: str) -> None:
    terminal, kind = loaded(), KINDS[name]
    before = balances(terminal.card.image)
    done = Teller(terminal).do(name)
    moved = [after - then for after, then in zip(balances(terminal.card.image), before, strict=True)]
    assert moved == ([700 * kind.sign, 0] if kind.purse == "01" else [0, 700 * kind.sign])
    terminal.card.reset()
    terminal.send(SELECT)
    assert terminal.send(f"805A00{kind.code}02{done.sequence}08") == done.mac + done.tac + "9000"
    assert terminal.send("00B201C417")[-4:] == "9000"
    if name == "composite":
        assert terminal.send("00B201BC30") == RECORD + "9000"


def test_every_command_of_the_bank_is_done() -> None:
    terminal = loaded()
    teller = Teller(terminal)
    for name in KINDS:
        teller.do(name)
    assert terminal.send("805C000104")[-4:] == "9000"
    assert terminal.send(f"805A000902{teller.done.sequence}08")[-4:] == "9000"
    assert terminal.send("80CA000009") == "85" + "11223344" * 2 + "9000"
    assert terminal.send("805E0100" + "07" + "123456FF" + PIN) == "9000"
    assert terminal.send(pin_reload(pin="112233")) == "9000"
    assert terminal.send(pin_unblock(challenged(terminal), PIN)) == "9000"
    assert terminal.send("0020000003" + PIN) == "9000"
    assert terminal.send(direct_authentication(challenged(terminal))) == "9000"
    for p1 in ("00", "01", "02"):
        assert terminal.send(f"0088{p1}0008{'00' * 8}08")[-4:] == "9000"
    assert terminal.send(block_application(challenged(terminal))) == "9000"
    assert terminal.send(initialize("purchase purse")) == "6A81"
    assert terminal.send(unblock_application(challenged(terminal))) == "9000"
    assert terminal.send(initialize("purchase purse"))[-4:] == "9000"
    assert terminal.send(block_card(challenged(terminal))) == "9000"
    assert terminal.send(SELECT) == "6A81"
    done = names(terminal, words=(b"\x90", b"\x61"))
    purse = CommandSet.PURSE | CommandSet.BANKING
    protected = {row.name for row in INSTRUCTIONS if row.sets & CommandSet.NATIVE and "protected" in row.name}
    every = {row.name for row in INSTRUCTIONS if row.sets & purse} - protected
    assert every - done == set()


def test_nothing_of_it_is_done_without_the_pin_but_a_purchase_from_the_purse() -> None:
    terminal = made()
    for name, kind in KINDS.items():
        free = name in ("purchase purse", "composite")
        assert terminal.send(initialize(name, 0))[-4:] == ("9000" if free else "6982"), kind
