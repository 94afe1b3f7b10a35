"""Records of fixed width: every text comes back or is refused, and never a half character."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError
from kaguan.personalization.formats.layout import (
    LAYOUTS,
    FixedLayout,
    LayoutError,
    layout_text,
    load_layout,
    parse_layout,
)
from kaguan.personalization.formats.recordfile import (
    Record,
    RecordFile,
    RecordFileError,
    RecordFileName,
    write_records,
)

pytestmark = pytest.mark.slow

SIZES = {"open-request": ("SH", 589), "open-answer": ("RH", 326), "account-map": ("BK", 484)}
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
RARE = "王䶮㛃𠮷·鿿龴︐ḿ€ａＡ〇"
PER_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
layouts = pytest.mark.parametrize("name", LAYOUTS)


def texts(width: int) -> st.SearchStrategy[str]:
    """Texts that a field of that width holds."""
    anything = st.text(st.one_of(st.sampled_from(RARE), st.characters(codec="gb18030", exclude_categories=["Cc"])))
    return anything.map(lambda text: fitting(textcodec.normalise(text), width)).map(lambda text: text.strip(" \u3000"))


def fitting(text: str, width: int) -> str:
    while len(textcodec.encode(text)) > width:
        text = text[:-1]
    return text


def records_of(layout: FixedLayout) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({one.name: st.just("") if one.reserved else texts(one.width) for one in layout.fields})


def stored(path: Path, layout: FixedLayout, records: list[dict[str, str]]) -> Path:
    with path.open("wb") as stream:
        write_records(stream, layout, len(records), records)
    return path


def read(path: Path, layout: FixedLayout) -> list[Record]:
    with RecordFile(path, layout) as file:
        return list(file)


@layouts
def test_the_widths_are_those_of_the_header(name):
    layout = load_layout(name)
    prefix, size = SIZES[name]
    assert sum(one.width for one in layout.fields) == layout.record_size == size
    assert layout.header(7) == f"{prefix}00000007{size:08d}FFFFFFFFFF".encode()


@layouts
@PER_FILE
@given(st.data())
def test_records_come_back(tmp_path, name, data):
    layout = load_layout(name)
    records = data.draw(st.lists(records_of(layout), max_size=3))
    path = stored(tmp_path / "file", layout, records)
    assert [record.values for record in read(path, layout)] == records
    assert path.stat().st_size == layout.header_size + 2 + len(records) * (layout.record_size + 2)
    lines = path.read_bytes().split(b"\r\n")
    assert all(len(line) == layout.record_size for line in lines[1:-1])


@given(st.text(st.one_of(st.sampled_from(RARE), st.characters(codec="gb18030"))))
def test_a_cut_never_goes_through_a_character(text):
    layout = load_layout("open-request")
    if text.strip(" \u3000") != text or CONTROL.search(text):
        with pytest.raises(CodecError, match=r"^address: "):
            layout.encode_field(layout.by_name["address"], text)
        return
    raw = layout.encode_field(layout.by_name["address"], text)
    assert len(raw) == 60
    kept = textcodec.decode(raw).rstrip(" ")
    assert textcodec.normalise(text).startswith(kept)
    assert layout.fit("address", text) == kept


def test_another_program_reads_the_texts():
    layout = load_layout("open-request")
    raw = layout.encode({"name": "王䶮㛃", "address": "测试市" * 30})
    text = subprocess.run(["iconv", "-f", "GB18030", "-t", "UTF-8"], input=raw, capture_output=True, check=True).stdout
    assert text.decode()[44:47] == "王䶮㛃"
    assert "测试市" * 10 + " " * 100 in text.decode()


def test_what_does_not_fit_is_refused_by_name_and_not_quoted():
    layout = load_layout("open-request")
    for field, text, reason in (
        ("cert_no", "9" * 19, "19 bytes do not fit in 18"),
        ("task_id", " x", "begins or ends with a space"),
        ("phone", "1\x002", "a control character"),
    ):
        with pytest.raises(CodecError, match=f"^{field}: {reason}") as caught:
            layout.encode({field: text})
        assert text not in str(caught.value)


def test_a_layout_in_gbk_refuses_what_gbk_has_not():
    layout = parse_layout(layout_text("open-request").replace('encoding = "gb18030"', 'encoding = "gbk"'))
    assert layout.fit("name", "王") == "王"
    with pytest.raises(CodecError, match="name: character U\\+20BB7 is not in GBK"):
        layout.encode({"name": "𠮷"})


GOOD = [{"seq": "1", "name": "王䶮", "cert_no": "x"}, {"seq": "2", "name": "张𠮷", "cert_no": "y"}]


def whole() -> bytes:
    raw = io.BytesIO()
    write_records(raw, load_layout("open-request"), 2, GOOD)
    return raw.getvalue()


HOSTILE = {
    "empty": (b"", "begins with no SH"),
    "another file": (whole().replace(b"SH", b"RH"), "begins with no SH"),
    "header cut": (whole()[:20], "the header is cut off"),
    "count no number": (whole().replace(b"00000002", b"0000000x"), "its counts are no digits"),
    "another size": (whole().replace(b"00000589", b"00000588"), "the header says records of 588 bytes"),
    "one too many": (whole().replace(b"00000002", b"00000001"), "the header says 1 records, there are 2"),
    "one too few": (whole().replace(b"00000002", b"00000003"), "the header says 3 records, there are 2"),
    "cut": (whole()[:-100], "record 2 is cut off: 491 bytes instead of 589"),
    "overlong": (whole()[:700] + b"x" + whole()[700:], "record 2 does not end after 589 bytes"),
    "short": (whole()[:100] + whole()[101:], "record 1 does not end after 589 bytes"),
    "NUL": (whole()[:900] + b"\0" + whole()[901:], "record 2 .*a control character"),
    "UTF-8": (whole().decode("gb18030").encode(), "is UTF-8, not GB18030"),
    "no text": (whole()[:74] + b"\xff\xff" + whole()[76:], "record 1 name: bytes FF.* no GB18030"),
    "shifted": (whole()[:570] + b"ABCD" + whole()[574:], "record 1 reserved: bytes that are not reserved F"),
    "reserved header": (whole().replace(b"589FFFFFFFFFF", b"589FFFFFFFFFX"), "the header's reserved bytes are not F"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spoilt_file_is_refused_with_the_record(tmp_path, name):
    raw, reason = HOSTILE[name]
    (tmp_path / "file").write_bytes(raw)
    with pytest.raises(RecordFileError, match=reason):
        read(tmp_path / "file", load_layout("open-request"))


@PER_FILE
@given(st.binary(max_size=1500))
def test_any_bytes_behind_a_header_are_records_or_refused(tmp_path, raw):
    layout = load_layout("open-answer")
    (tmp_path / "file").write_bytes(layout.header(2) + b"\r\n" + raw)
    with pytest.raises(RecordFileError):
        read(tmp_path / "file", layout)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_other_line_ends_are_read(tmp_path, end):
    (tmp_path / "file").write_bytes(whole().replace(b"\r\n", end))
    found = read(tmp_path / "file", load_layout("open-request"))
    assert [record.values["name"] for record in found] == ["王䶮", "张𠮷"]


def test_full_width_filling_is_read(tmp_path):
    name = "王䶮".encode("gb18030")
    raw = whole().replace(name + b" " * 26, name + "\u3000".encode("gb18030") * 13)
    (tmp_path / "file").write_bytes(raw)
    assert read(tmp_path / "file", load_layout("open-request"))[0].values["name"] == "王䶮"


def test_a_file_name_comes_back():
    name = RecordFileName("SH", "0000000009", "95588", "20261101080000")
    assert name.file_name == "SH_0000000009_000000000095588_20261101080000"
    assert RecordFileName.parse(name.file_name) == name == RecordFileName.parse(name.file_name + ".txt")
    assert RecordFileName.parse("SH_9_95588_20261101080000") is None


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ("width = 12", "width = 13", "the fields have 590 bytes together, record_size is 589"),
        ("width = 12", "size = 12", "unknown in a field: size"),
        ('prefix = "SH"', 'prefix = "sh"', "prefix is not two capital letters"),
        ('prefix = "SH"', "", "prefix is missing"),
        ("holder.data_seq", "holder.data", "an order has no 'holder.data'"),
        ('name = "seq"', 'name = "name"', "two fields have the same name"),
        ('encoding = "gb18030"', 'encoding = "utf-8"', "'utf-8' is not a valid Encoding"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused(good, bad, reason):
    with pytest.raises(LayoutError, match=reason):
        parse_layout(layout_text("open-request").replace(good, bad, 1))
