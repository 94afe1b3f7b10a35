"""A job's figures in plain lines."""

from __future__ import annotations

from kaguan.personalization.job.figures import Figures
from kaguan.personalization.job.job import Counts
from kaguan.personalization.job.shifts import Balance

_MOST_REASONS = 5


def counts_line(counts: Counts) -> str:
    """The counts in one line."""
    return (
        f"{counts.good} of {counts.total} cards good, {counts.claimed} at work, {counts.pending} waiting, "
        f"{counts.rejected} rejected, {counts.refused} refused"
    )


def balance_line(balance: Balance) -> str:
    """A shift's chips in one line."""
    returned = "not counted back" if balance.returned is None else f"{balance.returned} returned"
    missing = f", {balance.missing} missing" if balance.returned is not None and balance.missing else ""
    at_work = f" + {balance.at_work} at work" if balance.at_work else ""
    return (
        f"{balance.machine}, {balance.name}: {balance.opening} chips = {balance.good} good + {balance.rejected} "
        f"rejected + {returned} + {balance.samples} samples + {balance.scrap} scrap{at_work}{missing}"
    )


def time_text(seconds: float | None) -> str:
    """Hours, minutes and seconds."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def reason_lines(figures: Figures) -> list[str]:
    """The most frequent reasons for rejected chips."""
    shown = [f"{count} × {reason}" for reason, count in list(figures.rejects.items())[:_MOST_REASONS]]
    more = len(figures.rejects) - len(shown)
    return [*shown, f"and {more} reasons more"] if more > 0 else shown


def status_lines(figures: Figures) -> list[str]:
    """All of it."""
    lines = [f"job {figures.job}: {figures.state}", counts_line(figures.counts)]
    if figures.counts.open:
        lines.append(f"{figures.rate:.1f} cards a second, {time_text(figures.eta_seconds)} to go")
    for station in figures.stations:
        at = "" if station.row is None else f", at row {station.row}"
        lost = "" if station.alive else ", its time has run out"
        lines.append(f"station {station.name}: holds {station.held} rows{at}{lost}")
    return lines + reason_lines(figures) + [balance_line(balance) for balance in figures.balances]
