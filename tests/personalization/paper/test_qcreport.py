"""The quality report: page and PDF say the same, and nothing in it is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.personalization.paper.qcreport import (
    BalanceRow,
    FieldRow,
    QcData,
    StationRow,
    masked,
    qc_html,
    qc_pdf,
    qc_texts,
    sections,
)
from personalization.paper.printed import WRITTEN_AT, fonts_of, lettering_for, page_count, text_of

DATA = QcData(
    job="job-9901-0001",
    order_file="ORD_1_20261122000000_V_S_1_990101_B.txt",
    customer="样例省人社厅",
    product="ssc-v3",
    key_store="bureau (test, check value 8CA64D)",
    began_at=WRITTEN_AT,
    ended_at=WRITTEN_AT,
    holders=200,
    good=196,
    rejected=3,
    refused=1,
    balance=(BalanceRow("作业 job", 210, 196, 3, 8, 2, 1), BalanceRow("早班 M1", 100, 98, 2, 0, 0, 0)),
    rejects_by_reason={"read-back differs": 2, "chip not blank": 1},
    stations=(StationRow("1", "M1", "早班", "wang", 98, 2, 301.25), StationRow("2", "M2", "早班", "li", 98, 1, 299)),
    sample_plan="1 in 10, first 5",
    sampled=24,
    sample_faults=0,
    sample_card="990100D156000005****",
    sample_fields=(
        FieldRow("姓名", "09", masked("张𠮷"), ok=True),
        FieldRow("社会保障号码", "08", masked("990101199003070015", head=6, tail=2), ok=True),
    ),
    remarks=("照片由两人目视比对。",),
)


class Cells(HTMLParser):
    """The words of a page, and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Remember the tag; nothing is fetched or run."""
        self.tags.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onerror", "onclick"}

    def handle_data(self, data):
        """Remember the words."""
        if data.strip():
            self.words.append(data.strip())


def said(data: QcData) -> list[str]:
    """Every word that the report must say."""
    return [
        text
        for section in sections(data)
        for text in (section.heading, *section.columns, *(cell for row in section.rows for cell in row), *section.lines)
    ]


@pytest.mark.slow
def test_page_and_pdf_say_the_same(tmp_path):
    lettering = lettering_for(qc_texts(DATA))
    pdf = tmp_path / "qc.pdf"
    pdf.write_bytes(qc_pdf(DATA, lettering, written_at=WRITTEN_AT))
    assert 1 <= page_count(pdf) <= 2
    assert all(font[-3:] == ["yes", "yes", "yes"] for font in fonts_of(pdf))
    words, page = re.sub(r"\s", "", text_of(pdf)), Cells(qc_html(DATA)).words
    for text in said(DATA):
        assert text in page
        assert re.sub(r"\s", "", text) in words
    assert qc_pdf(DATA, lettering, written_at=WRITTEN_AT) == pdf.read_bytes()
    assert "张𠮷" not in words
    assert "990101199003070015" not in words


@pytest.mark.slow
def test_a_large_report_goes_on_over_pages(tmp_path):
    stations = tuple(StationRow(str(i), f"M{i}", "早班", "wang", i, 0, 1.0) for i in range(120))
    data = replace(DATA, stations=stations)
    pdf = tmp_path / "qc.pdf"
    pdf.write_bytes(qc_pdf(data, lettering_for(qc_texts(data)), written_at=WRITTEN_AT))
    assert page_count(pdf) >= 4
    assert "M119" in text_of(pdf)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_no_value_is_markup(text):
    plain = Cells(qc_html(DATA)).tags
    page = qc_html(replace(DATA, customer=f"<script>{text}", rejects_by_reason={f"<img src=x>{text}": 1}))
    assert Cells(page).tags == plain
    assert unescape(page).count(f"<script>{text}") == 1


def test_a_balance_that_does_not_close_is_said():
    bad = replace(DATA, balance=(DATA.balance[0]._replace(good=195),))
    assert not bad.balance[0].closes
    assert "does not close" in qc_html(bad)
    assert "does not close" not in qc_html(DATA)
    assert next(s for s in sections(replace(DATA, good=195)) if "Counts" in s.heading).bad


@pytest.mark.parametrize(("value", "shown"), [("张𠮷", "张*"), ("王", "*"), ("", ""), ("阿卜杜拉·买买提", "阿*******")])
def test_masked(value, shown):
    assert masked(value) == shown


@given(st.text(), st.integers(0, 6), st.integers(0, 6))
def test_masked_shows_no_more_than_asked(value, head, tail):
    shown = masked(value, head=head, tail=tail)
    assert len(shown) == len(value)
    assert not value or "*" in shown
    assert sum(a == b != "*" for a, b in zip(value, shown, strict=True)) <= head + tail
