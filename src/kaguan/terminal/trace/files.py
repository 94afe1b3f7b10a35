"""Traces as files. The suffix says the form: .jsonl the canonical one, .pcap a capture, .apdu a tape, others text."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TextIO

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
        self._binary: BinaryIO | None = None
        self._text: TextIO | None = None
        if path.suffix == CAPTURE:
            self._binary = path.open("wb")
            self._binary.write(capture_header())
        else:
            self._text = sys.stderr if path == SCREEN else path.open("w", encoding="utf-8", newline="\n")
        self._owned = path != SCREEN
        self._sink = self._writer(path.suffix, profile)

    def __call__(self, event: TraceEvent) -> None:
        """Write this event, whole: cards in several readers have a thread each."""
        with self._lock:
            self._sink(event)
            (self._binary or self._text_file).flush()

    def close(self) -> None:
        """The file is complete. Closing twice is harmless."""
        if self._owned:
            (self._binary or self._text_file).close()

    @property
    def _text_file(self) -> TextIO:
        assert self._text is not None  # noqa: S101 - one of both is there
        return self._text

    def _writer(self, suffix: str, profile: CardProfile) -> Sink:
        if self._binary is not None:
            binary = self._binary
            return lambda event: binary.write(gsmtap_packet(event))
        text = self._text_file
        if suffix == CANONICAL:
            return lambda event: text.write(jsonl_line(event))
        if suffix == TAPE:
            return TapeWriter(text.write)
        narrator = Narrator(profile)
        return lambda event: text.writelines(f"{line}\n" for line in narrator.lines(event))


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
