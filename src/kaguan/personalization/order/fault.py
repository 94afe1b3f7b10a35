"""What is wrong with an order, in one shape for people and programs."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One thing that is wrong.

    `row` is the holder's data_seq, or 0 when the fault is the file's; then `column` says what of the file.
    `line` is the line of the task list, 0 for the zip itself. The reason never quotes the holder's data.
    """

    row: int
    column: str
    reason: str
    task: str = ""
    line: int = 0
