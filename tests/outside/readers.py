"""A PC/SC service of one's own, with empty virtual readers and nobody else's programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kaguan.emulator.readers import Service, ServiceMissing, private_service
from kaguan.emulator.readers.service import READER_NAME, SOCKET_VARIABLE
from outside.programs import missing

Readers = Service
NAME = f"{READER_NAME} 1"


@contextmanager
def private_readers(folder: Path, count: int = 2) -> Iterator[Readers]:
    """The service runs while the context lasts."""
    with ExitStack() as stack:
        try:
            readers = stack.enter_context(private_service(folder, count))
        except ServiceMissing as error:
            missing(str(error))
        yield readers


def environment(readers: Readers) -> dict[str, str]:
    """The environment in which programs find these readers."""
    return {**os.environ, SOCKET_VARIABLE: str(readers.socket)}
