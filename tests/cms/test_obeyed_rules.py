"""The rules behind region settings, without a database: days, fees, deadlines, papers, channels, demands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.regions import rules_of
from kaguan.cms.rules.axis import validate
from kaguan.cms.rules.channels import AT_PLACE, channel_taken, channels_of
from kaguan.cms.rules.choices import DayCount, Demand, InstitutionKind, LossScope, Paper
from kaguan.cms.rules.deadlines import Urgency, due_at
from kaguan.cms.rules.demands import KNOWN_TO_BOOKS, Met, check_met, open_demands
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.fees import FREE, FeeKind, Replaced, fee_fen
from kaguan.cms.rules.lifecycle import BANK_FUNCTION, ExchangeReason
from kaguan.cms.rules.losses import takes_bank_along
from kaguan.cms.rules.papers import missing_papers
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.refusals import NotEligible, RuleTableError
from kaguan.cms.rules.regions import DEFAULT_REGION, read_region
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.terms import Channel
from kaguan.cms.rules.timetable import CARD_RULE_OF, TimeRule
from kaguan.cms.rules.workdays import day_after, days_between, is_worked, last_start

DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
HOLIDAYS = replace(DEFAULT_REGION, days_off=(date(2026, 10, 1), date(2026, 10, 2)), days_worked=(date(2026, 10, 10),))
SPANS = st.tuples(st.integers(0, 40), st.sampled_from(DayCount))


@given(DAYS, SPANS)
def test_days_are_counted_alike_in_every_direction(start, span):
    days, counts = span
    end = day_after(start, days, counts, HOLIDAYS)
    assert days_between(start, end, counts, HOLIDAYS) == days
    latest = last_start(end, days, counts, HOLIDAYS)
    assert latest >= start
    assert day_after(latest, days, counts, HOLIDAYS) <= end
    assert day_after(latest + timedelta(days=1), days, counts, HOLIDAYS) > end
    assert days_between(end, start, counts, HOLIDAYS) == 0


@given(DAYS)
def test_the_clock_sees_due_what_a_card_says_is_due(day):
    """The query's last day and the card's own count agree, for every rule of both sample cities."""
    for code in ("990100", "990200"):
        region = rules_of(code)
        for rule in CARD_RULE_OF.values():
            last = rule.last_start(day, region)
            if last is None:
                assert rule.waited(day, day, region).days_needed is None
                continue
            for start, due in ((last, True), (last + timedelta(days=1), False)):
                waited = rule.waited(start, day, region)
                assert (waited.days_passed >= waited.days_needed) == due


def test_a_temporary_loss_holds_for_other_days_in_other_cities():
    friday = date(2026, 3, 6)
    waited = {code: CARD_RULE_OF[TimeRule.LAPSE].waited(friday, date(2026, 3, 10), rules_of(code)) for code in
              ("990100", "990200")}  # fmt: skip
    assert (waited["990100"].days_passed, waited["990100"].days_needed) == (4, 10)
    assert (waited["990200"].days_passed, waited["990200"].days_needed) == (2, 3)


def test_what_has_to_be_confirmed_in_writing_holds_no_longer_than_that():
    soon = replace(DEFAULT_REGION, written_loss_within_working_days=3)
    lapse = CARD_RULE_OF[TimeRule.LAPSE]
    assert lapse.waited(date(2026, 3, 6), date(2026, 3, 11), soon).days_needed == 3
    with pytest.raises(RuleTableError, match="contradict"):
        read_region({"name": "x", "written_loss_within_working_days": 3, "temporary_loss_becomes_formal": True})


@pytest.mark.parametrize(
    ("scope", "at_own_bank", "along"),
    [
        (LossScope.SEPARATE, True, False),
        (LossScope.TOGETHER_AT_BANK, True, True),
        (LossScope.TOGETHER_AT_BANK, False, False),
        (LossScope.TOGETHER, False, True),
    ],
)
def test_the_bank_side_comes_along_as_the_region_says(scope, at_own_bank, along):
    assert takes_bank_along(scope, at_own_bank=at_own_bank) is along
    validate([BANK_FUNCTION])


@pytest.mark.acceptance("S0-20")
@given(st.integers(0, 10_000), st.integers(1, 10_000), st.booleans(), st.integers(0, 400), DAYS, st.integers(0, 800))
def test_what_a_card_costs(first, again, free, warranty, issued, age):
    region = replace(
        DEFAULT_REGION,
        first_card_fee_fen=first,
        replacement_fee_fen=again,
        warranty_free=free,
        warranty_days=warranty,
    )
    on = issued + timedelta(days=age)

    def costs(kind, reason=""):
        return fee_fen(region, kind, Replaced(issued, reason), on)

    assert fee_fen(region, FeeKind.FIRST, None, on) == first
    assert costs(FeeKind.LOST) == costs(FeeKind.EXCHANGED, ExchangeReason.DAMAGE) == again
    assert costs(FeeKind.RENEWED) == costs(FeeKind.EXCHANGED, ExchangeReason.EXPIRY) == FREE
    in_warranty = free and age <= warranty
    assert costs(FeeKind.EXCHANGED, ExchangeReason.QUALITY) == (FREE if in_warranty else again)


@given(st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)))
def test_by_when_a_card_is_made(ordered_at):
    region = rules_of("990200")
    normal, urgent, instant = (due_at(region, urgency, ordered_at) for urgency in Urgency)
    assert instant == ordered_at + timedelta(minutes=60)
    assert instant < urgent < normal or instant.date() > ordered_at.date()
    last_day = (normal - timedelta(days=1)).date()
    assert is_worked(last_day, region)
    assert days_between(ordered_at.date(), last_day, DayCount.WORKING, region) == 10
    assert due_at(rules_of("990100"), Urgency.NORMAL, ordered_at) < normal


@given(st.sets(st.sampled_from(Paper)), st.sets(st.sampled_from(Paper)), st.booleans())
def test_what_is_not_shown_is_missing(wanted, papers, original):
    document = Document("01", "990101199003070017", original=original)
    missing = missing_papers(tuple(wanted), document, papers)
    of_document = Paper.IDENTITY_ORIGINAL if original else Paper.IDENTITY_COPY
    assert set(missing) == wanted - papers - {of_document}
    assert set(missing_papers(tuple(wanted), None, ())) == wanted


def test_every_kind_of_place_has_its_channels():
    assert set(AT_PLACE) == set(InstitutionKind)
    for kind in InstitutionKind:
        for role in Role:
            assert set(channels_of(kind, [role.value])) <= set(Channel)
    assert channels_of(InstitutionKind.AUTHORITY, [Role.HOTLINE.value])[0] is Channel.PHONE
    assert channels_of(InstitutionKind.OUTLET, [Role.OUTLET_TELLER.value])[0] is Channel.BANK_OUTLET


@given(st.sampled_from(Channel) | st.none(), st.lists(st.sampled_from(Channel), unique=True),
       st.lists(st.sampled_from(Channel), unique=True))  # fmt: skip
def test_a_channel_is_one_that_reaches_the_operator_and_that_the_region_takes(said, possible, allowed):
    meant = said or (possible[0] if possible else None)
    if meant in possible and meant in allowed:
        assert channel_taken("x", said, tuple(possible), allowed, "Lakeside") is meant
    else:
        with pytest.raises(NotEligible, match=r"x refused: (nothing reaches|in Lakeside not by)"):
            channel_taken("x", said, tuple(possible), allowed, "Lakeside")


@given(st.lists(st.sampled_from(Demand), unique=True), st.sets(st.sampled_from(Demand)), st.booleans(), st.booleans())
def test_a_demand_is_open_until_it_is_met(demands, met, held, approved):
    production = Production.HANDED_OVER if held else Production.RECOVERED
    still_open = open_demands(demands, met, production=production, approved=approved)
    for demand in demands:
        by_books = (not held, approved)[demand is Demand.SECOND_PERSON] if demand in KNOWN_TO_BOOKS else demand in met
        assert (demand in still_open) is not by_books


def test_what_is_met_can_be_looked_up():
    check_met([Met(Demand.PROOF, "register 7")])
    with pytest.raises(NotEligible, match="proof needs evidence"):
        check_met([Met(Demand.PROOF, " ")])
    with pytest.raises(NotEligible, match="card recovered is not said but done"):
        check_met([Met(Demand.CARD_RECOVERED, "in the drawer")])


def test_a_user_name_that_is_the_first_password_is_no_setting():
    with pytest.raises(RuleTableError, match="whoever reads a card"):
        read_region({"name": "x", "online_name": "card number"})
