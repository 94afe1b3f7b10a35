"""READ and UPDATE BINARY on transparent files. P1 bit 8 set: P1's low five bits are a short file identifier."""

from __future__ import annotations

from kaguan.apdu.command import SHORT_NE, CommandApdu
from kaguan.card_os.access import addressed_file, require_access
from kaguan.card_os.image import Address, Elementary
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.model import FileKind
from kaguan.card_os.writes import PutBytes


def read_binary(view: View, command: CommandApdu) -> Outcome:
    """Answer the file's bytes from the offset on.

    Refuses, in this order: 6A86 P1, 6A82 no such file, 6986 no current file, 6981 not a transparent one, 6700 more data
    than the card takes, 6900 (`native.protection_differs`) the file wants protection, 6982 rights, 6B00 offset past the
    end, 6700 no Le, or data, 6Cxx an Le longer than what is left (Le 00 takes what is there).
    """
    address, file, offset = _located(view, command, write=False)
    ne = command.ne
    if ne is None or command.data:
        raise Refuse(0x6700)
    left = file.size - offset
    if ne > left and ne != SHORT_NE and ne <= SHORT_NE:
        raise Refuse(0x6C00 | left)
    after = view.session.at(address)
    return Outcome(file.content[offset : offset + min(ne, left)], 0x9000, after)


def update_binary(view: View, command: CommandApdu) -> Outcome:
    """Plan the new bytes.

    Refuses, in this order: 6A86 P1, 6A82 no such file, 6986 no current file, 6981 not a transparent one, 6700 more data
    than the card takes, 6900 (`native.protection_differs`) the file wants protection, 6982 rights, 6B00 offset past the
    end, 6700 no data, 6A84 the data runs over the end.
    """
    address, file, offset = _located(view, command, write=True)
    if not command.data:
        raise Refuse(0x6700)
    if offset + len(command.data) > file.size:
        raise Refuse(0x6A84)
    after = view.session.at(address)
    return Outcome(b"", 0x9000, after, ((PutBytes(address, offset, command.data),),))


def _located(view: View, command: CommandApdu, *, write: bool) -> tuple[Address, Elementary, int]:
    p1 = command.p1
    if p1 & 0x80:
        if p1 & 0x60 or not p1 & 0x1F:
            raise Refuse(0x6A86)
        address, file = addressed_file(view, p1 & 0x1F)
        offset = command.p2
    else:
        address, file = addressed_file(view, 0)
        offset = p1 << 8 | command.p2
    if file.kind is not FileKind.TRANSPARENT:
        raise Refuse(0x6981)
    require_access(view, command, file, write=write)
    if offset >= file.size:
        raise Refuse(0x6B00)
    return address, file, offset
