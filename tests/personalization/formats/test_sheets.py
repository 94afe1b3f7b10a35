"""Tables for people: read back by programs that are not ours, and nothing in them is a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from kaguan.apdu.errors import CodecError
from kaguan.personalization.formats.sheets import MOST_CHARACTERS, Sheet, neutral, write_csv, write_xlsx

pytestmark = pytest.mark.slow

FORMULAS = ["=1+1", "+86", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "＠x", "　=1"]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text(text):
    assert neutral(text) == f"'{text}"
    raw = io.BytesIO()
    write_xlsx(raw, [Sheet("x", ["a"], [[text]])])
    cell = load_workbook(raw).active["A2"]
    assert (cell.data_type, cell.value[0]) == ("s", "'")


@given(TEXTS)
def test_other_texts_stay_as_they_are(text):
    safe = neutral(text)
    assert safe[:1] not in {*"=+-@\t\r\n＝＋－＠"}
    assert neutral(safe) == safe


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=5))
def test_another_program_reads_the_csv(rows):
    raw = io.BytesIO()
    assert write_csv(raw, ["名", "=b"], iter(rows)) == len(rows)
    back = list(csv.reader(io.StringIO(raw.getvalue().decode("utf-8-sig"), newline="")))
    assert back == [["名", "'=b"], *([neutral(text) for text in row] for row in rows)]


@given(st.lists(st.tuples(TEXTS, st.integers(-(10**9), 10**9)), max_size=5))
def test_another_program_reads_the_workbook(rows):
    raw = io.BytesIO()
    assert write_xlsx(raw, [Sheet("一", ["名", "数"], iter(rows)), Sheet("二", ["x"], [])]) == len(rows)
    book = load_workbook(raw)
    assert book.sheetnames == ["一", "二"]
    back = list(book["一"].iter_rows(min_row=2, values_only=True))
    # XML itself makes one line feed of a carriage return.
    assert [(text or "", number) for text, number in back] == [
        (neutral(text).replace("\r\n", "\n").replace("\r", "\n"), number) for text, number in rows
    ]


def test_a_text_that_no_cell_holds_is_refused():
    with pytest.raises(CodecError, match="a cell holds"):
        write_csv(io.BytesIO(), ["a"], [["x" * (MOST_CHARACTERS + 1)]])
