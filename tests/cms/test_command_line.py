"""Who asks at the command line: whoever has a password acts signed in, and under their own name alone."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kaguan.cms.cli import cms
from kaguan.cms.models import AuditEntry, Session
from kaguan.cms.rules.refusals import NotAllowed

pytestmark = pytest.mark.slow

CARD = "990100001"


@pytest.fixture
def door(own_store, lasting_town):
    """Run `kaguan cms` with what the window knows; what it prints, or the error that the front door would show."""
    lasting_town.active_card(CARD)

    def run(*words, typed="", **window):
        environment = {"KAGUAN_DB": own_store, **{f"KAGUAN_{name.upper()}": text for name, text in window.items()}}
        result = CliRunner().invoke(cms, list(words), env=environment, input=typed)
        if isinstance(result.exception, Exception):
            raise result.exception
        return result

    return run


@pytest.fixture
def session(door):
    """The token of the teller, who has a password of their own."""
    door("access", "give-password", "teller", typed="first words 17\n", operator="admin", institution="SSB")
    door("access", "change-password", "teller", typed="first words 17\nmy own words 22\n")
    return door("access", "sign-in", "teller", "--token-only", typed="my own words 22\n").stdout.strip()


LOST = ("loss", "temporary", CARD)


def test_who_is_signed_in_is_who_asks(door, session):
    assert "4 TEMPORARY_LOSS" in door(*LOST, session=session).stdout
    line = AuditEntry.objects.get(action="report temporary loss")
    assert (line.operator, line.institution) == ("teller", "ICBC-1")
    assert session not in str(list(Session.objects.values_list()))


def test_a_name_is_not_enough_for_who_has_a_password(door, session):
    with pytest.raises(NotAllowed, match="has a password and is not signed in here"):
        door(*LOST, operator="teller", institution="ICBC-1")
    with pytest.raises(NotAllowed, match="the session is teller's and not teller2's"):
        door(*LOST, session=session, operator="teller2", institution="ICBC-1")
    assert not AuditEntry.objects.filter(action="report temporary loss").exists()
    assert "4 TEMPORARY_LOSS" in door(*LOST, operator="teller2", institution="ICBC-1").stdout


def test_a_session_that_is_over_or_forged_opens_nothing(door, session):
    assert "over" in door("access", "sign-out", session=session).stdout
    for token in (session, "x" * len(session)):
        with pytest.raises(NotAllowed, match="the session is over"):
            door(*LOST, session=token)
    assert not AuditEntry.objects.filter(action="report temporary loss").exists()


def test_nobody_is_told_how_to_say_who_asks(door):
    nobody = door(*LOST)
    assert nobody.exit_code == 2
    assert "KAGUAN_SESSION" in nobody.output


def test_who_is_on_the_books_is_listed_in_columns_or_as_json(door, session):
    admin = {"operator": "admin", "institution": "SSB"}
    names, *rows = door("operator", "list", **admin).stdout.splitlines()
    assert names.split() == ["operator", "institution", "roles", "level", "active", "password", "second_factor"]
    assert [row.split()[-2] for row in rows if row.startswith("teller ")] == ["True"]
    places = json.loads(door("institution", "list", "--json", **admin).stdout)
    assert {place["institution"]: place["kind"] for place in places}["ICBC-1"] == "outlet"
    assert door("reminders", session=session).output == "nothing\n"
