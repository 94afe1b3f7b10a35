"""What is wrong with a mapping file is told with its line and column."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from house.tree import ROOT
from kaguan.apdu.codecs import real_date
from kaguan.personalization.formats.mapping import MappingError, parse_mapping
from kaguan.personalization.formats.rules import CellFault, DateForm, bind
from kaguan.personalization.formats.source import SourceRow

TEXT = (ROOT / "examples" / "formats" / "people.toml").read_text(encoding="utf-8")

WRONG = [
    ('name = "姓名"', 'name = ["姓名"]', "holder.name must be a source column"),
    ("count = 6", "count = 60", "holder.data_seq.count must be the count's number of digits"),
    ('slice = [7, 14], date = "YYYYMMDD"', "slice = [14, 7]", "holder.ssseef060d.slice must be the first"),
    ('date = "YYYYMMDD"', 'date = "DD.YY"', "holder.ssseef060d.date is no date form"),
    ('customer_id = "客户号"', 'custom = "客户号"', "holder.custom is unknown here"),
    ('"男" = "1"', '"男" = 1', "holder.ssseef060a.translate must be a table of texts"),
    ('side = "left"', 'side = "top"', "holder.df01ef0624.pad must be as"),
    ("{户籍省}{户籍地址}", "{户籍省", "holder.df01ef0521.compose must be a text with source columns"),
    ("{户籍省}{户籍地址}", "{户籍省}}", "holder.df01ef0521.compose has a brace without its partner"),
    ("{身份证号}.jpg", "one.jpg", "photo.name must be a pattern"),
    ('vendor = "V01"', 'vendor = "V/01"', "order.vendor must be a text of letters and digits"),
    ('encoding = "auto"', 'encoding = "utf-16"', "source.encoding must be"),
    ('kind = "csv"', 'delimiter = ",,"', "source.delimiter must be one character"),
    ('{ constant = "01" }\ncert_no', '{ constant = "01", upper = true }\ncert_no', "holder.cert_type has upper"),
    ('{ constant = "100" }', '{ constant = "100", from = "x" }', "task.card_type needs exactly one of"),
]


@pytest.mark.parametrize(("good", "bad", "reason"), WRONG, ids=[reason for _, _, reason in WRONG])
def test_a_wrong_value_is_told_with_its_place(good, bad, reason):
    assert TEXT.count(good) >= 1
    text = TEXT.replace(good, bad, 1)
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, file="people.toml")
    assert reason in caught.value.message
    key = reason.split()[0].rpartition(".")[2]
    line = text.splitlines()[caught.value.line - 1]
    assert re.match(rf"[\"']?{re.escape(key)}\b", line[caught.value.column - 1 :])


def test_what_is_no_toml_is_told_with_its_place():
    with pytest.raises(MappingError) as caught:
        parse_mapping('[order]\nbank = "9\n', file="m.toml")
    assert (caught.value.line, str(caught.value).startswith("m.toml:2:")) == (2, True)


@pytest.mark.parametrize(
    ("gone", "reason"), [("cert_no", "holder needs a rule for cert_no"), ("task_id", "task needs a rule for task_id")]
)
def test_what_no_order_can_do_without_is_asked_for(gone, reason):
    text = "\n".join(line for line in TEXT.splitlines() if not line.startswith(gone))
    with pytest.raises(MappingError, match=reason):
        parse_mapping(text)


@given(st.text())
def test_no_text_does_more_than_be_refused(text):
    with pytest.raises(MappingError):
        parse_mapping(text)


@given(st.dates(), st.sampled_from(["YYYY-MM-DD", "D.M.YYYY", "MM/DD/YYYY", "YYYY年M月D日", "YYYYMMDD"]))
def test_every_day_is_read_as_it_is_written(day, form):
    names = {"YYYY": f"{day.year:04d}", "MM": f"{day.month:02d}", "DD": f"{day.day:02d}", "M": day.month, "D": day.day}
    text = re.sub("YYYY|MM|DD|M|D", lambda match: str(names[match[0]]), form)
    expected = f"{day.year:04d}{day.month:02d}{day.day:02d}"
    assert DateForm.parse(form).read(text) == (expected if real_date(expected) else None)


def rule(line: str):
    """The rule for customer_id that this TOML value is, bound to a sheet with columns a and b."""
    text = TEXT.replace('customer_id = "客户号"', f"customer_id = {line}")
    found = next(one for one in parse_mapping(text).holder if one.column == "customer_id")
    return bind(found, {"a": 0, "b": 1})


@pytest.mark.parametrize(
    ("line", "cells", "expected"),
    [
        ('"a"', [" x "], "x"),
        ('{ from = "a", trim = false }', [" x "], " x "),
        ('{ compose = "{a}-{b}号" }', ["1", "2"], "1-2号"),
        ('{ compose = "{a}-{b}号" }', ["", ""], ""),
        ('{ from = "b", default = "z", upper = true }', ["x"], "z"),
        ('{ from = "a", upper = true, pad = { width = 3, with = "0" } }', ["x"], "00X"),
        ('{ from = "a", pad = { width = 3, with = "_", side = "right" } }', ["x"], "x__"),
        ('{ from = "a", slice = [2, 3], translate = { "bc" = "d" } }', ["abcd"], "d"),
        ("{ count = 4 }", [], "0007"),
    ],
)
def test_a_rule_makes_its_column(line, cells, expected):
    assert rule(line)(SourceRow(2, cells), 7) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{ from = "a", slice = [2, 9] }', "has 5 characters"),
        ('{ from = "a", pad = { width = 3 } }', "has 5 characters, more than the 3"),
        ('{ from = "a", translate = { "x" = "y" } }', "is none of the values"),
        ('{ from = "a", date = "YYYY-MM-DD" }', "is no day of the calendar written YYYY-MM-DD"),
    ],
)
def test_a_reason_never_quotes_the_value(line, reason):
    with pytest.raises(CellFault, match=reason) as caught:
        rule(line)(SourceRow(2, ["秘密的名字"]), 1)
    assert "秘密" not in str(caught.value)
