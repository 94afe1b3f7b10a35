"""Every command refuses in the order that its handler's docstring gives."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from card.manual import GET_RESPONSE, OTHERWISE, before_any_handler, outcomes, refusals, written
from card.order import Order
from card.orders import ORDERS
from card.scene import Scene
from kaguan.apdu.forms import FORMS
from kaguan.apdu.instruction import INSTRUCTIONS


def answer(scene: Scene) -> int:
    """The status word, and a promise that a refusal writes nothing."""
    outcome = scene.outcome()
    assert outcome.sw >> 8 in (0x90, 0x61, 0x63) or not outcome.groups
    return outcome.sw


def violated(order: Order, *numbers: int) -> str:
    """The documented word that the answer is, once these things are wrong."""
    scene = order.make()
    for number in sorted(numbers, reverse=True):
        scene = order.violations[number][1](scene)
    sw = answer(scene)
    return written(sw, frozenset({order.violations[numbers[0]][0]})) or f"{sw:04X}"


def test_every_command_has_its_order() -> None:
    names = Counter((order.name, order.otherwise) for order in ORDERS)
    rows = [row.name for row in INSTRUCTIONS] + [GET_RESPONSE]
    assert names == Counter([(name, False) for name in rows] + [(name, True) for name in OTHERWISE])


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_nothing_wrong_is_served(order: Order) -> None:
    sw = answer(order.make())
    always = refusals(order.name, otherwise=order.otherwise)[0].condition.startswith("whatever")
    assert always or sw >> 8 in (0x90, 0x61), f"{sw:04X}"


@pytest.mark.parametrize("order", [one for one in ORDERS if "GET DATA" not in one.name], ids=str)
def test_the_case_is_the_documented_one(order: Order) -> None:
    scene = order.make()
    outcome = scene.outcome()
    answered = bool(outcome.data or outcome.session.waiting)
    assert FORMS[order.name].case == 1 + answered + 2 * bool(scene.sent().data)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_order_is_the_documented_one(order: Order) -> None:
    documented = [word for refusal in refusals(order.name, otherwise=order.otherwise) for word in refusal.words]
    assert [word for word, _ in order.violations] == documented


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_each_thing_alone_is_refused_with_its_word(order: Order) -> None:
    words = [violated(order, number) for number in range(len(order.violations))]
    assert words == [word for word, _ in order.violations]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_of_two_things_that_are_wrong_the_first_is_told(order: Order) -> None:
    wrong = []
    for first, second in combinations(range(len(order.violations)), 2):
        word = order.violations[first][0]
        told = violated(order, first, second)
        if told != word:
            wrong.append(f"{first} {word} and {second} {order.violations[second][0]}: {told}")
    assert wrong == []


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_of_all_things_that_are_wrong_the_first_is_told(order: Order) -> None:
    count = len(order.violations)
    words = [violated(order, *range(first, count)) for first in range(count)]
    assert words == [word for word, _ in order.violations]


def test_what_is_refused_before_any_handler_is_documented() -> None:
    words = [word for refusal in before_any_handler() for word in refusal.words]
    assert words == ["6A81", "6E00", "6881", "6884", "6882", "6D00", "6A86", "6985", "6A81"]


def test_outcomes_are_documented() -> None:
    assert outcomes("VERIFY") == ("63Cx",)
    assert outcomes("RELOAD PIN") == ("9302", "9303")
