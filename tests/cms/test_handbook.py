"""The outlet handbook: whoever types it into an empty folder sees what it shows, on a file and on a server."""

from __future__ import annotations

import re

import pytest

from cms.handbook import PAGE, Office, Step, steps
from kaguan.cms.cli import cms
from postgres import server

pytestmark = [pytest.mark.slow, pytest.mark.longest]


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request, tmp_path):
    """An empty folder, and addresses for the two databases that the page makes."""
    books = {}
    if request.param == "postgresql":
        books = {name: server().new_database() for name in ("books.sqlite", "restored.sqlite")}
    office = Office(tmp_path, books)
    yield office
    office.close()


@pytest.mark.acceptance("S2-1", "S2-3", "S2-4", "S3-3", "S3-5", "S2-14")
def test_the_handbook_leads_from_an_empty_database_to_a_card_made_again(office):
    for step in steps(PAGE.read_text(encoding="utf-8")):
        seen = office.play(step)
        told = f"{step.window}$ {step.command}{seen}---- the page shows:\n{step.seen}"
        assert office.is_as_shown(step, seen), told


def test_every_group_of_commands_has_a_word_in_the_handbook_or_a_page_that_it_names():
    page = PAGE.read_text(encoding="utf-8")
    told = "".join(
        (PAGE.parent / name).read_text(encoding="utf-8") for name in {*re.findall(r"\]\(([a-z-]+\.md)", page)}
    )
    untold = {name for name in cms.commands if not re.search(rf"\b{name}\b", page + told)}
    assert not untold


def test_a_page_that_lies_is_found_out(tmp_path):
    office = Office(tmp_path)
    shown, other = (f"00000000-0000-4000-8000-00000000000{end}" for end in "a1")
    first, second = steps(f"```console\nadmin$ echo {other}\n{shown}\nadmin$ echo {shown}; echo 7\n{shown}\n8\n```\n")
    assert office.is_as_shown(first, office.play(first))
    seen = office.play(second)
    assert seen == f"{other}\n7\n"
    assert not office.is_as_shown(second, seen)
    assert not office.is_as_shown(Step("admin", "", "…\n", 0, 0), "one\ntwo\n")
    assert not office.is_as_shown(Step("admin", "", "...\n", 0, 0), "kaguan: no\n")
    assert office.is_as_shown(Step("admin", "", "one\n...\nthree 2026-01-01\n", 0, 0), "one\ntwo\nthree 2030-12-31\n")
