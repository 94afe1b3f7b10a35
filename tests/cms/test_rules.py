"""The tables and pure rules, without any database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.regions import rules_of
from kaguan.cms.rules.axis import Axis, Transition, validate
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document, mask_name, mask_number, mask_text
from kaguan.cms.rules.guards import GUARDS, Circumstances, Guard, Verdict
from kaguan.cms.rules.lifecycle import (
    ALLOWED_IN,
    APPLICATION,
    AXES,
    PRODUCTION,
    Application,
    CancelReason,
    Use,
    check_use,
)
from kaguan.cms.rules.lifecycle import validate as validate_lifecycle
from kaguan.cms.rules.money import FundsSource, check_amount, check_source, split_contribution
from kaguan.cms.rules.purchases import MEDICAL, Item, ItemCategory, check_items, check_site
from kaguan.cms.rules.refusals import (
    ForbiddenSource,
    IllegalTransition,
    LimitExceeded,
    NotEligible,
    NotMedical,
    RuleTableError,
)
from kaguan.cms.rules.regions import DEFAULT_REGION, InstitutionKind, read_region
from kaguan.cms.rules.rights import RIGHTS_OF, Right, Role

WILLING = Circumstances(
    region=DEFAULT_REGION,
    card_bank_code="95588",
    outlet_bank_code="95588",
    document_is_original=True,
    document_is_holders=True,
    verdict=Verdict.SAME_PERSON,
    delivered=True,
    days_passed=10,
    days_needed=10,
    site_designated=True,
    evidence_complete=True,
    old_card_shown=True,
    holder_signed_in=True,
)


class Lamp(StrEnum):
    OFF = "0"
    ON = "1"
    BROKEN = "9"


def lamp(*rows: Transition, final: frozenset[StrEnum] = frozenset({Lamp.BROKEN})) -> Axis:
    return Axis("lamp", Lamp, Lamp.OFF, final, rows)


def row(event: str, sources: set[StrEnum], target: StrEnum, *guards: Guard) -> Transition:
    return Transition(event, frozenset(sources), target, Right.LOCK, guards)


SOUND = (
    row("press", {Lamp.OFF}, Lamp.ON),
    row("press", {Lamp.ON}, Lamp.OFF),
    row("drop", {Lamp.OFF, Lamp.ON}, Lamp.BROKEN),
)


def test_the_tables_of_the_card_are_sound():
    validate_lifecycle()


@pytest.mark.parametrize(
    ("axis", "complaint"),
    [
        (lamp(SOUND[0], SOUND[1]), "BROKEN cannot be reached"),
        (lamp(*SOUND, row("press", {Lamp.ON}, Lamp.ON)), "press in ON is defined twice"),
        (lamp(*SOUND, row("mend", {Lamp.BROKEN}, Lamp.OFF)), "leaves the final state BROKEN"),
        (lamp(*SOUND, row("paint", {Lamp.ON}, Application.LOCKED)), "paint names the unknown state"),
        (lamp(*SOUND, row("paint", set(), Lamp.ON)), "paint starts nowhere"),
        (lamp(*SOUND, row("paint", {Lamp.ON}, Lamp.ON, "no such")), "unknown guard"),
        (lamp(*SOUND, final=frozenset()), "BROKEN has no way out"),
        (lamp(*SOUND, final=frozenset({Application.LOCKED})), "unknown state"),
    ],
)
def test_an_unsound_table_is_named(axis, complaint):
    with pytest.raises(RuleTableError, match=complaint):
        validate([lamp(*SOUND), axis])


@given(st.data())
def test_a_card_only_ever_walks_along_its_tables(data):
    axis = data.draw(st.sampled_from(AXES))
    state = axis.initial
    for event in data.draw(st.lists(st.sampled_from(sorted(axis.events())), max_size=12)):
        legal = [step for step in axis.transitions if step.event == event and state in step.sources]
        reason = sorted(legal[0].reasons)[0] if legal and legal[0].reasons else ""
        if not legal:
            with pytest.raises(IllegalTransition):
                axis.step(state, event, WILLING, reason=reason)
            continue
        if state in axis.final:
            raise AssertionError(f"{state} is final and has a way out")
        try:
            state = axis.step(state, event, WILLING, reason=reason).target
        except NotEligible:
            assert any(GUARDS[guard](WILLING) for guard in legal[0].guards)


UNWILLING = {
    Guard.OWN_BANK: {"outlet_bank_code": "95599"},
    Guard.ORIGINAL_DOCUMENT: {"document_is_original": False},
    Guard.PERSON_CHECKED: {"verdict": Verdict.ANOTHER_PERSON},
    Guard.DELIVERED: {"delivered": False},
    Guard.NOT_DELIVERED: {"delivered": True},
    Guard.PREDECESSOR_CLOSED: {"predecessor_open": True},
    Guard.NOT_EXPIRED: {"expired": True},
    Guard.RELEASE_ALLOWED: {"region": rules_of("990100")},
    Guard.RESETS_LEFT: {"pin_resets_done": 10},
    Guard.NO_RESETS_LEFT: {"pin_resets_done": 0},
    Guard.GUARDIAN_PRESENT: {"guardian_needed": True},
    Guard.PAPERS_SHOWN: {"papers_missing": (Paper.BANK_CARD,)},
    Guard.BANK_SIDE_HERE: {"outlet_bank_code": "95599"},
    Guard.CARD_ENDED: {"application_ended": False},
    Guard.CARD_LIVES: {"application_ended": True},
    Guard.TIME_PASSED: {"days_passed": 9},
    Guard.EXPIRED: {"expired": False},
    Guard.RENEWAL_DUE: {"days_left": 181},
    Guard.AT_CENTRE: {"site_kind": InstitutionKind.OUTLET},
    Guard.AT_HOSPITAL: {"site_designated": False},
    Guard.AT_PHARMACY: {"site_blacklisted": True},
    Guard.EVIDENCE_COMPLETE: {"evidence_complete": False},
    Guard.OLD_CARD_SHOWN: {"old_card_shown": False},
    Guard.HOLDER_SIGNED_IN: {"holder_signed_in": False},
}
WILLING_FOR = {
    Guard.NO_RESETS_LEFT: {"pin_resets_done": 10},
    Guard.AT_CENTRE: {"site_kind": InstitutionKind.CENTRE},
    Guard.AT_HOSPITAL: {"site_kind": InstitutionKind.HOSPITAL},
    Guard.AT_PHARMACY: {"site_kind": InstitutionKind.PHARMACY},
}
ASKED = [(axis, step, guard) for axis in AXES for step in axis.transitions for guard in step.guards]


@pytest.mark.parametrize(("axis", "step", "guard"), ASKED, ids=[f"{a.name}-{s.event}-{g}" for a, s, g in ASKED])
def test_every_guard_of_every_row_can_refuse(axis, step, guard):
    willing = replace(
        WILLING,
        expired=Guard.EXPIRED in step.guards,
        delivered=Guard.NOT_DELIVERED not in step.guards,
        application_ended=Guard.CARD_ENDED in step.guards,
    )
    for asked in WILLING_FOR.keys() & set(step.guards):
        willing = replace(willing, **WILLING_FOR[asked])
    reason = min(step.reasons, default="")
    for source in step.sources:
        assert axis.step(source, step.event, willing, reason=reason) is step
        with pytest.raises(NotEligible, match=rf"^{step.event} refused: "):
            axis.step(source, step.event, replace(willing, **UNWILLING[guard]), reason=reason)


@pytest.mark.parametrize("reason", ["", "Z"])
def test_a_reason_outside_the_list_is_refused(reason):
    with pytest.raises(NotEligible, match="is none of 0 DEATH"):
        APPLICATION.step(Application.NORMAL, "cancel", WILLING, reason=reason)
    assert APPLICATION.step(Application.NORMAL, "cancel", WILLING, reason=CancelReason.DEATH)


@pytest.mark.parametrize("state", Application)
@pytest.mark.parametrize("use", Use)
def test_the_matrix_of_uses(state, use):
    if state in ALLOWED_IN[use]:
        check_use(state, use)
    else:
        with pytest.raises(IllegalTransition, match=use):
            check_use(state, use)


def test_a_card_is_delivered_before_anything_else():
    assert PRODUCTION.step("60", "hand_over", WILLING).target == "70"


def test_no_role_takes_a_card_from_order_to_issue():
    for role in Role:
        assert not {Right.ORDER, Right.HAND_OVER} <= RIGHTS_OF[role]


@pytest.mark.acceptance("S3-1")
@pytest.mark.acceptance("S3-2")
@pytest.mark.parametrize("source", FundsSource)
def test_only_the_medical_account_feeds_the_medical_card(source):
    if source in {FundsSource.MEDICAL_ACCOUNT, FundsSource.REPLACED_CARD}:
        check_source(source)
    else:
        with pytest.raises(ForbiddenSource, match="only by transfer from the medical insurance account"):
            check_source(source)


@given(st.integers(-5, 2000), st.integers(0, 1000))
def test_amounts_are_above_zero_and_within_the_limit(amount_fen, limit_fen):
    if 0 < amount_fen <= limit_fen:
        check_amount(amount_fen, limit_fen=limit_fen)
    else:
        with pytest.raises(LimitExceeded):
            check_amount(amount_fen, limit_fen=limit_fen)


@given(st.integers(1, 10**9), st.dates(date(1999, 1, 1), date(2040, 1, 1)))
def test_no_fen_of_the_employers_premium_is_lost(base_fen, month):
    split = split_contribution(base_fen, rules_of("990100", month))
    assert split.employer_to_account_fen + split.employer_to_pool_fen == base_fen * 6 // 100
    assert split.own_fen == base_fen * 2 // 100
    assert (split.employer_to_account_fen == 0) or month < date(2021, 1, 1)


@pytest.mark.acceptance("S3-4")
@pytest.mark.acceptance("S4-35")
def test_the_employers_part_for_the_account_ends_with_2020():
    before, after = rules_of("990100", date(2020, 12, 1)), rules_of("990100", date(2021, 1, 1))
    assert split_contribution(1_000_000, before).employer_to_account_fen == 18_000
    assert split_contribution(1_000_000, after).employer_to_account_fen == 0
    with pytest.raises(LimitExceeded):
        split_contribution(0, after)


@pytest.mark.acceptance("S4-36")
@pytest.mark.acceptance("S4-37")
@pytest.mark.acceptance("S4-38")
@given(st.lists(st.sampled_from(ItemCategory), min_size=1, max_size=5))
def test_one_line_that_is_not_medical_refuses_the_whole_bill(categories):
    items = [Item(category, 100) for category in categories]
    if set(categories) <= MEDICAL:
        assert check_items(items) == 100 * len(items)
    else:
        with pytest.raises(NotMedical):
            check_items(items)


@pytest.mark.parametrize("items", [[], [Item(ItemCategory.DRUG, 0)]])
def test_a_bill_has_lines_with_amounts(items):
    with pytest.raises(NotEligible):
        check_items(items)


@pytest.mark.parametrize(
    ("kind", "designated", "blacklisted", "complaint"),
    [
        (InstitutionKind.BANK, True, False, "no clinic"),
        (InstitutionKind.CLINIC, True, True, "blacklist"),
        (InstitutionKind.CLINIC, False, False, "not a designated"),
    ],
)
def test_sites_that_may_not_take_the_wallet(kind, designated, blacklisted, complaint):
    check_site(InstitutionKind.CLINIC, designated=True, blacklisted=False, name="C")
    with pytest.raises(NotEligible, match=complaint):
        check_site(kind, designated=designated, blacklisted=blacklisted, name="C")


@pytest.mark.acceptance("S0-20")
def test_a_region_is_its_settings():
    assert read_region(rules_of("990100").settings()) == rules_of("990100")
    assert read_region({"name": "x", "temporary_loss_days": 3}).temporary_loss_days == 3
    for wrong in (
        {"name": "x", "colour": 1},
        {"name": "x", "pin_tries": -1},
        {},
        {"name": "x", "pin_required_at": ["y"]},
        {"name": "x", "approvals_needed": ["cancle"]},
        {"name": "x", "activation_checks": ["iris"]},
        {"name": "x", "activate_channels": ["by magic"]},
    ):
        with pytest.raises(RuleTableError):
            read_region(wrong)


@pytest.mark.acceptance("S4-24")
@pytest.mark.acceptance("S4-25")
def test_the_pin_is_asked_in_clinics_and_pharmacies_only():
    asked = {kind for kind in InstitutionKind if rules_of("990100").asks_pin_at(kind)}
    assert asked == {InstitutionKind.CLINIC, InstitutionKind.PHARMACY}


@given(st.from_regex(r"9901[0-9]{10}[0-9]{0,3}[0-9X]", fullmatch=True), st.text("很长 no.,", max_size=5))
def test_no_personal_number_survives_masking(number, around):
    for shown in (
        mask_number(number),
        mask_text(f"{around}{number}{around}"),
        repr(Document("01", number, original=True)),
    ):
        assert number not in shown
        assert number[-4:] in shown


def test_names_keep_their_first_character():
    assert mask_name("测试人甲") == "测***"
    assert mask_number("12345") == "*****"
