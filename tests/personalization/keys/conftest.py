"""A key store with one zone key, for the tests of key stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from personalization.keys.people import make_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A test store that wang and li have made."""
    path = tmp_path / "bureau.store"
    make_store(path)
    return path
