"""A trace as a person reads it: each exchange with the command's name, the file, the fields, and what the answer means.

    3   0.001204  READ RECORD of SSSE/EF06, tag 02
                > 00B2020400
                < 02087A...9000  done
                  02 name: ...

Only what may be shown is decoded: hidden bytes stay XX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from kaguan.apdu import textcodec
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import InputError
from kaguan.apdu.instruction import GET_RESPONSE, Instruction, instruction_of
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.tape import Pattern
from kaguan.apdu.tlv import Tlv, records
from kaguan.apdu.trace import EventKind, TraceEvent
from kaguan.card_os.profile import CardProfile, FileKind, FileSpec
from kaguan.card_os.profile.values import decode_layout, decode_value
from kaguan.terminal.trace.layouts import LAYOUTS, Layout, described
from kaguan.terminal.trace.place import BINARY, RECORD, SELECT, Whereabouts

_INDENT: Final = " " * 18
_NO_LAYOUT: Final = Layout()
_TAGS: Final = {
    0x6F: "file control information",
    0x84: "name",
    0xA5: "proprietary",
    0x88: "short identifier of the directory",
    0x9F08: "version",
    0x9F0C: "issuer's data",
    0x50: "label",
    0x4F: "application identifier",
    0x61: "application",
    0x70: "record",
    0x62: "file control parameters",
    0x82: "file descriptor",
    0x83: "file identifier",
    0x80: "size",
    0x8A: "life cycle",
}
_TEXTS: Final = frozenset({0x84, 0x50})


class Narrator:
    """Follows a trace from its beginning and tells each event in some lines."""

    def __init__(self, profile: CardProfile) -> None:
        self._profile = profile
        self._places: dict[int, Whereabouts] = {}
        self._asked: dict[int, tuple[CommandApdu, Instruction | None]] = {}
        self._number = 0

    def lines(self, event: TraceEvent) -> Iterator[str]:
        """The lines that tell this event; the next call is for the next event."""
        self._number += 1
        head = f"{self._number:>5} {event.at_us / 1e6:>10.6f}  "
        if event.card or len(self._places) > 1:
            head += f"card {event.card}: "
        place = self._places.setdefault(event.card, Whereabouts(self._profile))
        match event.kind:
            case EventKind.OPENED | EventKind.RESET:
                place.reset()
                yield f"{head}{'reset' if event.kind is EventKind.RESET else 'power on'}, ATR {event.response}"
            case EventKind.EXCHANGE:
                yield from self._exchange(head, place, event)
            case EventKind.LOST:
                what = str(event.command) if event.command.value else "reset"
                yield f"{head}NO ANSWER to {self._named(place, event.command)}"
                yield f"{_INDENT}> {what}"
                yield f"{_INDENT}! {event.text}"
            case EventKind.FAULT:
                yield f"{head}FAULT put in: {event.text}"
            case EventKind.CLOSED:
                yield f"{head}power off"

    def _named(self, place: Whereabouts, command: Pattern) -> str:
        parsed = _parsed(command)
        return f"{title(place, parsed, _row(parsed))}" if parsed else "bytes that are no command"

    def _exchange(self, head: str, place: Whereabouts, event: TraceEvent) -> Iterator[str]:
        command = _parsed(event.command)
        response = _answer(event.response)
        row = _row(command) if command else None
        yield f"{head}{title(place, command, row) if command else 'bytes that are no command'}"
        yield f"{_INDENT}> {event.command}"
        yield f"{_INDENT}< {event.response}  {response.sw.meaning if response else 'no response: fewer than 2 bytes'}"
        if command is None or response is None:
            return
        if row == GET_RESPONSE and event.card in self._asked:
            command, row = self._asked[event.card]
        elif row != GET_RESPONSE:
            self._asked[event.card] = command, row
        for line in self._details(place, command, row, event, response):
            yield f"{_INDENT}  {line}"
        place.follow(command, response.sw)

    def _details(
        self, place: Whereabouts, command: CommandApdu, row: Instruction | None, event: TraceEvent, answer: ResponseApdu
    ) -> Iterator[str]:
        layout = LAYOUTS.get(row.name, _NO_LAYOUT) if row else _NO_LAYOUT
        meant = place.meant(command)
        file = meant if isinstance(meant, FileSpec) else None
        if command.data and event.command.exact is not None:
            yield from described(layout.command, command.data)
            yield from _contents(file, command, command.data)
        if answer.data and event.response.exact is not None:
            yield from described(layout.answer, answer.data)
            yield from _contents(file, command, answer.data)
            if command.ins == SELECT:
                yield from _tree(answer.data)


def _parsed(command: Pattern) -> CommandApdu | None:
    try:
        return CommandApdu.parse(command.value)
    except InputError:
        return None


def _answer(response: Pattern) -> ResponseApdu | None:
    try:
        return ResponseApdu.parse(response.value)
    except InputError:
        return None


def _row(command: CommandApdu) -> Instruction | None:
    return instruction_of(command.cla, command.ins, command.p1)


def title(place: Whereabouts, command: CommandApdu, row: Instruction | None) -> str:
    """What the command of this row is, and what it is about on this card."""
    if row is None:
        return f"unknown command {command.header[:2].hex().upper()}"
    meant = place.meant(command)
    name = row.name
    if meant is not None:
        name += f" {place.path(meant)}" if command.ins == SELECT else f" of {place.path(meant)}"
    if command.ins in RECORD:
        name += f", {_which(meant if isinstance(meant, FileSpec) else None, command)}"
    elif command.ins in BINARY:
        offset = command.p2 if command.p1 & 0x80 else command.p1 << 8 | command.p2
        name += f", from byte {offset}"
    return name


def _which(file: FileSpec | None, command: CommandApdu) -> str:
    if not command.p2 & 0x04:
        field = next((field for field in file.fields if field.tag == command.p1), None) if file else None
        return f"tag {command.p1:02X} {field.name if field else ''}".rstrip()
    return f"record {command.p1}" if command.p1 else "current record"


def _contents(file: FileSpec | None, command: CommandApdu, data: bytes) -> Iterator[str]:
    """The fields in a record of this file, one a line."""
    if file is None or command.ins not in RECORD:
        return
    if file.layout:
        yield _readable(lambda: decode_layout(file.layout, data))
    elif file.kind is FileKind.LINEAR_VARIABLE:
        yield from _fields(file, data)


def _fields(file: FileSpec, data: bytes) -> Iterator[str]:
    known = {field.tag: field for field in file.fields}
    try:
        for tag, value in records(data):
            if tag in known:
                field = known[tag]
                text = _readable(partial(decode_value, field, value))
                yield f"{tag:02X} {field.title or field.name}: {text}"
    except InputError:
        yield "no records"


def _readable(read: Callable[[], str]) -> str:
    try:
        return read()
    except InputError as error:
        return f"unreadable: {error}"


def _tree(data: bytes, depth: int = 0) -> Iterator[str]:
    objects, rest = Tlv.parse_lenient(data)
    for item in objects:
        name = _TAGS.get(item.tag, "")
        head = f"{'  ' * depth}{item.tag:02X} {name}".rstrip()
        if item.constructed:
            yield head
            yield from _tree(item.value, depth + 1)
        else:
            yield f"{head}: {_shown(item)}"
    if rest:
        yield f"{'  ' * depth}then {rest.hex().upper()}"


def _shown(item: Tlv) -> str:
    text = item.value.hex().upper()
    if item.tag in _TEXTS:
        try:
            readable = textcodec.decode(item.value)
        except InputError:
            return text
        if readable.isprintable():
            return f"{text} {readable}"
    return text
