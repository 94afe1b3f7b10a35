"""WRITE KEY of a native card (FMCOS 2.0): keys and PINs into the key file of the current dedicated file.

P1 01 adds, otherwise it is the type of the key to be written over; P2 is its number. CLA 84: a MAC, and encryption too,
under key 39 number 00 of the file, or of one above it while this one has none. P1 00: a key of a security module, as
the profile says.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import CodecError
from kaguan.card_os.access import PROTECTED, require
from kaguan.card_os.commands.messaging import plain_command
from kaguan.card_os.commands.native_files import here_and_region
from kaguan.card_os.image import Address, CardKey, CardPin, KeyFile, Messaging, key_address
from kaguan.card_os.native import (
    HOLDER_PIN,
    KEY_ROOM,
    KEY_SIZES,
    TYPE_BITS,
    KeyRecord,
    key_room_left,
    known_type,
    module_key,
    plain_record,
    with_pin,
)
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.keydata import PIN_TYPE, USAGE_OF_TYPE
from kaguan.card_os.profile.rules import NEVER, AccessRule
from kaguan.card_os.session import FRESH
from kaguan.card_os.writes import DropKey, Group, PutKey, PutPin, PutPurse, Write
from kaguan.vault.vault import Usage

ADD = 0x01
MODULE_KEY = 0x00
MASTER_KEY = 0x00


def write_key(view: View, command: CommandApdu) -> Outcome:
    """Plan the key or the PIN.

    A PIN is never written over (its change byte is EF): that is for CHANGE PIN, RELOAD PIN and PIN UNBLOCK. The first
    PIN 00 of an application makes its purses ask for it. Over a key its new value may come alone, without a record. A
    key declared to be written enciphered comes so from the first, but in the session that found the dedicated file
    empty.
    Refuses, in this order: 6A86 P1, 6A81 no master file, 6A82 (`native.no_key_file`) no key file, 6A88 no such key to
    write over, 6982 rights, 6900 (`native.protection_differs`) the key to write over wants protection, 6A80 no record,
    6900 (`native.protection_differs`) the new key wants protection, 6A80 a record of another type, 6A80
    (`native.key_exists`) the key to be added is there, 6A84 no room.
    """
    return _written(view, command)


def write_protected_key(view: View, command: CommandApdu) -> Outcome:
    """Plan the key or the PIN, as WRITE KEY does, or with P1 00 the key of a security module.

    Refuses, in this order: as WRITE KEY (native) up to 6982, 6A88 no key 39 number 00, 6984 no challenge, 6987 no MAC,
    6988 MAC or padding wrong, 6A80 no record, 6A80 a record of another type, 6A80 (`native.key_exists`) the key to be
    added is there, 6A84 no room.
    """
    if command.p1 == MODULE_KEY and view.chip.behaviour.native.module_keys:
        return write_module_key(view, command)
    return _written(view, command)


def _written(view: View, command: CommandApdu) -> Outcome:
    adding = command.p1 == ADD
    type_byte = command.p1 & TYPE_BITS
    if not adding and not known_type(type_byte):
        raise Refuse(0x6A86)
    here, region = here_and_region(view)
    key_file = region.key_file
    native = view.chip.behaviour.native
    if key_file is None:
        raise Refuse(native.no_key_file)
    old = None if adding else _existing(view, here, type_byte, command.p2)
    if not adding and old is None:
        raise Refuse(0x6A88)
    _require_change(view, key_file, old)
    record = _record(view, command, old)
    if not adding and record.type != type_byte:
        raise Refuse(0x6A80)
    if adding and _existing(view, here, record.type, command.p2) is not None:
        raise Refuse(native.key_exists)
    grown = KEY_ROOM + len(record.value) - (KEY_ROOM + len(old.value) if old else 0)
    if grown > key_room_left(view.image, here, key_file):
        raise Refuse(0x6A84)
    return Outcome(b"", 0x9000, view.session, (_group(view, here, record, command.p2),))


def write_module_key(view: View, command: CommandApdu) -> Outcome:
    """Plan the key of a security module, in place of the one with its usage and version.

    Refuses, in this order: 6A81 no master file, 6A82 (`native.no_key_file`) no key file, 6982 rights, 6A88 no key 39
    number 00, 6984 no challenge, 6987 no MAC, 6988 MAC or padding wrong, 6A80 no such record, 6A84 no room.
    """
    here, region = here_and_region(view)
    if region.key_file is None:
        raise Refuse(view.chip.behaviour.native.no_key_file)
    _require_change(view, region.key_file, None)
    try:
        key = module_key(_unprotected(view, command, encrypted_only=True))
    except CodecError:
        raise Refuse(0x6A80) from None
    versions = view.image.keys.get(key_address(here, key.usage, key.reference), ())
    replaced = any(old.version == key.version for old in versions)  # by one of the same size
    if not replaced and KEY_ROOM + len(key.value) > key_room_left(view.image, here, region.key_file):
        raise Refuse(0x6A84)
    return Outcome(b"", 0x9000, view.session, ((PutKey(here, key),),))


def _existing(view: View, here: Address, type_byte: int, reference: int) -> CardKey | CardPin | None:
    if type_byte == PIN_TYPE:
        return view.image.pins.get(here + bytes((reference,)))
    versions = view.image.keys.get(key_address(here, USAGE_OF_TYPE[type_byte], reference), ())
    return versions[0] if versions else None


def _require_change(view: View, key_file: KeyFile, old: CardKey | CardPin | None) -> None:
    rule: AccessRule = key_file.add if old is None else old.change if isinstance(old, CardKey) else NEVER
    if isinstance(old, CardPin) or FRESH not in view.session.rights:
        require(view, rule)


def _record(view: View, command: CommandApdu, old: CardKey | CardPin | None) -> KeyRecord:
    """The record that the command brings, out of its protection."""
    native = view.chip.behaviour.native
    protected = bool(command.cla & PROTECTED)
    needed = old.messaging if isinstance(old, CardKey) else Messaging.NONE
    data = command.data
    if not protected and needed:
        raise Refuse(native.protection_differs)
    if protected:
        data = _unprotected(view, command, encrypted_only=needed is Messaging.ENCIPHERED)
    if isinstance(old, CardKey) and native.key_alone and len(data) in KEY_SIZES:
        return KeyRecord.renewed(old, data)
    try:
        record = KeyRecord.parse(data)
    except CodecError:
        raise Refuse(0x6A80) from None
    fresh = FRESH in view.session.rights  # C: a program that issues cards brings them plain, all in one go
    if old is None and not protected and record.messaging and not fresh and _master_key(view):
        raise Refuse(native.protection_differs)
    return record


def _unprotected(view: View, command: CommandApdu, *, encrypted_only: bool) -> bytes:
    """The record in a protected command: enciphered or, where the key allows it, under a MAC alone."""
    key = _master_key(view)
    if key is None:
        raise Refuse(0x6A88)
    plain = plain_record(command.data[:-4]) and not encrypted_only
    return plain_command(view, command, key, encrypted=not plain).data


def _master_key(view: View) -> CardKey | None:
    """Key 39 number 00 of the current dedicated file, or else of the nearest one above that has it."""
    here = view.session.current
    while here:
        versions = view.image.keys.get(key_address(here, Usage.EXTERNAL_AUTHENTICATION, MASTER_KEY))
        if versions:
            return versions[0]
        here = here[:-2]
    return None


def _group(view: View, here: Address, record: KeyRecord, reference: int) -> Group:
    if record.type != PIN_TYPE:
        key = record.key(reference)
        return (DropKey(key_address(here, key.usage, reference)), PutKey(here, key))
    pin: Write = PutPin(here + bytes((reference,)), record.pin(reference))
    if reference != HOLDER_PIN or not view.chip.behaviour.native.purse_needs_pin:
        return (pin,)
    purses = [(at, purse) for at, purse in view.image.purses.items() if at[:-1] == here]
    return (pin, *(PutPurse(at, with_pin(at[-1], purse)) for at, purse in purses))
