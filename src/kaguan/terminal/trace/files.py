"""Traces as files. The suffix says the form: .jsonl the canonical one, .pcap a capture, .apdu a tape, others text."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from kaguan.apdu.link import Link
from kaguan.apdu.tape import Replay
from kaguan.apdu.trace import Observed, Sink, TapeWriter, TraceEvent, as_tape, capture_header, gsmtap_packet, jsonl_line
from kaguan.apdu.trace.jsonl import TraceError, read_jsonl
from kaguan.card_os.profile import CardProfile
from kaguan.terminal.trace.text import Narrator

CANONICAL, CAPTURE, TAPE = ".jsonl", ".pcap", ".apdu"
SCREEN = Path("-")


class TraceFile:
    """A sink that writes every event at once, so that the trace is there also when the program dies."""

    def __init__(self, path: Path, profile: CardProfile) -> None:
        """The file is empty but for what its form begins with; `-` is standard error.

        Raises:
            OSError: it cannot be written.
        """
        self._lock = Lock()
        self._file = None if path == SCREEN else path.open("wb")
        self._sink = self._form(path.suffix, profile)

    def __call__(self, event: TraceEvent) -> None:
        """Write this event, whole: cards in several readers have a thread each."""
        with self._lock:
            self._sink(event)
            (self._file or sys.stderr).flush()

    def close(self) -> None:
        """The file is complete. Closing twice is harmless."""
        if self._file is not None:
            self._file.close()

    def _form(self, suffix: str, profile: CardProfile) -> Sink:
        if suffix == CAPTURE:
            self._write(capture_header())
            return lambda event: self._write(gsmtap_packet(event))
        if suffix == CANONICAL:
            return lambda event: self._say(jsonl_line(event))
        if suffix == TAPE:
            return TapeWriter(self._say)
        narrator = Narrator(profile)
        return lambda event: self._say("".join(f"{line}\n" for line in narrator.lines(event)))

    def _say(self, text: str) -> None:
        if self._file is None:
            sys.stderr.write(text)
        else:
            self._file.write(text.encode())

    def _write(self, raw: bytes) -> None:
        assert self._file is not None  # noqa: S101 - the screen takes text alone
        self._file.write(raw)


class Tracing:
    """A trace file and the links that write into it."""

    def __init__(self, path: Path, profile: CardProfile) -> None:
        """Raises: OSError: as `TraceFile`."""
        self._file = TraceFile(path, profile)
        self._begin = microseconds()

    def observed(self, link: Link, card: int) -> Observed:
        """The link, with all that it does in the file, as the card of this number."""
        return Observed(link, self._file, lambda: microseconds() - self._begin, card)

    def close(self) -> None:
        """The file is complete. Closing twice is harmless."""
        self._file.close()


def microseconds() -> int:
    """Microseconds since any moment, never going back."""
    return time.monotonic_ns() // 1000


def read_trace(path: Path) -> Iterator[TraceEvent]:
    """The events of a canonical trace, one at a time.

    Raises:
        TraceError: there is no such file, or when the reader comes to a line that is no event.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            yield from read_jsonl(lines, file=str(path))
    except FileNotFoundError:
        raise TraceError("there is no such trace", file=str(path)) from None
    except UnicodeDecodeError:
        raise TraceError("this is no text: only .jsonl traces can be read", file=str(path)) from None


def replayed(path: Path) -> Replay:
    """The cards of a canonical trace: they answer what they answered then. Hidden bytes of an answer are zeros."""
    return Replay(as_tape(read_trace(path), file=str(path)))
