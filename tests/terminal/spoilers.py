"""Ways to spoil a social security card: its memory, its chip, and what comes over the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from card.cards import PIN_ADDRESS, PROFILE, with_file, with_key
from kaguan.apdu.chaining import Layer
from kaguan.card_os import access
from kaguan.card_os.commands import authenticate, pin, records, select
from kaguan.card_os.image import Address, CardImage, CardKey, key_address
from kaguan.personalization.specimen import MASTER_KEY
from kaguan.terminal.cardkeys import card_factor, region_factors
from kaguan.vault.diversify import diversify
from kaguan.vault.vault import Usage

Patch = pytest.MonkeyPatch
Spoil = Callable[[CardImage], CardImage]
Fault = Callable[[Patch], None]

OTHER_KEY = bytes(range(0x80, 0x90))


def ef(text: str) -> Address:
    """The address of `DF01/EF05`."""
    dedicated, file = text.split("/")
    return PROFILE.path(dedicated) + bytes.fromhex(file)


def without_file(text: str) -> Spoil:
    """The card has no such elementary file."""
    return lambda image: image._replace(files={at: file for at, file in image.files.items() if at != ef(text)})


def without_dedicated(name: str) -> Spoil:
    """The card has no such dedicated file, nor anything in it."""
    gone = PROFILE.path(name)

    def spoil(image: CardImage) -> CardImage:
        dedicated = {at: one for at, one in image.dedicated.items() if not at.startswith(gone)}
        files = {at: one for at, one in image.files.items() if not at.startswith(gone)}
        return image._replace(dedicated=dedicated, files=files)

    return spoil


def file_with(text: str, **changes: object) -> Spoil:
    """The file has these parts otherwise."""

    def spoil(image: CardImage) -> CardImage:
        file = image.files[ef(text)]
        return with_file(image, ef(text), file._replace(**changes))  # type: ignore[arg-type]

    return spoil


def records_with(text: str, change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Spoil:
    """The file has other records."""

    def spoil(image: CardImage) -> CardImage:
        file = image.files[ef(text)]
        return with_file(image, ef(text), file._replace(records=change(file.records)))

    return spoil


def record_with(text: str, number: int, record: str | bytes) -> Spoil:
    """The record of that number is this one."""
    raw = bytes.fromhex(record) if isinstance(record, str) else record
    return records_with(text, lambda found: (*found[: number - 1], raw, *found[number:]))


def ident_code(change: Callable[[bytes], bytes]) -> Spoil:
    """The card identification code is another one."""
    return records_with("SSSE/EF05", lambda found: (b"\x01\x10" + change(found[0][2:]), *found[1:]))


def pin_with(**changes: object) -> Spoil:
    """The PIN has these parts otherwise."""

    def spoil(image: CardImage) -> CardImage:
        changed = image.pins[PIN_ADDRESS]._replace(**changes)  # type: ignore[arg-type]
        return image._replace(pins={**image.pins, PIN_ADDRESS: changed})

    return spoil


def dedicated_with(at: Address, **changes: object) -> Spoil:
    """The dedicated file has these parts otherwise."""

    def spoil(image: CardImage) -> CardImage:
        changed = image.dedicated[at]._replace(**changes)  # type: ignore[arg-type]
        return image._replace(dedicated={**image.dedicated, at: changed})

    return spoil


def without_key(at: Address, usage: Usage, reference: int) -> Spoil:
    """The dedicated file has no such key."""
    gone = key_address(at, usage, reference)
    return lambda image: image._replace(keys={one: key for one, key in image.keys.items() if one != gone})


def other_key(at: Address, usage: Usage, reference: int, **changes: object) -> Spoil:
    """The key has another value, or other parts."""

    def spoil(image: CardImage) -> CardImage:
        (key,) = image.keys[key_address(at, usage, reference)]
        return with_key(image, at, key._replace(**(changes or {"value": OTHER_KEY})))  # type: ignore[arg-type]

    return spoil


def other_version(at: Address, usage: Usage, reference: int, *, version: int) -> Spoil:
    """The key has another value in that version."""

    def spoil(image: CardImage) -> CardImage:
        address = key_address(at, usage, reference)
        keys = tuple(key._replace(value=OTHER_KEY) if key.version == version else key for key in image.keys[address])
        return image._replace(keys={**image.keys, address: keys})

    return spoil


def without_version(at: Address, usage: Usage, reference: int, version: int) -> Spoil:
    """The key is not there in that version."""

    def spoil(image: CardImage) -> CardImage:
        address = key_address(at, usage, reference)
        keys = tuple(key for key in image.keys[address] if key.version != version)
        return image._replace(keys={**image.keys, address: keys})

    return spoil


def of_city(region: str) -> Spoil:
    """Every key of the card is another city's."""

    def changed(key: CardKey, atr: bytes) -> CardKey:
        value = MASTER_KEY
        for factor in (*region_factors(region), card_factor(atr)):
            value = diversify(value, factor)
        return key._replace(value=value)

    return lambda image: image._replace(
        keys={at: tuple(changed(key, image.atr) for key in versions) for at, versions in image.keys.items()}
    )


def atr_with(change: Callable[[bytes], bytes]) -> Spoil:
    """The card answers a reset otherwise, and is personalized for that answer."""
    return lambda image: image._replace(atr=change(image.atr))


class ShowsFiles(Layer):
    """A card that shows file control information for elementary files as well: drivers take it for another card."""

    def transceive(self, command: bytes) -> bytes:
        answer = self.link.transceive(command)
        elementary = command[:2] == b"\x00\xa4" and command[5:6] == b"\xef"
        return bytes.fromhex("6F00") + answer if elementary and answer == b"\x90\x00" else answer


class Refusing(Layer):
    """A card that does not know a command."""

    command = b""

    def transceive(self, command: bytes) -> bytes:
        return b"\x6d\x00" if command.startswith(self.command) else self.link.transceive(command)


class NoChange(Refusing):
    """CHANGE PIN is unknown."""

    command = b"\x80\x5e"


class OneChange(Layer):
    """CHANGE PIN is served once."""

    changed = False

    def transceive(self, command: bytes) -> bytes:
        if command[:2] != b"\x80\x5e":
            return self.link.transceive(command)
        answer = b"\x69\x85" if self.changed else self.link.transceive(command)
        self.changed |= answer == b"\x90\x00"
        return answer


class PretendsToChange(Layer):
    """CHANGE PIN is done, and was not."""

    def transceive(self, command: bytes) -> bytes:
        return b"\x90\x00" if command[:2] == b"\x80\x5e" else self.link.transceive(command)


class NoTags(Refusing):
    """READ RECORD by tag is not served."""

    def transceive(self, command: bytes) -> bytes:
        by_tag = command[:2] == b"\x00\xb2" and not command[3] & 0x07
        return b"\x6a\x86" if by_tag else self.link.transceive(command)


class CostlyPinQuestion(Layer):
    """VERIFY without a PIN is taken for a wrong one."""

    def transceive(self, command: bytes) -> bytes:
        asked = command[:2] == b"\x00\x20" and len(command) <= 5
        return self.link.transceive(bytes.fromhex("0020000003999999") if asked else command)


class CostlyKeyQuestion(Layer):
    """EXTERNAL AUTHENTICATE without a cryptogram is taken for a wrong one."""

    def transceive(self, command: bytes) -> bytes:
        if command[:2] == b"\x00\x82" and len(command) <= 6:
            self.link.transceive(bytes.fromhex("0084000008"))
            command = command[:4] + b"\x10" + bytes(16)
        return self.link.transceive(command)


class Shifty(Layer):
    """Every reset is answered otherwise."""

    resets = 0

    def reset(self) -> bytes:
        self.resets += 1
        atr = self.link.reset()
        return atr[:-1] + bytes((atr[-1] + self.resets,))


def keeps_rights(patch: Patch) -> None:
    """Another application inherits all rights."""
    patch.setattr(select, "rights_after_move", lambda rights, here, there, *_: rights)


def loses_rights(patch: Patch) -> None:
    """Moving inside the application forgets all rights."""
    patch.setattr(select, "rights_after_move", lambda rights, here, there, *_: rights if here == there else frozenset())


def keeps_local_rights(patch: Patch) -> None:
    """A local key counts in the neighbour as well."""
    inside = select.rights_after_move

    def moved(rights: frozenset[int], here: Address, there: Address) -> frozenset[int]:
        return rights if here[:4] == there[:4] else inside(rights, here, there)

    patch.setattr(select, "rights_after_move", moved)


def asks_nobody(patch: Patch) -> None:
    """Rules of records are not looked at."""
    patch.setattr(records, "require_access", lambda view, command, file, *, write: None)


def takes_any_cryptogram(patch: Patch) -> None:
    """EXTERNAL AUTHENTICATE compares nothing."""

    class Yes:
        compare_digest = staticmethod(lambda one, other: True)

    patch.setattr(authenticate, "hmac", Yes)


def takes_any_pin(patch: Patch) -> None:
    """VERIFY and CHANGE PIN compare nothing."""

    class Yes:
        compare_digest = staticmethod(lambda one, other: True)

    patch.setattr(pin, "hmac", Yes)


def keeps_tries_spent(patch: Patch) -> None:
    """The right PIN gives no try back."""
    patch.setattr(pin, "_with_tries", lambda found, left: found._replace(tries_left=min(left, found.tries_left)))


def forgets_that_tries_count(patch: Patch) -> None:
    """A wrong PIN costs nothing."""
    patch.setattr(pin, "_with_tries", lambda found, left: found)


def finds_no_short_identifier(patch: Patch) -> None:
    """The chip looks up files one higher than it is asked for."""
    found = access.addressed_file
    patch.setattr(records, "addressed_file", lambda view, sfi: found(view, sfi + 1 if sfi else 0))
