"""SSSE_RECORD ... DF07_RECORD: every file of an application is there, and holds what the profile says, byte for byte in
form: tags, lengths, formats, closed code lists. What a field says is the holder's and is not reported."""

from __future__ import annotations

from collections.abc import Sequence

from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import CodecError, TlvSyntaxError
from kaguan.apdu.tlv import Tlv, records, template
from kaguan.card_os.profile import DedicatedSpec, FieldSpec, FileKind, FileSpec
from kaguan.card_os.profile.values import decode_layout, decode_value
from kaguan.terminal.conformance.bench import (
    ABSENT,
    Bench,
    Complaint,
    enter,
    exactly,
    nothing,
    read_binary,
    read_first,
    read_record,
    select_elementary,
    select_identifier,
    select_name,
    shown,
)
from kaguan.terminal.conformance.rights import entitle
from kaguan.terminal.script import Script

MOST_AT_ONCE = 255
"""Bytes of a file that one short answer brings."""


def check_records(bench: Bench, name: str) -> Script[None]:
    """Every file of this dedicated file has been judged."""
    spec = bench.profile.by_name[name]
    if not (yield from enter(bench, spec)):
        response = yield select_name(spec)
        bench.failed(f"{name} is there", "9000", str(response.sw), response.sw.meaning, command="SELECT")
        return
    fci = control_information(spec)
    title = f"{name} shows its FCI"
    yield from bench.expect(title, select_name(spec), "9000", data=_is(fci), data_expected=f"{len(fci)} bytes of FCI")
    yield from bench.expect(
        f"{name} is found by its identifier", select_identifier(spec), "9000", data=_is(fci), data_expected="the same"
    )
    for file in spec.files:
        yield from _check_file(bench, spec, file)


def control_information(spec: DedicatedSpec) -> bytes:
    """6F { 84 name, A5 proprietary }, as SELECT of this dedicated file answers it."""
    parts = [Tlv(0x84, spec.df_name)]
    if spec.proprietary:
        parts.append(Tlv(0xA5, spec.proprietary))
    return bytes(template(0x6F, *parts))


def _check_file(bench: Bench, spec: DedicatedSpec, file: FileSpec) -> Script[None]:
    where = f"{spec.name}/{file.name}"
    evidence = str(file.confidence)
    if (yield read_first(file)).sw == ABSENT:
        meaning = f"{spec.name} has no file of that short identifier"
        bench.failed(f"{where} is there", "a file", f"{ABSENT:04X}", meaning, command=shown(read_first(file)))
        return
    found = yield from bench.expect(
        f"{where} is selected, and answers nothing else",
        select_elementary(file),
        "9000",
        data=nothing,
        data_expected="no data",
        evidence=evidence,
    )
    if not found.sw.ok:
        return
    reason = yield from entitle(bench, spec, file.read)
    if reason:
        bench.not_covered(f"{where}: contents", reason)
        return
    yield select_elementary(file)
    if file.kind is FileKind.TRANSPARENT:
        yield from _check_bytes(bench, where, file)
    elif file.kind is FileKind.LINEAR_VARIABLE:
        yield from bench.expect(f"{where} has records", read_binary(0), "6981", evidence=evidence)
        if file.fields:
            yield from _check_fields(bench, where, file)
        else:
            yield from _check_listed(bench, where, file)
    else:
        yield from _check_rows(bench, where, file)


def _check_bytes(bench: Bench, where: str, file: FileSpec) -> Script[None]:
    evidence = str(file.confidence)
    yield from bench.expect(f"{where} is transparent", read_record(1), "6981", evidence=evidence)
    for offset in (0, file.size - 1):
        yield from bench.expect(
            f"{where}: byte {offset}", read_binary(offset), "9000", data=exactly(1), evidence=evidence
        )
    yield from bench.expect(f"{where} ends after {file.size} bytes", read_binary(file.size), "6B00", evidence=evidence)


def _check_rows(bench: Bench, where: str, file: FileSpec) -> Script[None]:
    evidence, size = str(file.confidence), file.record_size
    yield from bench.expect(f"{where} has records", read_binary(0), "6981", evidence=evidence)
    for number in range(1, file.record_count + 1):
        title = f"{where}: record {number} has {size} bytes, when there is one"
        row = yield from bench.expect(
            title,
            read_record(number),
            "9000",
            "6A83",
            data=_row(file),
            data_expected=f"{size} bytes",
            evidence=evidence,
        )
        if not row.sw.ok:
            break
    if number == 1 and not row.sw.ok:
        bench.not_covered(f"{where}: the width of a record", "the file has no records yet")
    beyond = read_record(file.record_count + 1)
    yield from bench.expect(f"{where} has {file.record_count} records at most", beyond, "6A83", evidence=evidence)


def _check_listed(bench: Bench, where: str, file: FileSpec) -> Script[None]:
    """A directory, or a file that is kept for later."""
    evidence = str(file.confidence)
    if not file.directory:
        yield from bench.expect(f"{where}: reading", read_record(1), "9000", "6A83", evidence=evidence)
        return
    entries = bench.profile.directories[file.dedicated]
    for number, entry in enumerate(entries, 1):
        title = f"{where}: record {number} names an application"
        yield from bench.expect(title, read_record(number), "9000", data=_is(entry), evidence=evidence)
    yield from bench.expect(f"{where}: no more", read_record(len(entries) + 1), "6A83", evidence=evidence)


def _check_fields(bench: Bench, where: str, file: FileSpec) -> Script[None]:
    evidence = str(file.confidence)
    if file.optional and (yield read_record(1)).sw == 0x6A83:
        bench.not_covered(f"{where}: fields", "the file is optional and has no records")
        return
    read: list[bytes] = []
    for spec in file.fields:
        first_of_tag = b""
        for number in range(spec.record, spec.record + spec.count):
            title = f"{where}: record {number} is {spec.tag:02X} {spec.title}".rstrip()
            response = yield from bench.expect(
                title,
                read_record(number),
                "9000",
                data=_field(bench, spec),
                data_expected=f"tag {spec.tag:02X}, {spec.width} bytes",
                evidence=str(spec.confidence),
            )
            read.append(response.data)
            first_of_tag = first_of_tag or response.data
        by_tag = CommandApdu(0x00, 0xB2, spec.tag, 0x00, b"", 256)
        title = f"{where}: found by tag {spec.tag:02X}"
        yield from bench.expect(title, by_tag, "9000", data=_is(first_of_tag), data_expected="the same")
    yield from bench.expect(f"{where}: no more records", read_record(len(read) + 1), "6A83", evidence=evidence)
    whole = b"".join(read)
    if len(whole) <= MOST_AT_ONCE:
        command = CommandApdu(0x00, 0xB2, 0x01, 0x05, b"", 256)
        yield from bench.expect(f"{where}: all records at once", command, "9000", data=_is(whole))


def _field(bench: Bench, spec: FieldSpec) -> Complaint:
    def complaint(data: bytes) -> str:
        try:
            found = list(records(data))
            if len(found) != 1:
                return f"{len(found)} data objects are in it, not one"
            tag, value = found[0]
            if tag != spec.tag:
                return f"its tag is {tag:02X}"
            if len(value) != spec.width:
                return f"it has {len(value)} bytes"
            text = decode_value(spec, value)
        except (CodecError, TlvSyntaxError):
            return f"it is no value of the format {spec.format}"  # the error's own text may quote the holder's data
        return _coded(bench, spec, text)

    return complaint


def _coded(bench: Bench, spec: FieldSpec, text: str) -> str:
    if spec.format is FieldFormat.TLV:
        return ""
    codes = bench.profile.codes.get(spec.codes)
    if codes is None or not codes.closed or not text or text in codes.values:
        return ""
    return f"its value is not in the list {codes.title} ({codes.standard})"


def _row(file: FileSpec) -> Complaint:
    def complaint(data: bytes) -> str:
        if len(data) != file.record_size:
            return f"{len(data)} bytes came, not {file.record_size}"
        if not file.layout or not data.strip(b"\xff") or not data.strip(b"\0"):
            return ""
        try:
            decode_layout(file.layout, data)
        except CodecError:
            return "a field in it is no value of its format"
        return ""

    return complaint


def _is(wanted: bytes) -> Complaint:
    return lambda data: "" if data == wanted else _difference(data, wanted)


def _difference(data: Sequence[int], wanted: Sequence[int]) -> str:
    if len(data) != len(wanted):
        return f"{len(data)} bytes came, not {len(wanted)}"
    place = next(place for place, (one, other) in enumerate(zip(data, wanted, strict=True)) if one != other)
    return f"byte {place} is another one"
