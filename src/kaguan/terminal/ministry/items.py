"""Files and fields that a caller names, as the card has them: found, read, written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import CodecError
from kaguan.apdu.tlv import record
from kaguan.card_os.profile import CardProfile, FieldSpec, FileKind, FileSpec
from kaguan.card_os.profile.values import decode_layout, encode_field, encode_layout
from kaguan.terminal.conversations.files import field_text, read_record, select_file
from kaguan.terminal.ministry.number import CallFailed, Number
from kaguan.terminal.ministry.settings import Settings
from kaguan.terminal.ministry.strings import FieldAddress, FileAddress
from kaguan.terminal.script import Script, ask

_FILE_UNKNOWN, _RECORD_UNKNOWN, _OTHER_STRUCTURE = -0x6A82, -0x6A83, -0x6981
"""As a card would refuse them."""


class Item(NamedTuple):
    """A file that the caller named: its fields each as one record, with the record's number."""

    address: FileAddress
    file: FileSpec
    records: tuple[tuple[FieldSpec, int], ...]


def found_items(profile: CardProfile, settings: Settings, addresses: Sequence[FileAddress]) -> tuple[Item, ...]:
    """What the addresses mean on cards of this profile.

    Raises:
        CallFailed: -27266 no such file, -27267 no such field or record, -27009 a file of another structure.
    """
    return tuple(_found(profile, settings, address) for address in addresses)


def read_item(item: Item) -> Script[list[str]]:
    """The values in the order of the address; the card stands in the file's application and admits the reader.

    Raises:
        CodecError: a record is not what the profile says.
    """
    yield from select_file(item.file.fid)
    if item.address.record:
        raw = yield from read_record(item.address.record)
        return [decode_layout(item.file.layout, raw)]
    values = []
    for spec, number in item.records:
        raw = yield from read_record(number)
        values.append(field_text(spec, raw))
    return values


def encoded_item(item: Item, values: Sequence[str]) -> tuple[CommandApdu, ...]:
    """The commands that write the values into the file when it is current.

    Raises:
        CallFailed: -23, a value does not fit its field, or a record of a cyclic file other than the newest.
    """
    try:
        return tuple(_encoded(item, values))
    except CodecError:
        raise CallFailed(Number.ILLEGAL_INPUT) from None


def write_item(item: Item, commands: Sequence[CommandApdu]) -> Script[None]:
    """The file holds the values; the card stands in its application and admits the writer."""
    yield from select_file(item.file.fid)
    for command in commands:
        yield from ask(command)


def _found(profile: CardProfile, settings: Settings, address: FileAddress) -> Item:
    dedicated = profile.by_name.get(settings.names.get(address.dedicated, address.dedicated))
    file = next((file for file in dedicated.files if file.name == address.name), None) if dedicated else None
    if file is None:
        raise CallFailed(_FILE_UNKNOWN)
    if address.record:
        if file.kind is not FileKind.CYCLIC:
            raise CallFailed(_OTHER_STRUCTURE)
        if address.record > file.record_count:
            raise CallFailed(_RECORD_UNKNOWN)
        return Item(address, file, ())
    if file.kind is not FileKind.LINEAR_VARIABLE:
        raise CallFailed(_OTHER_STRUCTURE)
    specs = {spec.tag: spec for spec in file.fields}
    return Item(address, file, tuple(_record(specs.get(field.tag), field) for field in address.fields))


def _record(spec: FieldSpec | None, field: FieldAddress) -> tuple[FieldSpec, int]:
    if spec is None or field.occurrence > spec.count:
        raise CallFailed(_RECORD_UNKNOWN)
    return replace(spec, count=1), spec.record + field.occurrence - 1


def _encoded(item: Item, values: Sequence[str]) -> Iterator[CommandApdu]:
    if item.address.record:
        if item.address.record != 1:
            raise CallFailed(Number.ILLEGAL_INPUT)
        yield CommandApdu(0x00, 0xDC, 0x00, 0x03, encode_layout(item.file.layout, values[0]))
        return
    for (spec, number), text in zip(item.records, values, strict=True):
        (value,) = encode_field(spec, text)
        yield CommandApdu(0x00, 0xDC, number, 0x04, record(spec.tag, value))
