"""What is read without the grammar is what the grammar reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape import parse
from kaguan.apdu.tape.model import Repeat, Statement

PARTS = [
    "00A4", "0", "X1", "0084000008", " ", "  ", "\t", "[", "[]", "[ 6F XX * ]", "[6F..]", "]", "(9000)", "(9000,61XX)",
    "(90)", "( 9000 )", "=", "=9000", "= 9000", "# c", "// c", "\\", "\r", "\n", "\n", "\n", "\\\n", "-> A", "*",
    "-> B1_ = [0:8]", "-> C=[-8:]", "=[:]", ", D",
    ".repeat 2\n", ".end\n", ".end", "${A}", ".define A 00\n", ".reset\n", ".define B ", ".define C", "${", "}",
    "${ f ( A , \"00 A1\" ,12)}", "${g(f(A),B)[1:] [:-2]}", '${"0A0"}', '${"0A"}', '${"B1 B2" [0 : 1]}', "${f()}",
    "f(", ")", ",", "7", "-7", "1234567890123456789", '"A1"', "[2:4]", "A", "[${A}*]", "[00${f(A)} 11]", "[XX ",
    "${A[1:2]}",
]  # fmt: skip


def read(text: str) -> tuple[Statement, ...] | None:
    """The statements, None when there is an error."""
    try:
        return parse(text, file="s").statements
    except TapeError:
        return None


def by_grammar(text: str) -> tuple[Statement, ...] | None:
    """The same, read by the grammar alone, which a repeat around all lines makes sure of."""
    whole = read(f".repeat 1\n{text}\n\n.end")
    if whole is None:
        return None
    (repeat,) = whole
    assert isinstance(repeat, Repeat)
    return repeat.body


@given(st.lists(st.sampled_from([part for part in PARTS if ".end" not in part and ".repeat" not in part]), max_size=12))
def test_plain_lines_are_read_as_the_grammar_reads_them(parts: list[str]) -> None:
    text = "".join(parts)
    assert read(f"\n{text}\n") == by_grammar(text)


@given(st.lists(st.sampled_from(PARTS), max_size=20))
def test_every_tape_is_read_or_refused(parts: list[str]) -> None:
    read("".join(parts))


def test_lines_after_a_repeat_have_their_own_numbers() -> None:
    text = ".repeat 2\n0084000008\n.end\n0084000004\n.define A 00\n${A}\n00A4 (9000\n"
    with pytest.raises(TapeError, match=r"^s:7:11: "):
        parse(text, file="s")
    statements = parse(text.replace("(9000", "(9000)"), file="s").statements
    assert [statement.place.line for statement in statements] == [1, 4, 5, 6, 7]
