"""What names mean while a tape is played, and which functions it may call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Final, TypeAlias

from kaguan.apdu.errors import KaguanError, TapeError
from kaguan.apdu.tape.model import Call, Capture, Define, Expression, Name, PartOf, Pattern, Template

Functions: TypeAlias = Mapping[str, Callable[..., bytes]]
"""Functions that a tape may call, by name: each takes bytes and returns bytes."""

_NOTHING: Final = Pattern.exactly(b"")


LONGEST_VALUE: Final = 65_544
"""Bytes; the longest command that there is: header, three bytes of Lc, 65,535 of data, two of Le."""


class Scope:
    """The names defined and captured so far. A later value hides an earlier one."""

    def __init__(self, names: Mapping[str, bytes], functions: Functions) -> None:
        self._names = dict(names)
        self._functions = functions

    def pattern(self, template: Template) -> Pattern:
        """The template with all its names and calls filled in.

        Raises:
            TapeError: a name or a function is unknown, or there would be more than `LONGEST_VALUE` bytes.
        """
        whole: Pattern | None = None
        for part in template.parts:
            filled = self._pattern(part)
            whole = filled if whole is None else whole + filled
            if len(whole.value) > LONGEST_VALUE:
                raise template.place.error(f"more than {LONGEST_VALUE} bytes, which no command has")
        return whole or _NOTHING

    def exact(self, template: Template, use: str) -> bytes:
        """The only bytes that the template can be.

        Raises:
            TapeError: wildcards leave it open; `use` says what the bytes were for.
        """
        pattern = self.pattern(template)
        if pattern.exact is None:
            raise template.place.error(f"{use} cannot have wildcards")
        return pattern.exact

    def beginning(self, template: Template) -> bytes:
        """The template's bytes up to the part that cannot be filled in, or that has wildcards."""
        begun = b""
        for part in template.parts:
            try:
                exact = self._pattern(part).exact
            except TapeError:
                break
            if exact is None:
                break
            begun += exact
        return begun

    def define(self, step: Define) -> None:
        """Let the name mean these bytes from here on."""
        self._names[step.name] = self.exact(step.value, "a definition")

    def capture(self, captures: tuple[Capture, ...], data: bytes) -> None:
        """Let each name mean its part of the response data from here on.

        Raises:
            TapeError: the response is too short for one of them.
        """
        for capture in captures:
            value = capture.part.of(data)
            if value is None:
                message = f"expected bytes {capture.part} for {capture.name}, received {len(data)} bytes"
                raise capture.place.error(message)
            self._names[capture.name] = value

    def _pattern(self, expression: Expression) -> Pattern:
        return expression if isinstance(expression, Pattern) else Pattern.exactly(self._value(expression))

    def _value(self, expression: Expression) -> bytes:
        match expression:
            case Pattern():
                return expression.value
            case Name(name, place):
                if name not in self._names:
                    raise place.error(f"{name} is neither defined nor captured above this line")
                return self._names[name]
            case PartOf(whole, part, place):
                data = self._value(whole)
                value = part.of(data)
                if value is None:
                    raise place.error(f"{part} is outside its {len(data)} bytes")
                return value
            case Call():
                return self._call(expression)

    def _call(self, call: Call) -> bytes:
        function = self._functions.get(call.function)
        if function is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise call.place.error(f"no function {call.function}; there are: {known}")
        arguments = [self._value(argument) for argument in call.arguments]
        try:
            bound = signature(function).bind(*arguments)
        except TypeError as error:
            raise call.place.error(f"{call.function}: {error}") from None
        try:
            return function(*bound.args)
        except KaguanError as error:
            raise call.place.error(f"{call.function}: {error}") from error
