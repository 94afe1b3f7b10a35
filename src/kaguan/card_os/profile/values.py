"""Field values as text and as the bytes of their records, nested ones and whole cyclic records included.

A nested field (format `tlv`, a B-TLV record) is written as the texts of its inner fields with commas between; a field
that stands in several records as their texts with semicolons between. Empty ends are left out: "a,b;c,d". So the text
of nothing at all is empty, and reading gives back what was written.
"""

from __future__ import annotations

from collections.abc import Sequence

from kaguan.apdu import codecs
from kaguan.apdu.codecs import TLV
from kaguan.apdu.errors import CodecError
from kaguan.apdu.tlv import record, records
from kaguan.card_os.profile.model import FieldSpec

BETWEEN_RECORDS = ";"
BETWEEN_FIELDS = ","


def encode_field(spec: FieldSpec, text: str) -> tuple[bytes, ...]:
    """The value of each of the field's records.

    Raises:
        CodecError: too many parts, or one that does not fit its field.
    """
    if spec.count == 1:
        return (_encode_one(spec, text),)
    parts = text.split(BETWEEN_RECORDS)
    if len(parts) > spec.count:
        raise CodecError(f"the value has {len(parts)} records, the card has {spec.count}")
    parts += [""] * (spec.count - len(parts))
    return tuple(_encode_one(spec, part) for part in parts)


def decode_field(spec: FieldSpec, values: Sequence[bytes]) -> str:
    """The text in the values of the field's records.

    Raises:
        CodecError: not as many values as records, or one that is not what the field's format says.
    """
    if len(values) != spec.count:
        raise CodecError(f"tag {spec.tag:02X} stands in {spec.count} records, here in {len(values)}")
    if spec.count == 1:  # its own text may end with a semicolon
        return decode_value(spec, values[0])
    return BETWEEN_RECORDS.join([decode_value(spec, value) for value in values]).rstrip(BETWEEN_RECORDS)


def decode_value(spec: FieldSpec, value: bytes) -> str:
    """The text in the value of one record.

    Raises:
        CodecError: another length, other inner fields, or bytes that the format does not know.
    """
    if spec.format is not TLV:
        return codecs.decode(spec.format, spec.width, value)
    inner = tuple(records(value))
    if [tag for tag, _ in inner] != [part.tag for part in spec.inner]:
        raise CodecError(f"the record of tag {spec.tag:02X} holds other fields than the profile says")
    parts = zip(spec.inner, inner, strict=True)
    return _joined([codecs.decode(part.format, part.width, raw) for part, (_, raw) in parts])


def encode_layout(layout: Sequence[FieldSpec], text: str) -> bytes:
    """The bytes of a record without tags, as cyclic files have them.

    Raises:
        CodecError: too many parts, or one that does not fit.
    """
    return b"".join(codecs.encode(spec.format, spec.width, part) for spec, part in _parts(layout, text))


def decode_layout(layout: Sequence[FieldSpec], raw: bytes) -> str:
    """The text in a record without tags.

    Raises:
        CodecError: another length, or bytes that a format does not know.
    """
    if len(raw) != sum(spec.width for spec in layout):
        raise CodecError(f"the record has {sum(spec.width for spec in layout)} bytes, these are {len(raw)}")
    texts, offset = [], 0
    for spec in layout:
        texts.append(codecs.decode(spec.format, spec.width, raw[offset : offset + spec.width]))
        offset += spec.width
    return _joined(texts)


def example_layout(layout: Sequence[FieldSpec]) -> str:
    """The example of a record without tags."""
    return _joined([spec.example for spec in layout])


def _encode_one(spec: FieldSpec, text: str) -> bytes:
    if spec.format is not TLV:
        return codecs.encode(spec.format, spec.width, text)
    parts = _parts(spec.inner, text)
    return b"".join(record(part.tag, codecs.encode(part.format, part.width, value)) for part, value in parts)


def _parts(specs: Sequence[FieldSpec], text: str) -> list[tuple[FieldSpec, str]]:
    texts = text.split(BETWEEN_FIELDS) if text else []
    if len(texts) > len(specs):
        raise CodecError(f"the value has {len(texts)} parts, its record has {len(specs)} fields")
    return list(zip(specs, texts + [""] * (len(specs) - len(texts)), strict=True))


def _joined(texts: Sequence[str]) -> str:
    for text in texts:
        if BETWEEN_FIELDS in text or BETWEEN_RECORDS in text:
            raise CodecError("an inner field holds a comma or a semicolon, which stand between fields")
    return BETWEEN_FIELDS.join(texts).rstrip(BETWEEN_FIELDS)
