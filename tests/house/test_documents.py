"""Documents that are true: links lead somewhere, acceptance ids exist, glossary rows are whole."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from acceptance import statements
from house.tree import ROOT, SOURCE, name_of, project_files, python_files, syntax

DOCUMENTS = [f for f in project_files() if f.suffix == ".md" and (f.parent == ROOT or "docs" in f.parts)]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
GLOSSARY = ROOT / "docs" / "glossary.md"


def anchors(document: Path) -> set[str]:
    """The names by which a link may point into the document."""
    headings = HEADING.findall(CODE.sub(lambda m: m.group().strip("`"), document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document: Path) -> list[str]:
    """Links of the document to files or headings that are not there; addresses on the web are not asked."""
    dead = []
    for link in LINK.findall(CODE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document):
    assert dead_links(document) == []


def acceptance_marks(tree: ast.AST) -> list[str]:
    """The ids in the acceptance marks of a test file."""
    return [
        argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "acceptance"
        for argument in node.args
    ]


def test_acceptance_ids_are_those_of_the_list():
    ids = statements()
    assert ids
    assert [id_ for id_, count in Counter(ids).items() if count > 1] == []
    unknown = {
        name_of(file): strange
        for file in python_files("tests")
        if ".acceptance(" in file.read_text(encoding="utf-8")
        if (strange := sorted(set(acceptance_marks(syntax(file))) - set(ids)))
    }
    assert unknown == {}


def glossary_rows() -> list[list[str]]:
    """The cells of every row of the glossary's tables."""
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] != "中文" and not set(row[0]) <= {"-", " ", ":"}]


def test_the_glossary_has_one_whole_row_a_term():
    rows = glossary_rows()
    assert len(rows) >= 80
    assert [row for row in rows if len(row) != 3 or not all(row)] == []
    for column in (0, 1):
        assert [t for t, count in Counter(row[column] for row in rows).items() if count > 1] == []


def test_code_names_of_the_glossary_are_in_the_code():
    source = "\n".join(file.read_text(encoding="utf-8") for file in python_files("src"))
    words = set(re.findall(r"\w+", source)) | {path.stem for path in SOURCE.rglob("*")}
    names = {name for row in glossary_rows() for name in re.findall(r"`([^`]+)`", row[2])}
    assert sorted(name for name in names if not set(re.findall(r"\w+", name)) <= words) == []
