"""What the bureau's tests share: a database of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from postgres import server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    return str(tmp_path / "bureau.sqlite") if request.param == "sqlite" else server().new_database()
