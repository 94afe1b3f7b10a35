"""Where in a text something stands."""

from __future__ import annotations

import re
from bisect import bisect_right

from kaguan.apdu.tape.model import Place

_LINE_END = re.compile(r"\r\n|\r|\n")


class Places:
    """Lines and columns of one text, whose lines end as they like."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def of(self, offset: int) -> Place:
        """The place of the character with this index."""
        line = bisect_right(self._starts, offset)
        return Place(self._file, line, offset - self._starts[line - 1] + 1)
