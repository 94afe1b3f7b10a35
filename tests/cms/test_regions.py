"""Region rules without a database: the laws of merging, what comes with Kaguan, and what a file may not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.regions import TODAY, day_of, rules_of, shipped_layers
from kaguan.card_os.profile.model import Confidence
from kaguan.cms.regions.shipped import shipped_line, shipped_regions
from kaguan.cms.rules.choices import AccountUse, DayCount, InitialPassword, InstitutionKind, OnlineName, PasswordChange
from kaguan.cms.rules.layers import SINCE_EVER, Layer, check_days, line_of, parent_of, resolve
from kaguan.cms.rules.lifecycle import CancelReason
from kaguan.cms.rules.refusals import RuleTableError
from kaguan.cms.rules.regionfile import check_files, parse_region
from kaguan.cms.rules.regions import DEFAULT_REGION, SETTINGS, read_region
from kaguan.cms.rules.terms import Bank, Channel
from kaguan.cms.rules.workdays import day_after, is_worked

CITY, PROVINCE, COUNTRY = "990100", "990000", "000000"
NAMES = ("temporary_loss_days", "purse_wait_days", "replacement_fee_fen")
DAYS = st.dates(date(2000, 1, 1), date(2040, 1, 1))


# made once: a strategy that every draw makes anew costs more than the draw
PLACES = st.sampled_from([COUNTRY, PROVINCE, CITY, "990200"])
SET = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 300), max_size=3)
GIVEN_BACK = st.frozensets(st.sampled_from(NAMES))


@st.composite
def layers(draw, code=None):
    """A version of some region that sets some of three settings, and perhaps gives another one back."""
    place, settings = code or draw(PLACES), draw(SET)
    return Layer(place, draw(DAYS), settings, {}, draw(GIVEN_BACK) - settings.keys())


def values(code, found, on):
    rules = resolve(code, found, on).rules
    return [getattr(rules, name) for name in NAMES]


@given(st.lists(layers(), max_size=8), DAYS, st.lists(layers(), max_size=4))
def test_a_days_rules_do_not_depend_on_later_versions(found, on, later):
    future = [replace(one, valid_from=on + timedelta(days=1 + number)) for number, one in enumerate(later)]
    assert resolve(CITY, found, on) == resolve(CITY, [*future, *found], on)


@given(st.lists(layers(), max_size=8, unique_by=lambda one: (one.code, one.valid_from)), DAYS, st.data())
def test_days_order_the_versions_not_the_reader(found, on, data):
    assert resolve(CITY, found, on) == resolve(CITY, data.draw(st.permutations(found)), on)


@given(st.lists(layers(), max_size=8), DAYS, st.lists(layers(code="990200"), max_size=4))
def test_a_region_does_not_hear_its_neighbour(found, on, neighbours):
    assert values(CITY, found, on) == values(CITY, [*neighbours, *found], on)


@given(st.lists(layers(), max_size=8), DAYS, st.sampled_from(NAMES), st.integers(1, 300))
def test_the_newer_wins(found, on, name, value):
    newest = Layer(CITY, on, {name: value})
    day = resolve(CITY, [*found, newest], on)
    assert getattr(day.rules, name) == value
    assert (day.origins[name].code, day.origins[name].valid_from) == (CITY, on)


@given(st.lists(layers(), max_size=8), DAYS, st.sampled_from([PROVINCE, COUNTRY]), st.sampled_from(NAMES))
def test_the_nearer_wins_whenever_the_farther_speaks(found, on, above, name):
    said = Layer(CITY, date(2000, 1, 1), {name: 77})
    own = [one for one in found if one.code != CITY]
    day = resolve(CITY, [said, *own, Layer(above, on, {name: 5})], on)
    assert getattr(day.rules, name) == 77
    assert day.origins[name].code == CITY


@given(st.lists(layers(), max_size=8), DAYS, st.sampled_from(NAMES))
def test_what_a_city_gives_back_is_its_provinces(found, on, name):
    given_back = Layer(CITY, on, {}, {}, frozenset({name}))
    ours = resolve(CITY, [*found, given_back], on)
    theirs = resolve(PROVINCE, found, on)
    assert getattr(ours.rules, name) == getattr(theirs.rules, name)
    assert ours.origins[name] == theirs.origins[name]


@given(st.lists(layers(), max_size=8), DAYS)
def test_every_value_is_what_its_origin_says(found, on):
    day = resolve(CITY, found, on)
    for name in NAMES:
        origin, value = day.origins[name], getattr(day.rules, name)
        if origin.code:
            said = [one for one in found if (one.code, one.valid_from) == (origin.code, origin.valid_from)]
            assert value in [one.settings.get(name) for one in said]
        else:
            assert value == getattr(DEFAULT_REGION, name)


@given(st.from_regex(r"[0-9]{6}", fullmatch=True))
def test_a_line_goes_down_from_the_country(code):
    line = line_of(code)
    assert (line[0], line[-1]) == (COUNTRY, code)
    assert [parent_of(place) for place in line] == ["", *line[:-1]]


@pytest.mark.parametrize("code", ["", "37020", "3702000", "37O200", "３７０２００"])
def test_what_is_no_region_code(code):
    with pytest.raises(RuleTableError, match="six digits"):
        line_of(code)


@given(st.sampled_from(sorted(SETTINGS)), st.sampled_from([DEFAULT_REGION, rules_of("990100")]))
def test_every_setting_is_read_as_it_was_written(name, rules):
    kind, value = SETTINGS[name].kind, getattr(rules, name)
    assert kind.read(kind.write(value)) == value == kind.read(value)
    assert read_region(rules.settings()) == rules


@given(
    st.sampled_from(sorted(SETTINGS)),
    st.one_of(st.none(), st.integers(), st.booleans(), st.text(), st.lists(st.text(min_size=1), min_size=1)),
)
def test_a_setting_takes_a_value_or_refuses_it_by_name(name, value):
    try:
        taken = SETTINGS[name].kind.read(value)
    except ValueError:
        with pytest.raises(RuleTableError, match=name):
            read_region({"name": "x", name: value})
    else:
        assert SETTINGS[name].kind.read(SETTINGS[name].kind.write(taken)) == taken


def test_everything_that_is_shipped_is_sound_on_every_day():
    for code in shipped_regions():
        check_days(code, shipped_layers())


def test_country_and_real_places_say_how_sure_they_are():
    for code in (COUNTRY, "370000", "370200"):
        for version in shipped_regions()[code].versions:
            assert version.settings.keys() - {"name"} == version.confidence.keys()
    assert {one.confidence for one in SETTINGS.values()} <= set(Confidence)


@pytest.mark.acceptance("S4-32")
def test_qingdao_has_nine_banks_with_their_numbers():
    assert {Bank(number).name for number in rules_of("370200").banks} == {
        "ICBC",
        "ABC",
        "BOC",
        "CCB",
        "BANK_OF_COMMUNICATIONS",
        "BANK_OF_QINGDAO",
        "RURAL_COMMERCIAL",
        "CHINA_MERCHANTS",
        "CITIC",
    }


@pytest.mark.acceptance("S4-24")
@pytest.mark.acceptance("S4-25")
@pytest.mark.acceptance("S2-15")
def test_qingdao_asks_the_pin_in_clinics_and_pharmacies_alone():
    asked = {kind for kind in InstitutionKind if rules_of("370200").asks_pin_at(kind)}
    assert asked == {InstitutionKind.CLINIC, InstitutionKind.PHARMACY}
    assert rules_of("990200").asks_pin_at(InstitutionKind.HOSPITAL)


@pytest.mark.acceptance("S4-27")
@pytest.mark.acceptance("S4-28")
@pytest.mark.acceptance("S4-29")
@pytest.mark.acceptance("S4-30")
def test_qingdaos_online_channel():
    rules = rules_of("370200")
    assert Channel.WEBSITE in rules.activate_channels
    assert Channel.WEBSITE in rules.apply_channels
    assert rules.online_name is OnlineName.ID_NUMBER
    assert set(rules.online_initial_passwords) == set(InitialPassword)
    assert rules.online_password_change is PasswordChange.SUGGESTED


@pytest.mark.acceptance("S4-33")
@pytest.mark.acceptance("S4-34")
def test_reminder_and_go_live_day_are_settings():
    assert rules_of("370200").activation_reminder_days == 30
    assert rules_of("370200").go_live_on is None
    assert rules_of("990100").go_live_on == date(2019, 7, 1)


@pytest.mark.acceptance("S4-35")
@pytest.mark.acceptance("S3-4")
def test_rules_of_the_personal_account_take_effect_from_a_day():
    assert rules_of("370200", date(2022, 12, 31)).account_uses == (AccountUse.OWN_CARE,)
    assert AccountUse.FAMILY_CARE in rules_of("370200", date(2023, 1, 1)).account_uses
    assert rules_of("370200", date(2020, 12, 31)).employer_to_account_rate == 3_000
    assert rules_of("370200", date(2021, 1, 1)).employer_to_account_rate == 0


@pytest.mark.acceptance("S3-1")
@pytest.mark.acceptance("S4-37")
@pytest.mark.parametrize("name", ["medical_cash_refused", "daily_goods_refused"])
def test_no_region_may_give_up_what_the_law_forbids(name):
    assert getattr(rules_of("370200"), name) is True
    with pytest.raises(RuleTableError, match=f"{name}: False is not true: .* alone"):
        read_region({"name": "x", name: False})


def test_every_cancel_reason_has_its_demands():
    for reason in CancelReason:
        assert DEFAULT_REGION.cancel_demands(reason) == getattr(DEFAULT_REGION, f"cancel_demands_{reason.name.lower()}")
    assert DEFAULT_REGION.cancel_demands(CancelReason.DEATH) != DEFAULT_REGION.cancel_demands(CancelReason.LOST)


@pytest.mark.acceptance("S0-20")
def test_where_a_value_comes_from():
    origins = day_of("370200").origins
    assert (origins["banks"].code, origins["banks"].confidence) == ("370200", "INF")
    assert origins["card_valid_years"].code == COUNTRY
    assert origins["temporary_loss_channels"].code == "370000"
    assert (origins["warranty_days"].code, origins["warranty_days"].confidence) == ("", "GUESS")
    assert day_of("990100", TODAY).origins["lead_working_days"].valid_from == date(2025, 1, 1)
    assert shipped_line("990399")[0].code == COUNTRY


SOUND = """\
code = "990300"
name = "N"
parent = "990000"

[[version]]
valid_from = 2020-01-01

[version.pin]
pin_tries = 4

[version.confidence]
pin_tries = "C"

[[version]]
valid_from = 2021-01-01
inherits = ["pin_tries"]
"""


def test_a_sound_file():
    one = parse_region(SOUND, file="n.toml")
    check_files([one], known=shipped_layers())
    assert [layer.inherits for layer in one.versions] == [frozenset(), frozenset({"pin_tries"})]
    assert [resolve("990300", one.versions, date(year, 6, 1)).rules.pin_tries for year in (2019, 2020, 2021)] == [
        3,
        4,
        3,
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('code = "990300"', "code = ", "n.toml: .*line 1"),
        ('code = "990300"', 'code = "9903"', "'9903' is no region code"),
        ('name = "N"', "", "name is missing"),
        ('parent = "990000"', "", "parent is missing"),
        ('parent = "990000"', 'parent = "370000"', 'parent is .370000.* write parent = "990000"'),
        ('parent = "990000"', 'parent = "990300"', 'write parent = "990000"'),
        ('code = "990300"', 'code = "000000"', "leave parent away"),
        ('name = "N"', 'name = "N"\ncolour = 1', "at the top, colour: unknown: use one of code, name"),
        ('name = "N"', 'name = "N"\npin_tries = 3', r"pin_tries: it belongs into \[version.pin\]"),
        ("valid_from = 2020-01-01", "", "version.* 1, valid_from: None is no day"),
        ("valid_from = 2020-01-01", "valid_from = 2020-01-01T00:00:00", "is no day"),
        ("valid_from = 2020-01-01", "valid_from = 2021-01-01", "2, valid_from: 2021-01-01 is not after 2021-01-01"),
        ("valid_from = 2020-01-01", "valid_from = 2020-01-01\nnote = 1", "note: write text"),
        ("[version.pin]", "[version.loss]", r"loss\] pin_tries: it belongs into \[version.pin\]"),
        ("[version.pin]", "[version.colour]", "version.* 1, colour: unknown"),
        ("[version.pin]\npin_tries = 4", "pin = 4", r"pin: it is a table"),
        ("pin_tries = 4", "pin_trys = 4", r"\[version.pin\] pin_trys: unknown: use one of pin_tries, pin_resets"),
        ("pin_tries = 4", 'pin_tries = "4"', r"\[version.pin\] pin_tries: '4' is not a whole number from 1 to 15"),
        ("pin_tries = 4", "pin_tries = 16", "16 is not a whole number from 1 to 15"),
        ("pin_tries = 4", "pin_tries = true", "True is not a whole number"),
        ('pin_tries = "C"', 'pin_tries = "Z"', "confidence.* pin_tries: 'Z' is none of A, B"),
        ('pin_tries = "C"', 'pin_resets_allowed = "C"', "this version sets no such setting"),
        ('[version.confidence]\npin_tries = "C"', "confidence = 1", "confidence"),
        ('inherits = ["pin_tries"]', "", "2 changes nothing"),
        ('inherits = ["pin_tries"]', 'inherits = ["x"]', "inherits: 'x' is no setting"),
        ('inherits = ["pin_tries"]', "inherits = 1", "inherits: write a list"),
        ('inherits = ["pin_tries"]', 'inherits = ["pin_tries"]\npin.pin_tries = 1', "set by the same version"),
    ],
)
def test_what_a_file_may_not_say_is_told_by_file_table_and_key(old, new, complaint):
    assert old in SOUND
    with pytest.raises(RuleTableError, match=complaint) as refusal:
        parse_region(SOUND.replace(old, new), file="n.toml")
    assert str(refusal.value).startswith("n.toml: ")


def test_a_file_without_versions():
    for rest in ("", "version = 1", "version = [1]"):
        with pytest.raises(RuleTableError, match="version"):
            parse_region(f'code = "990300"\nname = "N"\nparent = "990000"\n{rest}', file="n.toml")


def test_files_that_do_not_hold_together():
    one = parse_region(SOUND, file="n.toml")
    with pytest.raises(RuleTableError, match=r"m.toml: n.toml speaks of 990300 too"):
        check_files([one, replace(one, file="m.toml")], known=shipped_layers())
    with pytest.raises(RuleTableError, match=r"n.toml: nothing is known of its parent 990000"):
        check_files([one])
    early = parse_region(SOUND.replace("2020-01-01", "2009-12-31"), file="n.toml")
    with pytest.raises(RuleTableError, match=r"begin on 2009-12-31, those of its parent 990000 only on 2010-01-01"):
        check_files([early], known=shipped_layers())


def test_values_that_do_not_fit_together_are_found_on_the_day_on_which_they_meet():
    longer = SOUND.replace("pin_tries = 4", "pin_tries = 4\n[version.temporary_card]\ntemporary_card_days = 200")
    with pytest.raises(RuleTableError, match=r"n.toml: .*2020-01-01.*temporary_card_days is more than"):
        check_files([parse_region(longer, file="n.toml")], known=shipped_layers())
    with pytest.raises(RuleTableError, match="2026-10-01 is a day off and a day worked"):
        read_region({"name": "x", "days_off": ["2026-10-01"], "days_worked": ["2026-10-01"]})
    assert SINCE_EVER.year == 1999


@given(DAYS, st.integers(0, 40), st.sets(DAYS, max_size=5), st.sets(DAYS, max_size=5))
def test_working_days_are_counted_one_by_one(start, days, off, worked):
    off |= {start + timedelta(days=2)}
    worked = {day for day in worked | {start + timedelta(days=5)} if day not in off}
    rules = replace(DEFAULT_REGION, days_off=tuple(off), days_worked=tuple(worked))
    end = day_after(start, days, DayCount.WORKING, rules)
    between = [start + timedelta(days=number) for number in range(1, (end - start).days + 1)]
    assert sum(is_worked(day, rules) for day in between) == days
    assert days == 0 or is_worked(end, rules)
    assert day_after(start, days, DayCount.NATURAL, rules) == start + timedelta(days=days) <= end


def test_a_weekend_and_a_holiday():
    friday = date(2026, 1, 2)
    assert day_after(friday, 1, DayCount.WORKING, DEFAULT_REGION) == date(2026, 1, 5)
    rules = replace(DEFAULT_REGION, days_off=(date(2026, 1, 5),), days_worked=(date(2026, 1, 3),))
    assert day_after(friday, 2, DayCount.WORKING, rules) == date(2026, 1, 6)
