"""An order of any size: judged in many processes, in the same memory, with every fault told."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.personalization.order.archive import OrderChanged
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.judging import MOST_ROWS, RowsLost
from kaguan.personalization.order.report import FaultSpool, OrderReport
from kaguan.personalization.preparation.local import LocalEngine
from personalization.orders import PHOTO, RULES, Order, Task, holder

ROWS = 3 * MOST_ROWS + 7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "order.zip"


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ProcessPoolExecutor(2) as executor:
        yield executor


def spoiled(dice: Callable[[int], int]) -> Order:
    """An order of some chunks in which many things are wrong in many places."""
    rows = [holder(number) for number in range(1, ROWS + 1)]
    order = Order(tasks=[Task("T1", rows[:500]), Task("T1", rows[500:], recordcount="9")])
    for _ in range(60):
        row = rows[dice(ROWS)]
        spoil = [
            lambda row: row.update(ssseef060a="3"),
            lambda row: row.update(bank_card_no=rows[0]["bank_card_no"]),
            lambda row: row.update(df01ef092e="甲|乙"),
            lambda row: order.photo_bytes().pop(row["cert_no"], None),
            lambda row: order.photo_bytes().update({row["cert_no"]: PHOTO[:-300]}),
        ]
        spoil[dice(len(spoil))](row)
    return order


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_other_processes_find_the_same_in_the_same_sequence(
    seed: int, pool: Executor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = spoiled(random.Random(seed).randrange).write(tmp_path_factory.mktemp("orders") / "order.zip")
    alone, shared = check_order(path, RULES), check_order(path, RULES, pool)
    assert list(alone.faults()) == list(shared.faults())
    assert alone.good == shared.good == ROWS - len({fault.line for fault in alone.row_faults})
    assert alone.count > 40
    by_line: dict[int, list[str]] = {}
    for fault in alone.row_faults:
        by_line.setdefault(fault.line, []).append(f"{fault.column}: {fault.reason}")
    assert {line: alone.reason(line) for line in by_line} == {line: "; ".join(by_line[line]) for line in by_line}


def test_the_judgement_ends_at_the_same_fault_everywhere(path: Path, pool: Executor) -> None:
    order = Order(tasks=[Task("T1", [holder(number) for number in range(1, ROWS + 1)])], photos={})
    order.write(path)
    told = [list(check_order(path, RULES, where, most_faults=300).faults()) for where in (None, pool)]
    assert told[0] == told[1]
    assert len(told[0]) == 301


@pytest.mark.slow
def test_a_great_many_faults_are_told_one_by_one() -> None:
    spool = FaultSpool(60_000)
    spool.add(Fault(number % 7, "column", f"reason {number}", "T1", 60_000 - number) for number in range(50_000))
    report = OrderReport(50_000, spool)
    assert report.count == len(report.file_faults) + len(report.row_faults) == 50_000
    lines = [fault.line for fault in report.row_faults]
    assert lines == sorted(lines)
    told = json.loads("".join(report.as_json()))
    assert told["faults"] == [fault._asdict() for fault in report.faults()]
    assert sum(1 for _ in report.as_text()) == 50_001
    assert report.reason(60_000 - 3) == "column: reason 3"


class _Murderer(LocalEngine):
    """The worker that takes the call of one of these numbers is killed before it comes to it."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(2)
        self._numbers = numbers
        self._calls = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._calls += 1
        if self._calls in self._numbers:
            return super().submit(os._exit, 9)
        return super().submit(fn, *args, **kwargs)


@pytest.mark.slow
def test_rows_whose_worker_dies_are_judged_again(path: Path) -> None:
    spoiled(random.Random(2026).randrange).write(path)
    with _Murderer(1, 3, 5) as executor:
        shared = check_order(path, RULES, executor)
    assert list(shared.faults()) == list(check_order(path, RULES).faults())
    with _Murderer(*range(1, 99)) as executor, pytest.raises(RowsLost, match="workers died at lines 4 to "):
        check_order(path, RULES, executor)


class _Meddler(ThreadPoolExecutor):
    """Runs what it is given, and does something to the order before."""

    def __init__(self, deed: Callable[[], object]) -> None:
        super().__init__(1)
        self._deed = deed

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._deed()
        return super().submit(fn, *args, **kwargs)


def _replaced(path: Path) -> None:
    path.unlink()
    Order().write(path)


def _appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


DEEDS: dict[str, Callable[[Path], object]] = {
    "written to": _appended,
    "replaced": _replaced,
    "removed": Path.unlink,
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_an_order_that_is_changed_while_it_is_read(deed: Callable[[Path], object], path: Path) -> None:
    Order().write(path)
    with _Meddler(lambda: deed(path)) as meddler, pytest.raises(OrderChanged, match="changed while it was read"):
        check_order(path, RULES, meddler)


MEMORY = """
import re, sys
from pathlib import Path
from kaguan.personalization.order.check import check_order
from personalization.orders import RULES
report = check_order(Path(sys.argv[1]), RULES)
most = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())  # the kernel's own high-water mark
print(report.good, report.count, int(most[1]) // 1024)
"""


def _peak(path: Path, rows: int) -> tuple[int, int, int]:
    """Good rows, faults and MiB of a check, in a process of its own, of an order whose photos are missing or stray."""
    order = Order(tasks=[Task(f"T{n}", [holder(n)]) for n in range(1, rows + 1)])
    order.photos = {f"990101{number:012d}": b"" for number in range(rows)}
    order.write(path)
    tests = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], cwd=tests, capture_output=True, text=True, check=True
    )
    good, faults, mib = map(int, done.stdout.split())
    return good, faults, mib


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's view of a process")
def test_memory_does_not_grow_with_rows_tasks_photos_or_faults(path: Path) -> None:
    good, faults, few = _peak(path, 2_000)
    assert (good, faults) == (0, 4_000)
    good, faults, many = _peak(path, 30_000)
    assert (good, faults) == (0, 60_000)
    assert many < few + 16
    assert many < 150
