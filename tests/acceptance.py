"""After `pytest -m acceptance`: which statements of docs/acceptance.md hold, which do not, and which nobody showed."""

from __future__ import annotations

import re
from pathlib import Path

STATEMENTS = Path(__file__).parent.parent / "docs" / "acceptance.md"
A_STATEMENT = re.compile(r"^- \*\*(S\d-\d+)\*\* ", re.MULTILINE)


def statements() -> list[str]:
    """The ids of all statements, in the order of the page."""
    return A_STATEMENT.findall(STATEMENTS.read_text(encoding="utf-8"))


def note_statements(items):
    """Each report says which statements its test shows, in whatever process it was made."""
    for item in items:
        ids = [statement for mark in item.iter_markers("acceptance") for statement in mark.args]
        item.user_properties += [("acceptance", statement) for statement in ids]


def pytest_terminal_summary(terminalreporter, config):
    """The three lists, when the run was about them."""
    if config.getoption("markexpr", "") != "acceptance":
        return
    shown, broken = set(), set()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            ids = {value for name, value in getattr(report, "user_properties", ()) if name == "acceptance"}
            if outcome in {"passed", "failed", "error"}:
                shown |= ids
            if outcome in {"failed", "error"}:
                broken |= ids
    for title, ids in (
        ("hold", [one for one in statements() if one in shown - broken]),
        ("do not hold", [one for one in statements() if one in broken]),
        ("are shown by no test", [one for one in statements() if one not in shown]),
    ):
        terminalreporter.section(f"{len(ids)} statements {title}", sep="-")
        terminalreporter.write_line(" ".join(ids))
