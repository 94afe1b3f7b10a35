"""Going to a file and reading it: SELECT, READ RECORD, READ BINARY."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from kaguan.apdu.command import SHORT_NE, CommandApdu
from kaguan.apdu.errors import CodecError
from kaguan.apdu.tlv import records
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FieldSpec, FileSpec
from kaguan.card_os.profile.values import decode_field
from kaguan.terminal.script import Script, ask

CHUNK = 0xFF


def select_dedicated(spec: DedicatedSpec) -> Script[bytes]:
    """The card stands in this dedicated file; its FCI."""
    return (yield from ask(CommandApdu(0x00, 0xA4, 0x04, 0x00, spec.df_name, SHORT_NE)))


def select_file(fid: int) -> Script[None]:
    """The card stands in the file with this identifier."""
    yield from ask(CommandApdu(0x00, 0xA4, 0x00, 0x00, fid.to_bytes(2, "big")))


def read_field(spec: FieldSpec) -> Script[str]:
    """The field of the current file, read by its tag; by record number where it fills several.

    Raises:
        CodecError: the record is not what the profile says.
    """
    if spec.count == 1:
        raw = yield from ask(CommandApdu(0x00, 0xB2, spec.tag, 0x00, b"", spec.width + 2))
        return field_text(spec, raw)
    raw = b""
    for number in range(spec.record, spec.record + spec.count):
        raw += yield from ask(CommandApdu(0x00, 0xB2, number, 0x04, b"", spec.width + 2))
    return field_text(spec, raw)


def read_fields(file: FileSpec) -> Script[dict[int, str]]:
    """Every field of the current file by its tag, each read by itself.

    Raises:
        CodecError: a record is not what the profile says.
    """
    texts: dict[int, str] = {}
    for spec in file.fields:
        texts[spec.tag] = yield from read_field(spec)
    return texts


def read_all_records(file: FileSpec, *, by_sfi: bool = False) -> Script[dict[int, str]]:
    """Every field of the current file by its tag, read with one command (P2 = 05: all records from P1 on); each by
    itself when the file is longer than an answer. `by_sfi`: the file need not be the current one.

    Raises:
        CodecError: a record is not what the profile says.
    """
    size, specs = _size_and_fields(file)
    if size > SHORT_NE:
        if by_sfi:
            yield from select_file(file.fid)
        return (yield from read_fields(file))
    values: dict[int, list[bytes]] = {}
    for tag, value in records((yield from read_whole(file.sfi if by_sfi else 0))):
        if tag not in specs:
            raise CodecError(f"{file.dedicated}/{file.name} has a record of tag {tag:02X}, which the profile does not")
        values.setdefault(tag, []).append(value)
    return {tag: decode_field(specs[tag], found) for tag, found in values.items()}


@cache
def _size_and_fields(file: FileSpec) -> tuple[int, Mapping[int, FieldSpec]]:
    """How many bytes the file's records are together, and its fields by their tags."""
    return sum((spec.width + 2) * spec.count for spec in file.fields), {spec.tag: spec for spec in file.fields}


def field_text(spec: FieldSpec, raw: bytes) -> str:
    """The text in the bytes of the field's records, tags and lengths included.

    Raises:
        CodecError: another tag, length or number of records than the profile says.
    """
    found = list(records(raw))
    if len(found) != spec.count or any(tag != spec.tag for tag, _ in found):
        raise CodecError(f"the record of tag {spec.tag:02X} holds something else")
    return decode_field(spec, [value for _, value in found])


def read_record(number: int) -> Script[bytes]:
    """The record of that number of the current file, tag and length included."""
    return (yield from ask(CommandApdu(0x00, 0xB2, number, 0x04, b"", SHORT_NE)))


def read_whole(sfi: int = 0) -> Script[bytes]:
    """All records of the file with this short identifier, tags and lengths included; of the current file for 0.

    They are no more than an answer holds.
    """
    return (yield from ask(CommandApdu(0x00, 0xB2, 0x01, sfi << 3 | 5, b"", SHORT_NE)))


def read_binary(size: int) -> Script[bytes]:
    """The first `size` bytes of the current transparent file."""
    content = b""
    while len(content) < size:
        offset = len(content)
        wanted = min(CHUNK, size - offset)
        content += yield from ask(CommandApdu(0x00, 0xB0, offset >> 8, offset & 0xFF, b"", wanted))
    return content


def open_file(profile: CardProfile, dedicated: str, name: str) -> Script[FileSpec]:
    """The card stands in that file of the profile."""
    file = profile.file(dedicated, name)
    yield from select_dedicated(profile.by_name[dedicated])
    yield from select_file(file.fid)
    return file
