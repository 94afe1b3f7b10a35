"""docs/chip.md says what the profiles say."""

from __future__ import annotations

import subprocess
import sys

from house.tree import ROOT


def test_the_page_is_what_the_profiles_say():
    check = subprocess.run([sys.executable, ROOT / "scripts" / "chip-docs", "--check"], check=False)
    assert check.returncode == 0, "run scripts/chip-docs"
