"""The grammar's tree to a tape's values. Every method carries the name of the rule that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lark import Token, Transformer, v_args
from lark.tree import Meta

from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape.model import (
    Answer,
    Call,
    Capture,
    Define,
    Expression,
    Include,
    Name,
    PartOf,
    Pattern,
    Place,
    Repeat,
    Reset,
    Send,
    Slice,
    Statement,
    Statuses,
    SwitchCard,
    Template,
)

_DONE: Final = Pattern.exactly(b"\x90\x00")
_REST: Final = Pattern(b"", b"", open_ended=True)
_ALL: Final = Slice(None, None)

_Captures = tuple[Capture, ...]


@v_args(meta=True, inline=True)
class Build(Transformer[Token, tuple[Statement, ...]]):
    """Makes statements whose places are in `file`, so many lines after those of the tree."""

    def __init__(self, file: str, lines_before: int = 0) -> None:
        super().__init__(visit_tokens=False)
        self._file = file
        self._before = lines_before

    def _place(self, meta: Meta | Token) -> Place:
        return Place(self._file, self._before + (meta.line or 0), meta.column or 0)

    def _refuse(self, message: str, at: Meta | Token) -> TapeError:
        return self._place(at).error(message)

    def start(self, _meta: Meta, lines: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return lines

    def lines(self, _meta: Meta, *statements: Statement) -> tuple[Statement, ...]:
        joined: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Answer) and joined:
                joined[-1] = answered(joined[-1], statement)
            else:
                joined.append(statement)
        return tuple(joined)

    def send(
        self,
        meta: Meta,
        command: Template,
        data: Template | None,
        statuses: Statuses | None,
        captures: _Captures,
    ) -> Send:
        return Send(command, data, statuses, captures, self._place(meta))

    def reset(self, meta: Meta, data: Template | None, captures: _Captures) -> Reset:
        return Reset(data, captures, self._place(meta))

    def said(self, _meta: Meta, *parts: Expression | Token) -> tuple[Expression, ...]:
        return tuple(_REST if isinstance(part, Token) else part for part in parts)

    def answer(self, meta: Meta, said: tuple[Expression, ...], captures: _Captures) -> Answer:
        return Answer(said, captures, self._place(meta))

    def card(self, meta: Meta, number: Token) -> SwitchCard:
        return SwitchCard(self._count(number), self._place(meta))

    def define(self, meta: Meta, name: Token, value: Template) -> Define:
        return Define(str(name), value, self._place(meta))

    def include(self, meta: Meta, file: Token) -> Include:
        return Include(str(file), self._place(meta))

    def repeat(self, meta: Meta, times: Token, body: tuple[Statement, ...]) -> Repeat:
        if body and isinstance(body[0], Answer):
            answered(None, body[0])
        return Repeat(self._count(times), body, self._place(meta))

    def _count(self, number: Token) -> int:
        if int(number) < 0:
            raise self._refuse(f"{number} is below zero", number)
        return int(number)

    def template(self, meta: Meta, *parts: Expression | Token | None) -> Template:
        expressions = (_REST if isinstance(part, Token) else part for part in parts if part is not None)
        return Template.of(expressions, self._place(meta))

    data = template

    def nibbles(self, _meta: Meta, digits: Token) -> Pattern:
        if len(digits) % 2:
            raise self._refuse(f"{len(digits)} hex digits are no whole bytes", digits)
        return Pattern.of(digits)

    def status(self, meta: Meta, *words: Token) -> Statuses:
        for word in words:
            if len(word) != 4:
                raise self._refuse(f"a status word has 4 hex digits, this has {len(word)}", word)
        return Statuses(tuple(self.nibbles(meta, word) for word in words), self._place(meta))

    def short_status(self, meta: Meta, _equals: Token, word: Token | None) -> Statuses:
        return self.status(meta, word) if word else Statuses((_DONE,), self._place(meta))

    def captures(self, _meta: Meta, *captures: Capture) -> _Captures:
        return captures

    def capture(self, meta: Meta, name: Token, _equals: Token | None, part: Slice | None) -> Capture:
        return Capture(str(name), part or _ALL, self._place(meta))

    def name(self, meta: Meta, name: Token) -> Name:
        return Name(str(name), self._place(meta))

    def quoted(self, _meta: Meta, digits: Token) -> Pattern:
        try:
            return Pattern.exactly(bytes.fromhex(digits.strip('"')))
        except ValueError:
            raise self._refuse(f"{len(digits) - 2} characters in quotes are no whole bytes", digits) from None

    def number(self, _meta: Meta, number: Token) -> Pattern:
        """A number as a function gets it: big-endian, in no more bytes than it needs."""
        count = self._count(number)
        return Pattern.exactly(count.to_bytes((count.bit_length() + 7) // 8 or 1, "big"))

    def call(self, meta: Meta, function: Token, *arguments: Expression | None) -> Call:
        return Call(str(function), tuple(a for a in arguments if a is not None), self._place(meta))

    def part_of(self, meta: Meta, whole: Expression, part: Slice) -> PartOf:
        return PartOf(whole, part, self._place(meta))

    def slice(self, _meta: Meta, start: Token | None, stop: Token | None) -> Slice:
        return Slice(None if start is None else int(start), None if stop is None else int(stop))


def answered(asked: Statement | None, answer: Answer) -> Statement:
    """The command or reset with the answer that it must get.

    Raises:
        TapeError: there is none above it, or that tells itself what it must get.
    """
    match asked:
        case Send(data=None, statuses=None, captures=()):
            data, word = _split(answer)
            statuses = Statuses((word,), answer.place)
            return replace(asked, data=_joined(data, answer.place), statuses=statuses, captures=answer.captures)
        case Reset(data=None, captures=()):
            return replace(asked, data=_joined(answer.said, answer.place), captures=answer.captures)
    raise answer.place.error("an answer to nothing: it stands below a command or a reset that has none yet")


def _split(answer: Answer) -> tuple[Sequence[Expression], Pattern]:
    """The answer's data, and the status word at its end."""
    head, tail = list(answer.said), Pattern.exactly(b"")
    while len(tail.value) < 2 and head and isinstance(last := head[-1], Pattern) and not last.open_ended:
        tail = last + tail
        head.pop()
    if len(tail.value) < 2:
        raise answer.place.error("an answer ends with its status word, 4 hex digits")
    data, word = (Pattern(tail.value[part], tail.mask[part]) for part in (slice(None, -2), slice(-2, None)))
    return [*head, *([data] if data.value else [])], word


def _joined(parts: Sequence[Expression], place: Place) -> Template:
    if any(isinstance(part, Pattern) and part.open_ended for part in parts[:-1]):
        raise place.error("* stands for all that follows it")
    return Template.of(parts, place)
