"""Whose card it is, read as every terminal reads it."""

from __future__ import annotations

import pytest

from card.cards import PROFILE, blank
from kaguan.apdu.codecs import encode
from kaguan.apdu.command import CommandApdu
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.conversations.authentication import authenticate_as
from kaguan.terminal.conversations.files import (
    open_file,
    read_all_records,
    read_binary,
    read_field,
    read_fields,
    select_file,
)
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.refusals import FileAbsent, NotAuthorised
from kaguan.terminal.script import Script, ask, converse
from terminal.counter import in_ssse, keys, new_card


def test_the_specimens_identity() -> None:
    identity = converse(new_card(), read_identity(PROFILE))
    assert identity.region == "990100"
    assert identity.card_no == "A00000011"
    assert identity.id_no == "990101199003070015"
    assert identity.name == "张三"
    assert (identity.sex, identity.nation, identity.birth_date) == ("1", "01", "19900307")
    assert (identity.specification, identity.issue_date, identity.valid_until) == ("2.00", "20240101", "20340101")


def test_an_identity_shows_nothing_personal() -> None:
    identity = converse(new_card(), read_identity(PROFILE))
    assert repr(identity) == "<CardIdentity A00000011>"


def test_a_name_goes_on_in_its_extension() -> None:
    card = new_card()
    converse(card, in_ssse())
    converse(card, _rename("阿卜杜拉·买买提·吐尔", "逊江·艾则孜"))
    card.reset()
    assert converse(card, read_identity(PROFILE)).name == "阿卜杜拉·买买提·吐尔逊江·艾则孜"


def _rename(name: str, extension: str) -> Script[None]:
    file = PROFILE.file("SSSE", "EF06")
    yield from authenticate_as(keys(), "SSSE.UK")
    yield from select_file(file.fid)
    for number, spec in enumerate(file.fields, 1):
        text = {0x09: name, 0x4E: extension}.get(spec.tag)
        if text is not None:
            record = bytes((spec.tag, spec.width)) + encode(spec.format, spec.width, text)
            yield from ask(CommandApdu(0x00, 0xDC, number, 0x04, record))


@pytest.mark.parametrize("name", ["EF05", "EF06"])
def test_one_command_reads_what_many_read(name: str) -> None:
    card = new_card()
    file = converse(card, open_file(PROFILE, "SSSE", name))
    one_by_one = converse(card, read_fields(file))
    assert converse(card, read_all_records(file)) == one_by_one
    assert one_by_one == {spec.tag: converse(card, read_field(spec)) for spec in file.fields}


def test_a_long_file_is_read_whole() -> None:
    card = new_card()
    converse(card, in_ssse())
    converse(card, authenticate_as(keys(), "SSSE.UK"))
    photo = PROFILE.file("SSSE", "EF08")
    converse(card, select_file(photo.fid))
    assert converse(card, read_binary(photo.size)) == b"\xff" * photo.size  # as the factory left it


def test_a_guarded_file_is_not_read_without_its_key() -> None:
    card = new_card()
    converse(card, open_file(PROFILE, "SSSE", "EF08"))
    with pytest.raises(NotAuthorised):
        converse(card, read_binary(16))


def test_a_blank_chip_is_nobodys_card() -> None:
    with pytest.raises(FileAbsent):
        converse(EmulatedCard(blank()), read_identity(PROFILE))
