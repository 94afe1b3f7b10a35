"""`--trace`, and `kaguan trace`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from card.cards import PIN, SELECT_SSSE
from kaguan.apdu.trace import EventKind
from kaguan.terminal.trace import read_trace
from terminal.doors import call, card_file

READ_IDENTITY = ("00A4000002EF05", "00B2010400")
VERIFY = f"0020000003{PIN}"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return card_file(tmp_path)


@pytest.fixture
def recorded(card: Path, tmp_path: Path) -> Path:
    file = tmp_path / "recorded.jsonl"
    ended = call("apdu", "send", "--card", card, "--trace", file, SELECT_SSSE, "00C0000018", *READ_IDENTITY, VERIFY)
    assert ended.code == 0, ended.complaint
    return file


def test_the_canonical_trace_has_every_exchange_in_order(recorded: Path) -> None:
    events = list(read_trace(recorded))
    assert [event.kind for event in events] == [EventKind.OPENED, *[EventKind.EXCHANGE] * 5, EventKind.CLOSED]
    assert str(events[1].command) == SELECT_SSSE
    assert str(events[-2].command) == "0020000003XXXXXX"


def test_the_text_names_commands_files_and_fields(recorded: Path) -> None:
    ended = call("trace", "show", recorded)
    text = "\n".join(ended.lines)
    for words in (
        "SELECT SSSE",
        "84 name: 7378312E73682EC9E7BBE1B1A3D5CF sx1.sh.社会保障",
        "SELECT SSSE/EF05 发卡机构数据",
        "READ RECORD of SSSE/EF05 发卡机构数据, record 1",
        "01 卡识别码: 9901",
        "24 response bytes waiting",
        "power off",
    ):
        assert words in text


def test_a_transaction_is_told_with_its_amounts(card: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    select_df04 = "00A4040006D15600000503"
    purchase = "805001020B01000004D2112233445566"
    ended = call("apdu", "send", "--card", card, "--trace", file, SELECT_SSSE, VERIFY, select_df04, purchase)
    assert ended.code == 0, ended.complaint
    assert "amount 12.34 yuan" in file.read_text(encoding="utf-8")
    assert "terminal 112233445566" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [".jsonl", ".txt", ".apdu", ".pcap"])
def test_no_form_holds_the_pin(card: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    change = "805E010007" + PIN + "FF135790"
    back = "805E010007135790FF" + PIN
    ended = call("apdu", "send", "--card", card, "--trace", file, SELECT_SSSE, VERIFY, change, back, "0020000003999999")
    assert ended.code == 0, ended.complaint
    raw = file.read_bytes()
    for secret in (PIN, "135790", "999999"):
        assert bytes.fromhex(secret) not in raw
        assert secret.encode() not in raw
    assert len(raw) > 100


def test_a_recorded_card_answers_in_place_of_the_real_one(recorded: Path) -> None:
    sent = (SELECT_SSSE, "00C0000018", *READ_IDENTITY, VERIFY)
    ended = call("apdu", "send", "--card", recorded, "--json", *sent)
    assert ended.code == 0, ended.complaint
    assert [row["sw"] for row in ended.rows] == ["6118", "9000", "9000", "9000", "9000"]
    assert ended.rows[3]["data"].startswith("01109901")


def test_a_recorded_card_refuses_what_was_never_said(recorded: Path) -> None:
    ended = call("apdu", "send", "--card", recorded, "00A40000023F00")
    assert ended.code == 7
    assert "expected card 0: 00A40400, received 00A40000" in ended.complaint


def test_a_trace_goes_again_on_the_same_card(recorded: Path, card: Path) -> None:
    ended = call("trace", "replay", recorded, "--card", card)
    assert ended.code == 0, ended.complaint
    assert any("left out, the trace hides a part of it" in line for line in ended.lines)


def test_another_answer_is_shown_and_ends_with_3(recorded: Path, card: Path) -> None:
    changed = recorded.read_text(encoding="utf-8").replace('"response":"6118"', '"response":"6A82"')
    recorded.write_text(changed, encoding="utf-8")
    ended = call("trace", "replay", recorded, "--card", card)
    assert ended.code == 3
    assert "1 answers are not as in the trace" in ended.complaint
    assert any("DIFFERENT: the trace has 6A82" in line for line in ended.lines)


def test_more_cards_than_were_named(recorded: Path, card: Path) -> None:
    recorded.write_text(recorded.read_text(encoding="utf-8").replace('"card":0', '"card":1'), encoding="utf-8")
    ended = call("trace", "replay", recorded, "--card", card)
    assert (ended.code, "name 2 cards" in ended.complaint) == (2, True)


def test_two_runs_differ_in_their_challenge_alone(card: Path, tmp_path: Path) -> None:
    files = [tmp_path / "one.jsonl", tmp_path / "other.jsonl"]
    for file in files:
        assert call("apdu", "send", "--card", card, "--trace", file, SELECT_SSSE, VERIFY, "0084000008").code == 0
    ended = call("trace", "diff", *files)
    assert ended.code == 1
    assert [line[0] for line in ended.lines if "GET CHALLENGE" in line] == ["-", "+"]
    assert not any("VERIFY" in line or "SELECT" in line for line in ended.lines)
    assert call("trace", "diff", files[0], files[0]).code == 0
    (row,) = call("trace", "diff", *files, "--json").rows
    assert row["left"]["event"] == row["right"]["event"] == 4


def test_traces_that_are_none(tmp_path: Path) -> None:
    missing = call("trace", "show", tmp_path / "nothing.jsonl")
    assert (missing.code, "there is no such trace" in missing.complaint) == (7, True)
    capture = tmp_path / "t.pcap"
    capture.write_bytes(b"\xd4\xc3\xb2\xa1\xff")
    assert "only .jsonl traces can be read" in call("trace", "show", capture).complaint
    garbled = tmp_path / "garbled.jsonl"
    row = {"event": "exchange", "command": "00", "response": "90"}
    garbled.write_text(json.dumps(row), encoding="utf-8")
    ended = call("trace", "show", garbled)
    assert (ended.code, "no response: fewer than 2 bytes" in "\n".join(ended.lines)) == (0, True)
    assert call("trace", "show", garbled, "--output", tmp_path / "t.apdu").code == 0
