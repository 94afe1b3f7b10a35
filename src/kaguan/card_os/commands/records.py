"""READ, UPDATE and APPEND RECORD, by number, by tag and all from a number on.

A variable file's records are simple TLV, one tag byte and one length byte, and come back with both; a cyclic file's
records are raw, number 1 the newest.
"""

from __future__ import annotations

from kaguan.apdu import tlv
from kaguan.apdu.command import SHORT_NE, CommandApdu
from kaguan.apdu.errors import TlvSyntaxError
from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.access import addressed_file, require_access
from kaguan.card_os.image import ONE_BYTE, Address, Elementary, Lifecycle
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.model import FileKind
from kaguan.card_os.writes import PutRecord, PutRecords, Write

BY_TAG, PREVIOUS, BY_NUMBER, ALL_FROM = 0, 3, 4, 5

TURNS = ((0, PREVIOUS), (1, BY_NUMBER))
"""P1 and mode with which UPDATE RECORD turns a cyclic file on; personalization tools and drivers differ."""

MOST_RECORDS = 255
_new = tuple.__new__  # as in `apdu.command`

NATIVE_MODES = (BY_TAG, BY_NUMBER)
"""Modes with which APPEND RECORD comes to a native card: the standard's, and the one of all its record commands."""


def read_record(view: View, command: CommandApdu) -> Outcome:
    """Answer a record, or all from a number on; the file becomes current, and so does the record.

    Refuses, in this order: 6A82 no such file, 6986 no current file, 6981 one without records, 6700 more data than the
    card takes, 6900 (`native.protection_differs`) the file wants protection, 6982 rights, 6A86 mode, 6A83 no such
    record, 6700 no Le, or data, 6Cxx an Le that is not the record's length (a longer Le is served when all records are
    asked for).
    """
    p2 = command.p2
    address, file = addressed_file(view, p2 >> 3)
    if file.kind is FileKind.TRANSPARENT:
        raise Refuse(0x6981)
    require_access(view, command, file, write=False)
    mode = p2 & 0x07
    if mode == ALL_FROM:
        number = command.p1 or 1
        data = b"".join(file.records[number - 1 :])
        if not data:
            raise Refuse(0x6A83)
    else:
        number = record_number(view, address, file, command.p1, mode)
        data = file.records[number - 1]
    ne = command.ne
    if ne is None or command.data:
        raise Refuse(0x6700)
    size = len(data)
    if ne != size and ne < SHORT_NE and (ne < size or mode != ALL_FROM):
        raise Refuse(0x6C00 | (size & 0xFF if size <= SHORT_NE else 0))
    return _new(Outcome, (data, 0x9000, view.session.at(address, number), ()))


def update_record(view: View, command: CommandApdu) -> Outcome:
    """Plan the record's new content; in a cyclic file a new newest record, for which P1 and mode are 00, 3 or 01, 4.

    Refuses, in this order: 6A82 no such file, 6986 no current file, 6981 one without records, 6700 more data than the
    card takes, 6900 (`native.protection_differs`) the file wants protection, 6982 rights, 6700 no data or a wrong
    length, 6A86 mode, 6A83 no such record, 6A80 no TLV, 6A84 the file is full.
    A native card also takes the number of a record that was never written, and in a variable file it refuses another
    length with 6A83.
    """
    address, file = _writable(view, command)
    mode = command.p2 & 0x07
    native = CommandSet.NATIVE in view.chip.behaviour.commands
    if file.kind is FileKind.CYCLIC:
        if (command.p1, mode) not in TURNS:
            raise Refuse(0x6A86)
        return Outcome(b"", 0x9000, view.session.at(address, 1), ((push(address, file, command.data),),))
    if native and mode == BY_NUMBER and command.p1 > len(file.records):
        after = view.session.at(address, command.p1)
        return Outcome(b"", 0x9000, after, ((_first(view, address, file, command),),))
    number = record_number(view, address, file, command.p1, mode)
    replaced = file.records[number - 1]
    if native and len(command.data) != len(replaced):
        raise Refuse(0x6A83)
    _check_room(file, command.data, replaced)
    write = PutRecord(address, number - 1, command.data)
    return Outcome(b"", 0x9000, view.session.at(address, number), ((write,),))


def append_record(view: View, command: CommandApdu) -> Outcome:
    """Plan one more record at the end; in a cyclic file a new newest record.

    While the chip is written, before its seal, one command brings as many records of a variable file as it holds.
    Refuses, in this order: 6A82 no such file, 6986 no current file, 6981 one without records, 6700 more data than the
    card takes, 6900 (`native.protection_differs`) the file wants protection, 6982 rights, 6700 no data or a wrong
    length, 6A86 P1 or mode, 6A80 no TLV, 6A84 the file is full.
    """
    address, file = _writable(view, command)
    modes = NATIVE_MODES if CommandSet.NATIVE in view.chip.behaviour.commands else (BY_TAG,)
    if command.p1 or command.p2 & 0x07 not in modes:
        raise Refuse(0x6A86)
    if file.kind is FileKind.CYCLIC:
        write: Write = push(address, file, command.data)
        number = 1
    elif file.kind is FileKind.LINEAR_VARIABLE and view.image.lifecycle is Lifecycle.CREATION:
        write = PutRecords(address, (*file.records, *_several(file, command.data)))
        number = len(write.records)
    else:
        _check_room(file, command.data, b"")
        write = PutRecord(address, len(file.records), command.data)
        number = len(file.records) + 1
    return Outcome(b"", 0x9000, view.session.at(address, number), ((write,),))


def _several(file: Elementary, data: bytes) -> list[bytes]:
    """The records in the data. Refuses: 6A80 no TLV, 6A84 the file has no room for all of them."""
    try:
        found = list(tlv.raw_records(data))
    except TlvSyntaxError:
        raise Refuse(0x6A80) from None
    if len(file.records) + len(found) > MOST_RECORDS:
        raise Refuse(0x6A84)
    if file.size and sum(map(len, file.records)) + len(data) > file.size:
        raise Refuse(0x6A84)
    return found


def push(address: Address, file: Elementary, record: bytes) -> PutRecords:
    """The write that makes this the newest record of a cyclic file, the oldest leaving when the file is full."""
    return _new(PutRecords, (address, (record, *file.records[: file.size - 1])))


def _first(view: View, address: Address, file: Elementary, command: CommandApdu) -> Write:
    """The write that makes record P1, which nobody has written yet: any in a file of fixed records, in a variable one
    the next. Refuses 6A83 no such record, and as a record that is appended."""
    number, records = command.p1, file.records
    if number > (file.size if file.record_size else len(records) + 1):
        raise Refuse(0x6A83)
    _check_room(file, command.data, b"")
    between = ONE_BYTE[view.chip.behaviour.native.erased] * file.record_size
    return PutRecords(address, (*records, *(between,) * (number - 1 - len(records)), command.data))


def _writable(view: View, command: CommandApdu) -> tuple[Address, Elementary]:
    address, file = addressed_file(view, command.p2 >> 3)
    if file.kind is FileKind.TRANSPARENT:
        raise Refuse(0x6981)
    require_access(view, command, file, write=True)
    if not command.data or (file.record_size and len(command.data) != file.record_size):
        raise Refuse(0x6700)
    return address, file


def record_number(view: View, address: Address, file: Elementary, p1: int, mode: int) -> int:
    """The number, from 1, of the record that P1 and the mode name. Refuses 6A86 an unknown mode, 6A83 none there."""
    records = file.records
    if mode == BY_NUMBER:
        number = p1 or _current_record(view, address)
        if not 1 <= number <= len(records):
            raise Refuse(0x6A83)
        return number
    if mode != BY_TAG or file.kind is not FileKind.LINEAR_VARIABLE:
        raise Refuse(0x6A86)
    for number, record in enumerate(records, 1):
        if record[0] == p1:
            return number
    raise Refuse(0x6A83)


def _current_record(view: View, address: Address) -> int:
    """The number of the file's current record, 0 when it has none: a file just come to by its short identifier."""
    return view.session.record if view.session.file == address else 0


def _check_room(file: Elementary, data: bytes, replaced: bytes) -> None:
    if file.kind is FileKind.LINEAR_VARIABLE:
        if len(data) < 2 or data[1] != len(data) - 2:
            raise Refuse(0x6A80)
        if file.size and sum(map(len, file.records)) - len(replaced) + len(data) > file.size:
            raise Refuse(0x6A84)
        room = MOST_RECORDS
    else:
        room = file.size
    if not replaced and len(file.records) >= room:
        raise Refuse(0x6A84)
