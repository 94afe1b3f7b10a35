"""docs/life-cycles.md is what the tables of the rules say."""

from __future__ import annotations

import subprocess
import sys

from house.tree import ROOT


def test_the_page_is_what_the_tables_say():
    check = subprocess.run([sys.executable, ROOT / "scripts" / "life-cycle-docs", "--check"], check=False)
    assert check.returncode == 0, "run scripts/life-cycle-docs"
