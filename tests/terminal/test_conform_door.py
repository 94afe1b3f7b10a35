"""`kaguan conform`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from card.cards import PROFILE, blank, specimen
from kaguan.emulator.imagefile import FileCard, load_image, save_image
from kaguan.personalization.keystore import make_test_store
from kaguan.personalization.specimen import REGION
from terminal.doors import call, card_file
from terminal.spoiled_cards import SPOILED, specimen_of
from terminal.spoilers import pin_with

NAMED = {spoiled.name: spoiled for spoiled in SPOILED}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return card_file(tmp_path)


def spoiled_file(folder: Path, name: str) -> Path:
    path = folder / "spoiled.card"
    save_image(path, NAMED[name].image)
    return path


def test_a_specimen_passes_with_0(card: Path) -> None:
    before = card.read_bytes()
    ended = call("conform", "--profile", "ssc-v2", "--card", card)
    assert ended.code == 0, ended.lines
    assert ended.lines[-1].startswith("passed: ")
    names = [line.split()[0] for line in ended.lines]
    assert names[:4] == ["PRE_SUBMISSION", "CHANGE_PIN", "ATR", "SSSE_RECORD"]
    assert [line for line in ended.lines if "failed" in line] == [ended.lines[-1]]
    assert card.read_bytes() == before, "a copy was judged"


@pytest.mark.parametrize("name", ["ssc-v1", "ssc-v3", "ssc-v2+all-files", "ssc-v3+sm4", "ssc-v2+key-versions"])
def test_so_does_that_of_every_generation(tmp_path: Path, name: str) -> None:
    path = tmp_path / "other.card"
    save_image(path, specimen_of(name))
    assert call("conform", "--profile", name, "--card", path).code == 0


def test_an_image_of_another_profile_is_told_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "other.card"
    save_image(path, specimen_of("ssc-v1"))
    ended = call("conform", "--profile", "ssc-v2", "--card", path)
    assert ended.code == 3
    assert f"{path} is a card of profile ssc-v1, judged as ssc-v2" in ended.complaint


@pytest.mark.parametrize("name", ["wrong key", "update with the PIN", "a try is spent", "wrong messaging key"])
def test_a_spoiled_card_ends_with_3_and_its_chapter(tmp_path: Path, name: str) -> None:
    path = spoiled_file(tmp_path, name)
    before = path.read_bytes()
    ended = call("conform", "--profile", "ssc-v2", "--card", path)
    assert ended.code == 3
    failed = {line.split()[0] for line in ended.lines if line[0] != " " and line.split()[1] == "failed"}
    assert failed == NAMED[name].chapters
    assert ended.lines[-1].startswith("FAILED: ")
    assert path.read_bytes() == before


def test_reports_are_written(tmp_path: Path) -> None:
    xml, html = tmp_path / "report.xml", tmp_path / "report.html"
    path = spoiled_file(tmp_path, "wrong tag")
    ended = call("conform", "--card", path, "--junit", xml, "--html", html, "--json")
    assert ended.code == 3
    (report,) = ended.rows
    assert report["passed"] is False
    assert [chapter["name"] for chapter in report["chapters"] if chapter["verdict"] == "failed"] == ["DF01_RECORD"]
    assert xml.read_text(encoding="utf-8").startswith('<?xml version="1.0" encoding="UTF-8"?>')
    assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.dumps(report)


def test_a_blank_chip_fails(tmp_path: Path) -> None:
    path = tmp_path / "blank.card"
    save_image(path, blank())
    assert call("conform", "--card", path).code == 3


def test_a_pin_with_one_try_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "last.card"
    save_image(path, pin_with(tries_left=1)(specimen()))
    ended = call("conform", "--card", path)
    assert ended.code == 3
    assert any("1 try is left, which is not risked" in line for line in ended.lines)
    assert load_image(path) == pin_with(tries_left=1)(specimen())


def test_keys_of_a_store(card: Path, tmp_path: Path) -> None:
    store = tmp_path / "test.keys"
    make_test_store(store, PROFILE)
    ended = call("conform", "--card", card, "--keys", store, "--region", REGION)
    assert ended.code == 3, "the specimen's keys are not those of the store"
    assert "KEY_VER1        failed" in "\n".join(ended.lines)


def test_test_keys_judge_no_card_of_people(card: Path, tmp_path: Path) -> None:
    store = tmp_path / "test.keys"
    make_test_store(store, PROFILE)
    ended = call("conform", "--card", card, "--keys", store, "--region", "310100")
    assert (ended.code, "name the right store" in ended.complaint) == (5, True)


def test_the_pin_is_asked_for(card: Path) -> None:
    assert call("conform", "--card", card, "--ask-pin", typed="123456\n").code == 0
    wrong = call("conform", "--card", card, "--ask-pin", typed="654321\n")
    assert (wrong.code, any("does not take the PIN" in line for line in wrong.lines)) == (3, True)
    assert "654321" not in "\n".join(wrong.lines)


@pytest.mark.parametrize("profile", ["pboc-purse", "psam", "fmcos-blank", "nobody"])
def test_profiles_of_other_cards_end_with_7(card: Path, profile: str) -> None:
    ended = call("conform", "--profile", profile, "--card", card)
    assert (ended.code, ended.lines) == (7, [])
    assert profile in ended.complaint


def test_what_is_missing_or_taken_is_told(card: Path, tmp_path: Path) -> None:
    missing = call("conform", "--card", tmp_path / "none.card")
    assert (missing.code, "there is no such card image" in missing.complaint) == (4, True)
    nothing = tmp_path / "nothing.card"
    nothing.write_text("nothing")
    assert call("conform", "--card", nothing).code == 7
    with FileCard(card):
        taken = call("conform", "--card", card)
    assert taken.code == 5
    assert "card" in taken.complaint


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--card", "CARD", "--reader", "0"],
        ["--card", "CARD", "--region", "990100"],
        ["--card", "CARD", "--html", "no/such/folder/report.html"],
        ["--card", "CARD", "--junit", "no/such/folder/report.xml"],
    ],
)
def test_usage(card: Path, words: list[str]) -> None:
    ended = call("conform", *(card if word == "CARD" else word for word in words))
    assert (ended.code, ended.lines) == (2, [])


def test_a_region_has_six_digits(card: Path, tmp_path: Path) -> None:
    assert call("conform", "--card", card, "--keys", tmp_path / "x", "--region", "9901").code == 7
