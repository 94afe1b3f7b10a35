"""Orders checked per second and the memory that it takes, against reading and unpacking the same zip alone.

`python bench/orders.py` checks orders of 10,000 and 100,000 holders; `--most 1000000` goes on to that many. Each
figure comes from a process of its own, because memory is measured by the most that the process ever had. The
holders are invented; all have the same small photo, for decoding costs the same whoever is on it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw
from stdnum import luhn
from stdnum.iso7064 import mod_11_2

from kaguan.apdu.identifiers import card_number_check_character
from kaguan.card_os.profile import load_profile
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.holder_rules import HolderRules, absent_columns, layout_of
from kaguan.personalization.order.reading import HOLDER_COLUMNS, OrderName
from kaguan.personalization.order.writing import OrderedCard, OrderedTask, write_order
from measure import Figure, show

NAME = OrderName("P", "0000000001", "20261101080000", "V01", "0", "990100", "95588", "")
TODAY = date(2026, 11, 22)
FIRST_BIRTH = date(1950, 1, 1)
HOLDERS_A_TASK = 10_000
MOST = 100_000
MEMORY_AIM_MIB = 150
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", "测试示例虚构样本假定"


def photo() -> bytes:
    """A small picture of the card's size: shoulders, a head, no person."""
    picture = Image.new("RGB", (358, 441), (225, 228, 235))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((40, 300, 318, 560), fill=(70, 80, 110))
    draw.ellipse((109, 90, 249, 290), fill=(205, 170, 145))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=60)
    return out.getvalue()


def columns_of(number: int) -> Mapping[str, str]:
    """The row of the holder of this number, from 1 on; no two share what must be unique."""
    born = f"{FIRST_BIRTH + timedelta(days=number // 1000):%Y%m%d}"
    certificate = f"990101{born}{number % 1000:03d}"
    certificate += mod_11_2.calc_check_digit(certificate)
    card, bank_card = f"A{number:07d}", f"62299999{number:010d}"
    name = SURNAMES[number % 10] + GIVEN[number // 10 % 10] + GIVEN[number // 100 % 10]
    texts = (
        *(f"{number:06d}", f"C{number:011d}", "01", certificate, bank_card + luhn.calc_check_digit(bank_card)),
        *("20261101", "20361101", card + card_number_check_character(card), certificate, name, ""),
        *(
            "1" if int(certificate[16]) % 2 else "2",
            "01",
            "990101",
            born,
            "10",
            "测试省测试市东城区解放路221号",
            "990101",
        ),
        *(
            f"测试省测试市西城区幸福里{number % 89}号楼",
            "990100",
            f"199{number:08d}",
            "1",
            "3",
            "灵活就业",
            "A00000011",
            "11",
            "156",
        ),
        *("20260101", "202610"),
    )
    return dict(zip(HOLDER_COLUMNS, texts, strict=True))


class Cards(Collection[OrderedCard]):
    """The cards of these holders, made when they are asked for."""

    def __init__(self, numbers: range, picture: bytes) -> None:
        self.numbers = numbers
        self.picture = picture

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[OrderedCard]:
        return (OrderedCard(columns_of(number), self.picture) for number in self.numbers)

    def __contains__(self, card: object) -> bool:
        return card in iter(self)


def write_synthetic_order(path: Path, holders: int) -> None:
    """The file is an order of so many invented holders."""
    picture = photo()
    starts = range(1, holders + 1, HOLDERS_A_TASK)
    tasks = [
        OrderedTask(
            {"task_id": f"T{place}", "card_type": "100", "bank_id": NAME.bank},
            Cards(range(start, min(start + HOLDERS_A_TASK, holders + 1)), picture),
        )
        for place, start in enumerate(starts, 1)
    ]
    with path.open("wb") as file:
        write_order(file, NAME, tasks)


def checked(path: Path, workers: int) -> None:
    """The order has no fault."""
    profile = load_profile("ssc-v2")
    rules = HolderRules(today=TODAY, layout=layout_of(profile), absent=absent_columns(profile))
    if not workers:
        report = check_order(path, rules)
    else:
        with ProcessPoolExecutor(workers) as pool:
            report = check_order(path, rules, pool)
    assert report.ok, next(report.faults())


def unpacked(path: Path) -> None:
    """The floor: every member is read and unpacked, with what Python brings along, and nothing is asked of it."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                while member.read(1 << 17):
                    pass


def measured(work: str, path: Path) -> dict[str, float]:
    """Seconds and the most MiB of a process that does this work with the order."""
    done = subprocess.run([sys.executable, __file__, "--work", work, str(path)], stdout=subprocess.PIPE, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def report_work(work: str, path: Path) -> None:
    """Do the work; tell its seconds and this process's greatest memory."""
    started = time.perf_counter()
    unpacked(path) if work == "floor" else checked(path, int(work))
    seconds = time.perf_counter() - started
    most = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())  # since this program began
    assert most
    print(json.dumps({"seconds": seconds, "mib": int(most[1]) / 1024}))


def measure(holders: int, folder: Path) -> None:
    """Print the figures of an order of so many holders."""
    path, workers = folder / "order.zip", os.cpu_count() or 1
    started = time.perf_counter()
    write_synthetic_order(path, holders)
    written = time.perf_counter() - started
    floor, alone, shared = (measured(work, path) for work in ("floor", "0", str(workers)))
    rates = [holders / run["seconds"] for run in (floor, alone, shared)]
    show(
        f"an order of {holders:,} holders with photos, {path.stat().st_size / 1e6:,.0f} MB",
        [
            Figure("written", holders / written, rates[0]),
            Figure("read and unpacked with zipfile alone", rates[0]),
            Figure("checked in one process", rates[1], rates[0]),
            Figure(f"checked with {workers} more processes", rates[2], rates[0]),
        ],
    )
    for name, run in (("zipfile alone", floor), ("checked in one process", alone), ("checked with more", shared)):
        aim = "" if run is floor else f"  aim {MEMORY_AIM_MIB}: {'met' if run['mib'] < MEMORY_AIM_MIB else 'MISSED'}"
        print(f"  {name + ', most memory':<46}{run['mib']:>12,.0f} MiB{aim}", flush=True)


def main() -> None:
    """Measure orders of growing size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=MOST, help="holders of the greatest order")
    parser.add_argument("--work", nargs=2, metavar=("WORK", "ORDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        report_work(asked.work[0], Path(asked.work[1]))
        return
    for holders in (10_000, 100_000, 1_000_000):
        if holders <= asked.most:
            with TemporaryDirectory() as folder:
                measure(holders, Path(folder))


if __name__ == "__main__":
    main()
