"""Scripts of the Java Card kit's apdutool, and of jCardSim's APDU script tool, which takes the same.

A statement ends with a semicolon and may go over several lines. A command is
`CLA INS P1 P2 Lc [data] Le;` in numbers of one byte: decimal, 0x hexadecimal, 0 octal, a character in single quotes,
or UTF-8 in double quotes. The words `powerup powerdown output on|off echo "text" delay MILLISECONDS contacted
contactless extended on|off select AID` are written in either case; comments are `//` and `/* */`, directives those of
`apdutool_words`.

The tools get the whole answer after 61xx and 6Cxx themselves, and expect nothing of it. Both interfaces lead to the
one card. What stands between the data and Le is passed over, as jCardSim does. More than the tools we take a command
without Le, and one that ends after P2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.tape import Pattern, Tape
from kaguan.apdu.tape.model import Place, Reset, Send, Template
from kaguan.terminal.scripts.apdutool_words import Kind, Token, Words
from kaguan.terminal.scripts.places import Places
from kaguan.terminal.scripts.script import CardScript, Part, Say, Show, Wait, syntax_error

LONGEST_WAIT_MILLISECONDS: Final = 3_600_000
_SHORT_DATA: Final = 255


_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES: Final = dict(zip("btnfr\"'\\", "\b\t\n\f\r\"'\\", strict=True))
_ELSEWHERE: Final = {
    "create": "written by apdutool -k",
    "send": "written by apdutool -k",
    "open": "without 'open': readers are named with --reader",
    "close": "without 'close': readers are named with --reader",
}


def read_apdutool(text: str, file: str) -> CardScript:
    """The script that this text is to apdutool.

    Raises:
        ScriptSyntaxError: it is none.
    """
    return CardScript(file, tuple(_Reading(text, file).parts()), follows=True)


class _Reading:
    """One script: the mode that its commands are written in, and whether the card has power."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._places = Places(text, file)
        self._file = file
        self._extended = False
        self._off_since: Place | None = None

    def parts(self) -> Iterator[Part]:
        """Commands and resets that follow one another make one tape."""
        tape: list[Send | Reset] = []
        for statement in self._statements():
            made = self._made(statement)
            if isinstance(made, Send | Reset):
                tape.append(made)
            elif made is not None:
                if tape:
                    yield Tape(tuple(tape), self._file)
                    tape = []
                yield made
        if tape:
            yield Tape(tuple(tape), self._file)

    def _statements(self) -> Iterator[list[Token]]:
        statement: list[Token] = []
        for token in Words(self._text, self._file).tokens():
            if token.kind is not Kind.END:
                statement.append(token)
            elif statement:
                yield statement
                statement = []
        if statement:
            raise syntax_error(self._place(statement[0]), "expected ; at the end of this statement, found none")

    def _place(self, token: Token) -> Place:
        return self._places.of(token.at)

    def _made(self, statement: list[Token]) -> Part | Send | Reset | None:
        first = statement[0]
        place = self._place(first)
        if first.kind is Kind.WORD:
            return self._order(first.text.casefold(), statement[1:], place)
        self._require_power(place)
        raw = self._bytes(statement)
        return _send(self._long(raw, place) if self._extended else _short(raw, place), place)

    def _order(self, word: str, rest: list[Token], place: Place) -> Part | Send | Reset | None:
        """A statement that begins with a word."""
        match word, [token.text.casefold() for token in rest]:
            case ("powerup", []):
                self._off_since = None
                return Reset(None, (), place)
            case ("powerdown", []):
                self._off_since = place
            case ("contacted" | "contactless", []):
                pass
            case ("extended", [] | ["on"] | ["off"] as state):
                self._extended = state != ["off"]
            case ("output", ["on" | "off" as state]):
                return Show(state == "on")
            case ("echo", [_]) if rest[0].kind is Kind.TEXT:
                return Say(self._unquoted(rest[0]))
            case ("delay", [_]) if rest[0].kind is Kind.NUMBER:
                return self._wait(rest[0])
            case ("select", [_, *_]):
                self._require_power(place)
                name = self._bytes(rest)
                return _send(bytes(CommandApdu(0x00, 0xA4, 0x04, 0x00, name, 0x7F)), place)
            case _:
                raise self._unknown(word, place)
        return None

    def _unknown(self, word: str, place: Place) -> Exception:
        if word in _ELSEWHERE:
            return syntax_error(place, f"expected a script {_ELSEWHERE[word]}, found {word}")
        return syntax_error(
            place,
            'expected a command in numbers, powerup, powerdown, output on, output off, echo "text", delay NUMBER, '
            f"contacted, contactless, extended on, extended off or select AID, found {word}",
        )

    def _wait(self, token: Token) -> Wait:
        milliseconds = self._number(token)
        if milliseconds > LONGEST_WAIT_MILLISECONDS:
            raise syntax_error(self._place(token), f"expected at most {LONGEST_WAIT_MILLISECONDS} ms, an hour")
        return Wait(milliseconds)

    def _require_power(self, place: Place) -> None:
        if self._off_since is not None:
            raise syntax_error(place, f"expected powerup first: the card is off since line {self._off_since.line}")

    def _bytes(self, tokens: list[Token]) -> bytes:
        return b"".join(map(self._of, tokens))

    def _of(self, token: Token) -> bytes:
        """The bytes that one token stands for."""
        match token.kind:
            case Kind.NUMBER:
                number = self._number(token)
                if number > 0xFF:
                    raise syntax_error(self._place(token), f"expected one byte, found {token.text[:12]}")
                return bytes((number,))
            case Kind.TEXT | Kind.CHARACTER:
                return self._unquoted(token).encode("utf-8", "surrogatepass")
            case Kind.AID:
                digits = "".join(token.text.split("/")[3:])
                if len(digits) % 2:
                    raise syntax_error(self._place(token), "expected whole bytes in this AID, found half a byte")
                return bytes.fromhex(digits)
            case _:
                raise syntax_error(self._place(token), f"expected a number, found {token.text}")

    def _number(self, token: Token) -> int:
        """Octal after a 0, as in Java, unless an 8 or a 9 says that jCardSim's decimal is meant."""
        text = token.text
        if len(text) > 20:
            raise syntax_error(self._place(token), "expected a number, found one of more than 20 digits")
        if text[:2] in ("0x", "0X"):
            return int(text[2:], 16)
        return int(text, 8) if text[0] == "0" and not set(text) & {"8", "9"} else int(text)

    def _unquoted(self, token: Token) -> str:
        """The text between the quotes, its escapes resolved as Java does."""
        return _ESCAPE.sub(lambda escape: self._escaped(escape, token), token.text[1:-1])

    def _escaped(self, escape: re.Match[str], token: Token) -> str:
        code = escape.group(1)
        if code in _ESCAPES:
            return _ESCAPES[code]
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        if code.isdecimal():
            return chr(int(code, 8))
        raise syntax_error(self._places.of(token.at + 1 + escape.start()), f"expected an escape, found \\{code}")

    def _long(self, raw: bytes, place: Place) -> bytes:
        """The command in ISO's extended form: Lc and Le have two bytes, with or without a 00 before Lc."""
        for start in (4, 5) if raw[4:5] == b"\0" else (4,):
            lc = int.from_bytes(raw[start : start + 2], "big")
            if len(raw) - start - 2 == lc + 2 and len(raw) >= start + 4:
                return raw[:4] + b"\0" + (raw[start : start + 2] if lc else b"") + raw[start + 2 :]
        if len(raw) == 7 and raw[4] == 0:
            return raw
        raise syntax_error(
            place, f"expected CLA INS P1 P2, Lc in two bytes, so many of data, Le in two bytes, found {len(raw)} bytes"
        )


def _short(raw: bytes, place: Place) -> bytes:
    size = len(raw)
    if size in (4, 5):
        return raw
    if size < 4:
        raise syntax_error(place, f"expected CLA INS P1 P2 Lc data Le, found {size} bytes")
    lc = raw[4]
    if size == 6 + lc:
        return raw if lc else raw[:4] + raw[5:]
    if size == 5 + lc:
        return raw
    if size < 5 + lc:
        raise syntax_error(place, f"expected {lc} data bytes after Lc, and Le, found {size - 5} bytes")
    return _short(raw[: 5 + lc] + raw[-1:], place)


def _send(raw: bytes, place: Place) -> Send:
    return Send(Template((Pattern.exactly(raw),), place), None, None, (), place)
