"""A worker of the local engine: takes calls on standard input, and ends with it.

Run as `python -m kaguan.personalization.preparation.worker`. Each call and each outcome is a length (8 bytes) and so
many bytes of a pickle.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import IO

from kaguan.personalization.preparation.transit import loads, outcome_of

_LENGTH = 8


def send(pipe: IO[bytes], raw: bytes) -> None:
    """The bytes are on their way as one message."""
    pipe.write(len(raw).to_bytes(_LENGTH, "big"))
    pipe.write(raw)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes:
    """The next message.

    Raises:
        EOFError: the other end is gone.
    """
    head = pipe.read(_LENGTH)
    raw = pipe.read(int.from_bytes(head, "big"))
    if len(head) < _LENGTH or len(raw) < int.from_bytes(head, "big"):
        raise EOFError
    return raw


def serve(calls: IO[bytes], outcomes: IO[bytes]) -> None:
    """Every call is answered, until there are no more, or nobody to answer."""
    while True:
        try:
            raw = receive(calls)
        except EOFError:
            return

        def call(raw: bytes = raw) -> object:
            function, args, kwargs = loads(raw)
            return function(*args, **kwargs)

        try:
            send(outcomes, outcome_of(call))
        except BrokenPipeError:
            return


def main() -> None:
    """Serve the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes our input
    calls, outcomes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print among the outcomes
    serve(calls, outcomes)
    sys.stderr.flush()
    os._exit(0)  # a parent that is gone took the pipe with it: there is nothing to flush


if __name__ == "__main__":
    main()
