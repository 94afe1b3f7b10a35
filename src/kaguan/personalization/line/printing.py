"""What a run does with what is printed: names that no font has stop it at the beginning, reports are its end.

The packages that print are an extra, and slow to open: a station, or a run without them, never does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kaguan.apdu.errors import CodecError, KaguanError
from kaguan.personalization.job.job import Job
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.order.pipetext import Line, lines
from kaguan.personalization.order.reading import OrderFile
from kaguan.personalization.order.report import OrderReport
from kaguan.personalization.preparation.chunks import RawRow, raw_rows

if TYPE_CHECKING:
    from kaguan.personalization.keystore import OpenVault
    from kaguan.personalization.station.records import JobRecords

_NAMES = ("ssseef0609", "ssseef064e")
_PACKAGES = ("fontTools", "fpdf", "jinja2", "segno", "xlsxwriter")
_EXTRA = "install the packages that print: pip install 'kaguan[paper]'"


def require_printable_names(order: OrderFile, report: OrderReport, tell: Callable[[str], None]) -> None:
    """Every name of the order can be printed, refused rows left out; `tell` is told when nobody can know, for want of
    fonts. Memory grows with the number of different characters only.

    Raises:
        GlyphsMissing: with each character that no font has, and its row.
    """
    if not can_print():
        tell(f"names were not checked for characters that cannot be printed: {_EXTRA}")
        return
    from kaguan.personalization.paper.fonts import (  # noqa: PLC0415 - see above
        FontsMissing,
        GlyphsMissing,
        find_fonts,
        missing_glyphs,
    )

    try:
        fonts = find_fonts()
    except FontsMissing as error:
        tell(f"names were not checked for characters that cannot be printed: {error}")
        return
    if missing := missing_glyphs(fonts, _names(order, report)):
        raise GlyphsMissing(missing)


def leave_reports(
    job: Job, line: LineOrder, records: JobRecords, vault: OpenVault, tell: Callable[[str], None]
) -> None:
    """The run's folder has the quality report and the workbook, as far as this machine can make them; `tell` is told
    what is missing, and why.

    Raises:
        OSError: no room or no right.
    """
    if not can_print():
        tell(f"no quality report: {_EXTRA}, then 'kaguan perso report {line.out}'")
        return
    from kaguan.personalization.outgoing.reports import write_reports  # noqa: PLC0415 - see above

    try:
        write_reports(job, records, vault, line.out, tell, cards=line.out)
    except KaguanError as error:  # the cards are made all the same
        tell(f"no quality report: {error}")


def can_print() -> bool:
    """Whether the packages that print are installed."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


def _names(order: OrderFile, report: OrderReport) -> Iterator[tuple[int, str]]:
    """Each row and the characters of its holder's name that no row before had."""
    places = [order.columns.index(name) for name in _NAMES if name in order.columns]
    seen: set[str] = set()
    with order.archive.open_list() as stream:
        for row in raw_rows(lines(stream), report.reason, file=order.path.name):
            if not row.reason:
                new = set(_name(row, places)) - seen
                seen |= new
                yield row.row, "".join(sorted(new))


def _name(row: RawRow, places: list[int]) -> str:
    try:
        columns = Line(row.line, row.raw).columns()
        return "".join(columns[place] for place in places)
    except (CodecError, IndexError):
        return ""  # preparation says what is wrong with the line
