"""What a tape may say, and how it is refused when it says something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu import tape as tape_package
from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape import Pattern, parse
from kaguan.apdu.tape.model import Repeat, Send, Slice

HEX = "0123456789ABCDEF"


def only_command(text: str) -> Send:
    (statement,) = parse(text).statements
    assert isinstance(statement, Send)
    return statement


def whole(parts: object) -> Pattern:
    assert isinstance(parts, tuple)
    (pattern,) = parts
    assert isinstance(pattern, Pattern)
    return pattern


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["", " "]))
def test_spaces_between_bytes_mean_nothing(command: bytes, separator: str) -> None:
    text = command.hex(separator) if separator else command.hex()
    assert whole(only_command(text).command.parts).exact == command


@given(
    st.lists(st.sampled_from([*HEX, "X"]), min_size=2, max_size=40).filter(lambda d: not len(d) % 2),
    st.data(),
)
def test_x_is_any_nibble(digits: list[str], data: st.DataObject) -> None:
    send = only_command(f"00A4 [{''.join(digits)}]")
    assert send.data is not None
    pattern = whole(send.data.parts)
    assert str(pattern) == "".join(digits)
    match = "".join(data.draw(st.sampled_from(HEX)) if d == "X" else d for d in digits)
    assert pattern.matches(bytes.fromhex(match))
    assert not pattern.matches(bytes.fromhex(match) + b"\0")
    given_at = [at for at, digit in enumerate(digits) if digit != "X"]
    if given_at:
        at = data.draw(st.sampled_from(given_at))
        other = data.draw(st.sampled_from([d for d in HEX if d != match[at]]))
        assert not pattern.matches(bytes.fromhex(match[:at] + other + match[at + 1 :]))
        assert pattern.exact is None or len(given_at) == len(digits)


@given(st.binary(max_size=20), st.binary(max_size=20), st.sampled_from(["*", ".."]))
def test_rest_is_any_rest_but_the_head_must_be_there(head: bytes, rest: bytes, star: str) -> None:
    send = only_command(f"00A4 [{head.hex()}{star}]")
    assert send.data is not None
    pattern = whole(send.data.parts)
    assert pattern.matches(head + rest)
    assert not head or not pattern.matches(head[:-1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("00A40000023F00 (9000)", "(9000)"),
        ("00A40000023F00 (61XX)", "(61XX)"),
        ("00A40000023F00 (9000,61XX)", "(9000,61XX)"),
        ("00A40000023F00=", "(9000)"),
        ("00A40000023F00=6A82", "(6A82)"),
        ("00 a4 0000 = 63cX", "(63CX)"),
    ],
)
def test_status_words(text: str, words: str) -> None:
    assert str(only_command(text).statuses) == words


def test_comments_and_continued_lines() -> None:
    text = "# one\n  // two\r\n00A4 \\\n 0000 // three (6A82)\n\n02 3F00 # four\n"
    first, second = parse("\ufeff" + text).statements
    assert isinstance(first, Send)
    assert isinstance(second, Send)
    assert whole(first.command.parts).exact == bytes.fromhex("00A40000")
    assert first.statuses is None
    assert (first.place.line, second.place.line) == (3, 6)


def test_captures() -> None:
    send = only_command("0084000008 (9000) -> ALL, 随机数 = [0:4], TAIL=[-4:]")
    assert [(c.name, c.part) for c in send.captures] == [
        ("ALL", Slice(None, None)),
        ("随机数", Slice(0, 4)),
        ("TAIL", Slice(-4, None)),
    ]


@given(st.binary(max_size=12), st.integers(-14, 14) | st.none(), st.integers(-14, 14) | st.none())
def test_a_slice_is_pythons_or_nothing(data: bytes, start: int | None, stop: int | None) -> None:
    part = Slice(start, stop).of(data)
    whole_there = all(at is None or -len(data) <= at <= len(data) for at in (start, stop))
    if part is not None:
        assert whole_there
        assert part == data[start:stop]
    elif whole_there:
        assert data[start:stop] == b""  # the stop comes before the start


TAPES = {"a": "00A4\n.include b", "b": ".repeat 2\n.include c\n.end", "c": "00B0", "loop": ".include loop"}


def test_include_brings_the_statements_of_the_other_tape() -> None:
    first, second = parse(".include a", include=TAPES.__getitem__).statements
    assert isinstance(first, Send)
    assert isinstance(second, Repeat)
    assert (first.place.file, second.place.file, second.body[0].place.file) == ("a", "b", "c")


def test_a_tape_names_others_from_its_own_folder() -> None:
    tapes = {"more/a": ".include b\n.include deep/c", "more/b": "00B0", "more/deep/c": ".include ../b\n00C0"}
    tapes["more/deep/../b"] = tapes["more/b"]
    read = parse(".include more/a", file="/any/where", include=tapes.__getitem__).statements
    assert [statement.place.file for statement in read] == ["more/b", "more/deep/../b", "more/deep/c"]


def test_a_tape_that_includes_itself_is_refused() -> None:
    with pytest.raises(TapeError, match=r"^loop:1:1:.*loop includes loop") as caught:
        parse("00A4\n.include loop", file="top", include=TAPES.__getitem__)
    assert (caught.value.file, caught.value.line) == ("loop", 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("00A", 1, 1, "3 hex digits"),
        ("00A4\n0x00", 2, 2, "found x"),
        ("00A4\n00 xA", 2, 4, "found x"),
        ("00A4 (90)", 1, 7, "4 hex digits, this has 2"),
        ("00A4 (9000", 1, 11, r"expected \) or ,"),
        ("00A4 [00", 1, 9, r"expected .*\]"),
        ("00A4 -> 9", 1, 9, "expected a name"),
        ('00A4 ${mac("0")}', 1, 12, "no whole bytes"),
        (".card x", 1, 7, "expected a number"),
        (".card -1", 1, 7, "below zero"),
        (".repeat -2\n.end", 1, 9, "below zero"),
        (".repeat 2\n00A4", 2, 5, r"expected .*\.end"),
        (".end", 1, 1, r"found \.end"),
        (".frobnicate", 1, 1, r"expected .*\.repeat"),
        (".include other.apdu", 1, 1, "cannot include"),
    ],
)
def test_a_fault_is_placed(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(TapeError, match=message) as caught:
        parse(text, file="card.apdu")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("card.apdu", line, column)


@pytest.mark.parametrize(
    "text",
    [
        ".define KEY 0011223344556677X\n", ".define KEY 0011223344556677889", '00 ${f("0011223344556677889")}',
        "00A4 (00112233445566778899)", ".card 00112233445566778899AA", ".define 00112233445566778899",
        '.define "0011223344556677889900"', "00A4 -> 0011223344556677889900",
    ],
)  # fmt: skip
def test_a_fault_tells_no_digits(text: str) -> None:
    with pytest.raises(TapeError) as caught:
        parse(text)
    assert "001122" not in str(caught.value)


def test_a_file_that_cannot_be_included_is_told_where_it_is_included() -> None:
    def include(name: str) -> str:
        raise TapeError("there is no such file", file=name)

    with pytest.raises(TapeError, match=r"^s:2:1: more.apdu: there is no such file"):
        parse("00A4\n.include more.apdu", file="s", include=include)


@given(st.text(alphabet='0A9XF$ {}()[]"*.,:=->#/\\\n\rrepatndsuic', max_size=60))
def test_any_text_is_a_tape_or_a_tape_error(text: str) -> None:
    try:
        parse(text)
    except TapeError as error:
        assert error.line  # noqa: PT017 - both outcomes are fine, a fault without a place is not


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(TapeError, match="too deep"):
        parse("00A4 ${" + "f(" * 5000 + "A" + ")" * 5000 + "}")


def test_the_example_in_the_package_docstring_is_a_tape() -> None:
    lines = (tape_package.__doc__ or "").splitlines()
    example = "\n".join(line[4:] for line in lines if line.startswith("    "))
    tape = parse(example, include=lambda name: "805C000204 (9000)")
    assert [type(statement).__name__ for statement in tape.statements] == [
        *("Define", "Reset", "Send", "Send", "Send", "Send", "Send", "Repeat", "SwitchCard", "Send")
    ]
