"""The quick check: what every card goes through, whatever the sample plan says.

A terminal's ordinary reading: the card is sealed and genuine, its number, its holder's name and its photo are those of
the record, and its PIN has all its tries. No PIN is entered.
"""

from __future__ import annotations

from collections.abc import Iterable

from kaguan.apdu.errors import KaguanError, LinkError, VaultError
from kaguan.apdu.textcodec import normalise
from kaguan.card_os.profile import FREE, CardProfile, FileSpec
from kaguan.personalization.order.reading import FieldKey, Holder
from kaguan.personalization.preparation.record import default_text
from kaguan.personalization.station.check import CheckVerdict
from kaguan.personalization.station.recipe import ChipState, chip_state
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as, prove_genuine
from kaguan.terminal.conversations.files import read_binary, read_field, select_dedicated, select_file
from kaguan.terminal.conversations.pin import pin_tries_left
from kaguan.terminal.script import Script
from kaguan.vault.vault import Usage

_SSSE = "SSSE"
_COMPARED = {
    FieldKey(_SSSE, "EF05", 0x07): "card number",
    FieldKey(_SSSE, "EF06", 0x08): "ID number",
    FieldKey(_SSSE, "EF06", 0x09): "name",
}


def quick_check(keys: CardKeys, holder: Holder, photo: bytes, factor: bytes, original: bytes) -> Script[CheckVerdict]:
    """The verdict on the card. `factor` and `original` are 8 random bytes each, for INTERNAL AUTHENTICATE."""
    faults: list[str] = []
    try:
        if (yield from chip_state()) is not ChipState.USED:
            faults.append("the card is not sealed")
        yield from select_dedicated(keys.profile.by_name[_SSSE])
        yield from prove_genuine(keys, factor, original)
        if (yield from pin_tries_left()) != keys.profile.by_name[_SSSE].pins[0].tries:
            faults.append("the PIN has not all its tries")
        yield from _compare(keys, holder, photo, faults)
    except (LinkError, VaultError):
        raise  # the card is not to blame
    except KaguanError as error:
        faults.append(f"{type(error).__name__}: {error}")
    return CheckVerdict(tuple(faults))


def _compare(keys: CardKeys, holder: Holder, photo: bytes, faults: list[str]) -> Script[None]:
    """What the card shows of its holder against the record; SSSE is selected."""
    profile = keys.profile
    pictures = [file for file in profile.by_name[_SSSE].files if file.photo]
    for label, version in _readers(profile, [*(profile.file(_SSSE, key.file) for key in _COMPARED), *pictures]):
        yield from authenticate_as(keys, label, version)
    for key, what in _COMPARED.items():
        file = profile.file(_SSSE, key.file)
        yield from select_file(file.fid)
        text = yield from read_field(next(field for field in file.fields if field.tag == key.tag))
        if text != normalise(holder.columns.get(key.column, default_text(profile, key))):
            faults.append(f"the {what} is not what was ordered")
    for file in pictures:
        yield from select_file(file.fid)
        if (yield from read_binary(len(photo))) != photo:
            faults.append("the photo is not what was ordered")


def _readers(profile: CardProfile, files: Iterable[FileSpec]) -> list[tuple[str, int]]:
    """Label and version of the keys that open those files that are not free to read."""
    rules = [file.read for file in files if file.read != FREE]
    wanted = {right for rule in rules for right in min(rule.alternatives, key=len)}
    keys = profile.by_name[_SSSE].keys
    return [
        (key.master_label, key.version)
        for key in keys
        if key.usage is Usage.EXTERNAL_AUTHENTICATION and key.reference in wanted
    ]
