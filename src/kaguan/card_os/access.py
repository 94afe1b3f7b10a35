"""Who may do it: rights, keys and PINs looked up from where the session stands."""

from __future__ import annotations

from functools import lru_cache

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.image import (
    ACTIVATED,
    IN_CREATION,
    MASTER_FILE,
    ONE_BYTE,
    ROOT,
    TYPE_BYTE,
    Address,
    CardImage,
    CardKey,
    CardPin,
    Dedicated,
    Elementary,
)
from kaguan.card_os.outcome import Refuse, View
from kaguan.card_os.profile.rules import LOCAL, AccessRule
from kaguan.card_os.session import FRESH, TRANSPORT_RIGHT
from kaguan.vault.vault import Usage

CARD_CODE = MASTER_FILE + b"\x00\x85"
"""Where the card's authentication code lies. The FID is this emulator's own; GET DATA reads it."""

PROTECTED = 0x04
"""The bit of a class byte that announces secure messaging."""

ABSENT = 0xFF
"""A key reference that says there is no such key."""


def require(view: View, rule: AccessRule) -> None:
    """Return when the session's rights are enough; until the chip is sealed only the transport key's holder's are.

    Refuses: 6982.
    """
    rights = view.session.rights
    if view.image.lifecycle is IN_CREATION:
        if TRANSPORT_RIGHT not in rights:
            raise Refuse(0x6982)
        return
    for alternative in rule.alternatives:  # what `rule.allows` asks, without a call more for every command
        if alternative <= rights:
            return
    raise Refuse(0x6982)


def require_access(view: View, command: CommandApdu, file: Elementary, *, write: bool) -> None:
    """Return when this command may read, or write, the file.

    Refuses, in this order: 6700 more data than the card takes, the profile's word when the file's line protection is
    not kept, 6982 rights.
    """
    protection = file.protection
    if len(command.data) > view.chip.behaviour.native.longest_data_bytes:
        raise Refuse(0x6700)
    if (protection.update if write else protection.read) and not command.cla & PROTECTED:
        raise Refuse(view.chip.behaviour.native.protection_differs)
    if FRESH not in view.session.rights:
        require(view, file.update if write else file.read)


def require_transport(view: View) -> None:
    """Return when the transport key has been authenticated.

    Refuses: 6982.
    """
    if TRANSPORT_RIGHT not in view.session.rights:
        raise Refuse(0x6982)


@lru_cache(maxsize=1024)
def lineage(here: Address) -> tuple[Address, ...]:
    """The dedicated file and every one above it; remembered, because every command asks."""
    return tuple(here[:size] for size in range(len(here), 0, -2))


@lru_cache(maxsize=1024)
def _everywhere(here: Address) -> tuple[Address, ...]:
    return (*lineage(here), ROOT)


def scopes(view: View, reference: int) -> tuple[Address, ...]:
    """Where an object with this reference may lie: here when it is local, or the card knows no others; otherwise also
    in every file above, and last in the chip itself, where a blank one has its transport key."""
    here = view.session.current
    if reference & LOCAL or view.chip.behaviour.local_references:
        return (here,)
    return _everywhere(here)


def find_pin(view: View, reference: int) -> tuple[Address, CardPin]:
    """The PIN and its address.

    Refuses: 6A88 no such PIN.
    """
    pins = view.image.pins
    for scope in scopes(view, reference):
        address = scope + ONE_BYTE[reference]
        pin = pins.get(address)
        if pin is not None:
            return address, pin
    raise Refuse(0x6A88)


def find_key(
    view: View, usage: Usage, reference: int, *, absent: int = 0x6A88, version: int | None = None
) -> tuple[Address, CardKey]:
    """The key and the dedicated file it lies in; the lowest version unless one is named.

    Refuses: `absent` no such key.
    """
    keys, here = view.image.keys, view.session.current
    name = TYPE_BYTE[usage] + ONE_BYTE[reference]
    versions = keys.get(here + name)
    if versions and version is None:
        return here, versions[0]  # as nearly always
    for scope in scopes(view, reference):
        for key in keys.get(scope + name, ()):
            if version is None or key.version == version:
                return scope, key
    raise Refuse(absent)


def first_key(view: View, usage: Usage, *, absent: int = 0x6A88) -> tuple[Address, CardKey]:
    """The key of this usage with the lowest reference, for usages of which an application has one key.

    Refuses: `absent` no such key.
    """
    keys, here = view.image.keys, view.session.current
    for address in _places(here, usage, 1 if view.chip.behaviour.local_references else len(here) + 1):
        versions = keys.get(address)
        if versions:
            return address[:-2], versions[0]
    raise Refuse(absent)


@lru_cache(maxsize=64)
def _places(here: Address, usage: Usage, levels: int) -> tuple[Address, ...]:
    """Where a key of this usage may lie, in so many files upwards, the lowest reference first; a local one lies here
    alone. Remembered as `lineage` is."""
    return tuple(
        scope + TYPE_BYTE[usage] + ONE_BYTE[reference]
        for reference in range(ABSENT)
        for scope in _everywhere(here)[: 1 if reference & LOCAL else levels]
    )


def card_code(image: CardImage) -> bytes:
    """The card's authentication code (CJ/T 166), which lies in a file of its own; nothing where there is none."""
    file = image.files.get(CARD_CODE)
    return file.content if file else b""


def current_dedicated(view: View) -> Dedicated:
    """The current dedicated file.

    Refuses: 6A81 the chip has no files yet.
    """
    dedicated = view.image.dedicated.get(view.session.current)
    if dedicated is None:
        raise Refuse(0x6A81)
    return dedicated


def addressed_file(view: View, sfi: int) -> tuple[Address, Elementary]:
    """The file with this short identifier in the current dedicated file; the current file for 0.

    Refuses: 6A82 no file has the identifier, 6986 no current file, 6981 the current file is a purse or a key file.
    """
    files = view.image.files
    if sfi == 0:
        address = view.session.file
        if address is None:
            raise Refuse(0x6986)
        file = files.get(address)
        if file is None:
            raise Refuse(0x6981)
        return address, file
    here = view.session.current
    for address in (here + b"\xef" + ONE_BYTE[sfi], here + b"\x00" + ONE_BYTE[sfi]):
        file = files.get(address)
        if file is not None:
            return address, file
    raise Refuse(0x6A82)


def blocked(view: View) -> bool:
    """Whether the current dedicated file, or one above it, is blocked."""
    files = view.image.dedicated
    for address in lineage(view.session.current):
        dedicated = files.get(address)
        if dedicated is not None and dedicated.lifecycle is not ACTIVATED:
            return True
    return False
