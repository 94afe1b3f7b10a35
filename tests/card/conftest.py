"""Cards in the states that several tests begin with."""

from __future__ import annotations

import pytest

from card.cards import Terminal, blank


@pytest.fixture
def blank_terminal() -> Terminal:
    """A chip as the factory delivers it."""
    return Terminal(blank())
