"""The insurance records of the card (参保情况, DF03 EF19): what is in them, and one of them written."""

from __future__ import annotations

from typing import Final

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.tlv import record
from kaguan.card_os.profile import CardProfile, FieldSpec
from kaguan.card_os.profile.values import encode_field
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as
from kaguan.terminal.conversations.files import read_field, select_dedicated, select_file
from kaguan.terminal.script import Script, ask

DEDICATED: Final = "DF03"
READING_KEY: Final = "DF03.RK1"
WRITING_KEY: Final = "DF03.UK8"
_FILE: Final = "EF19"


def read_insurances(keys: CardKeys) -> Script[list[str]]:
    """The texts of all insurance records in their order, an empty one for a record without content.

    Raises:
        CodecError: a record is not what the profile says.
    """
    yield from _open(keys, READING_KEY)
    spec = _spec(keys.profile)
    texts = (yield from read_field(spec)).split(";")
    return texts + [""] * (spec.count - len(texts))


def write_insurance(keys: CardKeys, slot: int, text: str) -> Script[None]:
    """Insurance record `slot`, counted from 1, holds the text: one command, so all of it or nothing.

    Raises CodecError before the card is touched when the text is no record.
    """
    spec = _spec(keys.profile)
    value = encode_field(spec, ";".join([text, *[""] * (spec.count - 1)]))[0]
    yield from _open(keys, WRITING_KEY)
    yield from ask(CommandApdu(0x00, 0xDC, spec.record + slot - 1, 0x04, record(spec.tag, value)))


def _open(keys: CardKeys, label: str) -> Script[None]:
    yield from select_dedicated(keys.profile.by_name["SSSE"])
    yield from select_dedicated(keys.profile.by_name[DEDICATED])
    yield from authenticate_as(keys, label)
    yield from select_file(keys.profile.file(DEDICATED, _FILE).fid)


def _spec(profile: CardProfile) -> FieldSpec:
    return profile.file(DEDICATED, _FILE).fields[0]
