"""What a blank chip does under its transport key: CREATE FILE, WRITE KEY, DELETE FILE, and ACTIVATE FILE to seal it.

Until it is sealed, whoever authenticated the transport key may do all of this and nobody else anything. Sealing erases
the transport key in the same group as it turns the access rules on, so there is no half-sealed card. A chip found
unsealed is wiped by DELETE FILE of the master file and begun anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import CodecError, TlvSyntaxError
from kaguan.card_os.access import ABSENT, find_key, require_transport
from kaguan.card_os.commands.messaging import plain_command
from kaguan.card_os.commands.pin import digits_of
from kaguan.card_os.image import (
    MASTER_FILE,
    ONE_BYTE,
    ROOT,
    Address,
    CardKey,
    CardPin,
    Dedicated,
    Elementary,
    Lifecycle,
    Purse,
    PurseRules,
    key_address,
)
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.fcp import DF_DESCRIPTOR, LOAD, PURSE_DESCRIPTOR, READ, UPDATE, Fcp
from kaguan.card_os.profile.keydata import PIN_TYPE, KeyHeader, PinHeader
from kaguan.card_os.profile.model import FileKind, LogLayout
from kaguan.card_os.profile.rules import NEVER
from kaguan.card_os.session import NO_RIGHTS, Session
from kaguan.card_os.writes import (
    DropKey,
    DropTree,
    PutDedicated,
    PutElementary,
    PutKey,
    PutLifecycle,
    PutPin,
    PutPurse,
    Write,
)
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

TRANSPORT_REFERENCE = 0x00
GREATEST_FILE = 0x7FFF
ERASED = b"\xff"
PURSE_PARAMETERS = 8  # type, log FID, layout, greatest balance
LAYOUTS = (LogLayout.PBOC, LogLayout.MEDICAL)
_KINDS = {int(kind): kind for kind in FileKind}
_COUNTED = (FileKind.LINEAR_FIXED, FileKind.CYCLIC)
_TRANSPARENT, _VARIABLE = FileKind.TRANSPARENT, FileKind.LINEAR_VARIABLE  # by their own names, as in `image`
_ALGORITHMS = (Algorithm.TDES,)
_ALGORITHMS_WITH_SM4 = (*_ALGORITHMS, Algorithm.SM4)
_new = tuple.__new__  # as in `apdu.command`


def create_file(view: View, command: CommandApdu) -> Outcome:
    """Plan the file that the FCP describes, in the current dedicated file; it becomes current.

    Refuses, in this order: 6982 transport key not authenticated, 6A86 P1 or P2, 6A80 no FCP or one that contradicts
    itself, 6A82 there is no master file yet, 6A84 too large, 6A89 the file exists, 6A8A the name exists.
    """
    require_transport(view)
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    try:
        fcp = Fcp.parse(command.data)
    except (TlvSyntaxError, CodecError):
        raise Refuse(0x6A80) from None
    if fcp.descriptor == DF_DESCRIPTOR:
        dedicated = _dedicated(fcp)
        address = _new_address(view, fcp)
        if any(other.name == dedicated.name for other in view.image.dedicated.values()):
            raise Refuse(0x6A8A)
        after = Session(address, None, 0, view.session.rights)
        return Outcome(b"", 0x9000, after, ((PutDedicated(address, dedicated),),))
    if fcp.descriptor == PURSE_DESCRIPTOR:
        purse = _purse(view, fcp)
        _new_address(view, fcp)
        if purse.address in view.image.purses:
            raise Refuse(0x6A89)
        return Outcome(b"", 0x9000, view.session, ((purse,),))
    file = _elementary(fcp)
    address = _new_address(view, fcp)
    write = _new(PutElementary, (address, file))
    return _new(Outcome, (b"", 0x9000, view.session.at(address), ((write,),)))


def _new_address(view: View, fcp: Fcp) -> Address:
    fid, here, image = fcp.fid.to_bytes(2, "big"), view.session.current, view.image
    if fid == MASTER_FILE:
        if fcp.descriptor != DF_DESCRIPTOR:
            raise Refuse(0x6A80)
        address = MASTER_FILE
    else:
        if here not in image.dedicated:
            raise Refuse(0x6A82)
        address = here + fid
    if fcp.size * (fcp.record_size or 1) > GREATEST_FILE:
        raise Refuse(0x6A84)
    if address in image.dedicated or address in image.files:
        raise Refuse(0x6A89)
    return address


def _dedicated(fcp: Fcp) -> Dedicated:
    if not 1 <= len(fcp.df_name) <= 16:
        raise Refuse(0x6A80)
    lock_key, messaging_key = fcp.proprietary if len(fcp.proprietary) == 2 else (ABSENT, ABSENT)
    return Dedicated(fcp.df_name, fcp.shown, lock_key, messaging_key, Lifecycle.ACTIVATED)


def _elementary(fcp: Fcp) -> Elementary:
    kind = _KINDS.get(fcp.descriptor)
    if kind is None:
        raise Refuse(0x6A80)
    if (kind in _COUNTED) != bool(fcp.record_size) or (kind is not _VARIABLE and not fcp.size):
        raise Refuse(0x6A80)
    content = ERASED * fcp.size if kind is _TRANSPARENT else b""
    read, update = fcp.rules.get(READ, NEVER), fcp.rules.get(UPDATE, NEVER)
    return Elementary(kind, read, update, fcp.size, fcp.record_size, content, ())


def _purse(view: View, fcp: Fcp) -> PutPurse:
    raw = fcp.proprietary
    if len(raw) != PURSE_PARAMETERS or raw[0] not in (1, 2) or raw[3] >= len(LAYOUTS):
        raise Refuse(0x6A80)
    current = view.session.current
    rules = PurseRules(
        log=current + raw[1:3],
        log_layout=LAYOUTS[raw[3]],
        load=fcp.rules.get(LOAD, NEVER),
        purchase=fcp.rules.get(UPDATE, NEVER),
        balance=fcp.rules.get(READ, NEVER),
        max_balance_fen=int.from_bytes(raw[4:8], "big"),
    )
    return PutPurse(current + ONE_BYTE[raw[0]], Purse(rules, 0, 0, 0, None))


def write_key(view: View, command: CommandApdu) -> Outcome:
    """Plan the keys, or the PIN, that come enciphered and authenticated under the transport key, as one group.

    They belong to the current dedicated file. Messaging is PBOC's whatever the card speaks later: the transport key is
    the factory's, not the application's.
    Refuses, in this order: 6982 transport key not authenticated, 6A86 P1 or P2, 6A82 there is no master file yet,
    6984 no challenge, 6987 no MAC, 6988 MAC or padding wrong, 6A80 header or length wrong, or a PIN that is no decimal
    digits.
    """
    require_transport(view)
    if command.p1 != 0x01 or command.p2:
        raise Refuse(0x6A86)
    if view.session.current not in view.image.dedicated:
        raise Refuse(0x6A82)
    _, transport = find_key(view, Usage.TRANSPORT, TRANSPORT_REFERENCE)
    plain = plain_command(view, command, transport, encrypted=True, scheme=Scheme.PBOC)
    if plain.data[:1] == bytes((PIN_TYPE,)):
        return Outcome(b"", 0x9000, view.session, ((_pin(view, plain.data),),))
    return Outcome(b"", 0x9000, view.session, (tuple(_keys(view, plain.data)),))


def _keys(view: View, data: bytes) -> Iterator[Write]:
    """A write for each key, header and value after header and value. Refuses 6A80 when there is none."""
    if not data:
        raise Refuse(0x6A80)
    while data:
        try:
            header = KeyHeader.parse(data[: KeyHeader.SIZE]) if len(data) > KeyHeader.SIZE else None
        except CodecError:
            header = None
        end = KeyHeader.SIZE + (header.algorithm.key_size if header else 0)
        yield _key(view, header, data[KeyHeader.SIZE : end])
        data = data[end:]


def _key(view: View, header: KeyHeader | None, value: bytes) -> Write:
    # SM4 keys have no confirmed use on this card: a setting allows them. The transport key is no application's.
    allowed = _ALGORITHMS_WITH_SM4 if view.chip.behaviour.sm4 else _ALGORITHMS
    if header is None or header.algorithm not in allowed or header.usage is Usage.TRANSPORT:
        raise Refuse(0x6A80)
    if len(value) != header.algorithm.key_size:
        raise Refuse(0x6A80)
    key = CardKey(
        header.usage,
        header.reference,
        header.version,
        header.algorithm,
        value,
        header.tries,
        header.tries,
    )
    return _new(PutKey, (view.session.current, key))


def _pin(view: View, data: bytes) -> Write:
    if len(data) < PinHeader.SIZE:
        raise Refuse(0x6A80)
    header, value = PinHeader.parse(data[: PinHeader.SIZE]), data[PinHeader.SIZE :]
    if not header.tries:
        raise Refuse(0x6A80)
    limits = (header.min_bytes, header.max_bytes, header.unblock_key, header.messaging_key)
    pin = CardPin(header.reference, b"", header.tries, header.tries, *limits)
    if value:
        try:
            pin = pin._replace(value=digits_of(pin, value))
        except Refuse:
            raise Refuse(0x6A80) from None
    return PutPin(view.session.current + ONE_BYTE[header.reference], pin)


def delete_file(view: View, command: CommandApdu) -> Outcome:
    """Plan the end of the current dedicated file and all in it; its parent becomes current.

    Refuses, in this order: 6982 transport key not authenticated, 6A86 P1 or P2, 6700 data, 6A82 no file is there.
    """
    require_transport(view)
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if command.data:
        raise Refuse(0x6700)
    address = view.session.current
    if address not in view.image.dedicated:
        raise Refuse(0x6A82)
    after = Session(address[:-2] or MASTER_FILE, None, 0, view.session.rights)
    return Outcome(b"", 0x9000, after, ((DropTree(address),),))


def activate_file(view: View, command: CommandApdu) -> Outcome:
    """Plan the seal: access rules bind from now on, and the transport key is gone. The session forgets its rights.

    Refuses, in this order: 6982 transport key not authenticated, 6A86 P1 or P2, 6700 data, 6985 there is no master
    file, or it is not the current one.
    """
    require_transport(view)
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if command.data:
        raise Refuse(0x6700)
    if view.session.current != MASTER_FILE or MASTER_FILE not in view.image.dedicated:
        raise Refuse(0x6985)
    transport = key_address(ROOT, Usage.TRANSPORT, TRANSPORT_REFERENCE)
    after = view.session.with_rights(NO_RIGHTS)
    return Outcome(b"", 0x9000, after, ((PutLifecycle(Lifecycle.ACTIVATED), DropKey(transport)),))
