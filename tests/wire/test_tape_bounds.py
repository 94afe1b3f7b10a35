"""A tape from anywhere: what it makes of memory and time is bounded, and told at its place."""

from __future__ import annotations

import pytest

from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape import parse, run
from kaguan.apdu.tape.parse import DEEPEST, MOST_STATEMENTS, MOST_STEPS
from kaguan.apdu.tape.scope import LONGEST_VALUE


def test_a_value_that_doubles_comes_to_its_end() -> None:
    tape = parse(".define A 00\n.repeat 40\n.define A ${A}${A}\n.end")
    with pytest.raises(TapeError, match=f"more than {LONGEST_VALUE} bytes") as caught:
        list(run(tape, []))
    assert caught.value.line == 3


@pytest.mark.parametrize("body", ["", "00A4", ".define A 00"])
def test_repeats_that_multiply_are_refused(body: str) -> None:
    with pytest.raises(TapeError, match=f"more than {MOST_STEPS} steps") as caught:
        parse(f".repeat 99999\n.repeat 99999\n{body}\n.end\n.end")
    assert caught.value.line == 2


def test_repeats_one_after_another_are_counted_together() -> None:
    half = f".repeat {MOST_STEPS // 2}\n.end\n"
    parse(half + half.replace("5", "4"))
    with pytest.raises(TapeError, match="steps"):
        parse(half * 2 + "00A4")


def test_a_tape_that_repeats_nothing_never_plays_it() -> None:
    assert list(parse(".repeat 0\n.repeat 999999999\n00A4\n.end\n.end").steps()) == []


def test_files_that_include_each_other_twice_are_refused_soon() -> None:
    read: list[str] = []

    def include(name: str) -> str:
        read.append(name)
        return f".include {int(name) + 1}\n" * 2

    with pytest.raises(TapeError, match="nested too deeply"):
        parse(".include 0", include=include)
    assert len(read) == DEEPEST + 1


@pytest.mark.slow
def test_statements_of_all_files_are_counted_together() -> None:
    many = "00A4\n" * 400
    parse(".include a\n" * 200, include=lambda name: many)
    with pytest.raises(TapeError, match=f"more than {MOST_STATEMENTS} statements"):
        parse(".include a\n" * 300, include=lambda name: many)


def test_an_included_file_may_stand_inside_repeats() -> None:
    deep = ".repeat 1\n" * DEEPEST + "{}\n" + ".end\n" * DEEPEST
    assert len(list(parse(deep.format("00A4")).steps())) == 1
    with pytest.raises(TapeError, match="nested too deeply"):
        parse(deep.format(".include a"), include=lambda name: "00A4")


def test_a_file_name_has_no_control_character() -> None:
    with pytest.raises(TapeError, match="a file name") as caught:
        parse(".include \0b", include=lambda name: "")
    assert (caught.value.line, caught.value.column) == (1, 10)
