"""What makes a method one of the ministry's calls: it answers a number and a text, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from kaguan.apdu import textcodec
from kaguan.apdu.errors import KaguanError
from kaguan.terminal.ministry.number import CallFailed, Number, meaning, number_of

_Parameters = ParamSpec("_Parameters")
_Terminal = TypeVar("_Terminal")

STEP = "_HSM_Step"


class Answer(NamedTuple):
    """What a call returns, and what it leaves in `pOut`; beside a negative number that is the number in words."""

    number: int
    out: str

    def __bytes__(self) -> bytes:
        """`pOut` as the library writes it: GB18030."""
        return textcodec.encode(self.out)

    @classmethod
    def failed(cls, number: int) -> Answer:
        """The answer of a call that did not come to its end."""
        return cls(int(number), meaning(number))


class Call(NamedTuple):
    """A call's name and parameters, each a number or a text, in their order."""

    name: str
    parameters: Mapping[str, type]


CALLS: dict[str, Call] = {}
"""Every call by its name."""


def ministry_call(
    method: Callable[Concatenate[_Terminal, _Parameters], str],
) -> Callable[Concatenate[_Terminal, _Parameters], Answer]:
    """The method as a call: its text with 0, or the number of what it raised."""
    kinds = {"int": int, "str": str}
    parameters = list(signature(method).parameters.values())[1:]
    CALLS[method.__name__] = Call(method.__name__, {one.name: kinds[one.annotation] for one in parameters})

    @wraps(method)
    def call(terminal: _Terminal, /, *values: _Parameters.args, **named: _Parameters.kwargs) -> Answer:
        try:
            return Answer(0, method(terminal, *values, **named))
        except KaguanError as error:
            return Answer.failed(number_of(error))

    return call


def arguments(call: Call, given: Mapping[str, Any]) -> list[Any]:
    """The call's arguments, in its order; names may be written small or large, and numbers as digits.

    Raises:
        CallFailed: -14, one is missing, unknown, or of another kind.
    """
    left = {name.casefold(): value for name, value in given.items()}
    if len(left) != len(given) or left.keys() != {name.casefold() for name in call.parameters}:
        raise CallFailed(Number.WRONG_PARAMETER)
    return [_argument(kind, left[name.casefold()]) for name, kind in call.parameters.items()]


def _argument(kind: type, value: object) -> Any:
    if kind is int and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5:
        return int(value)
    if type(value) is not kind:  # a bool is no number here
        raise CallFailed(Number.WRONG_PARAMETER)
    return value
