"""How long a card is valid: years after a day."""

from __future__ import annotations

from datetime import MAXYEAR, date


def years_after(day: date, years: int) -> date:
    """The same day so many years later; 1 March for a 29 February that is not there, and never later than dates go."""
    year = day.year + years
    if year > MAXYEAR:
        return date.max
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 3, 1)
