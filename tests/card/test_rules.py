"""Access rules from text: what they mean, and that a hostile one costs nothing."""

from __future__ import annotations

import pytest

from kaguan.apdu.errors import ProfileError
from kaguan.card_os.profile import FREE
from kaguan.card_os.profile.rules import MOST_ALTERNATIVES, parse_rule

MULTIPLYING = "all(" + ",".join(f"any(key({2 * n}),key({2 * n + 1}))" for n in range(24)) + ")"
MANY = "any(" + ",".join(f"key({n})" for n in range(MOST_ALTERNATIVES + 1)) + ")"


@pytest.mark.parametrize("text", [MULTIPLYING, MANY])
def test_a_rule_with_too_many_alternatives_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="alternatives"):
        parse_rule(text)


def test_alternatives_that_another_one_contains_do_not_count() -> None:
    assert parse_rule(MANY.replace("key(0)", "free").replace("any(", "all(any(", 1) + ")") == FREE


@pytest.mark.parametrize("text", ["", "\0", "key(-1)", "-" * 900 + "1", "(" * 500 + "free" + ")" * 500, "free" * 1000])
def test_what_is_no_rule_is_told(text: str) -> None:
    with pytest.raises(ProfileError):
        parse_rule(text)
