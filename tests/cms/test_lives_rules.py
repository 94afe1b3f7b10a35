"""The rules of a card's life beside its axes: who may apply, with what in hand, how old, what the holder is told."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.cms.rules.applying import (
    EXCHANGE_REASON_OF,
    GUARDIANS,
    REQUIREMENTS,
    Agent,
    AgentRelation,
    ApplicationWay,
    Damage,
    Obstacle,
    PersonStanding,
    Presence,
    check_presence,
    may_apply,
    may_replace,
)
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, PIN, Application, ExchangeReason
from kaguan.cms.rules.personal import Fact, age_on, told_by_document
from kaguan.cms.rules.production import FAILURES, IN_REQUEST, PRODUCTION, Production, Report
from kaguan.cms.rules.progress import Progress, progress_of
from kaguan.cms.rules.refusals import MayNotHaveCard, NotEligible
from kaguan.cms.rules.regions import DEFAULT_REGION
from kaguan.cms.rules.rights import RIGHTS_OF, Right, Role
from kaguan.cms.rules.timetable import CARD_RULES

HOLDER = Document("01", "990101199003070017", original=True)
FATHER = Agent("测试人丁", Document("01", "99010119700101001X", original=True), AgentRelation.FATHER_OF_SON)
READY = PersonStanding(known=True, name_agrees=True)
BARRED = [
    ({"known": False}, "1", Obstacle.NONE),
    ({"name_agrees": False}, "2", Obstacle.NONE),
    ({"on_books_twice": True}, "3", Obstacle.NONE),
    ({"dead": True}, "4", Obstacle.DEAD),
    ({"left": True}, "4", Obstacle.LEFT),
    ({"request_open": True}, "4", Obstacle.REQUEST_OPEN),
]


@pytest.mark.parametrize(("fact", "code", "which"), BARRED)
def test_the_answers_that_bar_both_kinds_of_application(fact, code, which):
    for asked in (may_apply(replace(READY, **fact)), may_replace(replace(READY, card_here=True, **fact))):
        assert (asked.code, asked.which) == (code, which)
        with pytest.raises(MayNotHaveCard, match=rf"^{code}: ") as refusal:
            asked.require()
        assert (refusal.value.code, refusal.value.which) == (code, which)


@given(st.builds(PersonStanding, **{field.name: st.booleans() for field in fields(PersonStanding)}))
def test_nobody_may_both_apply_and_replace_and_the_first_obstacle_is_told(standing):
    first, second = may_apply(standing), may_replace(standing)
    assert not (first.code == "0" and second.code == "0")
    barred = [code for fact, code, _ in BARRED for name, value in fact.items() if getattr(standing, name) == value]
    if barred:
        assert first.code == second.code == barred[0]
    else:
        assert (second.code == "0") == standing.card_here
        assert (first.code == "0") == (not standing.card_here and not standing.card_elsewhere)
    assert first.text


def presence(way: ApplicationWay, **changes) -> Presence:
    """All that the way asks for."""
    full = Presence(way, document=HOLDER, agent=FATHER, verdict=Verdict.SAME_PERSON, unit_no="U1")
    return replace(full, **changes)


@pytest.mark.parametrize("way", ApplicationWay)
def test_each_way_of_applying_asks_for_what_its_row_says(way):
    demand = REQUIREMENTS[way]
    kind = min(demand.kinds)
    check_presence(presence(way), HOLDER, kind=kind, minor=False)
    check_presence(presence(way), HOLDER, kind=kind, minor=True)
    copy = replace(HOLDER, original=False)
    spoilt = {
        "place of kind": ({}, "clinic", True),
        "unit's number": ({"unit_no": ""}, kind, demand.unit),
        "own original document": ({"document": copy}, kind, demand.own_document),
        "agent's original": ({"agent": replace(FATHER, document=copy)}, kind, demand.agent),
        "not the person on": ({"verdict": Verdict.ANOTHER_PERSON}, kind, demand.verdict),
    }
    for complaint, (change, place, matters) in spoilt.items():
        if matters:
            with pytest.raises(NotEligible, match=complaint):
                check_presence(presence(way, **change), HOLDER, kind=place, minor=False)
        else:
            check_presence(presence(way, **change), HOLDER, kind=place, minor=False)


@pytest.mark.parametrize("relation", AgentRelation)
@pytest.mark.parametrize("way", [ApplicationWay.PERSON, ApplicationWay.PROXY, ApplicationWay.ONLINE])
def test_for_a_minor_only_a_guardian_applies(way, relation):
    asked = presence(way, agent=replace(FATHER, relation=relation))
    kind = min(REQUIREMENTS[way].kinds)
    if relation in GUARDIANS:
        check_presence(asked, HOLDER, kind=kind, minor=True)
    else:
        with pytest.raises(NotEligible, match="guardian"):
            check_presence(asked, HOLDER, kind=kind, minor=True)


def test_no_personal_data_is_shown_of_an_agent():
    assert "99010119700101001X" not in repr(FATHER)
    assert FATHER.name not in repr(FATHER)


@given(st.dates(date(1930, 1, 1), date(2026, 1, 1)), st.integers(0, 36_000))
def test_ages_are_completed_years(born, days):
    on = date.fromordinal(min(born.toordinal() + days, date(2099, 12, 31).toordinal()))
    age = age_on(on, born)
    assert born.year + age <= on.year
    assert 365 * age <= (on - born).days < 366 * (age + 1)
    number = f"990101{born:%Y%m%d}0017"
    assert told_by_document("01", number)[Fact.BIRTH_DATE] == born.isoformat()


@pytest.mark.parametrize("document", [("03", "990101199003070017"), ("01", "P1234567"), ("01", "990101199013070017")])
def test_only_a_resident_number_tells_a_birth(document):
    assert told_by_document(*document) == {}


def test_a_birthday_on_the_29th_of_february():
    leap = date(2012, 2, 29)
    assert age_on(date(2028, 2, 28), leap) == 15
    assert age_on(date(2028, 2, 29), leap) == 16
    assert age_on(date(2027, 2, 28), leap) == 14
    assert age_on(date(2027, 3, 1), leap) == 15


@pytest.mark.parametrize("application", Application)
@pytest.mark.parametrize("production", Production)
def test_every_state_has_a_stage_for_the_holder(production, application):
    stage = progress_of(production, application)
    assert stage is not Progress.NONE
    assert (stage is Progress.ENDED) == (
        application in {Application.CANCELLED, Application.SEALED}
        or production in {Production.WITHDRAWN, Production.RECOVERED, Production.SCRAPPED}
    )


def test_the_stages_follow_the_card():
    way = ["01", "02", "00", "10", "20", "21", "30", "34", "31", "60", "70"]
    stages = [progress_of(code) for code in way]
    assert list(dict.fromkeys(stages)) == [
        Progress.DATA_ENTRY,
        Progress.ACCEPTED,
        Progress.MAKING,
        Progress.ON_THE_WAY,
        Progress.AT_OUTLET,
        Progress.NOT_ACTIVATED,
    ]
    assert progress_of("70", "1") is Progress.IN_USE


def test_what_can_be_reported_are_events_of_the_table_and_failures_end_in_failed_states():
    assert {report.value for report in Report} <= PRODUCTION.events()
    for row in PRODUCTION.transitions:
        if row.event in FAILURES:
            assert row.target.name.endswith("FAILED")
            ways_out = [other for other in PRODUCTION.transitions if row.target in other.sources]
            assert ways_out, row.target


def test_a_request_and_a_card_never_share_a_state():
    card_states = set(Production) - IN_REQUEST
    for row in PRODUCTION.transitions:
        if row.event != "order":
            assert row.target in (card_states if row.sources <= card_states else IN_REQUEST)
    assert {code.value for code in card_states} >= {"00", "10", "20", "21", "22", "23", "30", "31", "32", "33", "60"}


@pytest.mark.acceptance("S4-43")
@pytest.mark.parametrize("damage", Damage)
def test_every_damage_has_a_reason_for_exchange(damage):
    reason = EXCHANGE_REASON_OF[damage]
    assert reason in ExchangeReason
    for row in APPLICATION.transitions:
        if row.event == "exchange":
            assert reason in row.reasons


def test_time_rules_name_events_of_the_tables():
    known = APPLICATION.events() | PRODUCTION.events() | BANK_FUNCTION.events() | PIN.events()
    for rule in CARD_RULES:
        assert rule.since <= known
        if rule.event:
            (row,) = (row for row in rule.axis.transitions if row.event == rule.event)
            assert rule.states <= row.sources
            assert row.right in RIGHTS_OF[Role.CLOCK]


def test_a_region_without_a_rule_says_none():
    rules = {rule.name: rule.spans(DEFAULT_REGION) for rule in CARD_RULES}
    assert [name for name, spans in rules.items() if not spans] == [
        "temporary loss becomes formal",
        "formal loss ends the card",
    ]


def test_no_role_applies_and_checks_and_the_clock_does_nothing_else():
    for role in Role:
        assert not {Right.APPLY, Right.CHECK} <= RIGHTS_OF[role]
    assert {Right.CLOCK, Right.LOSS} == RIGHTS_OF[Role.CLOCK]
