"""A card image as people want to see it: files by name, fields decoded, keys and PINs by what may be shown of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kaguan.apdu.codecs import format_amount
from kaguan.apdu.errors import InputError
from kaguan.apdu.tlv import records
from kaguan.card_os.image import Address, CardImage, Elementary
from kaguan.card_os.profile import CardProfile, FileKind, FileSpec, load_profile
from kaguan.card_os.profile.values import decode_layout, decode_value
from kaguan.vault.checkvalue import check_value

Description = dict[str, Any]


class Difference(NamedTuple):
    """One place in which two images differ; None stands for absent."""

    where: str
    before: Any
    after: Any


def describe(image: CardImage) -> Description:
    """The image as JSON values. Keys show their check value, PINs their tries, files what they hold."""
    profile = load_profile(image.profile)
    names = {profile.path(spec.name): spec.name for spec in profile.dedicated}
    files = {(file.dedicated, file.name): file for file in profile.files()}
    return {
        "profile": image.profile,
        "atr": image.atr.hex().upper(),
        "lifecycle": image.lifecycle.name.lower(),
        "applications": {
            _name(names, address): dedicated.lifecycle.name.lower() for address, dedicated in image.dedicated.items()
        },
        "files": {
            path: _file(files.get((path.partition("/")[0], path.partition("/")[2])), file)
            for path, file in _named_files(names, image)
        },
        "pins": {
            f"{_name(names, address[:-1])}/{address[-1]:02X}": {
                "tries_left": pin.tries_left,
                "tries": pin.tries,
                "set": bool(pin.value),
            }
            for address, pin in image.pins.items()
        },
        "purses": {
            f"{_name(names, address[:-1])}/{address[-1]:02X}": {
                "balance_fen": purse.balance_fen,
                "balance": format_amount(purse.balance_fen),
                "online_sequence": purse.online_sequence,
                "offline_sequence": purse.offline_sequence,
            }
            for address, purse in image.purses.items()
        },
        "keys": {
            _key_name(profile, names, address, key.version): {
                "usage": str(key.usage),
                "check_value": str(check_value(key.value, key.algorithm)),
                "tries_left": key.tries_left,
            }
            for address, versions in image.keys.items()
            for key in versions
        },
    }


def lines(description: Description) -> Iterator[str]:
    """The description as text, one fact a line."""
    for title, value in description.items():
        if not isinstance(value, Mapping):
            yield f"{title}: {value}"
            continue
        yield f"{title}:"
        for where, what in _flat(value, "  "):
            yield f"{where}: {what}"


def differences(before: CardImage, after: CardImage) -> list[Difference]:
    """Everything in which the images differ, keys and PINs by their values without showing them."""
    left, right = dict(_flat(describe(before), "")), dict(_flat(describe(after), ""))
    left |= _hidden(before, after, "before")
    right |= _hidden(before, after, "after")
    return [
        Difference(where, left.get(where), right.get(where))
        for where in dict.fromkeys((*left, *right))
        if left.get(where) != right.get(where)
    ]


def _hidden(before: CardImage, after: CardImage, side: str) -> dict[str, str]:
    """PINs whose digits differ, as one word a side: what they are is nobody's business."""
    changed = (
        address
        for address in before.pins.keys() & after.pins.keys()
        if before.pins[address].value != after.pins[address].value
    )
    return {f"pins/{address.hex().upper()}/digits": side for address in sorted(changed)}


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", inner


def _name(names: Mapping[Address, str], address: Address) -> str:
    return names.get(address, address.hex().upper() or "chip")


def _named_files(names: Mapping[Address, str], image: CardImage) -> Iterator[tuple[str, Elementary]]:
    for address, file in image.files.items():
        yield f"{_name(names, address[:-2])}/{address[-2:].hex().upper()}", file


def _key_name(profile: CardProfile, names: Mapping[Address, str], address: Address, version: int) -> str:
    where, reference = _name(names, address[:-2]), address[-1]
    usage_type = address[-2]
    label = next(
        (
            spec.label
            for dedicated in profile.dedicated
            if dedicated.name == where
            for spec in dedicated.keys
            if spec.reference == reference and spec.type == usage_type
        ),
        f"{usage_type:02X}",
    )
    return f"{where}/{reference:02X} {label} version {version}"


def _file(spec: FileSpec | None, file: Elementary) -> Description:
    shape: Description = {"kind": file.kind.name.lower(), "read": str(file.read), "update": str(file.update)}
    if file.kind is FileKind.TRANSPARENT:
        used = file.content.rstrip(b"\xff")
        return {**shape, "size": file.size, "used": len(used), "content": used.hex().upper()}
    if file.kind is FileKind.LINEAR_VARIABLE:
        return {**shape, "fields": dict(_fields(spec, file))}
    return {**shape, "records": [_record(spec, record) for record in file.records]}


def _record(spec: FileSpec | None, record: bytes) -> str:
    if spec and spec.layout:
        try:
            return decode_layout(spec.layout, record)
        except InputError:
            return f"unreadable: {record.hex().upper()}"
    return record.hex().upper()


def _fields(spec: FileSpec | None, file: Elementary) -> Iterator[tuple[str, str]]:
    known = {field.tag: field for field in spec.fields} if spec else {}
    seen: Counter[int] = Counter()
    for number, raw in enumerate(file.records, 1):
        try:
            ((tag, value),) = records(raw)
        except (InputError, ValueError):  # cut off, or several in one: a log may lie in a file of any kind
            yield f"record {number}", f"unreadable: {raw.hex().upper()}"
            continue
        field = known.get(tag)
        seen[tag] += 1
        several = f"{tag:02X}" if seen[tag] == 1 else f"{tag:02X}:{seen[tag]:02d}"
        if field is None:
            yield several, value.hex().upper()
            continue
        try:
            text = decode_value(field, value)
        except InputError:
            text = f"unreadable: {value.hex().upper()}"
        yield f"{several} {field.name}", text
