"""The issuer's commands of the bank's purse: PIN reload and unblock, application block and unblock, card block."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from card.bank_teller import (
    PIN,
    block_application,
    block_card,
    challenged,
    pin_reload,
    pin_unblock,
    unblock_application,
)
from card.banks import ADF, PIN_ADDRESS, SELECT, VERIFY, bank, rich
from card.cards import Terminal
from kaguan.card_os.image import CardImage, Lifecycle, key_address
from kaguan.vault.vault import Usage

Command = Callable[[bytes], str]

COMMANDS: dict[str, tuple[Command, Usage, str]] = {
    "reload": (pin_reload, Usage.PIN_RELOAD, "9302"),
    "unblock PIN": (pin_unblock, Usage.PIN_UNBLOCK, "6988"),
    "block": (block_application, Usage.APPLICATION_MAINTENANCE, "6988"),
    "unblock": (unblock_application, Usage.APPLICATION_MAINTENANCE, "6988"),
    "card block": (block_card, Usage.APPLICATION_MAINTENANCE, "6988"),
}
PROTECTED = ["unblock PIN", "block", "unblock", "card block"]


def ended(lifecycle: Lifecycle) -> CardImage:
    """The card with its application in this state."""
    image = rich()
    return image._replace(dedicated={**image.dedicated, ADF: image.dedicated[ADF]._replace(lifecycle=lifecycle)})


def card_for(name: str) -> Terminal:
    """A terminal in the application, blocked when the command unblocks it."""
    terminal = Terminal(ended(Lifecycle.DEACTIVATED) if name == "unblock" else rich())
    terminal.send(SELECT)
    return terminal


def wrong(command: str) -> str:
    """The command with the last digit of its MAC another."""
    return command[:-1] + f"{int(command[-1], 16) ^ 1:X}"


def tries(terminal: Terminal, usage: Usage) -> int:
    """The tries that the key has left."""
    return terminal.card.image.keys[key_address(ADF, usage, 0)][0].tries_left


def test_reload_sets_the_pin_and_its_tries() -> None:
    terminal = card_for("reload")
    terminal.send("0020000003000000")
    assert terminal.send(pin_reload(pin="9876")) == "9000"
    assert terminal.send("00200000") == "63C3"
    assert terminal.send(VERIFY) == "63C2"
    assert terminal.send("00200000029876") == "9000"


@pytest.mark.parametrize("p2", ["00", "01"])
def test_unblock_sets_the_pin_and_its_tries(p2: str) -> None:
    image = rich()
    blocked = image.pins[PIN_ADDRESS]._replace(tries_left=0)
    terminal = Terminal(image._replace(pins={PIN_ADDRESS: blocked}))
    terminal.send(SELECT)
    assert terminal.send(VERIFY) == "6983"
    assert terminal.send(pin_unblock(challenged(terminal), PIN, p2=p2)) == "9000"
    assert terminal.send("0020000003" + PIN) == "9000"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_third_wrong_mac_ends_the_application(name: str) -> None:
    make, _, sw = COMMANDS[name]
    terminal = card_for(name)
    said = [terminal.send(wrong(make(challenged(terminal)))) for _ in range(3)]
    assert said == [sw, sw, "9303"]
    assert terminal.card.image.dedicated[ADF].lifecycle is Lifecycle.TERMINATED
    assert terminal.send("805C000204") == "6A81"
    assert terminal.send(SELECT) == "6A81"
    if name in ("card block", "unblock"):
        assert terminal.send(make(challenged(terminal))) == "9303", "a right MAC comes too late"
    terminal.card.reset()
    assert terminal.send("00A4040000") == "6A82"
    assert terminal.send("00A40000023F00")[-4:-2] == "61"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_right_mac_gives_the_tries_back(name: str) -> None:
    make, usage, sw = COMMANDS[name]
    terminal = card_for(name)
    for _ in range(2):
        assert terminal.send(wrong(make(challenged(terminal)))) == sw
    assert tries(terminal, usage) == 1
    assert terminal.send(make(challenged(terminal))) == "9000"
    assert tries(terminal, usage) == 3


def test_tries_survive_power_loss() -> None:
    terminal = card_for("reload")
    terminal.send(wrong(pin_reload()))
    terminal.card.reset()
    terminal.send(SELECT)
    assert [terminal.send(wrong(pin_reload())) for _ in range(2)] == ["9302", "9303"]


def test_block_and_unblock() -> None:
    terminal = card_for("block")
    assert terminal.send(block_application(challenged(terminal))) == "9000"
    for command in (VERIFY, "805C000204", "00B0950004", "805E0000", "841E0000", "0084000003"):
        assert terminal.send(command) in ("6A81", "6700")
    assert terminal.send(SELECT) == "6A81"
    assert terminal.send(unblock_application(challenged(terminal))) == "9000"
    assert terminal.card.image == rich()
    assert terminal.go(VERIFY, "805C000104")[-4:] == "9000"


def test_blocked_for_ever() -> None:
    terminal = card_for("block")
    assert terminal.send(block_application(challenged(terminal), p2="01")) == "9000"
    assert terminal.send(unblock_application(challenged(terminal))) == "9303"


def test_card_block_ends_all() -> None:
    terminal = card_for("card block")
    assert terminal.send(block_card(challenged(terminal))) == "9000"
    terminal.card.reset()
    for command in (SELECT, "00A40000023F00", "0084000004", VERIFY):
        assert terminal.send(command) == "6A81"


@pytest.mark.parametrize("name", PROTECTED)
def test_protected_commands_refuse_in_order(name: str) -> None:
    make, usage, _ = COMMANDS[name]
    header = make(bytes(8))[:8]
    terminal = card_for(name)
    assert terminal.send(header[:4] + "0100") == "6A86"
    assert terminal.send(header[:6] + "02") == "6A86"
    without = {at: keys for at, keys in terminal.card.image.keys.items() if keys[0].usage is not usage}
    lacking = Terminal(terminal.card.image._replace(keys=without))
    lacking.send(SELECT)
    assert lacking.send(header) == "6A88"
    used = {at: tuple(key._replace(tries_left=0) for key in keys) for at, keys in terminal.card.image.keys.items()}
    tired = Terminal(terminal.card.image._replace(keys=used))
    tired.send(SELECT)
    assert tired.send(header) == "9303"
    assert terminal.send(make(b"")) == "6984"
    challenged(terminal)
    assert terminal.send(header) == "6987"
    if name != "unblock PIN":
        challenged(terminal)
        assert terminal.send(header + "05" + "00" * 5) == "6700"
    assert tries(terminal, usage) == 3, "none of this was a try"


def test_unblocking_what_is_not_blocked() -> None:
    terminal = card_for("block")
    assert terminal.send("84180000") == "6985"
    terminal = Terminal(ended(Lifecycle.TERMINATED))
    terminal.send(SELECT)
    assert terminal.send("84180000") == "9303"


def test_reload_refuses_in_order() -> None:
    terminal = card_for("reload")
    assert terminal.send("805E0001") == "6A86"
    at_master_file = Terminal(bank())
    assert at_master_file.send(pin_reload()) == "6A88"
    for pin in ("", "12", "12345678901234"):
        assert terminal.send(pin_reload(pin=pin)) == "6700"
    assert terminal.send("805E000003123456") == "6700"
    assert terminal.send(pin_reload(pin="12FF34")) == "6A80"
    assert terminal.send(pin_reload(pin="1234FF")) == "6A80"
    assert tries(terminal, Usage.PIN_RELOAD) == 3


@pytest.mark.parametrize(("pin", "sw"), [("12", "6700"), ("12345678901234", "6700"), ("12FF34", "6A80")])
def test_unblock_refuses_pins_that_it_does_not_take(pin: str, sw: str) -> None:
    terminal = card_for("unblock PIN")
    assert terminal.send(pin_unblock(challenged(terminal), pin)) == sw
    assert terminal.card.image == rich()


def test_padding_under_a_right_mac_is_no_try() -> None:
    """A sender who has the key and packs wrongly is no stranger who guesses."""
    terminal = card_for("unblock PIN")
    assert terminal.send(pin_unblock(challenged(terminal), "12345678901234567890")).startswith("67")
    assert tries(terminal, Usage.PIN_UNBLOCK) == 3
