"""Data preparation through an `Executor`: chunks out, chunks back, in the order's sequence and in bounded memory.

Law 1. A chunk whose worker dies is prepared again; three deaths are its end, by name.
Law 2. No more than a few chunks are out at once, so an order of any size takes the same memory.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import NamedTuple

from kaguan.apdu.errors import LinkError
from kaguan.personalization.preparation.chunks import ChunkWork, PreparedChunk, prepare_chunk
from kaguan.personalization.preparation.local import WorkerDied, WorkersDied

MOST_DEATHS = 3
CHUNKS_AHEAD = 2
"""Chunks a worker that are out at once: one at work, one that waits."""


class ChunkLost(LinkError):
    """Workers kept dying at a chunk; nothing of it is prepared, and the same command goes on with it."""


class _Out(NamedTuple):
    work: ChunkWork
    future: Future[PreparedChunk]


def prepared(
    works: Iterable[ChunkWork],
    executor: Executor,
    *,
    in_flight: int | None = None,
    prepare: Callable[[ChunkWork], PreparedChunk] = prepare_chunk,
) -> Iterator[PreparedChunk]:
    """The chunks prepared, in their sequence.

    Raises:
        ChunkLost: three workers died at one chunk.
        KaguanError: what reading the order raises, or what no chunk can be prepared with, such as an unknown profile.
    """
    out: deque[_Out] = deque()
    room = in_flight or CHUNKS_AHEAD * getattr(executor, "workers", os.cpu_count() or 1)
    source = iter(works)
    try:
        while True:
            while len(out) < room and (work := next(source, None)) is not None:
                out.append(_Out(work, executor.submit(prepare, work)))
            if not out:
                return
            first = out[0]
            chunk = _result(first, executor, prepare)
            out.popleft()
            yield chunk
    finally:
        for waiting in out:
            waiting.future.cancel()


def _result(out: _Out, executor: Executor, prepare: Callable[[ChunkWork], PreparedChunk]) -> PreparedChunk:
    future, deaths = out.future, 0
    while True:
        try:
            return future.result()
        except (WorkerDied, BrokenExecutor) as error:
            # A cluster gives up a chunk also when it waited at workers that died at another: that one has a second try.
            deaths += 2 if isinstance(error, WorkersDied) else 1
            if deaths >= MOST_DEATHS:
                raise _lost(out.work, error) from None
            future = executor.submit(prepare, out.work)


def _lost(work: ChunkWork, error: BaseException) -> ChunkLost:
    last = work.first_number + len(work.rows) - 1
    return ChunkLost(
        f"workers kept dying at cards {work.first_number} to {last}: {error}; "
        "mend what killed them (memory, most often), then run the same command again"
    )
