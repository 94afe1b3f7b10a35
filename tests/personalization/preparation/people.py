"""A job's terms and chunks for these tests, and what workers are asked to do in them."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import load_profile
from kaguan.personalization.order.pipetext import Line, lines
from kaguan.personalization.order.reading import HOLDER_COLUMNS
from kaguan.personalization.preparation.chunks import ChunkWork, PreparedChunk, Terms, chunks, prepare_chunk, raw_rows
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.preparation.sealing import RecordKey
from kaguan.vault.secret import Secret
from personalization.orders import Order, Task, holder

DATA_KEY = Secret(bytes(range(32)))
JOB = b"job 1"
TERMS = Terms(JOB, "ssc-v2", HOLDER_COLUMNS, RecordKey(DATA_KEY))
PLAN = plan_of(load_profile("ssc-v2"), HOLDER_COLUMNS)


def order_of(count: int) -> Order:
    """An order of so many holders in tasks of seven."""
    numbers = range(1, count + 1)
    tasks = [Task(f"T{start}", [holder(n) for n in numbers[start : start + 7]]) for start in range(0, count, 7)]
    return Order(tasks)


def task_list(count: int) -> list[Line]:
    """The lines of its task list."""
    return list(lines(io.BytesIO(order_of(count).list_bytes())))


def works(count: int, *, most_rows: int = 10) -> Iterator[ChunkWork]:
    """Its chunks, without photos."""
    return chunks(TERMS, raw_rows(task_list(count)), most_rows=most_rows)


def slowly(work: ChunkWork) -> PreparedChunk:
    """Prepared, and not at once."""
    time.sleep(0.02)
    return prepare_chunk(work)


def deadly(work: ChunkWork) -> PreparedChunk:
    """Prepared, but for the chunk of card 21, which kills who works at it."""
    if work.first_number == 21:
        os.kill(os.getpid(), signal.SIGKILL)
    return prepare_chunk(work)


def once_deadly(work: ChunkWork) -> PreparedChunk:
    """Prepared; every chunk kills the first who works at it."""
    mark = Path(os.environ["KAGUAN_TEST_MARKS"]) / str(work.first_number)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return prepare_chunk(work)


def unwilling() -> None:
    """Raise an exception that no pickle takes."""
    raise Unwilling("too long")


class Unwilling(CodecError):
    """A refusal that holds what cannot travel."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()
