"""Bytes to text, text to script: which encoding, which dialect.

What a suffix of its own does not decide, the content does: directives and `${}` are a tape's, `0x00 0xA4` and
`powerup;` apdutool's, assignments, `+` and the built-ins a CPU card script's, bare hex lines scriptor's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape import parse
from kaguan.apdu.tape.model import Place
from kaguan.terminal.scripts.apdutool import read_apdutool
from kaguan.terminal.scripts.cpu import read_cpu
from kaguan.terminal.scripts.cpu_words import plain
from kaguan.terminal.scripts.functions import FUNCTIONS
from kaguan.terminal.scripts.places import Places
from kaguan.terminal.scripts.script import CardScript, Include, ScriptSyntaxError, syntax_error
from kaguan.terminal.scripts.scriptor import read_scriptor

MOST_BYTES: Final = 32 * 1024 * 1024


class Dialect(StrEnum):
    """A kind of script."""

    TAPE = "tape"
    SCRIPTOR = "scriptor"
    APDUTOOL = "apdutool"
    CPU = "cpu"


_BY_SUFFIX: Final = {f".{dialect.value}": dialect for dialect in Dialect}
_TAPE_SUFFIX: Final = ".apdu"

# Every pattern takes time in proportion to the text, whatever is in it.
_COMMENTS = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\r\n]*|#[^\r\n]*", re.DOTALL)
_TAPE = re.compile(r"^[ \t]*\.(?:define|include|reset|card|repeat|end)\b|\$\{|->|\[", re.MULTILINE)
_APDUTOOL = re.compile(
    r"""^[ \t]*(?:powerup|powerdown|contacted|contactless|output[ ]+(?:on|off)|extended(?:[ ]+(?:on|off))?)[ \t]*;
    |^[ \t]*(?:echo[ \t]*"|delay[ \t]+[0-9]+[ \t]*;)
    |\b0x[0-9a-f]{1,2}\s+0x[0-9a-f]{1,2}\b
    |^[ \t]*(?:[0-9]{1,3}[ \t]+){5,}[0-9]{1,3}[ \t]*;""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_CPU = re.compile(
    r"""\b(?:CPURESET|SET_CPU)\b|\b(?:COPY|LAST|XOR|ECB_[3S]DES_[A-Z]+|3DES_MAC(?:_COM)?)[ \t]*\(
    |^[ \t]*(?![0-9A-F]+[ \t]*=)\w+[ \t]*=[ \t]*\w
    |\w[ \t]*\+[ \t]*\w""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:define|ifdef|ifndef)[ \t]+\w", re.MULTILINE)
_EXIT = re.compile("exit", re.IGNORECASE)
_ORDER = re.compile(r"^[ \t]*(?:reset|exit)[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_HEX_LINE = re.compile(r"(?:[0-9A-Fa-f\s\\]++|(?i:reset))*+")
_STATUS = re.compile(r"[0-9A-Fa-f]\s*(?:\(\s*[0-9A-FXx]{4}|=)")


def decoded(raw: bytes, file: str) -> str:
    """The text of a script: UTF-8, UTF-16 (with or without a mark), GB18030, or at last Latin-1.

    Raises:
        ScriptSyntaxError: too much, or no text.
    """
    if len(raw) > MOST_BYTES:
        raise ScriptSyntaxError(f"{len(raw)} bytes: a script has at most {MOST_BYTES}", file=file)
    text = _decoded(raw)
    nul = text.find("\0")
    if nul >= 0:
        raise syntax_error(Places(text, file).of(nul), "expected text, found a NUL: save the script as UTF-8")
    return text


def _decoded(raw: bytes) -> str:
    for encoding in _likely(raw):
        try:
            return raw.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def _likely(raw: bytes) -> tuple[str, ...]:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if len(raw) >= 4 and len(raw) % 2 == 0:
        for encoding, high in (("utf-16-le", raw[1::2]), ("utf-16-be", raw[::2])):
            if high.count(0) * 2 > len(high):
                return (encoding,)
    return "utf-8", "gb18030"


def recognised(text: str, file: str) -> Dialect:
    """The dialect that this script is written in.

    Raises:
        ScriptSyntaxError: neither name nor content tells.
    """
    suffix = PurePath(file).suffix.casefold()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    bare = _COMMENTS.sub("", plain(text))
    if _APDUTOOL.search(bare) or (_DIRECTIVE.search(text) and ";" in bare):
        return Dialect.APDUTOOL
    if _TAPE.search(bare):
        return Dialect.TAPE
    if _CPU.search(bare):
        return Dialect.CPU
    if _STATUS.search(bare) or (suffix == _TAPE_SUFFIX and not _ORDER.search(bare)):
        return Dialect.TAPE
    if suffix == _TAPE_SUFFIX or _mostly_hex(_EXIT.split(bare, 1)[0]):
        return Dialect.SCRIPTOR
    formats = ", ".join(Dialect)
    raise syntax_error(Place(file, 1, 1), f"expected a script of a known kind: name it with --format ({formats})")


def _mostly_hex(bare: str) -> bool:
    """Half of the lines may be wrong: their reader says where."""
    lines = [line for line in bare.splitlines() if line.strip()]
    return 2 * sum(_HEX_LINE.fullmatch(line) is not None for line in lines) >= len(lines)


def read_script(text: str, file: str, dialect: Dialect, include: Include | None = None) -> CardScript:
    """The script that this text is in this dialect; `include` gives the text of files that it includes.

    Raises:
        ScriptSyntaxError: it is none; with the place, what was expected and what was found.
    """
    if dialect is Dialect.TAPE:
        return _read_tape(text, file, include)
    return DIALECTS[dialect](text, file)


def _read_tape(text: str, file: str, include: Include | None) -> CardScript:
    try:
        return CardScript(file, (parse(text, file=file, include=include),), FUNCTIONS)
    except TapeError as error:
        raise ScriptSyntaxError(
            error.message, file=error.file, line=error.line or 1, column=error.column or 1
        ) from error


DIALECTS: Final[Mapping[Dialect, Callable[[str, str], CardScript]]] = MappingProxyType(
    {
        Dialect.TAPE: lambda text, file: _read_tape(text, file, None),
        Dialect.SCRIPTOR: read_scriptor,
        Dialect.APDUTOOL: read_apdutool,
        Dialect.CPU: read_cpu,
    }
)
"""The reader of each dialect."""
