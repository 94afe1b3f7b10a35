"""Card images from anywhere, with good checksums: what loads can be shown and answers commands, the rest is told."""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.cards import PIN_ADDRESS, PURSE_ADDRESS, funded, specimen
from kaguan.apdu.errors import InputError, PlacedInputError
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagecodec import decode_group, encode_image
from kaguan.emulator.imagefile import FORMAT, load_image
from kaguan.emulator.imageview import describe, lines
from properties.commands import random_command

IMAGE = encode_image(funded())
DEDICATED, FILES, KEYS, PINS, PURSES = range(3, 8)
VARIABLE = next(address for address, file in IMAGE[FILES].items() if file[6])

_Change = Callable[[Any], object]


OFTEN = [
    bytes.fromhex(command)
    for command in (
        "00B0000000",
        "00B2010400",
        "0020000003123456",
        "805000020B" + "01" + "00" * 10,
        "8416000004AABBCCDD",
    )
]


def write(path: Path, *texts: bytes) -> Path:
    """A file of these lines, each with the checksum that it should have."""
    checksum, raw = 0, b""
    for text in texts:
        checksum = zlib.crc32(text, checksum)
        raw += b"%08x %s\n" % (checksum, text)
    path.write_bytes(raw)
    return path


def changed(path: Path, image: Any) -> Path:
    return write(path, json.dumps({"format": FORMAT, "image": image}).encode())


def used(path: Path) -> None:
    """The image is shown, and asked a few commands of every kind."""
    image = load_image(path)
    assert list(lines(describe(image)))
    luck = Random(7)
    card = EmulatedCard(image, random=luck.randbytes)
    for address in (*image.dedicated, *image.files, b"", *image.dedicated):
        card.transceive(b"\x00\xa4\x00\x04" + bytes((len(address[-2:]),)) + address[-2:])
        for command in OFTEN:
            card.transceive(command)
        for _ in range(5):
            card.transceive(random_command(luck))


def test_the_image_is_good_by_itself(tmp_path: Path) -> None:
    used(changed(tmp_path / "card", IMAGE))


CHANGES: dict[str, _Change] = {
    "an empty record": lambda image: image[FILES][VARIABLE].__setitem__(6, [""]),
    "a PIN nowhere": lambda image: image[PINS].__setitem__("", image[PINS][PIN_ADDRESS.hex()]),
    "a key nowhere": lambda image: image[KEYS].__setitem__("", next(iter(image[KEYS].values()))),
    "a purse nowhere": lambda image: image[PURSES].__setitem__("", image[PURSES][PURSE_ADDRESS.hex()]),
    "a file nowhere": lambda image: image[FILES].__setitem__("", image[FILES][VARIABLE]),
    "no applications": lambda image: image.__setitem__(DEDICATED, {}),
    "no master file": lambda image: image[DEDICATED].pop("3f00"),
    "a short key": lambda image: next(iter(image[KEYS].values()))[0].__setitem__(4, "00"),
    "a PIN that is another": lambda image: image[PINS][PIN_ADDRESS.hex()].__setitem__(0, 5),
    "tries below none": lambda image: image[PINS][PIN_ADDRESS.hex()].__setitem__(2, -1),
    "a balance below nothing": lambda image: image[PURSES][PURSE_ADDRESS.hex()].__setitem__(1, -5),
    "a balance beyond four bytes": lambda image: image[PURSES][PURSE_ADDRESS.hex()].__setitem__(1, 2**40),
    "a truth for a number": lambda image: image[PURSES][PURSE_ADDRESS.hex()].__setitem__(1, True),
    "a rule that multiplies": lambda image: image[FILES][VARIABLE].__setitem__(
        1, "all(" + ",".join(f"any(key({2 * n}),key({2 * n + 1}))" for n in range(24)) + ")"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_no_chip_has_is_refused(change: _Change, tmp_path: Path) -> None:
    image = copy.deepcopy(IMAGE)
    change(image)
    with pytest.raises(PlacedInputError):
        load_image(changed(tmp_path / "card", image))


def test_json_without_a_bottom_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(PlacedInputError, match="no card image"):
        load_image(write(tmp_path / "card", b'{"format":"kaguan-card-1","image":' + b"[" * 200_000 + b"}"))


def test_a_group_that_makes_the_card_unsound_is_refused(tmp_path: Path) -> None:
    snapshot = json.dumps({"format": FORMAT, "image": IMAGE}).encode()
    for group in (b'[["DropTree",["3f00"]]]', b'[["PutRecord",["%s",0,""]]]' % VARIABLE.encode()):
        with pytest.raises(PlacedInputError, match="no chip has"):
            load_image(write(tmp_path / "card", snapshot, group))


@pytest.mark.parametrize(
    "value",
    [5, [5], [["PutBytes"]], [["x", 1]], [[["x"], 1]], [["DropTree", [5]]], [["PutRecord", ["3f00", -7, "00"]]]],
)
def test_what_is_no_group(value: object) -> None:
    with pytest.raises(InputError, match="no group of writes"):
        decode_group(value)


def test_a_record_that_is_no_tlv_is_shown_as_it_is() -> None:
    image = specimen()
    address = bytes.fromhex(VARIABLE)
    odd = image.files[address]._replace(records=(b"\x05", b"\x05\x02\x01"))
    shown = list(lines(describe(image._replace(files={**image.files, address: odd}))))
    assert sum("unreadable" in line for line in shown) == 2


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in the JSON with each of its keys."""
    for key in value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0):
        yield value, key
        yield from _places(value[key])


JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, -1, 0, 1, 3, 255, 256, 65535, 65536, 2**32, "", "00", "3f00", "free", "zz", [], {}]
)


@given(st.integers(0, 10_000), JUNK | st.integers() | st.text(max_size=4))
@settings(max_examples=100)
def test_an_image_with_anything_anywhere(tmp_path_factory: pytest.TempPathFactory, at: int, junk: object) -> None:
    image = copy.deepcopy(IMAGE)
    places = list(_places(image))
    container, key = places[at % len(places)]
    container[key] = junk
    path = changed(tmp_path_factory.getbasetemp() / "junk", image)
    try:
        load_image(path)
    except InputError:
        return
    used(path)
