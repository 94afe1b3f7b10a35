"""A job taken in, and a station at it whose chips come out of a drawer, in the order in which a test lays them in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from card.cards import PROFILE
from kaguan.apdu.link import Link
from kaguan.card_os.image import CardImage
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.job.claims import Claims
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.shifts import open_shift, shift_of
from kaguan.personalization.keystore import OpenVault, opened_store
from kaguan.personalization.line.intake import take_in
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.station.records import open_records
from kaguan.personalization.station.sampling import ALL, Sampling
from kaguan.personalization.station.station import Bench, Station
from kaguan.personalization.station.stock import Leaving
from personalization.orders import RULES, Order, Task, holder


class Drawer:
    """A stock of real chips, as a reader is: what is in it, nobody knows beforehand."""

    def __init__(self, *chips: Link) -> None:
        self.chips = deque(chips)
        self.finished: list[Link] = []
        self.bin: list[tuple[Link, str]] = []
        self.aside: list[Link] = []

    def serial(self, chip: int) -> None:
        """Unknown."""

    def take(self, chip: int, waiting: Callable[[], None]) -> Link:
        """The next chip, after somebody was waited for."""
        waiting()
        if not self.chips:
            raise Leaving("the drawer is empty")
        link = self.chips.popleft()
        link.reset()
        return link

    def turn_away(self, link: Link, reason: str) -> None:
        """Into the bin."""
        self.bin.append((link, reason))

    def set_aside(self, link: Link, reason: str) -> None:
        """Nowhere in particular."""
        self.aside.append(link)

    def put_back(self, link: Link) -> None:
        """It is the next one again."""
        self.chips.appendleft(link)

    def keep(self, link: Link, card_no: str) -> None:
        """A card keeps itself."""

    def hand_out(self, link: Link, card_no: str) -> None:
        """To the finished ones."""
        self.finished.append(link)

    def discard(self, link: Link, card_no: str) -> None:
        """Into the bin."""
        self.bin.append((link, ""))

    def stored(self, card_no: str) -> None:
        """Whoever has it lays it in."""


class Place(NamedTuple):
    """A job, the vault of its keys, and its shift."""

    job: Job
    vault: OpenVault
    shift: int

    def station(
        self, drawer: Drawer, *, name: str = "m1/1", sampling: Sampling = ALL, lease_seconds: float = 60.0
    ) -> tuple[Station, Claims]:
        """A station of this name at the job."""
        claims = Claims(self.job, name, self.shift, lease_seconds=lease_seconds)
        terms = self.job.terms
        records = open_records(self.job, self.vault, plan_of(PROFILE, terms.columns))
        return Station(claims, Bench(records, self.vault, PROFILE, terms.region, drawer, sampling)), claims


def order_of(path: Path, rows: int) -> Path:
    """An order of so many holders."""
    return Order([Task("T1", [holder(number) for number in range(1, rows + 1)])]).write(path)


def line_of(folder: Path, database: str, rows: int, **options: object) -> LineOrder:
    """A run of an order of so many holders, in this folder."""
    folder.mkdir(exist_ok=True)
    order = order_of(folder / "order.zip", rows)
    return LineOrder(order, folder / "out", PROFILE, RULES, database=database, **options)


@contextmanager
def place(folder: Path, database: str, rows: int = 3, **options: object) -> Iterator[Place]:
    """The order is in and a shift is open."""
    line = line_of(folder, database, rows, **options)
    (folder / "out").mkdir(exist_ok=True)
    with Bureau(line.address) as bureau:
        job = take_in(bureau, line, print)
        shift = shift_of(job, "m1") or open_shift(job, "m1", "night", "li", 0)
        with opened_store(Path(job.terms.store)) as vault:
            yield Place(job, vault, shift)


def blank(number: int) -> CardImage:
    """A blank chip of the factory."""
    return blank_chip(PROFILE, number.to_bytes(6, "big"))


def chips(*numbers: int) -> list[EmulatedCard]:
    """Blank chips of these numbers."""
    return [EmulatedCard(blank(number)) for number in numbers]
