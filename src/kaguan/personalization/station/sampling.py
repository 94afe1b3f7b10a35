"""Which cards get the deep check: all, one in so many, the first so many."""

from __future__ import annotations

import re
from typing import NamedTuple

from kaguan.apdu.errors import InputError

_FORMS = "all, first-K, 1/N, or first-K,1/N"


class Sampling(NamedTuple):
    """The first so many cards of a job and then one in every so many are checked to the last byte; 0 is none."""

    first: int = 0
    one_in: int = 1

    @classmethod
    def parse(cls, text: str) -> Sampling:
        """The plan in words.

        Raises:
            InputError: no plan.
        """
        if text == "all":
            return cls()
        match = re.fullmatch(r"(?:first-(?P<first>\d{1,6}))?(?P<both>,)?(?:1/(?P<one_in>\d{1,6}))?", text, re.ASCII)
        both = match and match["first"] and match["one_in"]
        if not match or not text or bool(match["both"]) != bool(both) or match["one_in"] == "0":
            raise InputError(f"{text!r} is no sample plan: {_FORMS}")
        return cls(int(match["first"] or 0), int(match["one_in"] or 0))

    def deep(self, number: int) -> bool:
        """Whether the card of this row, counted from 1, is to be checked to the last byte."""
        return number <= self.first or (self.one_in > 0 and (number - self.first - 1) % self.one_in == 0)

    def __str__(self) -> str:
        if self == Sampling():
            return "all"
        parts = [f"first-{self.first}"] if self.first or not self.one_in else []
        if self.one_in:
            parts.append(f"1/{self.one_in}")
        return ",".join(parts)


ALL = Sampling()
"""Every card is checked to the last byte."""
