"""The emulated card as a link: power, resets, and memory that cannot be written."""

from __future__ import annotations

import pytest

from card.cards import PIN_TRIES, VERIFY, Terminal, blank, specimen, terminal
from kaguan.apdu.errors import CardLost
from kaguan.emulator.card import EmulatedCard

ATR = "3B6D000000815431008660200101000001"


def test_the_answer_to_reset_is_the_documented_form() -> None:
    """3B 6D 00 00, thirteen historical bytes, the last six of them the serial number."""
    for image in (specimen(), blank()):
        card = EmulatedCard(image)
        assert card.atr.hex().upper() == card.reset().hex().upper() == ATR


def test_without_power_there_is_no_answer() -> None:
    card = EmulatedCard(specimen())
    card.close()
    card.close()
    with pytest.raises(CardLost):
        card.transceive(bytes.fromhex("0084000008"))
    card.reset()
    assert len(card.transceive(bytes.fromhex("0084000008"))) == 10


def test_a_torn_command_names_what_was_lost_and_nothing_secret() -> None:
    card = terminal(at="SSSE")
    card.card.power.cut_after(0)
    with pytest.raises(CardLost, match="VERIFY") as lost:
        card.send(VERIFY)
    assert lost.value.during == "VERIFY"
    with pytest.raises(CardLost):
        card.send(VERIFY)
    with pytest.raises(CardLost):
        card.card.reset()
    card.card.power.restore()
    card.card.reset()
    assert card.card.image == specimen()


class Full:
    """A storage without room."""

    def append(self, group: object) -> None:
        raise OSError("no space left on device")


def test_a_write_that_cannot_be_kept_is_refused_and_not_done() -> None:
    card = Terminal(storage=Full())
    card.select("DDF1")
    assert card.send(VERIFY) == "6581"
    assert card.card.image is specimen()
    assert card.send("00200000") == f"63C{PIN_TRIES:X}"
    assert card.send("00A4000002DF04") == "610A"
    assert card.send("00B2812800") == "6982", "a PIN that could not be checked gives no right"


def test_nothing_secret_is_shown_by_repr() -> None:
    image = specimen()
    for shown in (repr(image), repr(image.keys), repr(image.pins), repr(EmulatedCard(image))):
        assert "5043" not in shown
        assert "123456" not in shown
        assert repr(bytes.fromhex("123456"))[2:-1] not in shown
