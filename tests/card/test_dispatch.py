"""The order of refusals before any handler, and how T=0 carries answers."""

from __future__ import annotations

import pytest

from card.cards import SELECT_SSSE, Terminal, blank, specimen, terminal
from kaguan.apdu.instruction import INSTRUCTIONS
from kaguan.card_os.dispatch import HANDLERS
from kaguan.card_os.image import Lifecycle

CREATING = ["00E00000026200", "00E40000", "00440000", "84D4010004AABBCCDD"]


def test_every_row_has_a_handler_and_every_handler_a_row() -> None:
    assert {row.name for row in INSTRUCTIONS} == set(HANDLERS)


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("FFA4000002DDF1", "6E00"),
        ("90B2000000", "6E00"),
        ("01A4000002DDF1", "6881"),
        ("03FF0000", "6881"),
        ("00CADF3000", "6A88"),
        ("00CB3FFF00", "6A88"),
        ("80CA9F7F00", "6D00"),
        ("00CF000000", "6D00"),
        ("80F2800000", "6D00"),
        ("8050090000", "6A86"),
        ("B0280100", "6A86"),
        ("00", "6700"),
        ("00A400", "6700"),
        ("00A4000003DDF1", "6700"),
    ],
)
def test_what_no_handler_sees(command: str, sw: str) -> None:
    assert terminal().send(command) == sw


@pytest.mark.parametrize("command", CREATING)
def test_a_sealed_card_has_left_its_creation_behind(command: str) -> None:
    card = terminal()
    assert card.send(command) == "6985"
    assert card.card.image is specimen()


@pytest.mark.parametrize("command", ["0020000003123456", "805C000104", "0088000010" + "00" * 16, "841600000400000000"])
def test_a_blank_chip_does_not_serve(command: str) -> None:
    assert Terminal(blank()).send(command) == "6985"


@pytest.mark.parametrize("command", [SELECT_SSSE, "FF000000", "00C0000000", "0084000008", "0020000003123456", "00FF"])
def test_a_blocked_card_answers_nothing_but_that(command: str) -> None:
    image = specimen()._replace(lifecycle=Lifecycle.TERMINATED)
    assert Terminal(image).send(command) == ("6700" if command == "00FF" else "6A81")


def test_get_response_gives_the_answer_in_pieces() -> None:
    card = terminal()
    assert card.send(SELECT_SSSE) == "6118"
    assert card.send("00C0000004") == "6F16840F" + "6114"
    assert card.send("00C0000000") == "7378312E73682EC9E7BBE1B1A3D5CFA50388011E" + "9000"
    assert card.send("00C0000000") == "6985"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00C0010018", "6A86"),
        ("00C0000118", "6A86"),
        ("00C00000", "6700"),
        ("00C000000112", "6700"),
        ("00C0000019", "6C18"),
        ("00C00000FF", "6C18"),
    ],
)
def test_a_refused_get_response_may_be_asked_again(command: str, sw: str) -> None:
    card = terminal()
    card.send(SELECT_SSSE)
    assert card.send(command) == sw
    assert card.send("00C0000018").endswith("88011E9000")


def test_any_other_command_drops_what_waits() -> None:
    for other in ("00A40000023F01", "0084", "FF000000"):
        card = terminal()
        card.send(SELECT_SSSE)
        card.send(other)
        assert card.send("00C0000018") == "6985"


def test_an_le_too_small_takes_what_it_says() -> None:
    card = terminal()
    assert card.send(SELECT_SSSE + "05") == "6F16840F736113"
    assert card.send("00C0000013").endswith("88011E9000")


def test_an_extended_get_response_takes_what_is_there() -> None:
    card = terminal()
    card.send(SELECT_SSSE)
    assert card.send("00C00000000400").endswith("88011E9000")


def test_the_session_ends_with_a_reset() -> None:
    card = terminal(at="DF04", pin=True)
    assert card.send("00B2812800").endswith("9000")
    card.card.reset()
    assert card.send("00B2812800") == "6A82"
    card.go(SELECT_SSSE, "00A4000002DF04")
    assert card.send("00B2012C00") == "6982"
