"""The records of a composite purchase (复合应用消费): kept until DEBIT, and written with it or not at all."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import addressed_file, require
from kaguan.card_os.commands.purse import COMPOSITE, begun
from kaguan.card_os.commands.records import record_number
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.model import FileKind
from kaguan.card_os.writes import PutRecord


def update_composite_cache(view: View, command: CommandApdu) -> Outcome:
    """Keep the record in the session, and the purchase begun. Nothing is written.

    P1 is the record's tag (P2 sssss000) or number (sssss100). A record brought twice is written as it came last.
    Refuses, in this order: 6901 (`not_begun`) no composite purchase was begun, 6A82 no such file, 6986 no current file,
    6981 a file of another kind, 6982 rights (another file than the composite purchases' own), 6A86 mode, 6A83 no such
    record, 6700 another length than the record's, 6A80 another tag or TLV length.
    """
    pending = begun(view, (COMPOSITE,))
    address, file = addressed_file(view, command.p2 >> 3)
    if file.kind not in (FileKind.LINEAR_VARIABLE, FileKind.LINEAR_FIXED):
        raise Refuse(0x6981)
    if view.image.purses[pending.purse].rules.composite != address:
        require(view, file.update)
    number = record_number(view, address, file, command.p1, command.p2 & 0x07)
    old = file.records[number - 1]
    if len(command.data) != len(old):
        raise Refuse(0x6700)
    if file.kind is FileKind.LINEAR_VARIABLE and command.data[:2] != old[:2]:
        raise Refuse(0x6A80)
    write = PutRecord(address, number - 1, command.data)
    others = tuple(other for other in pending.cache if other[:2] != write[:2])
    return Outcome(b"", 0x9000, view.session._replace(pending=pending._replace(cache=(*others, write))))
