"""Fields, code lists and variants of a profile, from TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.errors import CodecError, ProfileError
from kaguan.card_os.profile.model import CardProfile, CodeList, Confidence, FieldSpec, FileKind, FileSpec, Variant
from kaguan.card_os.profile.values import BETWEEN_FIELDS, BETWEEN_RECORDS, encode_field, encode_layout, example_layout

Table = Mapping[str, Any]

_TAG_AND_LENGTH = 2


def parse_fields(tables: list[Table], confidence: Confidence) -> tuple[FieldSpec, ...]:
    """The fields, their records numbered through from 1; one has the file's confidence unless it has its own.

    Raises:
        KeyError, ValueError: a name is missing, or a value is none of those that there are.
    """
    fields, number = [], 1
    for table in tables:
        own = Confidence(table.get("confidence", confidence))
        spec = FieldSpec(
            tag=table.get("tag", 0),
            name=table["name"],
            format=FieldFormat(table["format"]),
            width=table["width"],
            record=number,
            title=table.get("title", ""),
            example=table.get("example", ""),
            count=table.get("count", 1),
            codes=table.get("codes", ""),
            inner=parse_fields(table.get("inner", []), own),
            confidence=own,
            note=table.get("note", ""),
        )
        fields.append(spec)
        number += spec.count
    return tuple(fields)


def parse_codes(table: Table) -> dict[str, CodeList]:
    """The code lists by their names."""
    return {
        name: CodeList(
            name=name,
            title=entry["title"],
            standard=entry["standard"],
            values=dict(entry.get("values", {})),
            closed=entry.get("closed", False),
            confidence=Confidence(entry["confidence"]),
        )
        for name, entry in table.items()
    }


def parse_variants(tables: list[Table]) -> tuple[Variant, ...]:
    """The variants that may be chosen."""
    return tuple(Variant(table["name"], table["title"], Confidence(table["confidence"])) for table in tables)


def check_fields(profile: CardProfile, file: FileSpec) -> None:
    """Nothing happens when the file's fields agree with themselves, with their examples and with their code lists.

    Raises:
        ProfileError: they do not, with the place.
    """
    where = f"{file.dedicated}/{file.name}"
    tags = [spec.tag for spec in file.fields]
    if len(set(tags)) != len(tags):
        raise ProfileError(f"{where} has one tag twice")
    if file.layout and file.kind is FileKind.CYCLIC and sum(spec.width for spec in file.layout) != file.record_size:
        raise ProfileError(f"{where} has records of {file.record_size} bytes, its layout has another size")
    for spec in file.fields:
        _check_field(profile, f"{where} {spec.tag:02X}", spec)
    for spec in file.layout:
        _check_codes(profile, f"{where} {spec.name}", spec, spec.example)
    try:
        encode_layout(file.layout, example_layout(file.layout))
    except CodecError as error:
        raise ProfileError(f"{where}: the example does not fit: {error}") from None


def _check_field(profile: CardProfile, where: str, spec: FieldSpec) -> None:
    if not 0 < spec.tag <= 0xFF:
        raise ProfileError(f"{where}: a tag is one byte")
    if (spec.format is FieldFormat.TLV) != bool(spec.inner):
        raise ProfileError(f"{where}: format tlv and inner fields belong together")
    size = sum(_TAG_AND_LENGTH + part.width for part in spec.inner)
    if spec.inner and size != spec.width:
        raise ProfileError(f"{where} is {spec.width} bytes wide, its inner fields take {size}")
    try:
        encode_field(spec, spec.example)
    except CodecError as error:
        raise ProfileError(f"{where}: the example does not fit: {error}") from None
    for part, text in _examples(spec):
        _check_codes(profile, f"{where} {part.tag:02X}", part, text)


def _examples(spec: FieldSpec) -> Iterator[tuple[FieldSpec, str]]:
    """Each plain field with an example of it."""
    if not spec.inner:
        yield spec, spec.example
        return
    for part in spec.inner:
        yield part, part.example
    for text in spec.example.split(BETWEEN_RECORDS):
        yield from zip(spec.inner, text.split(BETWEEN_FIELDS), strict=False)


def _check_codes(profile: CardProfile, where: str, spec: FieldSpec, example: str) -> None:
    if not spec.codes:
        return
    if spec.codes not in profile.codes:
        raise ProfileError(f"{where} refers to the code list '{spec.codes}', which the profile does not have")
    codes = profile.codes[spec.codes]
    if example and codes.closed and example not in codes.values:
        raise ProfileError(f"{where}: the example is not in the code list '{spec.codes}'")
