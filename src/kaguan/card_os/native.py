"""The records that a native card (FMCOS 2.0) is built from: parameters of files, records of keys, the room they take.

Bytes become the same images, rules and protections that every other card has; nothing else here knows of nibbles.
"""

from __future__ import annotations

from typing import NamedTuple

from kaguan.apdu.errors import CodecError
from kaguan.card_os.image import (
    ONE_BYTE,
    Address,
    CardImage,
    CardKey,
    CardPin,
    Dedicated,
    Elementary,
    KeyFile,
    Lifecycle,
    Messaging,
    Protection,
    Purse,
    PurseRules,
    Region,
    internal_file,
)
from kaguan.card_os.profile.keydata import PIN_TYPE, TYPE_OF_USAGE, USAGE_OF_TYPE
from kaguan.card_os.profile.model import FileKind, LogLayout
from kaguan.card_os.profile.native import Native
from kaguan.card_os.profile.rules import AccessRule, native_rule, pin_right
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import Usage

DEDICATED_TYPE, PURSE_TYPE, KEY_FILE_TYPE = 0x38, 0x2F, 0x3F
_KINDS = {
    0x28: FileKind.TRANSPARENT,
    0x2A: FileKind.LINEAR_FIXED,
    0x2C: FileKind.LINEAR_VARIABLE,
    0x2E: FileKind.CYCLIC,
}
_COUNTED = (FileKind.LINEAR_FIXED, FileKind.CYCLIC)
TYPE_BITS = 0x3F
_FILE_MESSAGING = {0x00: Messaging.NONE, 0x80: Messaging.MAC, 0xC0: Messaging.ENCIPHERED}
_KEY_MESSAGING = _FILE_MESSAGING | {0x40: Messaging.MAC}  # the manual adds 40 for a MAC, programs add 80

FILE_SIZE = 7  # type, two of space, two of access, two more
DEDICATED_SIZE = 8  # and then the name
KEY_HEADER_SIZE = 5  # type, use, change, two more
MODULE_HEADER_SIZE = 3
KEY_ROOM = 8  # bytes that a key takes besides its value
COUNTED_ROOM = 8  # bytes that a file of counted records takes besides them
GREATEST_BALANCE_FEN = 0xFFFF_FFFF
HOLDER_PIN = 0x00

_VERSIONED = frozenset({0x30, 0x31, 0x32, 0x34, 0x3C, 0x3D, 0x3E, 0x3F})
_AUTHENTICATION = 0x39
_COUNTING = frozenset({0x36, 0x37, 0x38})
KEY_SIZES = (8, 16)
_ALGORITHMS = dict(zip(KEY_SIZES, (Algorithm.DES, Algorithm.TDES), strict=True))
UNCOUNTED_TRIES = 15  # of keys whose record has no counter
PIN_SIZES = range(2, 9)
FILLING = b"\xff"  # behind the digits of a PIN


def dedicated_of(data: bytes, native: Native) -> Dedicated:
    """The dedicated file that CREATE FILE describes: `38 space2 create erase application FFFF name`.

    Application bits 7 to 5: 000 a directory, whose FCI names its short identifier; 100 an application, whose FCI shows
    the file that has it.

    Raises:
        CodecError: a name too short or too long.
    """
    name = data[DEDICATED_SIZE:]
    if not native.shortest_name_bytes <= len(name) <= native.longest_name_bytes:
        raise CodecError(f"a dedicated file's name has no {len(name)} bytes")
    application, sfi = data[5] >> 5, data[5] & 0x1F
    region = Region(int.from_bytes(data[1:3], "big"), native_rule(data[3]), native_rule(data[4]), None)
    return Dedicated(
        name=name,
        shown=b"" if application else b"\x88\x01" + ONE_BYTE[sfi],
        lock_key=0xFF,
        messaging_key=0x00,
        lifecycle=Lifecycle.ACTIVATED,
        shown_sfi=sfi if application else 0,
        region=region,
    )


def key_file_of(fid: bytes, data: bytes) -> KeyFile:
    """The key file that CREATE FILE describes: `3F space2 application add FFFF`."""
    return KeyFile(int.from_bytes(fid, "big"), int.from_bytes(data[1:3], "big"), native_rule(data[4]))


def elementary_of(data: bytes, native: Native) -> Elementary:
    """The elementary file that CREATE FILE describes: `type space2 read update FF control`.

    The type's top bits ask for a MAC, or a MAC and encryption; space is a count and a length where records are counted.
    Control: bit 8 set, reading may be plain all the same; bits 4-3 the key for reading, 2-1 for writing, 11 is key 00.

    Raises:
        CodecError: an unknown type, or a size that no file has.
    """
    kind, messaging = _KINDS.get(data[0] & TYPE_BITS), _FILE_MESSAGING.get(data[0] & ~TYPE_BITS & 0xFF)
    if kind is None or messaging is None:
        raise CodecError(f"{data[0]:02X} is no type of file")
    counted = kind in _COUNTED
    size, record_size = (data[1], data[2]) if counted else (int.from_bytes(data[1:3], "big"), 0)
    if not size or (counted and not 1 <= record_size <= native.longest_record_bytes):
        raise CodecError("a file without room, or with records that no file has")
    content = ONE_BYTE[native.erased] * size if kind is FileKind.TRANSPARENT else b""
    control = data[6]
    protection = Protection(
        read=Messaging.NONE if control & 0x80 else messaging,
        update=messaging,
        read_key=~control >> 2 & 0x03,
        update_key=~control & 0x03,
    )
    return Elementary(kind, native_rule(data[3]), native_rule(data[4]), size, record_size, content, (), protection)


def purse_of(here: Address, purse_type: int, data: bytes, *, pin: bool) -> Purse:
    """The purse that CREATE FILE describes: `2F 0208 use 00 FF log`, the last the log's short identifier.

    `pin` says that the application has a PIN, which most of its commands then need.
    """
    use = native_rule(data[3])
    rules = PurseRules(
        log=here + b"\x00" + ONE_BYTE[data[6]],
        log_layout=LogLayout.PBOC,
        load=use,
        purchase=use,
        balance=use,
        max_balance_fen=GREATEST_BALANCE_FEN,
        unload=use,
        cash=use,
        overdraft=use,
    )
    purse = Purse(rules, 0, 0, 0, None)
    return with_pin(purse_type, purse) if pin else purse


def with_pin(purse_type: int, purse: Purse) -> Purse:
    """The purse once its application has a PIN: all needs it but an electronic purse's purchase and balance."""
    verified = AccessRule.right(pin_right(HOLDER_PIN))
    rules = purse.rules
    if purse_type == 1:
        rules = rules._replace(purchase=rules.purchase & verified, balance=rules.balance & verified)
    rules = rules._replace(
        load=rules.load & verified,
        unload=rules.unload & verified,
        cash=rules.cash & verified,
        overdraft=rules.overdraft & verified,
    )
    return purse._replace(rules=rules)


class KeyRecord(NamedTuple):
    """A key's record as WRITE KEY brings it: `type use change`, two bytes that depend on the type, and the value."""

    type: int
    messaging: Messaging
    use: AccessRule
    change: AccessRule
    first: int
    second: int
    value: bytes

    def __repr__(self) -> str:
        return f"<KeyRecord type {self.type:02X}>"

    @classmethod
    def parse(cls, raw: bytes) -> KeyRecord:
        """The record in these bytes.

        Raises:
            CodecError: an unknown type, or a value of a length that no such key has.
        """
        if len(raw) <= KEY_HEADER_SIZE:
            raise CodecError("a key's record has a header and a value")
        type_byte, value = raw[0] & TYPE_BITS, raw[KEY_HEADER_SIZE:]
        sizes = PIN_SIZES if type_byte == PIN_TYPE else _ALGORITHMS
        if not known_type(type_byte) or len(value) not in sizes:
            raise CodecError(f"no key of type {type_byte:02X} has {len(value)} bytes")
        if type_byte == PIN_TYPE:
            value = value.rstrip(FILLING)
            if len(value) not in sizes or not value.hex().removesuffix("f").isdecimal():
                raise CodecError("a PIN that is no decimal digits with filling behind them")
        messaging = _KEY_MESSAGING[raw[0] & ~TYPE_BITS & 0xFF]
        return cls(type_byte, messaging, native_rule(raw[1]), native_rule(raw[2]), raw[3], raw[4], value)

    @classmethod
    def renewed(cls, key: CardKey, value: bytes) -> KeyRecord:
        """The record of the key with this value, and with all its tries."""
        type_byte = TYPE_OF_USAGE[key.usage]
        versioned = type_byte in _VERSIONED
        first = key.version if versioned else key.next_state
        second = (key.code or 0) if versioned else key.tries << 4 | key.tries
        return cls(type_byte, key.messaging, key.use, key.change, first, second, value)

    def key(self, reference: int) -> CardKey:
        """The key, all but a PIN. Versioned keys have version and algorithm, 39 its next state and tries, others tries;
        tries are the most in the high nibble and those left in the low one."""
        counted = self.type not in _VERSIONED
        return CardKey(
            usage=USAGE_OF_TYPE[self.type],
            reference=reference,
            version=0 if counted else self.first,
            algorithm=_ALGORITHMS[len(self.value)],
            value=self.value,
            tries_left=self.second & 0x0F if counted else UNCOUNTED_TRIES,
            tries=self.second >> 4 if counted else UNCOUNTED_TRIES,
            use=self.use,
            change=self.change,
            next_state=self.first & 0x0F if self.type == _AUTHENTICATION else 0xFF,
            messaging=self.messaging,
            code=None if counted else self.second,
        )

    def pin(self, reference: int) -> CardPin:
        """The PIN: next state and tries, as an authentication key has them."""
        return CardPin(
            reference=reference,
            value=self.value,
            tries_left=self.second & 0x0F,
            tries=self.second >> 4,
            min_bytes=PIN_SIZES.start,
            max_bytes=PIN_SIZES.stop - 1,
            unblock_key=0xFF,
            messaging_key=0x00,
            use=self.use,
            next_state=self.first & 0x0F,
        )


def module_key(raw: bytes) -> CardKey:
    """A key of a security module: `usage version algorithm`, then 16 bytes (one published exchange; their order INF).

    Raises:
        CodecError: another length.
    """
    if len(raw) != MODULE_HEADER_SIZE + Algorithm.TDES.key_size:
        raise CodecError("a security module's key has a header of 3 bytes and 16 bytes")
    usage, version, code = raw[:MODULE_HEADER_SIZE]
    value = raw[MODULE_HEADER_SIZE:]
    tries = UNCOUNTED_TRIES
    return CardKey(Usage.SECURITY_MODULE, version, usage, Algorithm.TDES, value, tries, tries, code=code)


def known_type(type_byte: int) -> bool:
    """Whether a key can have this type."""
    return type_byte in _VERSIONED or type_byte in _COUNTING or type_byte in (_AUTHENTICATION, PIN_TYPE)


def plain_record(data: bytes) -> bool:
    """Whether this is a record as it is, and no cryptogram of one: under a MAC alone both may come.

    No cryptogram has the length of a record with a key. Of those with a PIN one has; its change byte decides.
    """
    if not data or not known_type(data[0] & TYPE_BITS):
        return False
    if data[0] & TYPE_BITS == PIN_TYPE:
        return len(data) % 8 != 0 or data[2:3] == b"\xef"
    return len(data) - KEY_HEADER_SIZE in _ALGORITHMS


def file_bytes(file: Elementary, native: Native) -> int:
    """The room that an elementary file takes."""
    body = file.size
    if file.kind in _COUNTED:
        body = file.size * (file.record_size + 1) + COUNTED_ROOM
    return native.header_bytes + body


def dedicated_bytes(dedicated: Dedicated, native: Native) -> int:
    """The room that a dedicated file takes in the one it lies in."""
    space = dedicated.region.space_bytes if dedicated.region else 0
    return native.header_bytes + len(dedicated.name) + space


def room_left(image: CardImage, here: Address, native: Native) -> int:
    """The bytes that are left for files in this dedicated file; no space is larger than the memory."""
    region = image.dedicated[here].region
    if region is None:
        return 0
    taken = sum(dedicated_bytes(dedicated, native) for at, dedicated in image.dedicated.items() if at[:-2] == here)
    taken += sum(file_bytes(file, native) for at, file in image.files.items() if at[:-2] == here)
    taken += sum(native.purse_bytes for at in image.purses if at[:-1] == here)
    if region.key_file:
        taken += native.header_bytes + region.key_file.space_bytes
    return min(region.space_bytes, native.memory_bytes) - taken


def key_room_left(image: CardImage, here: Address, key_file: KeyFile) -> int:
    """The bytes that are left for keys in the key file of this dedicated file."""
    values = [key.value for at, versions in image.keys.items() if at[:-2] == here for key in versions]
    values += [pin.value for at, pin in image.pins.items() if at[:-1] == here]
    return key_file.space_bytes - sum(KEY_ROOM + len(value) for value in values)


def taken(image: CardImage, here: Address, fid: bytes) -> bool:
    """Whether a file of this identifier lies in the dedicated file."""
    address = here + fid
    return address in image.dedicated or address in image.files or internal_file(image, address)


def empty(image: CardImage, here: Address) -> bool:
    """Whether nothing lies in the dedicated file: no file, no key."""
    region = image.dedicated[here].region
    if region is None or region.key_file:
        return False
    return not any(
        at.startswith(here) and at != here for table in (image.dedicated, image.files, image.purses) for at in table
    )
