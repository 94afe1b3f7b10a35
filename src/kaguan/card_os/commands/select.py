"""SELECT: stand somewhere else in the tree.

Selecting an elementary file answers 9000 and nothing else, as shipping drivers insist; only selection by path shows its
file control information. Selecting a dedicated file always does. A purse or a key file, which commands of its own
reach, can be selected where the profile says so, and shows nothing.
"""

from __future__ import annotations

from functools import lru_cache

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.tlv import Tlv, template
from kaguan.card_os.image import MASTER_FILE, ONE_BYTE, Address, Dedicated, Elementary, Lifecycle, internal_file
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.fcp import DF_DESCRIPTOR, READ, UPDATE, Fcp
from kaguan.card_os.profile.model import BlockedSelect, FileKind
from kaguan.card_os.session import Session, rights_after_move

BY_FID, CHILD_DF, CHILD_EF, PARENT, BY_NAME, PATH_FROM_ROOT, PATH_FROM_HERE = 0, 1, 2, 3, 4, 8, 9
_WAYS = (BY_FID, CHILD_DF, CHILD_EF, PARENT, BY_NAME, PATH_FROM_ROOT, PATH_FROM_HERE)
WANT_FCI, WANT_FCP, WANT_NOTHING = 0x00, 0x04, 0x0C
OTHER_OCCURRENCES = (0x01, 0x02, 0x03)
"""P2 for the last, next and previous file of that name: no name is there twice."""


def select(view: View, command: CommandApdu) -> Outcome:
    """Leave the session in the file that the command names, with the rights that survive the way there.

    Refuses, in this order: 6A86 P1 or P2, 6A80 an identifier, or a path, of a wrong length, 6A82 no such file, or no
    further one, 6A82 (`internal_select`) it is a purse or a key file.
    """
    if command.p2 not in (WANT_FCI, WANT_FCP, WANT_NOTHING):
        raise Refuse(0x6A82 if command.p1 in _WAYS and command.p2 & 0xF3 in OTHER_OCCURRENCES else 0x6A86)
    address = _find(view, command)
    file = view.image.files.get(address)
    session = view.session
    if file is not None:
        there = address[:-2]
        rights = session.rights
        if there != session.current:
            rights = rights_after_move(rights, session.current, there)
        after = Session(there, address, 0, rights)
        if command.p2 == WANT_FCP:
            return Outcome(_file_fcp(address, file), 0x9000, after)
        shown = command.p2 == WANT_FCI and command.p1 in (PATH_FROM_ROOT, PATH_FROM_HERE)
        return Outcome(_file_fci(address, file) if shown else b"", 0x9000, after)
    dedicated = view.image.dedicated.get(address)
    if dedicated is None:
        return _internal(view, address)
    after = Session(address, None, 0, rights_after_move(session.rights, session.current, address))
    if dedicated.lifecycle is not Lifecycle.ACTIVATED and view.image.lifecycle is not Lifecycle.CREATION:
        return _blocked(view, dedicated, after)
    if command.p2 == WANT_FCP:
        return Outcome(_dedicated_fcp(view, address, dedicated), 0x9000, after)
    return Outcome(b"" if command.p2 == WANT_NOTHING else _fci(view, address, dedicated), 0x9000, after)


def _internal(view: View, address: Address) -> Outcome:
    there, session = address[:-2], view.session
    rights = session.rights
    if there != session.current:
        rights = rights_after_move(rights, session.current, there)
    return Outcome(b"", 0x9000, Session(there, address, 0, rights))


def _find(view: View, command: CommandApdu) -> Address:
    p1, data, here = command.p1, command.data, view.session.current
    if p1 == BY_NAME:
        for address, dedicated in view.image.dedicated.items():
            if dedicated.name == data:
                return address
        raise Refuse(0x6A82)
    if p1 in (PATH_FROM_ROOT, PATH_FROM_HERE):
        if len(data) % 2 or not data:
            raise Refuse(0x6A80)
        return _existing(view, (MASTER_FILE if p1 == PATH_FROM_ROOT else here) + data)
    if p1 == PARENT:
        if data:
            raise Refuse(0x6A80)
        return _existing(view, here[:-2])
    if p1 not in (BY_FID, CHILD_DF, CHILD_EF):
        raise Refuse(0x6A86)
    if not data and p1 == BY_FID:
        return _existing(view, MASTER_FILE)
    if len(data) != 2:
        raise Refuse(0x6A80)
    return _nearest(view, here, data) if p1 == BY_FID else _child(view, here + data, dedicated=p1 == CHILD_DF)


def _existing(view: View, address: Address) -> Address:
    if address in view.image.files or address in view.image.dedicated or _shows_internal(view, address):
        return address
    raise Refuse(0x6A82)


def _shows_internal(view: View, address: Address) -> bool:
    """Whether a purse or a key file is there that SELECT finds; refuses with the profile's word, if not 6A82."""
    word = view.chip.behaviour.internal_select
    if word == 0x6A82 or not internal_file(view.image, address):
        return False
    if word != 0x9000:
        raise Refuse(word)
    return True


def _child(view: View, address: Address, *, dedicated: bool) -> Address:
    """The file right below the current dedicated file, which must be of the kind asked for (ISO/IEC 7816-4, 11.1.1)."""
    if (address in view.image.dedicated) is not dedicated:
        raise Refuse(0x6A82)
    return _existing(view, address)


def _nearest(view: View, here: Address, fid: bytes) -> Address:
    """The file with this identifier: a child, the parent's child, and so on up to the master file itself.

    ISO/IEC 7816-4, 7.4.1 asks for child, sibling, parent; drivers hop on between applications, so all levels serve.
    """
    files, dedicated = view.image.files, view.image.dedicated
    while here:
        address = here + fid
        if address in files or address in dedicated or _shows_internal(view, address):
            return address
        here = here[:-2]
    if fid in dedicated:
        return fid
    raise Refuse(0x6A82)


def _blocked(view: View, dedicated: Dedicated, after: Session) -> Outcome:
    form = view.chip.behaviour.blocked_select
    if form is BlockedSelect.NOT_SUPPORTED:
        return Outcome(b"", 0x6A81, after)
    sw = 0x6283 if form is BlockedSelect.DEACTIVATED else 0x6A81
    return Outcome(_fci(view, after.current, dedicated), sw, after)


def _fci(view: View, address: Address, dedicated: Dedicated) -> bytes:
    shown = dedicated.shown
    if dedicated.shown_sfi:
        shown += _issuer_data(view, address, dedicated.shown_sfi)
    region = dedicated.region
    if region is not None and region.key_file is None and view.chip.behaviour.native.bare_without_key_file:
        shown = b""
    return _written_fci(dedicated.name, shown)


@lru_cache(maxsize=256)
def _written_fci(name: bytes, shown: bytes) -> bytes:
    """6F { 84 the name, A5 what is shown }; remembered, because every conversation begins with it."""
    parts = [Tlv(0x84, name)]
    if shown:
        parts.append(Tlv(0xA5, shown))
    return bytes(template(0x6F, *parts))


def _issuer_data(view: View, address: Address, sfi: int) -> bytes:
    """9F0C, the issuer's own data: what the file with that short identifier holds (JR/T 0025.1)."""
    for high in (b"\xef", b"\x00"):
        file = view.image.files.get(address + high + ONE_BYTE[sfi])
        if file is not None and file.content:
            return bytes(Tlv(0x9F0C, file.content))
    return b""


def _file_fci(address: Address, file: Elementary) -> bytes:
    return bytes(Tlv(0x6F, Tlv.parse(_file_fcp(address, file)).value))


def _file_fcp(address: Address, file: Elementary) -> bytes:
    records = file.kind in (FileKind.LINEAR_FIXED, FileKind.CYCLIC)
    return bytes(
        Fcp(
            descriptor=file.kind,
            fid=int.from_bytes(address[-2:], "big"),
            size=file.size if records else file.size or sum(map(len, file.records)),
            record_size=file.record_size,
            rules={READ: file.read, UPDATE: file.update},
            lifecycle=Lifecycle.ACTIVATED,
        )
    )


def _dedicated_fcp(view: View, address: Address, dedicated: Dedicated) -> bytes:
    creating = view.image.lifecycle is Lifecycle.CREATION
    return bytes(
        Fcp(
            descriptor=DF_DESCRIPTOR,
            fid=int.from_bytes(address[-2:], "big"),
            df_name=dedicated.name,
            shown=dedicated.shown,
            lifecycle=Lifecycle.CREATION if creating else dedicated.lifecycle,
        )
    )
