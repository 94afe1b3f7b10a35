"""Traces for people: what each command and answer means, in the words of the standards and of the card's profile."""

from kaguan.terminal.trace.files import TraceFile, Tracing, read_trace, replayed
from kaguan.terminal.trace.text import Narrator

__all__ = ["Narrator", "TraceFile", "Tracing", "read_trace", "replayed"]
