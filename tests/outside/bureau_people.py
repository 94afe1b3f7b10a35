"""Somebody at a bureau's readers: reads what the stations say, lays chips in and takes cards out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kaguan.apdu.link import Link
from kaguan.emulator.vpcd import InsertedCard
from outside.readers import Readers, environment

RUNNING_SECONDS = 240


@dataclass
class Slot:
    """A reader, and what is in it."""

    port: int
    link: Link | None = None
    inserted: InsertedCard | None = None

    def lay_in(self, link: Link) -> None:
        """The chip is in the reader."""
        self.link, self.inserted = link, InsertedCard(link, port=self.port)

    def take_out(self) -> Link | None:
        """The reader is empty; what was in it."""
        link, self.link = self.link, None
        if self.inserted is not None:
            self.inserted.pull_out()
            self.inserted = None
        return link


@dataclass
class Operator:
    """Does what the stations say, with chips from one heap; cards that come again are laid in by the test's plan."""

    slots: dict[str, Slot]
    heap: list[Link]
    finished: list[Link] = field(default_factory=list)
    binned: list[Link] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    def at(cls, readers: Readers, heap: Iterable[Link]) -> Operator:
        """Somebody at these readers."""
        names = zip(readers.names, readers.ports, strict=True)
        return cls({name: Slot(port) for name, port in names}, list(heap))

    def hear(self, line: str) -> None:
        """Do what the station says."""
        self.told.append((time.monotonic(), line))
        slot = next((slot for name, slot in self.slots.items() if f"reader {name}:" in line), None)
        if slot is None:
            return
        if "put a blank chip in" in line and self.heap:
            slot.lay_in(self.heap.pop(0))
        if "take it out" in line:
            link = slot.take_out()
            if link is not None:
                (self.finished if "is finished" in line else self.binned).append(link)

    @property
    def heard(self) -> list[str]:
        """All that was said."""
        return [line for _, line in self.told]

    def leave(self) -> None:
        """Nothing is left in the readers."""
        for slot in self.slots.values():
            slot.take_out()


def run_line(readers: Readers, operator: Operator, *arguments: object) -> int:
    """A run of the line with this operator; its exit code."""
    command = [sys.executable, "-m", "kaguan", "perso", "run", *map(str, arguments), "--backend", "pcsc"]
    for name in operator.slots:
        command += ["--reader", name]
    line = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(readers) | {"PYTHONUNBUFFERED": "1"}
    )
    try:
        assert line.stdout is not None
        for said in line.stdout:
            operator.hear(said)
        return line.wait(RUNNING_SECONDS)
    finally:
        line.kill()
        line.wait()
        line.stdout.close()
        operator.leave()


def job_report(out: Path) -> dict[str, object]:
    """The report that a run has left."""
    return json.loads((out / "report.json").read_text())
