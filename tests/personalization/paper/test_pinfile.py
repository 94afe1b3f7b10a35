"""The PIN file: opens whole with its key alone, and holds no PIN, no person and no card in clear."""

from __future__ import annotations

import secrets
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import InputError, VaultError
from kaguan.personalization.paper.pinfile import RECORDS_A_CHUNK, PinFileBroken, PinRecord, read_pins, write_pins
from kaguan.vault.secret import Pin, Secret

KEY = Secret(bytes(range(32)))


def record(number: int) -> PinRecord:
    """A record for an invented holder."""
    return PinRecord(f"R{number:011}", "测试甲", f"样例省样例市样例路{number}号", "990100", Pin.of(f"{number:06}"))


def sealed(count: int) -> bytes:
    """A PIN file with so many records."""
    stream = BytesIO()
    assert write_pins(stream, map(record, range(count)), KEY, secrets.token_bytes) == count
    return stream.getvalue()


@pytest.mark.parametrize("count", [0, 1, RECORDS_A_CHUNK, RECORDS_A_CHUNK + 1, 3 * RECORDS_A_CHUNK])
def test_what_was_sealed_comes_out(count):
    assert list(read_pins(BytesIO(sealed(count)), KEY)) == [record(number) for number in range(count)]


SMALL = sealed(3)
LARGE = sealed(2 * RECORDS_A_CHUNK + 5)


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place, change):
    raw = bytearray(SMALL)
    raw[place] ^= change
    with pytest.raises(PinFileBroken):
        list(read_pins(BytesIO(raw), KEY))


@given(st.integers(0, len(LARGE) - 1))
def test_a_cut_is_noticed(length):
    with pytest.raises(PinFileBroken):
        list(read_pins(BytesIO(LARGE[:length]), KEY))


def test_chunks_are_not_moved_left_out_or_added():
    head, rest, chunks = LARGE[:24], LARGE[24:], []
    while rest:
        size = 4 + int.from_bytes(rest[:4])
        chunks.append(rest[:size])
        rest = rest[size:]
    one, two, three = chunks
    for wrong in ((two, one, three), (one, three), (one, two), (one, two, three, three), (three,)):
        with pytest.raises(PinFileBroken):
            list(read_pins(BytesIO(head + b"".join(wrong)), KEY))


def test_another_key_does_not_open_it():
    with pytest.raises(PinFileBroken):
        list(read_pins(BytesIO(SMALL), Secret(bytes(32))))
    with pytest.raises(VaultError, match="32 bytes"):
        list(read_pins(BytesIO(SMALL), Secret(b"short")))


def test_nothing_is_readable_in_the_file():
    for text in ("测试甲", "样例", "R00000000001", "990100", "000002"):
        assert text.encode() not in LARGE


@pytest.mark.parametrize(
    "place",
    [
        "样例路 99010119900307001X",
        "6222 0200 9901 0000 017",
        "９９０１０１１９９００３０７００１５",
        "990101-19900307-0015",
    ],
)
def test_long_numbers_have_no_place_on_a_mailer(place):
    with pytest.raises(InputError, match="long number") as caught:
        PinRecord("R00000000001", "测试甲", place, "990100", Pin.of("135790"))
    assert place not in str(caught.value)


@pytest.mark.parametrize("mailer_id", ["", "a b", "990101199003070015", "0123456789AI"])
def test_a_mailer_id_means_nothing(mailer_id):
    with pytest.raises(InputError, match="a link is"):
        PinRecord(mailer_id, "测试甲", "样例路1号", "990100", Pin.of("135790"))


def test_a_record_does_not_show_itself():
    shown = repr(record(135790))
    assert "测试甲" not in shown
    assert "样例" not in shown
    assert "135790" not in shown.replace("R00000135790", "")
