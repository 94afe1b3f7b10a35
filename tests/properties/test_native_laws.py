"""The native card keeps the laws of every other chip, and some of its own; and each finds the fault that it forbids."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from properties import faults
from properties import native_laws as laws
from properties.laws import a_refusal_changes_nothing, a_tear_leaves_before_or_after
from properties.native_laws import NATIVE_LAWS
from properties.native_scenes import NATIVE_SCENES
from properties.scenes import Scene

native = pytest.mark.parametrize("scene", NATIVE_SCENES, ids=lambda scene: scene.name)


@pytest.mark.parametrize("law", NATIVE_LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[], None]) -> None:
    law()


@native
def test_every_scene_writes(scene: Scene) -> None:
    stage = scene.staged()
    answer = stage.terminal.send(stage.command)
    assert stage.kept.groups
    assert answer == ("63C2" if scene.name.endswith("wrong") else "9000")


@native
def test_a_tear_of_recovery_is_clean(scene: Scene) -> None:
    for first in (0, 2, 3):
        a_tear_leaves_before_or_after(scene, first)
        a_tear_leaves_before_or_after(scene, first, 1)


@native
def test_a_spoiled_command_changes_nothing(scene: Scene) -> None:
    whole = scene.staged().command
    for spoiled in (whole[:4], whole[:4] + bytes((whole[4] - 1 & 0xFF,)) + whole[5:-1], whole + b"\x00\x00"):
        stage = scene.staged()
        a_refusal_changes_nothing(stage.terminal, spoiled)


@native
def test_after_a_reset_nothing_changes(scene: Scene) -> None:
    stage = scene.staged()
    stage.terminal.card.reset()
    a_refusal_changes_nothing(stage.terminal, stage.command)


TABLE: tuple[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]], ...] = (
    (faults.native_key_try_spent_after_the_compare, laws.a_native_try_is_spent_before_anything_is_compared),
    (faults.erasing_split_over_two_groups, laws.building_is_done_at_once_or_not_at_all),
    (faults.key_replaced_in_two_groups, laws.building_is_done_at_once_or_not_at_all),
    (faults.key_replaced_in_two_groups, laws.a_key_that_is_replaced_is_the_old_one_or_the_new),
    (faults.native_rights_not_asked, laws.without_rights_nothing_is_built_or_written),
    (faults.native_rights_not_asked, laws.leaving_a_file_ends_its_state),
    (faults.messaging_compared_on_two_bytes, laws.every_byte_of_a_protected_command_counts),
    (faults.line_protection_forgotten, laws.a_protected_file_is_neither_read_nor_written_plain),
    (faults.challenge_reusable, laws.a_challenge_protects_one_command),
    (faults.rights_kept_across_applications, laws.leaving_a_file_ends_its_state),
    (faults.fresh_for_ever, laws.who_comes_back_to_a_file_needs_its_rights),
    (faults.erasing_takes_the_neighbours, laws.erasing_takes_what_lies_below_and_nothing_else),
    (faults.erasing_leaves_the_keys, laws.erasing_takes_what_lies_below_and_nothing_else),
    (faults.erasing_leaves_the_key_file, laws.erasing_takes_what_lies_below_and_nothing_else),
    (faults.file_room_not_counted, laws.no_room_is_given_twice),
    (faults.key_room_not_counted, laws.no_room_is_given_twice),
    (faults.pin_written_over, laws.nobody_writes_over_a_pin),
    (faults.pin_that_guards_no_purse, laws.the_holders_pin_guards_the_purse),
    (faults.answered_before_it_is_written, laws.every_tear_of_every_native_command_is_clean),
    (faults.recovery_ignores_the_mark, laws.every_tear_of_every_native_command_is_clean),
    (faults.short_way_skips_the_storage, laws.the_short_way_of_a_native_command_is_the_long_way),
    (faults.written_key_answered, laws.no_native_secret_is_answered),
)


@pytest.mark.parametrize(("plant", "law"), TABLE, ids=[f"{plant.__name__}-{law.__name__}" for plant, law in TABLE])
def test_the_law_finds_the_fault(
    plant: Callable[[pytest.MonkeyPatch], None], law: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        law()


def test_every_law_has_found_a_fault() -> None:
    assert {law for _, law in TABLE} == set(NATIVE_LAWS)
