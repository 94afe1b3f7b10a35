"""What one seed says: the order, the bureau, and what happens to it when."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

from kaguan.personalization.order.reading import OrderName
from kaguan.personalization.order.writing import OrderedCard, OrderedTask, write_order
from personalization.orders import LIST_NAME, PHOTO, holder

EVERYWHERE = (
    "kill a station",
    "kill a station",
    "kill the run",
    "kill all",
    "freeze a station",
    "pause",
    "drain",
    "second run",
    "remake",
    "sample",
    "scrap",
    "change the order",
)
ON_A_SERVER = ("cut connections", "cut connections", "restart the server", "another machine", "another folder")
CHUNK_ROWS = 5
"""Rows in a chunk where rows are prepared by other processes."""


class Trouble(NamedTuple):
    """What happens, and when: so many seconds after the run began, or when so many cards are finished."""

    what: str
    seconds: float
    cards: int | None

    def __str__(self) -> str:
        return f"{self.what} at {self.seconds:.2f} s" if self.cards is None else f"{self.what} at {self.cards} cards"


class Plan(NamedTuple):
    """All that is drawn before anything begins. `disk_kib` is the room at first, `uses` the limit of every key;
    `reports` are printed at the end."""

    seed: int
    rows: int
    bad: frozenset[int]
    server: bool
    stations: int
    engine: str
    lease_seconds: int
    sampling: str
    troubles: tuple[Trouble, ...]
    disk_kib: int | None
    uses: int | None
    clock: bool
    reports: bool = False

    def __str__(self) -> str:
        parts = [
            f"seed {self.seed}: {self.rows} rows",
            f"{len(self.bad)} of them bad",
            "PostgreSQL" if self.server else "SQLite",
            f"{self.stations} stations, {self.engine} engine, lease {self.lease_seconds} s, checks {self.sampling}",
        ]
        parts += [f"a disk of {self.disk_kib} KiB"] if self.disk_kib else []
        parts += [f"keys for {self.uses} uses"] if self.uses else []
        parts += ["a clock that jumps"] if self.clock else []
        parts += ["reports"] if self.reports else []
        return ", ".join(parts) + "; " + ", ".join(map(str, self.troubles))


class Able(NamedTuple):
    """What this machine has besides."""

    server: bool = False
    disk: bool = False
    clock: bool = False
    cluster: bool = False


def plan_of(seed: int, able: Able, *, most_rows: int = 60, most_troubles: int = 6) -> Plan:
    """What this seed says, on a machine that is able to do so much."""
    dice = random.Random(seed)
    rows = dice.randint(10, most_rows)
    server = dice.random() < 0.5 and able.server
    engine = dice.choices(["here", "local", "cluster"], [5, 4, 1])[0]
    bad = frozenset(dice.sample(range(1, rows + 1), dice.randint(1, 3)) if dice.random() < 0.2 else ())
    special = dice.choices(["", "disk", "keys", "clock"], [70, 10, 10, 10])[0]
    clock = special == "clock" and able.clock
    kinds = [*EVERYWHERE, *(ON_A_SERVER if server else ())]
    kinds += ["kill a worker"] * 4 if engine == "local" else []
    kinds += ["jump of the clock"] * 12 if clock else []
    troubles = []
    for _ in range(dice.randint(1, most_troubles)):
        what, seconds, at_card = dice.choice(kinds), dice.uniform(0.1, 4.0), dice.random() < 0.6
        early = what in ("kill a worker", "change the order")
        troubles.append(Trouble(what, seconds, dice.randint(0, rows - 1) if at_card and not early else None))
    disk_kib, uses = int(300 + 36 * rows * dice.uniform(0.0, 0.9)), int(rows * dice.uniform(1.0, 40.0))
    return Plan(
        seed=seed,
        rows=rows,
        bad=bad,
        server=server,
        stations=dice.randint(1, 4),
        engine="local" if engine == "cluster" and not able.cluster else engine,
        lease_seconds=dice.randint(1, 3),
        sampling=dice.choice(["all", "first-5,1/10"]),
        troubles=tuple(troubles),
        disk_kib=disk_kib if special == "disk" and able.disk else None,
        uses=uses if special == "keys" else None,
        clock=clock,
        reports=dice.random() < 0.25,
    )


def write_order_of(plan: Plan, path: Path) -> None:
    """The file is the plan's order, in two tasks; the bad rows are of no sex that the standard knows."""
    people = [holder(number) for number in range(1, plan.rows + 1)]
    for number in plan.bad:
        people[number - 1]["ssseef060a"] = "7"
    name = OrderName.parse(LIST_NAME)
    assert name is not None
    middle = plan.rows // 2
    tasks = [
        OrderedTask(
            {"task_id": task_id, "card_type": "100", "bank_id": name.bank},
            [OrderedCard(person, PHOTO) for person in some],
        )
        for task_id, some in (("T1", people[:middle]), ("T2", people[middle:]))
    ]
    with path.open("wb") as file:
        write_order(file, name, tasks)
