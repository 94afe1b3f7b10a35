"""The quality report of a job: one content, shown as a web page and as a PDF.

`sections` turns the figures into headings, tables and lines; both writers show exactly these, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined, Template

from kaguan.personalization.paper.fonts import Lettering
from kaguan.personalization.paper.pages import A4, Align, Pages


class BalanceRow(NamedTuple):
    """One line of the balance, of the job, a shift or a machine: what was opened with, and where each of it is now."""

    of: str
    opening: int
    good: int
    rejected: int
    returned: int
    samples: int
    scrap: int

    @property
    def closes(self) -> bool:
        """Opening = good + rejected + returned + samples + scrap."""
        return self.opening == self.good + self.rejected + self.returned + self.samples + self.scrap


class StationRow(NamedTuple):
    """What one station made in one shift."""

    station: str
    machine: str
    shift: str
    operator: str
    good: int
    rejected: int
    cards_a_minute: float


class FieldRow(NamedTuple):
    """A field of the sample card as read back from the chip; `value` is masked where it is personal."""

    name: str
    tag: str
    value: str
    ok: bool


@dataclass(frozen=True, slots=True)
class QcData:
    """All that the report shows; personal values are masked by whoever fills it in (see `masked`)."""

    job: str
    order_file: str
    customer: str
    product: str
    key_store: str
    began_at: datetime
    ended_at: datetime
    holders: int
    good: int
    rejected: int
    refused: int
    balance: tuple[BalanceRow, ...]
    rejects_by_reason: Mapping[str, int]
    stations: tuple[StationRow, ...]
    sample_plan: str
    sampled: int
    sample_faults: int
    sample_card: str
    sample_fields: tuple[FieldRow, ...]
    signatures: tuple[str, ...] = ("操作员 Operator", "质检员 Quality inspector", "复核人 Reviewer")
    remarks: tuple[str, ...] = field(default=())


class Section(NamedTuple):
    """A heading, a table (without column names its first column names the rows) and lines under it.

    `numbers` are the columns that stand at their right edge; a section to `sign` has a line beside each name.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    bad: bool = False
    sign: bool = False


TITLE = "质量报告 Quality report"
_YES, _NO = "是 yes", "否 NO"
_OK, _WRONG = "符合 ok", "不符 WRONG"
_NONE = "无 none"
_BALANCE = (
    "范围 Of",
    "期初 Opening",
    "合格 Good",
    "废卡 Rejected",
    "退库 Returned",
    "样卡 Samples",
    "报废 Scrap",
    "平 Closes",
)
_STATIONS = (
    "工位 Station",
    "机器 Machine",
    "班次 Shift",
    "操作员 Operator",
    "合格 Good",
    "废卡 Rejected",
    "张/分 Cards/min",
)
_PLAN = ("方案 Plan", "抽样数 Sampled", "不符 Faults")
_FIELDS = ("字段 Field", "标签 Tag", "读回值 Read back", "结果 Result")
_OPEN = "账目未平: 工作不得关闭。 The balance does not close: the job stays open."


def masked(value: str, *, head: int = 1, tail: int = 0) -> str:
    """The value with all but its ends starred out; a short one is starred out whole."""
    hidden = len(value) - head - tail
    return value[:head] + "*" * hidden + (value[-tail:] if tail else "") if hidden > 0 else "*" * len(value)


def by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first, equals by name."""
    return sorted(counts.items(), key=lambda row: (-row[1], row[0]))


def sections(data: QcData) -> tuple[Section, ...]:
    """What the report says, in its order."""
    remarks = [Section("备注 Remarks", (), (), data.remarks)] if data.remarks else []
    signatures = Section("签字 Signatures", (), tuple((who,) for who in data.signatures), sign=True)
    return (*_figures(data), *_samples(data), *remarks, signatures)


def _figures(data: QcData) -> Iterator[Section]:
    identity = (
        ("作业 Job", data.job),
        ("订单文件 Order", data.order_file),
        ("客户 Customer", data.customer),
        ("产品 Product", data.product),
        ("密钥库 Key store", data.key_store),
        ("开始 Began", f"{data.began_at:%Y-%m-%d %H:%M:%S %Z}"),
        ("结束 Ended", f"{data.ended_at:%Y-%m-%d %H:%M:%S %Z}"),
    )
    agrees = data.good + data.rejected + data.refused == data.holders
    counts = (
        ("持卡人 Holders", str(data.holders)),
        ("合格 Good", str(data.good)),
        ("废卡 Rejected", str(data.rejected)),
        ("拒收 Refused", str(data.refused)),
        ("合计相符 Sum agrees", _YES if agrees else _NO),
    )
    closes = all(row.closes for row in data.balance)
    balance = tuple((row.of, *(str(n) for n in row[1:]), _YES if row.closes else _NO) for row in data.balance)
    reasons = tuple((reason, str(count)) for reason, count in by_count(data.rejects_by_reason))
    stations = tuple((*row[:4], str(row.good), str(row.rejected), f"{row.cards_a_minute:.1f}") for row in data.stations)
    yield Section("作业 Job", (), identity)
    yield Section("数量 Counts", (), counts, bad=not agrees)
    yield Section(
        "平衡表 Balance", _BALANCE, balance, () if closes else (_OPEN,), numbers=(1, 2, 3, 4, 5, 6), bad=not closes
    )
    yield Section("废卡原因 Rejects by reason", ("原因 Reason", "数量 Count"), reasons, numbers=(1,))
    yield Section("工位 Stations", _STATIONS, stations, numbers=(4, 5, 6))


def _samples(data: QcData) -> Iterator[Section]:
    plan = (data.sample_plan, str(data.sampled), str(data.sample_faults))
    fields = tuple((row.name, row.tag, row.value, _OK if row.ok else _WRONG) for row in data.sample_fields)
    right = all(row.ok for row in data.sample_fields)
    yield Section("抽样 Samples", _PLAN, (plan,), numbers=(1, 2), bad=data.sample_faults > 0)
    yield Section(f"样卡 Sample card {data.sample_card}", _FIELDS, fields, bad=not right)


def qc_texts(data: QcData) -> Iterator[tuple[int, str]]:
    """All that the report shows, for `check_glyphs`."""
    yield from ((0, text) for text in (TITLE, _NONE, data.job))
    for section in sections(data):
        yield 0, section.heading
        yield from ((0, text) for row in (section.columns, *section.rows, section.lines) for text in row)


def qc_html(data: QcData) -> str:
    """The report as one page without scripts and without anything fetched; every value is escaped."""
    return _template().render(title=TITLE, job=data.job, sections=sections(data), none=_NONE)


def qc_pdf(data: QcData, lettering: Lettering, *, written_at: datetime) -> bytes:
    """The report as a PDF.

    Raises:
        GlyphsMissing: a text that was not checked.
    """
    return _Report(Pages(lettering, A4, title=f"{TITLE} {data.job}", written_at=written_at), data.job).of(
        sections(data)
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files(__package__).joinpath("qcreport.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)


_MARGIN, _BOTTOM, _ROW = 18.0, 278.0, 6.2
_SIZE, _GUTTER = 8.5, 6.0
_WIDTH = A4.width_mm - 2 * _MARGIN


class _Report:
    def __init__(self, pages: Pages, job: str) -> None:
        self._pages, self._job, self._y = pages, job, _BOTTOM

    def of(self, parts: tuple[Section, ...]) -> bytes:
        for section in parts:
            self._section(section)
        return self._pages.finish()

    def _section(self, section: Section) -> None:
        self._room(28)
        self._y += 5
        self._pages.text(_MARGIN, self._y, section.heading, 11, fit_mm=_WIDTH)
        self._y += 2.2
        self._rule(0.3)
        widths = self._widths(section)
        if section.columns:
            self._row(section.columns, widths, section.numbers, gray=95)
            self._rule(0.1)
        for row in section.rows:
            self._row(row, widths, section.numbers, step=14.0 if section.sign else _ROW)
            if section.sign:
                self._pages.strokes([[(_MARGIN + 55, self._y), (_MARGIN + 130, self._y)]], line_mm=0.2)
        if not section.rows and not section.lines:
            self._row((_NONE,), [_WIDTH], gray=95)
        for line in section.lines:
            for text in self._pages.wrapped(line, _SIZE, _WIDTH):
                self._row((text,), [_WIDTH])
        self._y += 2

    def _row(
        self,
        cells: tuple[str, ...],
        widths: list[float],
        numbers: tuple[int, ...] = (),
        *,
        gray: int = 0,
        step: float = _ROW,
    ) -> None:
        wrapped = [self._pages.wrapped(c, _SIZE, w - 2) or [""] for c, w in zip(cells, widths, strict=False)]
        height = step + 4.2 * (max(map(len, wrapped)) - 1)
        self._room(height)
        x = _MARGIN
        for column, (lines, width) in enumerate(zip(wrapped, widths, strict=False)):
            align = Align.RIGHT if column in numbers else Align.LEFT
            place = x + width - _GUTTER if column in numbers else x
            for index, line in enumerate(lines):
                y = self._y + step - 1.8 + 4.2 * index
                self._pages.text(place, y, line, _SIZE, gray=gray, align=align, fit_mm=width - 1)
            x += width
        self._y += height

    def _widths(self, section: Section) -> list[float]:
        """Each column as wide as its longest text asks, all together as wide as the page."""
        rows = [row for row in (section.columns, *section.rows) if row]
        if not section.columns:
            return [55.0, _WIDTH - 55.0]
        asked = [
            min(60.0, max(self._pages.width(row[column], _SIZE) for row in rows) + _GUTTER)
            for column in range(len(section.columns))
        ]
        return [width * _WIDTH / sum(asked) for width in asked]

    def _room(self, height: float) -> None:
        if self._y + height <= _BOTTOM and self._pages.count:
            return
        self._pages.new()
        first = self._pages.count == 1
        self._pages.text(_MARGIN, 22, TITLE, 17 if first else 9)
        self._pages.text(A4.width_mm - _MARGIN, 22, self._job, 9, align=Align.RIGHT, gray=95, fit_mm=90)
        self._pages.text(A4.width_mm / 2, 288, str(self._pages.count), 8, align=Align.MIDDLE, gray=95)
        self._y = 28.0

    def _rule(self, line_mm: float) -> None:
        self._pages.strokes([[(_MARGIN, self._y), (A4.width_mm - _MARGIN, self._y)]], line_mm=line_mm, gray=60)
