"""`kaguan ministry`, as somebody types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.modules import module
from kaguan.card_os.profile import load_profile
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.personalization.keystore import make_test_store
from terminal.doors import call, card_file
from terminal.office import BASIC, INFO, OWN, third_generation, with_own_pin


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return card_file(tmp_path)


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    file = tmp_path / "pins"
    file.write_text("123456\n246810\n")
    return file


@pytest.fixture
def module_file(tmp_path: Path) -> Path:
    file = tmp_path / "psam.card"
    save_image(file, module())
    return file


def test_number_and_answer(card: Path) -> None:
    ended = call("ministry", "iReadCardBas", "3", "--card", card)
    assert (ended.code, ended.lines) == (0, ["0", BASIC])


def test_a_negative_number_ends_with_three(card: Path) -> None:
    ended = call("ministry", "iReadCard", "3", "2", INFO, "DF02EF15|0F|$", "--card", card)
    assert (ended.code, ended.lines) == (3, ["-2201", "无PSAM卡"])


def test_a_module_a_pin_file_and_what_the_image_keeps(card: Path, module_file: Path, pins: Path) -> None:
    own = ("--card", card, "--psam", module_file, "--pin-file", pins)
    assert call("ministry", "iWriteCard", "1", INFO, "SSSEEF06|09|$", "SSSEEF06|李四|$", *own).lines == ["0", ""]
    assert call("ministry", "iReadCard", "1", "1", INFO, "3F00EF06|09|$", *own).lines == ["0", "3F00EF06|李四|$"]
    assert call("ministry", "iChangePIN", "1", *own).code == 0
    assert call("ministry", "iVerifyPIN", "1", *own).lines[0] == "-51"


def test_a_debit(tmp_path: Path, module_file: Path) -> None:
    card, pins = tmp_path / "own.card", tmp_path / "own"
    save_image(card, with_own_pin())
    pins.write_text(OWN)
    own = ("--card", card, "--psam", module_file, "--pin-file", pins)
    ended = call("ministry", "iDoDebit", "1", INFO, "0.1|0.2|20240101120000|", *own)
    assert ended.code == 0
    assert {purse.balance_fen for purse in load_image(card).purses.values()} == {990}


def test_pins_are_asked_for_and_not_shown(card: Path) -> None:
    ended = call("ministry", "iVerifyPIN", "1", "--card", card, typed="123456\n")
    assert (ended.code, ended.lines) == (0, ["0", ""])
    assert "123456" not in ended.complaint
    assert call("ministry", "iVerifyPIN", "1", "--card", card, typed="").lines[0] == "-31"


def test_a_key_store_stands_for_the_authoritys_module(tmp_path: Path) -> None:
    """It holds other masters than the specimen's, so the card is not genuine to it."""
    store, card = tmp_path / "keys", tmp_path / "v3.card"
    make_test_store(store, load_profile("ssc-v3"))
    save_image(card, third_generation())
    ended = call("ministry", "iReadCardBas", "3", "--card", card, "--keys", store)
    assert (ended.code, ended.lines[0]) == (3, "-21")


def test_faults_and_traces_work_here_too(card: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    ended = call("ministry", "iReadCardBas", "3", "--card", card, "--fault", "remove@READ RECORD", "--trace", trace)
    assert (ended.code, ended.lines[0]) == (3, "-2")
    assert "pulled out" in trace.read_text(encoding="utf-8")


def test_settings_of_a_site(card: Path, pins: Path, tmp_path: Path) -> None:
    settings = tmp_path / "site.toml"
    settings.write_text('[authentications]\n5 = "pin"\n')
    words = ("ministry", "iReadCard", "1", "5", INFO, "DF02EF15|0F|$", "--card", card, "--pin-file", pins)
    assert call(*words).lines[0] == "-23"
    assert call(*words, "--settings", settings).lines[0] == "0"
    for wrong in ("=", "[strange]\nx = 1", "[pin]\nstrange = 1", "[debit]\nterminal = 5", '[debit]\nshares = ["pool"]'):
        settings.write_text(wrong)
        assert call(*words, "--settings", settings).code == 7


@pytest.mark.parametrize(
    "words",
    [
        ("iReadCardBas", "3"),
        ("iReadCardBas", "three", "--card", "CARD"),
        ("iReadCardBas", "3", "--card", "CARD", "--reader", "0"),
        ("iReadCardBas", "3", "--card", "CARD", "--psam", "X", "--psam-reader", "Y"),
        ("serve", "--card", "CARD"),
    ],
)
def test_what_is_no_terminal_is_refused(words: tuple[str, ...], card: Path) -> None:
    assert call("ministry", *(str(card) if word == "CARD" else word for word in words)).code == 2
