"""The chip's manual: for every command the order of its refusals, as the docstring of its handler gives it.

A docstring says `Refuses, in this order: 6A86 P1, 6A82 or 6986 no file, 6901 (`not_begun`) no load was begun, then as
READ BINARY from 6982 on.` A word that ends in x or xx stands for all with other digits there; a name in backquotes is
the setting of the profile that chooses the word, which is the one given where nothing is chosen.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from kaguan.card_os import dispatch
from kaguan.card_os.commands import authenticate_direct, native_keys
from kaguan.card_os.profile.model import Behaviour

_WORD = r"(?:6[0-9A-F]|9[0-9])(?:[0-9A-F]{2}|[0-9A-F]x|xx)"
_LIST = re.compile(r"Refuses, in this order: (.*?)\.(?= |$)")
_BETWEEN = re.compile(rf"[,;] (?:and )?(?=(?:then )?as [A-Z]{{2}}|{_WORD}\b)")
_ITEM = re.compile(rf"({_WORD}(?: or {_WORD})*)(?: \(`([\w.]+)`\))? (.+)")
_AS = re.compile(rf"(?:then )?as ([A-Z][A-Z ]+?(?: \([a-z ,]+\))?)(?: from ({_WORD}) on)?(?: up to ({_WORD}))?")
_OUTCOMES = re.compile(r"is an outcome \(([^)]*)\)")

GET_RESPONSE = "GET RESPONSE"

OTHERWISE: dict[str, tuple[str, Callable[..., object]]] = {
    "INTERNAL AUTHENTICATE": ("where a key works directly", authenticate_direct.internal_authenticate),
    "EXTERNAL AUTHENTICATE": ("where a key works directly", authenticate_direct.external_authenticate),
    "WRITE KEY (native, protected)": ("P1 00, where the card takes a module's keys", native_keys.write_module_key),
}
"""Commands that another handler serves on some cards, or for one P1."""


class Refusal(NamedTuple):
    """One line of the order: the words, which exclude each other, and when. `setting` chooses another word."""

    words: tuple[str, ...]
    condition: str
    setting: str = ""

    def words_of(self, behaviour: Behaviour) -> tuple[str, ...]:
        """The words on such a card."""
        if not self.setting:
            return self.words
        value: object = behaviour
        for name in self.setting.split("."):
            value = getattr(value, name)
        assert isinstance(value, int)
        return (f"{value:04X}",)


def documentation(handler: Callable[..., object]) -> str:
    """The handler's docstring on one line."""
    return " ".join((inspect.getdoc(handler) or "").split())


def handler_of(name: str) -> Callable[..., object]:
    """The function that serves the command of this name."""
    return dispatch.get_response if name == GET_RESPONSE else dispatch.HANDLERS[name]


@cache
def refusals(name: str, *, otherwise: bool = False) -> tuple[Refusal, ...]:
    """The order of the command's refusals, those that it takes over from another command in their place.

    Raises:
        ValueError: the docstring gives none, or gives it in a way that no machine reads.
    """
    handler = OTHERWISE[name][1] if otherwise else handler_of(name)
    return tuple(_parsed(documentation(handler), name))


def before_any_handler() -> tuple[Refusal, ...]:
    """What is refused before a handler sees the command."""
    return tuple(_parsed(" ".join((dispatch.__doc__ or "").split()), "dispatch"))


def _parsed(text: str, name: str) -> Iterator[Refusal]:
    found = _LIST.search(text)
    if found is None:
        raise ValueError(f"{name}: the docstring has no 'Refuses, in this order:'")
    for part in _BETWEEN.split(found.group(1)):
        other = _AS.fullmatch(part)
        if other:
            yield from _taken_over(*other.groups())
            continue
        item = _ITEM.fullmatch(part)
        if item is None:
            raise ValueError(f"{name}: {part!r} is no refusal")
        words, setting, condition = item.groups()
        yield Refusal(tuple(words.split(" or ")), condition, setting or "")


def _taken_over(name: str, first: str | None, last: str | None) -> Iterator[Refusal]:
    begun = first is None
    for refusal in refusals(name):
        begun = begun or first in refusal.words
        if begun:
            yield refusal
        if last in refusal.words:
            return


def outcomes(name: str, *, otherwise: bool = False) -> tuple[str, ...]:
    """Status words other than 9000 that the docstring calls outcomes: they write."""
    text = documentation(OTHERWISE[name][1] if otherwise else handler_of(name))
    return tuple(word for found in _OUTCOMES.findall(text) for word in re.findall(_WORD, found))


def documented(name: str, behaviour: Behaviour) -> frozenset[str]:
    """Every status word that such a card may answer to the command, 9000 and 61xx too."""
    words = {"9000", "61xx"}
    for otherwise in (False, True)[: 1 + (name in OTHERWISE)]:
        words |= set(outcomes(name, otherwise=otherwise))
        words |= {word for refusal in refusals(name, otherwise=otherwise) for word in refusal.words_of(behaviour)}
    return frozenset(words | {word for refusal in before_any_handler() for word in refusal.words_of(behaviour)})


def written(sw: int, words: frozenset[str]) -> str | None:
    """The one of these words that stands for the status word, None when none does."""
    text = f"{sw:04X}"
    return next((word for word in (text, text[:3] + "x", text[:2] + "xx") if word in words), None)
