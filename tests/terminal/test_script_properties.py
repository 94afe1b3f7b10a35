"""Whatever text comes: steps, or an error with its place; and what a script says is what is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import KaguanError
from kaguan.terminal.scripts import Dialect, ScriptSyntaxError, decoded, read_script, recognised
from terminal.wire import Wire, played_on, sent

pytestmark = pytest.mark.slow

_Error = TypeVar("_Error", bound=Exception)

WORDS = [
    "00A4", "0084000008", "0", "(9000)", "(RAM+9000)", "[", "]", "${", "}", "->", "=", "+", ",", "(", ")", ";", "\\\n",
    "\n", "\r\n", " ", "# ", "// ", "/*", "*/", '"', "'", "0x00", "0xFF", "300", "powerup", "echo", "delay",
    "powerdown", "#define A ", "#ifdef A\n", "#else\n", "#endif\n", "A",
    "extended on", "output off", "select", "//aid/A0/B0", "reset", "exit", ".define A", ".repeat 2", ".end", ".card 1",
    ".include x", "CPURESET()", "SET_CPU(1)", "COPY(", "LAST(", "3DES_MAC_COM(00,", "RAM", "密钥", "（", "\0", "\ufeff",
]  # fmt: skip
scripts = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=30).map("".join))
commands = st.lists(st.binary(min_size=6, max_size=40), max_size=8)


def included(_name: str) -> str:
    """A tape that includes another for ever."""
    return ".include again\n"


def error_of(work: Callable[[], object], kind: type[_Error]) -> _Error | None:
    """The error of this kind that the work ends with, None when it ends well."""
    try:
        work()
    except kind as error:
        return error
    return None


@pytest.mark.parametrize("dialect", list(Dialect))
@given(text=scripts)
def test_any_text_is_a_script_or_an_error_with_its_place(dialect: Dialect, text: str) -> None:
    error = error_of(lambda: read_script(text, "s", dialect, included), ScriptSyntaxError)
    if error is not None:
        assert 1 <= error.line <= text.count("\n") + text.count("\r") + 2
        assert error.column >= 1


@pytest.mark.parametrize("dialect", list(Dialect))
@given(text=scripts)
def test_any_script_plays_or_complains(dialect: Dialect, text: str) -> None:
    error = error_of(lambda: played_on(text, dialect, [Wire("6102", "6A82")]), KaguanError)
    assert error is None or str(error)


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_text_or_an_error(raw: bytes) -> None:
    error = error_of(lambda: recognised(decoded(raw, "s.txt"), "s.txt"), ScriptSyntaxError)
    assert error is None or error.line >= 1


@given(commands)
def test_every_dialect_sends_the_bytes_that_are_written(wanted: list[bytes]) -> None:
    expected = [command.hex().upper() for command in wanted]
    assert sent("\n".join(command.hex(" ") for command in wanted), Dialect.SCRIPTOR) == expected
    assert sent("\n".join(command.hex() for command in wanted), Dialect.CPU) == expected
    assert sent("\n".join(expected), Dialect.TAPE) == expected


@given(st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=30), st.integers(0, 255))))
def test_apdutool_sends_the_bytes_that_are_written(wanted: list[tuple[bytes, bytes, int]]) -> None:
    raw = [header + bytes((len(data),)) + data + bytes((le,)) for header, data, le in wanted]
    text = "\n".join(" ".join(f"0x{byte:02x}" for byte in command) + ";" for command in raw)
    assert sent(text, Dialect.APDUTOOL) == [command.hex().upper() for command in raw]


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("00" * 4_000_000, Dialect.SCRIPTOR),
        ("00 \\\n" * 200_000 + "0", Dialect.SCRIPTOR),
        ("(" * 100_000, Dialect.TAPE),
        ("${copy(" * 20_000, Dialect.TAPE),
        ('${"00"}' * 200_000 + "${A}", Dialect.TAPE),
        (".repeat 1\n" + "00 " * 40_000 + "${A}\n.end", Dialect.TAPE),
        ("\n" * 500_000 + "#define A A A\n" * 100 + "A " * 100_000 + "#", Dialect.APDUTOOL),
        ("#define A 0 0 0 0 0 0 0 0 0 0\n" + "A " * 100_000 + ";", Dialect.APDUTOOL),
        (".repeat 2\n" * 5_000, Dialect.TAPE),
        ("COPY(" * 20_000, Dialect.CPU),
        ("A=00\n" + "A=A+A\n" * 200 + "A", Dialect.CPU),
        ("+" * 1_000_000, Dialect.CPU),
        ("0x00 " * 300_000 + ";", Dialect.APDUTOOL),
        ("/*" * 500_000, Dialect.APDUTOOL),
        ('"' + "\\" * 500_001, Dialect.APDUTOOL),
        ("1" * 1_000_000 + ";", Dialect.APDUTOOL),
    ],
    ids=lambda value: str(value)[:12],
)
def test_hostile_scripts_end_with_an_error_soon(text: str, dialect: Dialect) -> None:
    with pytest.raises(KaguanError) as caught:
        played_on(text, dialect, [])
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "unit", ["/*", "\n", " ", "0\n", "0 ", "a+", "A\n=", "exi", "reset", "0 \t\n", "(", "0x", '"', "1 1 "]
)
def test_the_kind_of_a_hostile_script_is_told_soon(unit: str) -> None:
    error_of(lambda: recognised(unit * (1_000_000 // len(unit)), "s.txt"), ScriptSyntaxError)


@pytest.mark.parametrize(
    "line", [f"00{' ' * 100_000}?", f"{'00 ' * 100_000}?", f"00 [00{' ' * 100_000}?", f"00 = {' ' * 100_000}?"]
)
def test_a_long_line_of_a_tape_is_refused_soon(line: str) -> None:
    assert error_of(lambda: read_script(line, "s", Dialect.TAPE), ScriptSyntaxError) is not None
