"""docs/order-formats.md says what the layouts and the mapping's reader say."""

from __future__ import annotations

import subprocess
import sys

from house.tree import ROOT
from kaguan.personalization.formats import mapping

PAGE = ROOT / "docs" / "order-formats.md"


def test_the_tables_are_what_the_layouts_say():
    check = subprocess.run([sys.executable, ROOT / "scripts" / "format-docs", "--check"], check=False)
    assert check.returncode == 0, "run scripts/format-docs"


def test_every_name_of_a_mapping_file_is_explained():
    text = PAGE.read_text(encoding="utf-8")
    assert [
        name for name in (*mapping.RULE_NAMES, *mapping.SOURCE_NAMES, *mapping.ORDER_PARTS) if f"`{name}`" not in text
    ] == []
