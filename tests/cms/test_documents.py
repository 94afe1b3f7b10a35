"""docs/regions.md, docs/dialects.md and docs/life-cycles.md say what the definitions say."""

from __future__ import annotations

import re
import subprocess
import sys

from cms.regions import shipped_layers
from house.tree import ROOT
from kaguan.cms.rules.regionfile import check_files, parse_region


def test_the_pages_are_what_the_definitions_say():
    check = subprocess.run([sys.executable, ROOT / "scripts" / "cms-docs", "--check"], check=False)
    assert check.returncode == 0, "run scripts/cms-docs"


def test_the_example_of_the_page_is_a_sound_file():
    page = (ROOT / "docs" / "regions.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example
    check_files([parse_region(example[1], file="example")], known=shipped_layers())
