"""The read-back: a finished card is read by ordinary commands and compared with the order's own text.

Nothing here knows how the recipe encodes: what comes back is decoded and held against the columns as they came in, and
what the order did not bring against the profile's defaults. Every key that can be shown without changing the card is
shown, where the order wrote anything: IRK by INTERNAL AUTHENTICATE, every external key by EXTERNAL AUTHENTICATE, the
load key by MAC1 of a load of nothing. The purchase, TAC and messaging keys leave no such trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from kaguan.apdu.errors import KaguanError, LinkError, VaultError
from kaguan.apdu.textcodec import normalise
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FileKind, FileSpec
from kaguan.personalization.order.reading import FieldKey, Holder
from kaguan.personalization.preparation.record import IDENT_CODE, default_text, gets_records
from kaguan.personalization.station.recipe import card_ident_code
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as, prove_genuine
from kaguan.terminal.conversations.files import (
    read_all_records,
    read_binary,
    read_whole,
    select_dedicated,
    select_file,
)
from kaguan.terminal.conversations.load import begin_load
from kaguan.terminal.conversations.pin import pin_tries_left, verify_pin
from kaguan.terminal.conversations.purse import read_balance
from kaguan.terminal.script import Script
from kaguan.vault.secret import Pin
from kaguan.vault.vault import Usage

_NO_TERMINAL = bytes(6)


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
    except (LinkError, VaultError):
        raise  # the card is not to blame
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
    for key in spec.keys:
        if key.usage is Usage.EXTERNAL_AUTHENTICATION:
            yield from authenticate_as(keys, key.master_label, key.version)
    for file in written:
        if file.photo:
            yield from select_file(file.fid)
            if (yield from read_binary(len(photo))) != photo:
                faults.append("the photo is not what was ordered")
        elif file.directory:
            if (yield from read_whole(file.sfi)) != b"".join(keys.profile.directories[spec.name]):
                faults.append(f"{spec.name}/{file.name} is no directory of the applications")
        else:
            yield from _check_fields(keys, file, holder, faults)
    if spec.purses:
        yield from _check_wallet(keys, faults)


def _written(profile: CardProfile, holder: Holder, file: FileSpec) -> bool:
    """Whether the recipe wrote anything into the file."""
    if file.kind is not FileKind.LINEAR_VARIABLE:
        return file.photo
    return file.directory or (bool(file.fields) and gets_records(profile, holder, file))


def _check_fields(keys: CardKeys, file: FileSpec, holder: Holder, faults: list[str]) -> Script[None]:
    texts = yield from read_all_records(file, by_sfi=True)
    for key, column, default in _expectations(keys.profile, file):
        expected = card_ident_code(keys).hex().upper() if key == IDENT_CODE else holder.columns.get(column, default)
        text = texts.get(key.tag)
        if text is None:
            faults.append(f"{column} is not on the card")
        elif text != normalise(expected):
            faults.append(f"{column} is not what was ordered")


@cache
def _expectations(profile: CardProfile, file: FileSpec) -> tuple[tuple[FieldKey, str, str], ...]:
    """Each field of the file, the column that brings it, and what it holds when none does."""
    fields = [FieldKey(file.dedicated, file.name, field.tag) for field in file.fields]
    return tuple((key, key.column, default_text(profile, key)) for key in fields)


def _check_wallet(keys: CardKeys, faults: list[str]) -> Script[None]:
    if (yield from read_balance()):
        faults.append("the wallet is not empty")
    yield from begin_load(keys, 0, _NO_TERMINAL)
