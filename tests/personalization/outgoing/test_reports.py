"""Reports, previews and pairing codes of a job that was made, as programs that we did not write see them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook
from PIL import Image

from card.cards import PROFILE
from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.decisions import remake
from kaguan.personalization.job.job import NoSuchJob, find_job
from kaguan.personalization.line.line import run_line
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.outgoing.cli import pairing, pins, previews, report
from kaguan.personalization.outgoing.links import write_codes
from kaguan.personalization.outgoing.previews import Chosen, Design, write_previews
from kaguan.personalization.paper.cli import count_mailers_door, mailers, void_mailer
from kaguan.personalization.paper.fonts import FOLDERS_SETTING, GlyphsMissing
from kaguan.personalization.paper.pairing import PairingRefused, pair
from kaguan.personalization.station.pins import DRAWN
from personalization.job.bureaus import PASSPHRASE, PEOPLE
from personalization.orders import RULES, Order
from personalization.outgoing.jobs import PAIRING_KEY, ROOM_KEY, Finished, finished
from personalization.paper.printed import ASCII, lettering_for, page_count, small_font, text_of

pytestmark = pytest.mark.slow
AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path) -> object:
    """Three cards, with their reports."""
    lettering_for([])
    with finished(tmp_path / "job", "", reports=True, check_names=True, pins=DRAWN) as job:
        yield job


def door(command: object, *arguments: object) -> str:
    """What the door says; it ended well."""
    result: Result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows_of(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV, by their columns."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_report_that_counts_and_names_nobody(made: Finished) -> None:
    out = made.line.out
    shown = json.loads((out / "report.json").read_text())
    said = {"html": (out / "qc.html").read_text(), "pdf": text_of(out / "qc.pdf")}
    assert page_count(out / "qc.pdf") >= 1
    for text in said.values():
        assert made.job.terms.order_name in text
        assert "是 yes" in text
        assert "WRONG" not in text
        assert "NO" not in text.replace("No.", "")
        assert "王*" in text
        for holder in made.holders().values():
            assert not any(word in text for word in (holder.name, holder.id_no, holder.card_no, holder.bank_card_no))
    book = load_workbook(out / "statistics.xlsx")
    counts = dict(book["counts"].iter_rows(min_row=2, values_only=True))
    assert (counts["total"], counts["good"]) == (3, 3)
    assert counts["chips"] == shown["chips"]
    assert sum(row[4] for row in book["stations"].iter_rows(min_row=2, values_only=True)) == 3
    assert list(book["timeline"].iter_rows(min_row=2, values_only=True))[-1][1:4] == (3, 0, 0)
    assert made.told == []


def test_the_sample_card_is_read_off_the_chip(made: Finished) -> None:
    """One that is not as ordered is found."""
    path = made.line.out / "cards" / f"{made.holders()[1].card_no}.card"
    other = made.line.out / "cards" / f"{made.holders()[2].card_no}.card"
    path.write_bytes(other.read_bytes())
    door(report, made.line.out)
    assert "不符 WRONG" in (made.line.out / "qc.html").read_text()


def test_without_fonts_the_run_ends_well_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDERS_SETTING, str(tmp_path / "nothing"))
    with finished(tmp_path / "job", "", rows=1, reports=True, check_names=True) as made:
        assert not (made.line.out / "qc.pdf").exists()
        assert (made.line.out / "qc.html").exists()
        unchecked, no_report = made.told
        assert "names were not checked" in unchecked
        assert no_report.startswith("no qc.pdf")
        assert "apt-get install fonts-noto-cjk" in no_report


def test_a_name_that_cannot_be_printed_stops_the_order_by_row_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Order()
    order.row(4)["ssseef0609"] = "王㛃"
    small_font(tmp_path / "small.ttf", ASCII + "王䶮")
    monkeypatch.setenv(FOLDERS_SETTING, str(tmp_path / "small.ttf"))
    path = order.write(tmp_path / "order.zip")
    line = LineOrder(path, tmp_path / "out", PROFILE, RULES, check_names=True)
    with pytest.raises(GlyphsMissing, match=r"row 4: U\+36C3"):
        run_line(line, lambda *_: None, lambda _: None)
    with Bureau(line.address) as bureau, pytest.raises(NoSuchJob):
        find_job(bureau)
    assert not list((tmp_path / "out" / "cards").iterdir())
    assert run_line(replace(line, check_names=False), lambda *_: None, lambda _: None).good == 5


def test_previews_show_what_is_on_the_cards(made: Finished, tmp_path: Path) -> None:
    door(previews, made.line.out, "--out", tmp_path / "sheets.pdf", "--bank", "样例银行")
    assert page_count(tmp_path / "sheets.pdf") == 1
    text = text_of(tmp_path / "sheets.pdf")
    for holder in made.holders().values():
        assert all(word in text for word in (holder.name, holder.id_no, holder.card_no))
    assert "样例银行" in text
    assert "2036年11月01日" in text
    assert (tmp_path / "sheets.pdf").stat().st_mode & 0o77 == 0
    one = made.holders()[2].card_no
    door(previews, made.line.out, "--row", one, "--out", tmp_path / "one.pdf")
    shown = text_of(tmp_path / "one.pdf")
    assert [holder.card_no in shown for holder in made.holders().values()] == [False, True, False]
    door(previews, made.line.out, "--row", one, "--out", tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size == (1011, 638)
    assert door(previews, made.line.out, "--first", 2).strip() == str(made.line.out / "faces-0001.pdf")


def test_previews_stop_by_row_at_a_character_that_no_font_has(
    made: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_font(tmp_path / "small.ttf", ASCII)
    monkeypatch.setenv(FOLDERS_SETTING, str(tmp_path / "small.ttf"))
    records = made.opened.records
    with pytest.raises(GlyphsMissing, match=r"row 1: U\+4DAE"):
        list(write_previews(made.job, records, tmp_path / "s.pdf", Chosen(), Design(), written_at=AT))
    assert not (tmp_path / "s.pdf").exists()
    with pytest.raises(RuleBroken, match="row 9"):
        list(write_previews(made.job, records, tmp_path / "s.pdf", Chosen(row=9), Design(), written_at=AT))


def test_codes_pair_what_belongs_to_one_card_and_not_to_its_successor(made: Finished, tmp_path: Path) -> None:
    job, records = made.job, made.opened.records
    assert write_codes(job, records, PAIRING_KEY, tmp_path / "before.csv") == 3
    before = rows_of(tmp_path / "before.csv")
    for row in before:
        pair(PAIRING_KEY, row["card"], row["letter"])
        pair(PAIRING_KEY, row["mailer"], row["card"])
    with pytest.raises(PairingRefused, match="different holders"):
        pair(PAIRING_KEY, before[0]["card"], before[1]["letter"])
    remake(job, PEOPLE, 1, "torn")
    run_line(made.line, lambda *_: None, lambda _: None)
    write_codes(job, records, PAIRING_KEY, tmp_path / "after.csv")
    after = rows_of(tmp_path / "after.csv")
    assert after[1:] == before[1:]
    with pytest.raises(PairingRefused, match="different holders"):
        pair(PAIRING_KEY, after[0]["card"], before[0]["letter"])


def test_from_the_job_to_the_mailer_and_its_reprint(made: Finished, tmp_path: Path) -> None:
    for name, text in (
        ("room.key", ROOM_KEY.reveal().hex()),
        ("pair.key", PAIRING_KEY.reveal().hex()),
        ("pass", PASSPHRASE.reveal().decode()),
    ):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text)
    people = [
        word
        for name in (PEOPLE.asked, PEOPLE.approved)
        for word in ("--by", name, "--operator-file", f"{name}={tmp_path / 'pass'}")
    ]
    key, pairs = ("--key-file", tmp_path / "room.key"), ("--pairing-key-file", tmp_path / "pair.key")
    said = door(pins, made.line.out, "--out", tmp_path / "pins", *key, "--destroy", *people)
    assert "3 PINs, destroyed" in said
    book = (*key, "--series", "B1", "--register", tmp_path / "register")
    form = ("--out", tmp_path, "--sender", "样例市", "--sender-address", "样例路 1 号", *pairs, *book, "--by", "wang")
    door(mailers, tmp_path / "pins", *form)
    (pdf,) = tmp_path.glob("mailers-*.pdf")
    numbers = [word for word in text_of(pdf).split() if word.startswith("B1-")]
    assert len(numbers) == 3
    voided = ("--reason", "torn", "--approved-by", "li", "--reprint", *book, "--by", "wang")
    new = next(word for word in door(void_mailer, numbers[1], *voided).split() if word.startswith("B1-00000004"))
    door(pairing, made.line.out, "--out", tmp_path / "codes.csv", *pairs)
    code = rows_of(tmp_path / "codes.csv")[1]["card"]
    door(mailers, tmp_path / "pins", *form, "--reprint", new, "--only", code)
    again = tmp_path / "mailers-B1-00000004-00000004.pdf"
    assert page_count(again) == 1
    assert new in text_of(again)
    (tmp_path / "pile").write_text("\n".join([numbers[0], numbers[2], new]))
    assert "3 mailers, all there" in door(count_mailers_door, tmp_path / "pile", *book)
    with pytest.raises(RuleBroken, match="was not drawn for a reprint"):
        door(mailers, tmp_path / "pins", *form, "--reprint", new, "--only", code)
    door(pairing, made.line.out, "--out", tmp_path / "codes.pdf", *pairs)
    assert page_count(tmp_path / "codes.pdf") == 1
