"""CPU card scripts (CPU卡脚本), the dialect of the articles on the social security card and on ED/EP.

    SET_CPU(0)                              // the user card; 1 is the PSAM
    复位=CPURESET()                          // the ATR
    因子=LAST(复位,16)                       // 16 hex digits
    0084000008(RANDOM+9000)                 // binds the answer, and wants 9000
    ECB_3DES_EN(RANDOM,KEY,ENDATA)          // gives ENDATA its value
    0082000108+ENDATA(9000)

A line is a command unless it assigns or calls. `+` joins hex digits. A word is a name if it was given a value above,
else an even number of hex digits, else an error; so a script is checked as a whole before anything is sent. Names may
be Chinese, marks full-width, built-ins in either case; lines may be numbered (`1. `). A statement ends with its line,
with a semicolon, with a closing bracket, and before the next NAME=.

3DES_MAC_COM makes the MAC of a command, header and data, and pads it. Its initial value is the challenge that the card
holds: the answer to the script's own GET CHALLENGE when that was the last command to this card, else to one that is
sent for it, 4 bytes long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kaguan.apdu.tape import Pattern, Tape
from kaguan.apdu.tape.model import (
    Call,
    Capture,
    Define,
    Expression,
    Name,
    Place,
    Reset,
    Send,
    Slice,
    Statement,
    Statuses,
    SwitchCard,
    Template,
)
from kaguan.terminal.scripts.cpu_functions import BUILTINS, COMMAND, CPU_FUNCTIONS, DIGITS, JOIN
from kaguan.terminal.scripts.cpu_words import END, HEX, NEWLINE, Word, words
from kaguan.terminal.scripts.places import Places
from kaguan.terminal.scripts.script import CardScript, ScriptSyntaxError, syntax_error

_STATUS = re.compile(r"[0-9A-FXa-fx]{4}")
_ALL: Final = Slice(None, None)
_RESET, _SLOT, _MAC_OF_COMMAND = "CPURESET", "SET_CPU", "3DES_MAC_COM"
_SLOTS: Final = 2
_GET_CHALLENGE, _HEADER_DIGITS = "0084", 8
_ASK: Final = Pattern.exactly(bytes.fromhex("0084000004"))
_DONE: Final = Pattern.exactly(b"\x90\x00")
_CHALLENGE = "challenge of card"
"""No script can write a name with spaces, so that it cannot hide this one."""

DEEPEST: Final = 16
"""Calls inside one another."""

_Parts = tuple[Expression, ...]


def read_cpu(text: str, file: str) -> CardScript:
    """The script that this text is.

    Raises:
        ScriptSyntaxError: it is none.
    """
    statements = tuple(_Reading(text, file).statements())
    return CardScript(file, (Tape(statements, file),), CPU_FUNCTIONS)


class _Reading:
    """One script, read from its beginning: the names that have a value, and the slot that is spoken to."""

    def __init__(self, text: str, file: str) -> None:
        self._places = Places(text, file)
        self._words = words(text, self._places)
        self._word = next(self._words)
        self._next = next(self._words, self._word)
        self._names: set[str] = set()
        self._slot = 0
        self._challenged = [False] * _SLOTS
        self._depth = 0

    def statements(self) -> Iterator[Statement]:
        """Every statement, in the order of the script."""
        while self._word.text != END:
            if self._word.text == NEWLINE:
                self._step()
            elif self._word.is_mark:
                raise self._expected("a command, a name or a built-in")
            elif self._next.text == "=":
                yield from self._assignment()
            elif self._called() is not None:
                yield from self._call_alone()
            else:
                yield from self._command()

    def _step(self) -> Word:
        """The word, which is behind us now."""
        word, self._word = self._word, self._next
        self._next = next(self._words, self._next)
        return word

    def _take(self, mark: str) -> Word:
        if self._word.text != mark:
            raise self._expected(mark)
        return self._step()

    def _expected(self, what: str) -> ScriptSyntaxError:
        return syntax_error(self._place(self._word), f"expected {what}, found {self._word.shown}")

    def _place(self, word: Word) -> Place:
        return self._places.of(word.at)

    def _called(self) -> str | None:
        """The built-in that is called here, None when none is."""
        name = self._word.text.upper()
        known = name in BUILTINS or name in (_RESET, _SLOT)
        return name if known and self._next.text == "(" else None

    # ------------------------------------------------------------------ statements

    def _assignment(self) -> Iterator[Statement]:
        name = self._step()
        if name.text.upper() in BUILTINS or name.text.upper() in (_RESET, _SLOT):
            raise syntax_error(self._place(name), f"expected a name, found the built-in {name.text}")
        self._step()
        place = self._place(name)
        if self._called() == _RESET:
            yield from self._reset(name)
            return
        yield from self._asking()
        yield self._defined(name.text, self._expression(), place)

    def _defined(self, name: str, parts: _Parts, place: Place) -> Define:
        self._names.add(name)
        return Define(name, Template(parts, place), place)

    def _call_alone(self) -> Iterator[Statement]:
        """A built-in that stands alone in its line."""
        name, place = self._called(), self._place(self._word)
        if name == _RESET:
            yield from self._reset(None)
        elif name == _SLOT:
            yield self._switch(place)
        else:
            yield from self._asking()
            call, out = self._call(named=True)
            if out is None:
                yield from self._sent((call, *self._joined_on()), place)
            else:
                yield self._defined(out.text, (call,), place)

    def _reset(self, name: Word | None) -> Iterator[Statement]:
        place = self._place(self._step())
        self._take("(")
        self._take(")")
        self._challenged[self._slot] = False
        captures = () if name is None else (Capture(name.text, _ALL, self._place(name)),)
        yield Reset(None, captures, place)
        if name is not None:
            yield self._as_digits(name)

    def _switch(self, place: Place) -> SwitchCard:
        self._step()
        self._take("(")
        if self._word.text not in ("0", "1"):
            raise self._expected("0 (the user card) or 1 (the PSAM)")
        self._slot = int(self._step().text)
        self._take(")")
        return SwitchCard(self._slot, place)

    def _command(self) -> Iterator[Statement]:
        place = self._place(self._word)
        if self._next.text == "(" and not self._is_value(self._word) and not self._word.is_mark:
            known = ", ".join((_RESET, _SLOT, *BUILTINS))
            raise syntax_error(place, f"expected a built-in ({known}) or hex digits, found {self._word.shown}")
        yield from self._sent(self._expression(), place)

    def _sent(self, parts: _Parts, place: Place) -> Iterator[Statement]:
        """The command, and what its answer is bound to."""
        statuses, name = self._answer()
        challenged = _begins(parts, _GET_CHALLENGE)
        captures = [] if name is None else [Capture(name.text, _ALL, self._place(name))]
        if challenged:
            captures.append(Capture(self._challenge, _ALL, place))
        self._challenged[self._slot] = challenged
        yield Send(_template(parts, place), None, statuses, tuple(captures), place)
        if name is not None:
            yield self._as_digits(name)
        if challenged:
            yield self._digits(self._challenge, place)

    # ------------------------------------------------------------------ answers

    def _answer(self) -> tuple[Statuses | None, Word | None]:
        """What stands in brackets after a command: `(9000)`, `(NAME+9000)`, `(NAME)`, `(9000,61XX)`."""
        if self._word.text != "(":
            return None, None
        place = self._place(self._step())
        name = None
        if not _STATUS.fullmatch(self._word.text) or self._next.text == "+":
            if self._word.is_mark:
                raise self._expected("a name or a status word of 4 hex digits")
            name = self._step()
            if name.text.upper() in BUILTINS:
                raise syntax_error(self._place(name), f"expected a name, found the built-in {name.text}")
        patterns: list[Pattern] = []
        mark = "+" if name is not None else ""
        while self._word.text == mark or not mark:
            if mark:
                self._step()
            if not _STATUS.fullmatch(self._word.text):
                raise self._expected("a status word of 4 hex digits")
            patterns.append(Pattern.of(self._step().text.replace("x", "X")))
            mark = ","
        self._take(")")
        if name is not None:
            self._names.add(name.text)
        return Statuses(tuple(patterns), place) if patterns else None, name

    def _as_digits(self, name: Word) -> Define:
        self._names.add(name.text)
        return self._digits(name.text, self._place(name))

    def _digits(self, name: str, place: Place) -> Define:
        return Define(name, Template((Call(DIGITS, (Name(name, place),), place),), place), place)

    # ------------------------------------------------------------------ challenges

    @property
    def _challenge(self) -> str:
        return f"{_CHALLENGE} {self._slot}"

    def _asking(self) -> Iterator[Statement]:
        """A GET CHALLENGE before a MAC that needs one, when the card has no fresh one."""
        if self._called() != _MAC_OF_COMMAND or self._challenged[self._slot]:
            return
        place = self._place(self._word)
        capture = Capture(self._challenge, _ALL, place)
        yield Send(Template((_ASK,), place), None, Statuses((_DONE,), place), (capture,), place)
        yield self._digits(self._challenge, place)
        self._challenged[self._slot] = True

    # ------------------------------------------------------------------ expressions

    def _expression(self) -> _Parts:
        """Parts joined by `+`, or by nothing: spaces between bytes mean nothing."""
        return (self._part(), *self._joined_on())

    def _joined_on(self) -> Iterator[Expression]:
        while True:
            if self._word.text == "+":
                self._step()
                self._skip_newlines()
            elif self._word.is_mark or self._next.text == "=" or self._called() is not None:
                return
            yield self._part()

    def _skip_newlines(self) -> None:
        while self._word.text == NEWLINE:
            self._step()

    def _part(self) -> Expression:
        if self._called() is not None:
            return self._call(named=False)[0]
        if self._word.is_mark:
            raise self._expected("a name or hex digits")
        word = self._step()
        if word.text in self._names:
            return Name(word.text, self._place(word))
        if word.text.upper() in (_RESET, _SLOT, *BUILTINS):
            raise syntax_error(self._place(self._word), f"expected ( after {word.text}, found {self._word.shown}")
        if not self._is_value(word):
            odd = ", an odd number" if HEX.fullmatch(word.text) else ""
            if odd and word.shown == word.text:
                odd += " of hex digits"
            raise syntax_error(
                self._place(word),
                f"expected a name with a value, or an even number of hex digits, found {word.shown}{odd}",
            )
        return Pattern.exactly(word.text.upper().encode())

    def _is_value(self, word: Word) -> bool:
        return word.text in self._names or (len(word.text) % 2 == 0 and HEX.fullmatch(word.text) is not None)

    def _call(self, *, named: bool) -> tuple[Call, Word | None]:
        """A built-in with its arguments; `named` allows a last one, the name that gets the value."""
        function, word = self._called(), self._step()
        place = self._place(word)
        builtin = BUILTINS.get(function or "")
        if function is None or builtin is None:
            raise syntax_error(place, f"expected a value, found {word.text}, which gives none here")
        self._take("(")
        self._depth += 1
        if self._depth > DEEPEST:
            raise syntax_error(place, f"expected at most {DEEPEST} calls inside one another, found more")
        arguments: list[Expression] = []
        out = None
        for position in range(builtin.arguments):
            self._skip_newlines()
            if position >= builtin.arguments - builtin.numbers:
                arguments.append(self._number())
            else:
                arguments.append(Call(JOIN, self._expression(), self._place(self._word)))
            self._skip_newlines()
            if position < builtin.arguments - 1:
                self._take(",")
        if named and self._word.text == ",":
            self._step()
            if self._word.is_mark:
                raise self._expected("the name that gets the value")
            out = self._step()
        self._take(")")
        self._depth -= 1
        if function == _MAC_OF_COMMAND:
            if not self._challenged[self._slot]:
                raise syntax_error(
                    place, f"expected {word.text} alone in its line, or after NAME=, found it in a command"
                )
            arguments.append(Name(self._challenge, place))
        return Call(function, tuple(arguments), place), out

    def _number(self) -> Pattern:
        if not (self._word.text.isascii() and self._word.text.isdecimal() and len(self._word.text) <= 9):
            raise self._expected("a number")
        return Pattern.exactly(self._step().text.encode())


def _template(parts: _Parts, place: Place) -> Template:
    """The command of these digits. Its header stands alone if it can: errors tell what command could not be made."""
    first = parts[0]
    if isinstance(first, Pattern) and len(first.value) >= _HEADER_DIGITS:
        header, rest = first.value[:_HEADER_DIGITS], first.value[_HEADER_DIGITS:]
        after = Call(COMMAND, (Pattern.exactly(rest), *parts[1:]), place)
        return Template((Pattern.exactly(bytes.fromhex(header.decode())), after), place)
    return Template((Call(COMMAND, parts, place),), place)


def _begins(parts: _Parts, digits: str) -> bool:
    first = parts[0]
    return isinstance(first, Pattern) and first.value.startswith(digits.encode())
