"""Security modules as an issuer delivers them: files, keys and the terminal's number."""

from __future__ import annotations

from kaguan.card_os.image import MASTER_FILE, Address, CardImage, CardKey, Dedicated, Elementary, Lifecycle, key_address
from kaguan.card_os.profile import CardProfile, DedicatedSpec

PUBLIC_INFORMATION, TERMINAL_NUMBER = MASTER_FILE + b"\x00\x15", MASTER_FILE + b"\x00\x16"
SERIAL_NUMBER_SIZE = 10


def security_module(profile: CardProfile, serial: bytes) -> CardImage:
    """A module with the profile's test keys; its 6-byte serial number is its terminal's number too."""
    dedicated: dict[Address, Dedicated] = {}
    files: dict[Address, Elementary] = {}
    keys: dict[Address, tuple[CardKey, ...]] = {}
    for spec in profile.dedicated:
        address = profile.path(spec.name)
        dedicated[address] = Dedicated(
            spec.df_name, spec.proprietary, spec.lock_key, spec.messaging_key, Lifecycle.ACTIVATED
        )
        for file in spec.files:
            content = file.content.ljust(file.size, b"\0")
            at = address + file.fid.to_bytes(2, "big")
            files[at] = Elementary(file.kind, file.read, file.update, file.size, 0, content, ())
        for key in _keys(spec):
            at = key_address(address, key.usage, key.reference)
            keys[at] = (*keys.get(at, ()), key)
    number = serial.rjust(SERIAL_NUMBER_SIZE, b"\0")
    information = files[PUBLIC_INFORMATION]
    files[PUBLIC_INFORMATION] = information._replace(content=number + information.content[SERIAL_NUMBER_SIZE:])
    files[TERMINAL_NUMBER] = files[TERMINAL_NUMBER]._replace(content=serial)
    return CardImage(profile.name, profile.atr(serial), Lifecycle.ACTIVATED, dedicated, files, keys, {}, {})


def _keys(spec: DedicatedSpec) -> list[CardKey]:
    return [
        CardKey(key.usage, key.reference, key.version, key.algorithm, key.value, key.tries, key.tries)
        for key in spec.keys
    ]
