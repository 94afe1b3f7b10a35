"""Chunks hold every row of the order once, and what is prepared is what each row's own preparation gives."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.errors import OrderError
from kaguan.card_os.profile import load_profile
from kaguan.personalization.order.pipetext import lines
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.preparation.chunks import (
    MOST_BYTES,
    RawRow,
    chunks,
    prepare_chunk,
    raw_rows,
    rows_of,
    with_photos,
)
from kaguan.personalization.preparation.packing import RecordUnknown, pack, unpack
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.preparation.record import prepare
from kaguan.vault.secret import Pin
from personalization.orders import PHOTO, Order, holder
from personalization.preparation.people import JOB, PLAN, TERMS, order_of, task_list, works

PROFILE = load_profile("ssc-v2")


def opened(row):
    """The holder and the record that are sealed in a prepared row."""
    return unpack(PLAN, TERMS.key.open(row.number, JOB, row.sealed))


def test_an_order_comes_back_whole_and_in_sequence(tmp_path):
    path = order_of(23).write(tmp_path / "order.zip")
    with open_order(path) as order:
        expected = list(order.holders())
        with order.archive.open_list() as stream:
            rows = with_photos(raw_rows(lines(stream)), order)
            prepared = [row for work in chunks(TERMS, rows, most_rows=5) for row in prepare_chunk(work).rows]
    assert [row.number for row in prepared] == list(range(1, 24))
    assert not any(row.reason for row in prepared)
    for row, holder_ in zip(prepared, expected, strict=True):
        assert (row.line, row.row, row.task_id) == (holder_.line, holder_.row, holder_.task_id)
        assert opened(row) == (holder_, prepare(PROFILE, holder_, PHOTO))
        assert row.tag == TERMS.key.tag(holder_.card_no)
        for personal in (holder_.name, holder_.id_no, holder_.card_no):
            assert personal.encode("gb18030") not in row.sealed
            assert personal not in repr(row)


def test_rows_of_another_format_are_the_same_rows(tmp_path):
    with open_order(order_of(9).write(tmp_path / "order.zip")) as order:
        assert list(rows_of(order.holders())) == list(raw_rows(task_list(9)))


def spoiled(number, column, text):
    """An order of five with one value changed."""
    order = Order()
    order.row(number)[column] = text
    return list(raw_rows(lines(io.BytesIO(order.list_bytes()))))


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("ssseef0609", "王" * 16, "ssseef0609: the text takes 32 bytes, the field has 30"),
        ("ssseef060b", "0A", "ssseef060b: the value has characters other than the digits 0 to 9"),
        ("df01ef0520", "1|2", "30 columns instead of 29"),
    ],
)
def test_a_row_that_does_not_fit_is_a_reason_in_its_place(column, text, reason):
    (work,) = chunks(TERMS, spoiled(3, column, text))
    prepared = prepare_chunk(work)
    assert [row.reason for row in prepared.rows] == ["", "", reason, "", ""]
    (good,) = chunks(TERMS, spoiled(3, "data_seq", "000003"))
    for row, other in zip(prepared.rows, prepare_chunk(good).rows, strict=True):
        if row.number != 3:
            assert opened(row) == opened(other)
        elif row.sealed:
            refused, record = opened(row)
            assert record is None
            assert refused.columns[column] == text


def test_a_line_that_is_no_text_costs_itself_alone():
    (work,) = works(5)
    rows = list(work.rows)
    rows[1] = rows[1]._replace(raw=rows[1].raw.replace("王".encode("gb18030"), b"\xff\xff"))
    prepared = prepare_chunk(replace(work, rows=tuple(rows)))
    assert [bool(row.reason) for row in prepared.rows] == [False, True, False, False, False]
    assert "offset" in prepared.rows[1].reason
    assert prepared.rows[1].sealed == prepared.rows[1].tag == b""


def test_a_reason_from_before_stays_and_the_holder_is_kept():
    rows = list(raw_rows(task_list(3), lambda line: "cert_no: not a number" if line == 5 else ""))
    (work,) = chunks(TERMS, rows)
    prepared = prepare_chunk(work)
    assert [row.reason for row in prepared.rows] == ["", "cert_no: not a number", ""]
    assert opened(prepared.rows[1])[0].columns == holder(2)
    assert opened(prepared.rows[1])[1] is None


def test_photos_that_are_absent_or_too_large_are_reasons(tmp_path):
    order = order_of(3)
    order.photo_bytes()[holder(3)["cert_no"]] = b"\xff\xd8" + bytes(range(256)) * 200
    del order.photo_bytes()[holder(1)["cert_no"]]
    with open_order(order.write(tmp_path / "order.zip")) as source:
        rows = list(with_photos(raw_rows(task_list(3)), source))
    (work,) = chunks(TERMS, rows)
    reasons = [row.reason for row in prepare_chunk(work).rows]
    assert reasons[0] == "row 1 has no photo"
    assert reasons[1] == ""
    assert "the photo has 51202 bytes" in reasons[2]


def test_a_task_list_that_was_changed_is_found_out():
    changed = task_list(8)
    del changed[11]  # the second task's line
    with pytest.raises(OrderError, match="no task line") as refusal:
        list(raw_rows(changed, file="order.zip"))
    assert refusal.value.line == 13


@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(1, 7))
@settings(deadline=None)
def test_cutting_loses_nothing_and_bounds_each_chunk(sizes, most_rows):
    rows = [RawRow(n, n, "T", b"x", bytes(1024 * size)) for n, size in enumerate(sizes, 1)]
    cut = list(chunks(TERMS, rows, most_rows=most_rows))
    assert [row for work in cut for row in work.rows] == rows
    first = 1
    for work in cut:
        assert work.first_number == first
        first += len(work.rows)
        assert 1 <= len(work.rows) <= most_rows
        assert sum(len(row.raw) + len(row.photo) for row in work.rows[:-1]) < MOST_BYTES


def test_a_station_with_another_profile_or_version_is_told():
    (work,) = works(1)
    packed = TERMS.key.open(1, JOB, prepare_chunk(work).rows[0].sealed)
    other = plan_of(load_profile("ssc-v3"), TERMS.columns)
    with pytest.raises(RecordUnknown, match="another profile than this ssc-v3"):
        unpack(other, packed)
    with pytest.raises(RecordUnknown, match="version 2"):
        unpack(PLAN, b"\x02" + packed[1:])
    for raw in (packed[:9], packed[:9] + b"\x90", packed + b"\0", packed[:-1]):
        with pytest.raises(RecordUnknown, match="not what this version"):
            unpack(PLAN, raw)


def test_a_pin_of_its_own_takes_the_profiles_place():
    texts = list(holder(1).values())
    packed = pack(PLAN, 3, 1, "T", texts, PLAN.encode(texts), b"")
    assert unpack(PLAN, packed)[1].pin == Pin.of(PROFILE.defaults["initial_pin"])
    assert unpack(PLAN, packed, pin=Pin.of("975310"))[1].pin == Pin.of("975310")


def test_what_work_is_does_not_show():
    (work,) = works(5)
    shown = f"{work!r} {work.rows!r} {TERMS!r}"
    assert holder(1)["cert_no"] not in shown
    assert "王" not in shown
    assert bytes(range(32)).hex() not in shown
