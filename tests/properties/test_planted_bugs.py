"""A law that cannot fail proves nothing: every planted fault is found by the law that forbids it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from properties import faults, laws

TABLE: tuple[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]], ...] = (
    (faults.debit_split_over_two_groups, laws.a_transaction_is_one_group),
    (faults.load_split_over_two_groups, laws.a_transaction_is_one_group),
    (faults.log_forgotten, laws.a_transaction_is_one_group),
    (faults.proof_not_kept, laws.a_lost_answer_can_be_proven),
    (faults.proof_of_any_number, laws.a_lost_answer_can_be_proven),
    (faults.counter_stands_still, laws.money_is_never_made),
    (faults.funds_not_asked, laws.money_is_never_made),
    (faults.pending_kept, laws.money_is_never_made),
    (faults.try_spent_after_the_compare, laws.a_try_is_spent_before_anything_is_compared),
    (faults.right_pin_writes_nothing, laws.pulling_the_plug_gives_no_free_guess),
    (faults.key_try_spent_after_the_compare, laws.a_try_is_spent_before_anything_is_compared),
    (faults.wrong_pin_costs_nothing, laws.a_try_is_spent_before_anything_is_compared),
    (faults.wrong_pin_costs_nothing, laws.a_blocked_pin_stays_blocked),
    (faults.right_pin_always_opens, laws.a_blocked_pin_stays_blocked),
    (faults.mac1_compared_on_two_bytes, laws.a_forged_code_moves_nothing),
    (faults.mac2_compared_on_two_bytes, laws.a_forged_code_moves_nothing),
    (faults.messaging_compared_on_two_bytes, laws.a_forged_code_moves_nothing),
    (faults.cryptogram_compared_on_two_bytes, laws.a_forged_code_moves_nothing),
    (faults.challenge_reusable, laws.a_challenge_serves_the_next_command_only),
    (faults.malformed_command_keeps_the_challenge, laws.a_challenge_serves_the_next_command_only),
    (faults.challenge_half_zero, laws.challenges_differ),
    (faults.rights_kept_across_applications, laws.another_application_forgets_all_rights),
    (faults.local_rights_kept_inside_the_application, laws.another_application_forgets_all_rights),
    (faults.reset_keeps_the_session, laws.power_loss_forgets_all_rights),
    (faults.tear_keeps_the_session, laws.power_loss_forgets_all_rights),
    (faults.recovery_ignores_the_mark, laws.every_tear_of_every_command_is_clean),
    (faults.recovery_finishes_what_was_not_marked, laws.every_tear_of_every_command_is_clean),
    (faults.recovery_clears_before_it_applies, laws.every_tear_of_recovery_is_clean),
    (faults.answered_before_it_is_written, laws.every_tear_of_every_command_is_clean),
    (faults.journal_never_cleared, laws.a_card_goes_on_after_a_tear),
    (faults.mark_left_behind, laws.a_second_tear_is_as_clean_as_the_first),
    (faults.short_way_skips_the_storage, laws.the_short_way_is_the_long_way),
    (faults.refusal_writes, laws.refused_writes_change_nothing),
    (faults.wrong_pin_changes_the_pin, laws.refused_writes_change_nothing),
    (faults.verify_echoes, laws.no_secret_is_answered),
)


@pytest.mark.parametrize(("plant", "law"), TABLE, ids=[f"{plant.__name__}-{law.__name__}" for plant, law in TABLE])
def test_the_law_finds_the_fault(
    plant: Callable[[pytest.MonkeyPatch], None], law: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    law()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        law()


def test_every_law_has_found_a_fault() -> None:
    assert {law for _, law in TABLE} == set(laws.LAWS)
