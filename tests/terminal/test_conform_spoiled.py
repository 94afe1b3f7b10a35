"""The conformance suite finds what was spoiled, in the chapters where it belongs, and nothing anywhere else."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet
from hypothesis import assume, settings
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import PROFILE, specimen, with_file
from kaguan.card_os.profile.rules import PIN_RIGHT, AccessRule
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.conformance.rights import keys_in_reach
from terminal.conforming import judge, judge_image, with_full_tries
from terminal.spoiled_cards import SPOILED, Spoiled, specimen_of

pytestmark = pytest.mark.slow

FIRST = {spoiled.chapters: spoiled for spoiled in reversed(SPOILED)}
"""The first card of each set of chapters: enough for a quick look."""


def by_name(spoiled: Spoiled, *marks: pytest.MarkDecorator) -> ParameterSet:
    return pytest.param(spoiled, id=spoiled.name.replace(" ", "-"), marks=marks)


FILES = [file for spec in PROFILE.dedicated if spec.parent for file in spec.files]


def failed(spoiled: Spoiled, patch: pytest.MonkeyPatch, setting: str = "") -> tuple[str, ...]:
    """The chapters that fail; the card is afterwards what it was, but for tries."""
    image = spoiled.image._replace(profile=spoiled.profile + setting)
    card = EmulatedCard(image)
    spoiled.fault(patch)
    report = judge(spoiled.wire(card), image.atr, spoiled.profile)
    assert with_full_tries(card.image) == with_full_tries(image)
    return report.failed()


@pytest.mark.parametrize(
    "spoiled", [by_name(one, *(() if FIRST[one.chapters] is one else (pytest.mark.slow,))) for one in SPOILED]
)
def test_what_is_spoiled_fails_in_its_chapters_alone(spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch) -> None:
    assert frozenset(failed(spoiled, monkeypatch)) == spoiled.chapters


@pytest.mark.parametrize("spoiled", [by_name(one) for one in SPOILED])
def test_so_it_does_where_cards_tell_their_tries(spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch) -> None:
    assert frozenset(failed(spoiled, monkeypatch, "+key-tries-told")) == spoiled.chapters


def test_the_table_is_long_enough() -> None:
    assert len(SPOILED) == len({spoiled.name for spoiled in SPOILED}) >= 25
    found = frozenset().union(*(spoiled.chapters for spoiled in SPOILED))
    report = judge_image(specimen_of("ssc-v2+key-versions"))
    able = {chapter.name for chapter in report.chapters if chapter.verdict == "passed"}
    assert found == able, "every chapter that can pass can fail"


@st.composite
def spoiled_rules(draw: st.DrawFn) -> tuple[str, str, str, AccessRule]:
    """A file, `read` or `update`, and a rule that differs from its own by one right: one more that is enough, one that
    is no longer enough, or one whose number has another bit."""
    file = draw(st.sampled_from(FILES))
    which = draw(st.sampled_from(["read", "update"]))
    rule: AccessRule = getattr(file, which)
    reach = [key.reference for key in keys_in_reach_of(file.dedicated)]
    way = draw(st.sampled_from(["more", "fewer", "other"]))
    if way == "more":
        changed = rule | AccessRule.right(draw(st.sampled_from([PIN_RIGHT, *reach])))
    else:
        assume(rule.alternatives)
        one = draw(st.sampled_from(sorted(rule.alternatives, key=sorted)))
        assume(one)
        right = draw(st.sampled_from(sorted(one)))
        rest = AccessRule(rule.alternatives - {one})
        replaced = one - {right} | ({right ^ 1 << draw(st.integers(0, 8))} if way == "other" else set())
        changed = rest if way == "fewer" and len(one) == 1 else rest | AccessRule(frozenset({replaced}))
    assume(changed != rule)
    return file.dedicated, file.name, which, changed


def keys_in_reach_of(dedicated: str):  # type: ignore[no-untyped-def]
    return keys_in_reach(PROFILE, PROFILE.by_name[dedicated])


@settings(max_examples=10)
@examples(spoiled_rules())
def test_a_rule_with_one_right_spoiled_is_found(spoiled: tuple[str, str, str, AccessRule]) -> None:
    dedicated, name, which, rule = spoiled
    address = PROFILE.path(dedicated) + bytes.fromhex(name)
    file = specimen().files[address]
    image = with_file(specimen(), address, file._replace(**{which: rule}))
    assert f"{dedicated}_SAFETY" in judge_image(image).failed()
