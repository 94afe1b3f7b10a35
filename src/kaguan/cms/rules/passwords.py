"""What a password has to be, and how long a door stays shut after wrong ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from kaguan.cms.rules.refusals import NotEligible

LEAST_CHARACTERS: Final = 10
MOST_CHARACTERS: Final = 128
_LEAST_DIFFERENT: Final = 5
_LONGEST_LOCK: Final = timedelta(days=1)
_MOST_DOUBLINGS: Final = 20


def check_new_password(password: str, *, names: tuple[str, ...]) -> None:
    """Return when the password may be taken by somebody with these names and numbers; the text never quotes it.

    Refuses with NotEligible, in this order: too short or long, too few different characters, digits or letters alone,
    a name or number of its owner in it.
    """
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise NotEligible(f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    if len(set(password)) < _LEAST_DIFFERENT:
        raise NotEligible(f"a password has at least {_LEAST_DIFFERENT} different characters")
    if password.isdigit() or password.isalpha():
        raise NotEligible("a password has digits and letters, or other characters")
    folded = password.casefold()
    if any(name and name.casefold() in folded for name in names):
        raise NotEligible("a password has neither name nor number of its owner in it")


def locked_for(failures: int, *, allowed: int, first_seconds: int) -> timedelta:
    """Return how long the door stays shut after so many failures: not at all up to the allowed ones, then doubling."""
    if failures <= allowed:
        return timedelta(0)
    seconds = first_seconds * 2 ** min(failures - allowed - 1, _MOST_DOUBLINGS)
    return min(timedelta(seconds=seconds), _LONGEST_LOCK)
