"""A sender's totals are those of the order, or each difference is told."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from kaguan.apdu.errors import OrderError
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.cli import order as order_door
from kaguan.personalization.order.totals import count_totals, totals_beside, write_totals
from personalization.orders import RULES, Order, holder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Order().write(tmp_path / "order.zip")


def test_the_totals_are_those_of_the_list(path: Path) -> None:
    totals = count_totals(path)
    assert (totals.holders, totals.tasks, totals.photos, totals.record_counts) == (5, 2, 5, 5)
    numbers = [int(holder(number)["bank_card_no"]) for number in range(1, 6)]
    assert totals.hash_total == int(str(sum(numbers))[-12:])
    assert totals.list_sha256 == hashlib.sha256(Order().list_bytes()).hexdigest()


def test_what_is_written_is_read_and_agrees(path: Path) -> None:
    place = write_totals(path)
    assert place.name == "order.zip.totals"
    assert totals_beside(path) == count_totals(path)
    assert check_order(path, RULES).ok
    place.write_text("\r\nholders = 5\r\n\r\n".lstrip())
    assert check_order(path, RULES).ok


@pytest.mark.parametrize("name", ["holders", "tasks", "photos", "record_counts", "hash_total", "list_sha256"])
def test_each_difference_is_told(name: str, path: Path) -> None:
    totals = count_totals(path)
    value = asdict(totals)[name]
    other = f"{int(value[0], 16) ^ 1:x}{value[1:]}" if isinstance(value, str) else value + 1
    write_totals(path).write_text(str(replace(totals, **{name: other})))
    (fault,) = check_order(path, RULES).file_faults
    assert (fault.column, fault.row) == ("totals", 0)
    assert fault.reason == f"{name}: the sender's totals say {other}, the order has {value}"


def test_all_differences_are_told_at_once(path: Path) -> None:
    text = str(count_totals(path))
    Order(tasks=Order().tasks[:1]).write(path)
    path.with_name("order.zip.totals").write_text(text)
    told = [fault.reason.split(":")[0] for fault in check_order(path, RULES).file_faults]
    assert told == re.findall(r"^(\w+)=", text, re.MULTILINE)


def test_two_rows_that_changed_places_change_the_digest_alone(path: Path) -> None:
    write_totals(path)
    order = Order()
    order.tasks[0].holders.reverse()
    (fault,) = check_order(order.write(path), RULES).file_faults
    assert fault.reason.startswith("list_sha256: ")


@pytest.mark.parametrize(
    "text",
    ["", "holders", "people=5", "holders=5\nholders=5", "holders=five", "holders=-1", "holders=5 # all", "\0" * 9],
)
def test_totals_out_of_form_are_a_fault(text: str, path: Path) -> None:
    path.with_name("order.zip.totals").write_text(text)
    with pytest.raises(OrderError, match=r"order\.zip\.totals"):
        totals_beside(path)
    (fault,) = check_order(path, RULES).file_faults
    assert fault.column == "totals"


def test_totals_beyond_all_measure(path: Path) -> None:
    path.with_name("order.zip.totals").write_bytes(b"holders=5\n" * 100_000)
    with pytest.raises(OrderError):
        totals_beside(path)


def test_the_door_writes_what_a_check_reads(path: Path) -> None:
    done = CliRunner().invoke(order_door, ["totals", str(path)])
    assert done.stdout == str(count_totals(path)) == path.with_name("order.zip.totals").read_text()
    broken = CliRunner().invoke(order_door, ["totals", str(path.with_name("order.zip.totals"))])
    assert isinstance(broken.exception, OrderError)
