"""What a user says of the reader that he names."""

from __future__ import annotations

from typing import NamedTuple

CONSENT = "--i-own-this-card"


class WantedReader(NamedTuple):
    """The reader that is meant, by number or part of its name, and whether its user says that the card is his."""

    name: str
    owned: bool = False
