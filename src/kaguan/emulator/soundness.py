"""Whether a chip could have such a memory.

The chip trusts its memory and never looks twice, so an image that comes from outside is judged once, when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from kaguan.apdu.errors import InputError, ProfileError
from kaguan.card_os.image import (
    MASTER_FILE,
    ONE_BYTE,
    ROOT,
    Address,
    CardImage,
    CardKey,
    Elementary,
    Lifecycle,
    key_address,
)
from kaguan.card_os.profile import FileKind, load_profile

_PURSE_TYPES = (b"\x01", b"\x02")
_MOST_RECORDS = 0xFF
_GREATEST_FILE = 0xFFFF
_GREATEST_OVERDRAFT_FEN = 0xFF_FFFF


def require_sound(image: CardImage) -> None:
    """Return when all that the image holds lies in a file that is there, and has the sizes that it says.

    Raises:
        InputError: the first thing that no chip has.
    """
    for fault in _faults(image):
        raise InputError(f"no chip has this: {fault}")


def _faults(image: CardImage) -> Iterator[str]:
    try:
        load_profile(image.profile)
    except ProfileError:
        yield f"profile {image.profile!r}, which Kaguan does not know"
    if image.lifecycle is not Lifecycle.CREATION and MASTER_FILE not in image.dedicated:
        yield "a sealed chip without a master file"
    yield from _misplaced(image)
    for address, file in image.files.items():
        yield from (f"file {address.hex()} {fault}" for fault in _file_faults(file))
    for address, versions in image.keys.items():
        for key in versions:
            yield from (f"a key at {address.hex()} {fault}" for fault in _key_faults(address, key))
    for address, pin in image.pins.items():
        if address[-1:] != ONE_BYTE[pin.reference]:
            yield f"a PIN at {address.hex()} that belongs elsewhere"
    for address, purse in image.purses.items():
        if address[-1:] not in _PURSE_TYPES:
            yield f"a purse at {address.hex()} of no known type"
        if purse.overdraft_limit_fen > _GREATEST_OVERDRAFT_FEN:
            yield f"a purse at {address.hex()} with an overdraft limit of more than three bytes"


def _file_faults(file: Elementary) -> Iterator[str]:
    counted = file.kind in (FileKind.LINEAR_FIXED, FileKind.CYCLIC)
    if counted != bool(file.record_size):
        yield f"has records of {file.record_size} bytes"
    if counted and file.size > _MOST_RECORDS:
        yield f"has room for {file.size} records"
    if file.kind is FileKind.TRANSPARENT and file.records:
        yield "has bytes and records"
    if counted and (len(file.records) > file.size or {*map(len, file.records)} - {file.record_size}):
        yield f"has other records than {file.size} of {file.record_size} bytes"
    if b"" in file.records:
        yield "has an empty record"
    if sum(map(len, file.records)) > _GREATEST_FILE:
        yield f"has records of more than {_GREATEST_FILE} bytes"
    if file.kind is FileKind.TRANSPARENT and len(file.content) != file.size:
        yield f"has {len(file.content)} bytes and says {file.size}"


def _key_faults(address: Address, key: CardKey) -> Iterator[str]:
    if address != key_address(address[:-2], key.usage, key.reference):
        yield "belongs elsewhere"
    if len(key.value) != key.algorithm.key_size:
        yield f"is too long or too short for {key.algorithm}"


def _misplaced(image: CardImage) -> Iterator[str]:
    """What lies in a dedicated file that is not there. Keys alone may lie in the chip itself."""
    for what, addresses, own_bytes in (
        ("an application", image.dedicated.keys() - {MASTER_FILE}, 2),
        ("a file", image.files.keys(), 2),
        ("a key", {address for address in image.keys if address[:-2] != ROOT or len(address) != 2}, 2),
        ("a PIN", image.pins.keys(), 1),
        ("a purse", image.purses.keys(), 1),
    ):
        for address in addresses:
            if not _inside(image, address, own_bytes):
                yield f"{what} at {address.hex() or 'no address'}, where no application is"
    for address in image.files.keys() & image.dedicated.keys():
        yield f"a file and an application at {address.hex()}"


def _inside(image: CardImage, address: Address, own_bytes: int) -> bool:
    return len(address) > own_bytes and address[:-own_bytes] in image.dedicated
