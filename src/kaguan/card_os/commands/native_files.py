"""CREATE FILE and ERASE DF of a native card (FMCOS 2.0): P1 P2 is the identifier, the data is the file's parameters.

While a dedicated file is empty its rules do not hold, nor afterwards for the session that found it so, until it leaves
the file: that is how the first key comes into it.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import CodecError
from kaguan.card_os.access import require
from kaguan.card_os.image import MASTER_FILE, Address, Dedicated, KeyFile, Region
from kaguan.card_os.native import (
    DEDICATED_SIZE,
    DEDICATED_TYPE,
    FILE_SIZE,
    HOLDER_PIN,
    KEY_FILE_TYPE,
    PURSE_TYPE,
    dedicated_bytes,
    dedicated_of,
    elementary_of,
    empty,
    file_bytes,
    key_file_of,
    purse_of,
    room_left,
    taken,
)
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.session import FRESH, Session
from kaguan.card_os.writes import DropTree, PutDedicated, PutElementary, PutPurse, Write

PURSE_FIDS = {b"\x00\x01": 0x01, b"\x00\x02": 0x02, b"\xef\x01": 0x01, b"\xef\x02": 0x02}
"""Electronic deposit, electronic purse; campus cards name the purse EF02 (C), and it is the same one."""


def create_file(view: View, command: CommandApdu) -> Outcome:
    """Plan the file in the current dedicated file; an elementary one becomes current, a dedicated one does not.

    Refuses, in this order: 6700 too few bytes for the type, 6A81 no master file yet, 6982 rights, 6A80 parameters that
    no file has, 6A86 (`native.file_exists`) the file is there, 6A80 a key file that is not the first, 6A84
    (`native.too_deep`) too deep, 6A84 no room.
    """
    data, fid = command.data, bytes((command.p1, command.p2))
    dedicated = bool(data) and data[0] == DEDICATED_TYPE
    if len(data) < DEDICATED_SIZE + 1 if dedicated else len(data) != FILE_SIZE:
        raise Refuse(0x6700)
    if fid == MASTER_FILE:
        return _create_master_file(view, data)
    here, region = here_and_region(view)
    was_empty = empty(view.image, here)
    if not was_empty and FRESH not in view.session.rights:
        require(view, region.create)
    try:
        write, room, after = _planned(view, here, fid, data)
    except CodecError:
        raise Refuse(0x6A80) from None
    native = view.chip.behaviour.native
    if taken(view.image, here, fid) or (isinstance(write, PutPurse) and write.address in view.image.purses):
        raise Refuse(native.file_exists)
    if data[0] == KEY_FILE_TYPE and not was_empty:
        raise Refuse(0x6A80)
    if dedicated and len(here) // 2 >= native.levels:
        raise Refuse(native.too_deep)
    if room > room_left(view.image, here, native):
        raise Refuse(0x6A84)
    if was_empty:
        after = after._replace(rights=after.rights | {FRESH})
    return Outcome(b"", 0x9000, after, ((write,),))


def _planned(view: View, here: Address, fid: bytes, data: bytes) -> tuple[Write, int, Session]:
    """The write, the room it takes, and the session after it."""
    native, image, session = view.chip.behaviour.native, view.image, view.session
    address = here + fid
    if data[0] == DEDICATED_TYPE:
        made = dedicated_of(data, native)
        return PutDedicated(address, made), dedicated_bytes(made, native), session
    if data[0] == KEY_FILE_TYPE:
        key_file = key_file_of(fid, data)
        write = PutDedicated(here, _with_key_file(view, key_file))
        return write, native.header_bytes + key_file.space_bytes, session
    if data[0] == PURSE_TYPE:
        if fid not in PURSE_FIDS:
            raise Refuse(0x6A80)
        purse_type = PURSE_FIDS[fid]
        pin = native.purse_needs_pin and here + bytes((HOLDER_PIN,)) in image.pins
        purse = purse_of(here, purse_type, data, pin=pin)
        return PutPurse(here + fid[1:], purse), native.purse_bytes, session
    file = elementary_of(data, native)
    return PutElementary(address, file), file_bytes(file, native), session._replace(file=address, record=0)


def _create_master_file(view: View, data: bytes) -> Outcome:
    """The master file, where there is none or an empty one; it becomes current.

    Refuses, in this order: 6A80 parameters that no dedicated file has, the profile's word when it has files.
    """
    native, image = view.chip.behaviour.native, view.image
    if data[0] != DEDICATED_TYPE:
        raise Refuse(0x6A80)
    try:
        made = dedicated_of(data, native)
    except CodecError:
        raise Refuse(0x6A80) from None
    if MASTER_FILE in image.dedicated and not empty(image, MASTER_FILE):
        raise Refuse(native.file_exists)
    after = Session(MASTER_FILE, rights=view.session.rights | {FRESH})
    return Outcome(b"", 0x9000, after, ((PutDedicated(MASTER_FILE, made),),))


def erase_dedicated(view: View, command: CommandApdu) -> Outcome:
    """Plan the end of all that lies in the current dedicated file, keys and key file too; itself it stays, empty.

    Refuses, in this order: 6A86 P1 or P2, 6700 data, 6A81 no master file, 6982 rights.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if command.data:
        raise Refuse(0x6700)
    here, region = here_and_region(view)
    if FRESH not in view.session.rights:
        require(view, region.erase)
    emptied = _with_key_file(view, None)
    after = Session(here, rights=view.session.rights | {FRESH})
    return Outcome(b"", 0x9000, after, ((DropTree(here), PutDedicated(here, emptied)),))


def here_and_region(view: View) -> tuple[Address, Region]:
    """The current dedicated file's address and region.

    Refuses: 6A81 there is no master file.
    """
    here = view.session.current
    dedicated = view.image.dedicated.get(here)
    if dedicated is None or dedicated.region is None:
        raise Refuse(0x6A81)
    return here, dedicated.region


def _with_key_file(view: View, key_file: KeyFile | None) -> Dedicated:
    """The current dedicated file with this key file, or with none."""
    here, region = here_and_region(view)
    return view.image.dedicated[here]._replace(region=region._replace(key_file=key_file))
