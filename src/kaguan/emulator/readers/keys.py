"""Single keys from a terminal, while the program does other things."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

HEARING_SECONDS = 0.2
"""How long a wait for a key lasts before the program looks around."""


@contextmanager
def keys() -> Iterator[Callable[[], str]]:
    """A function that waits a moment for a key: the key, or the empty text. Without a terminal it only waits, and from
    when the terminal has hung up."""
    if not sys.stdin.isatty():
        yield _silence
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield lambda: _key(descriptor)
    finally:
        with suppress(termios.error):  # it has hung up
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _key(descriptor: int) -> str:
    ready, _, _ = select.select([descriptor], [], [], HEARING_SECONDS)
    if not ready:
        return ""
    try:
        key = os.read(descriptor, 1)
    except OSError:  # the terminal has hung up, and will be ready for ever
        key = b""
    return key.decode(errors="replace") if key else _silence()


def _silence() -> str:
    select.select([], [], [], HEARING_SECONDS)
    return ""
