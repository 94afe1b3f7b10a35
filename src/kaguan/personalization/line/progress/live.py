"""A job's figures on a terminal, drawn again and again in place."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kaguan.personalization.job.figures import Figures
from kaguan.personalization.line.progress.text import balance_line, counts_line, reason_lines, time_text


def picture(figures: Figures) -> RenderableType:
    """What the screen shows."""
    counts = figures.counts
    head = Table.grid(padding=(0, 2))
    done = ProgressBar(total=max(counts.total, 1), completed=counts.total - counts.open, width=40)
    rate = f"{figures.rate:.1f} cards/s, {time_text(figures.eta_seconds)} to go"
    head.add_row(Text(f"{figures.state}"), done, Text(f"{counts.total - counts.open}/{counts.total}"), Text(rate))
    parts: list[RenderableType] = [Text(figures.job, style="bold"), head, Text(counts_line(counts))]
    if figures.stations:
        parts.append(_stations(figures))
    parts += [Text(line, style="red") for line in reason_lines(figures)]
    parts += [Text(balance_line(balance), style="dim") for balance in figures.balances]
    return Group(*parts)


def _stations(figures: Figures) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("station", "holds", "at row", ""):
        table.add_column(title, justify="right" if title in ("holds", "at row") else "left")
    for station in figures.stations:
        row = "" if station.row is None else str(station.row)
        table.add_row(Text(station.name), str(station.held), row, "" if station.alive else "time has run out")
    return table
