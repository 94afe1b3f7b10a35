"""The read-back: a finished card is read by ordinary commands and compared with the order's own text.

Nothing here knows how the recipe encodes: what comes back is decoded and held against the columns as they came in.
"""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.apdu.errors import KaguanError, ProfileError
from kaguan.apdu.textcodec import normalise
from kaguan.card_os.profile import AccessRule, CardProfile, DedicatedSpec, FileKind, FileSpec
from kaguan.card_os.profile.rules import LOCAL, PIN_RIGHT
from kaguan.personalization.order import FieldKey, Holder
from kaguan.personalization.record import gets_records
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as, prove_genuine
from kaguan.terminal.conversations.files import (
    read_all_records,
    read_binary,
    read_record,
    select_dedicated,
    select_file,
)
from kaguan.terminal.conversations.pin import pin_tries_left, verify_pin
from kaguan.terminal.conversations.purse import read_balance
from kaguan.terminal.script import Script
from kaguan.vault.secret import Pin
from kaguan.vault.vault import Usage


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """What is wrong with the card, one line each; none when it is good. The lines carry no personal data."""

    faults: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether the card may leave."""
        return not self.faults


def check_card(
    keys: CardKeys, holder: Holder, photo: bytes, pin: Pin, factor: bytes, original: bytes
) -> Script[CheckVerdict]:
    """The verdict on the card. `factor` and `original` are 8 random bytes each, for INTERNAL AUTHENTICATE.

    No PIN try is at stake: the PIN is verified only when all its tries are there, and it is known.
    """
    faults: list[str] = []
    try:
        yield from _read_back(keys, holder, photo, pin, faults)
        yield from select_dedicated(keys.profile.by_name["SSSE"])
        yield from prove_genuine(keys, factor, original)
    except KaguanError as error:
        faults.append(f"{type(error).__name__}: {error}")
    return CheckVerdict(tuple(faults))


def _read_back(keys: CardKeys, holder: Holder, photo: bytes, pin: Pin, faults: list[str]) -> Script[None]:
    profile = keys.profile
    top = profile.by_name["MF"]
    yield from _check_application(keys, top, holder, photo, faults)
    yield from select_dedicated(profile.by_name["SSSE"])
    tries = profile.by_name["SSSE"].pins[0].tries
    if (yield from pin_tries_left()) != tries:
        faults.append("the PIN has not all its tries")
    else:
        yield from verify_pin(pin)
    for spec in profile.dedicated:
        if spec is not top:  # to select it again would forget the PIN
            yield from _check_application(keys, spec, holder, photo, faults)


def _check_application(
    keys: CardKeys, spec: DedicatedSpec, holder: Holder, photo: bytes, faults: list[str]
) -> Script[None]:
    written = [file for file in spec.files if _written(keys.profile, holder, file)]
    if not written and not spec.purses:
        return
    yield from select_dedicated(spec)
    shown: set[int] = set()
    for file in written:
        for reference in keys_needed(file.read) - shown:
            yield from authenticate_as(keys, _master_label(keys.profile, spec, reference))
            shown.add(reference)
        if file.photo:
            yield from select_file(file.fid)
            if (yield from read_binary(len(photo))) != photo:
                faults.append("the photo is not what was ordered")
        elif file.directory:
            yield from select_file(file.fid)
            for number, entry in enumerate(keys.profile.directories[spec.name], 1):
                if (yield from read_record(number)) != entry:
                    faults.append(f"{spec.name}/{file.name} is no directory of the applications")
        else:
            yield from _check_fields(file, holder, faults)
    for _ in spec.purses:
        if (yield from read_balance()):
            faults.append("the wallet is not empty")


def _written(profile: CardProfile, holder: Holder, file: FileSpec) -> bool:
    """Whether the recipe wrote anything into the file."""
    if file.kind is not FileKind.LINEAR_VARIABLE:
        return file.photo
    return file.directory or (bool(file.fields) and gets_records(profile, holder, file))


def keys_needed(rule: AccessRule) -> frozenset[int]:
    """The references of the keys that must be authenticated besides the PIN: as few as the rule asks for."""
    ways = (frozenset(right for right in rights if right != PIN_RIGHT) for rights in rule.alternatives)
    return min(ways, key=lambda way: (len(way), sorted(way)), default=frozenset())


def _master_label(profile: CardProfile, spec: DedicatedSpec, reference: int) -> str:
    """The key with that reference in this application, or for a global one in those above."""
    for key in spec.keys:
        if key.reference == reference and key.usage is Usage.EXTERNAL_AUTHENTICATION:
            return key.master_label
    if reference & LOCAL or not spec.parent:
        raise ProfileError(f"{spec.name} has no key {reference:02X}, which its files ask for", file=profile.name)
    return _master_label(profile, profile.by_name[spec.parent], reference)


def _check_fields(file: FileSpec, holder: Holder, faults: list[str]) -> Script[None]:
    texts = yield from read_all_records(file, by_sfi=True)
    for field in file.fields:
        key = FieldKey(file.dedicated, file.name, field.tag)
        expected = holder.columns.get(key.column)
        if field.tag not in texts:
            faults.append(f"{key.column} is not on the card")
        elif expected is not None and texts[field.tag] != normalise(expected):
            faults.append(f"{key.column} is not what was ordered")
