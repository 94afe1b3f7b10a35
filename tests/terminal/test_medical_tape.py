"""A till of two emulated cards on the command line: make both, pay, look at both."""

from __future__ import annotations

from pathlib import Path

from card.cards import DF04, funded
from card.modules import COUNTER
from kaguan.emulator.imagefile import load_image, save_image
from terminal.doors import call

TAPES = Path(__file__).parents[1] / "conversations"


def test_two_new_cards_pay_a_medical_bill(tmp_path: Path) -> None:
    user, module = tmp_path / "user.card", tmp_path / "psam.card"
    assert call("card", "new", user).code == 0
    assert call("card", "new", "--profile", "psam", module).code == 0
    ended = call("tape", "run", TAPES / "medical_purchase.apdu", "--card", user, "--card", module)
    assert ended.code == 0, ended.complaint
    assert load_image(module).files[COUNTER].content == bytes.fromhex("00000002")
    paid = load_image(user)
    assert [purse.offline_sequence for purse in paid.purses.values()] == [1]
    assert [record.hex()[-16:] for record in paid.files[DF04 + b"\xef\x08"].records] == ["0000050000000900"]


def test_the_tape_is_the_same_to_the_byte_with_the_same_random_numbers(tmp_path: Path) -> None:
    played = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        call("card", "new", folder / "user.card")
        call("card", "new", "--profile", "psam", folder / "psam.card")
        cards = ("--card", folder / "user.card", "--card", folder / "psam.card")
        ended = call("tape", "run", TAPES / "medical_purchase.apdu", *cards, "--random", "A1B2C3D4")
        assert ended.code == 0, ended.complaint
        played.append(ended.lines)
    assert played[0] == played[1]
    assert any("A1B2C3D4" in line for line in played[0])


def test_without_a_module_there_is_no_medical_purchase(tmp_path: Path) -> None:
    user = tmp_path / "user.card"
    save_image(user, funded())
    assert call("tape", "run", TAPES / "medical_purchase.apdu", "--card", user).code == 7


def test_what_the_module_is_can_be_shown_but_not_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "psam.card"
    call("card", "new", "--profile", "psam", "--serial", "990101000007", path)
    shown = "\n".join(call("card", "show", path).lines)
    assert "DF01/12 SSSE.UK version 72" in shown
    assert "MF/0016/content: 990101000007" in shown
    assert "000102030405" not in shown
