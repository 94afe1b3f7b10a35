"""The project's own files, as the house tests read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "kaguan"


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is in git or could be added: a plain clone has the same ones."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = (ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name)
    return tuple(file for file in files if file.is_file())


def texts() -> tuple[tuple[Path, str], ...]:
    """Every project file that is text."""
    found = []
    for file in project_files():
        try:
            found.append((file, file.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return tuple(found)


def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files under these folders of the project; of the whole project when none is named."""
    roots = [ROOT / folder for folder in folders] or [ROOT]
    return tuple(f for f in project_files() if f.suffix == ".py" and any(f.is_relative_to(r) for r in roots))


def syntax(file: Path) -> ast.Module:
    """The file's syntax tree; to keep all of them costs more, in the search for garbage, than to read them again."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method under the node, however deep; expressions are not searched, for they hold none."""
    left = [tree]
    while left:
        for child in ast.iter_child_nodes(left.pop()):
            if not isinstance(child, ast.expr):
                left.append(child)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child


def name_of(file: Path) -> str:
    """The file's path inside the project."""
    return file.relative_to(ROOT).as_posix()
