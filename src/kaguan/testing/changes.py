"""What changed on a card, as something that an assertion can show."""

from __future__ import annotations

from collections.abc import Sequence

from kaguan.emulator.imageview import Difference


class Changes:
    """True when nothing but what was expected has changed, and something did."""

    def __init__(self, found: Sequence[Difference], expected: Sequence[str]) -> None:
        self.expected = [row for row in found if any(_lies_in(row.where, place) for place in expected)]
        self.others = [row for row in found if row not in self.expected]
        self.missing = [place for place in expected if not any(_lies_in(row.where, place) for row in found)]

    def __bool__(self) -> bool:
        return not self.others and not self.missing

    def __repr__(self) -> str:
        told = [f"{row.where}: {row.before} -> {row.after}" for row in self.others]
        told += [f"{place}: unchanged" for place in self.missing]
        return "; ".join(told) or "as expected"


def _lies_in(where: str, place: str) -> bool:
    """`files/DF04/EF08/records` lies in `DF04/EF08`, in `DF04` and in `files/DF04`."""
    wanted = place.strip("/")
    return any(path == wanted or path.startswith(f"{wanted}/") for path in (where, where.partition("/")[2]))
