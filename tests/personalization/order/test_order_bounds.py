"""An order that means harm is told what is wrong with it, quickly and in little memory."""

from __future__ import annotations

import os
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import OrderError
from kaguan.personalization.order.archive import GREATEST_RATIO
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.reading import OrderFile, open_order
from kaguan.personalization.order.validity import years_after
from personalization.orders import RULES, Order, Task, holder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "order.zip"


MOST_FAULTS = 1_000


@pytest.mark.parametrize("line", [b"\r\n", b"a|b\r\n", b"|" * 28 + b"\r\n"], ids=["empty", "short", "empty rows"])
def test_a_list_of_faults_alone_is_not_read_to_its_end(path: Path, line: bytes) -> None:
    order = Order()
    order.raw_list = order.list_bytes() + line * (2 * MOST_FAULTS)
    order.write(path)
    report = check_order(path, RULES, most_faults=MOST_FAULTS)
    assert report.count == MOST_FAULTS + 1
    *_, last = report.file_faults
    assert (last.column, report.ok) == ("order", False)
    assert "not judged" in last.reason


def test_a_list_that_is_almost_nothing_when_compressed_is_refused(path: Path) -> None:
    order, packed = Order(), path.with_name("packed.zip")
    header = b"\r\n".join(order.list_bytes().split(b"\r\n")[:2])
    order.raw_list = header + b"\r\n" * 5_000_000
    with zipfile.ZipFile(order.write(path)) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in plain.namelist():
            zipped.writestr(name, plain.read(name))
    assert f"more than {GREATEST_RATIO} times" in next(iter(check_order(packed, RULES).file_faults)).reason


@pytest.mark.parametrize("count", ["9" * 5000, "1" + "0" * 9])
def test_a_record_count_beyond_all_measure_is_no_number(path: Path, count: str) -> None:
    Order(tasks=[Task("T1", [holder(1)], recordcount=count)]).write(path)
    assert [fault.column for fault in check_order(path, RULES).faults()] == ["recordcount"]


@pytest.mark.parametrize("flag", [0x20, 0x40])
@pytest.mark.parametrize("suffix", [".txt", ".jpg"])
def test_a_member_with_a_flag_that_no_order_has(path: Path, flag: int, suffix: str) -> None:
    raw = bytearray(Order().write(path).read_bytes())
    at = 0
    while (at := raw.find(b"PK\1\2", at)) >= 0:
        size = int.from_bytes(raw[at + 28 : at + 30], "little")
        if raw[at + 46 : at + 46 + size].endswith(suffix.encode()):
            raw[at + 8] |= flag
        at += 4
    path.write_bytes(raw)
    faults = check_order(path, RULES).faults()
    assert {fault.column for fault in faults} == {"zip" if suffix == ".txt" else "photo"}
    with open_order(path) as order, pytest.raises(OrderError):
        order.photo(next(order.holders()))


def test_a_member_beyond_the_end_of_the_zip(path: Path) -> None:
    raw = bytearray(Order().write(path).read_bytes())
    at = raw.find(b"PK\1\2")
    raw[at + 42 : at + 46] = b"\xfe\xff\xff\xff"
    path.write_bytes(raw)
    assert any("outside the zip" in fault.reason for fault in check_order(path, RULES).file_faults)


def test_a_failing_disk_is_not_the_rows_fault(path: Path) -> None:
    with OrderFile(Order().write(path)) as order:
        (first, *_) = order.holders()
        folder = os.open(path.parent, os.O_RDONLY)
        os.dup2(folder, order.archive._file.fileno())  # reading goes on in what cannot be read
        os.close(folder)
        with pytest.raises(IsADirectoryError):
            order.photo(first)


def test_dates_at_the_end_of_the_calendar(path: Path) -> None:
    order = Order()
    order.row(1).update(ssseef0505="99990101", ssseef0506="99991231")
    assert check_order(order.write(path), RULES).ok


@given(st.dates(), st.integers(0, 200))
def test_years_after_a_day(day: date, years: int) -> None:
    after = years_after(day, years)
    assert after >= day
    if day.year + years > 9999:
        assert after == date.max
    else:
        assert after.year == day.year + years
        assert (after.month, after.day) in ((day.month, day.day), (3, 1))
