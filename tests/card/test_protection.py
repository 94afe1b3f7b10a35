"""Files under line protection: read and written with a MAC, or with a MAC and encryption."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.cards import Terminal
from card.natives import LINE_KEY, at_application, guarded
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.mac import mac4

WORKER = cipher(LINE_KEY, Algorithm.TDES)


def read(terminal: Terminal, command: str, *, encrypted: bool) -> bytes:
    """What a protected READ brings, its MAC checked and taken off, deciphered where it was enciphered."""
    raw = guarded(terminal, LINE_KEY, command, encrypted=encrypted)
    challenge = terminal.trace[-1][1][:-2]
    answer = bytes.fromhex(terminal.send(raw))
    data, mac, word = answer[:-6], answer[-6:-2], answer[-2:]
    assert word == b"\x90\x00"
    assert mac == mac4(WORKER, data, challenge)
    if not encrypted:
        return data
    packed = WORKER.decrypt(data)
    return packed[1 : 1 + packed[0]]


@settings(max_examples=40)
@given(data=st.binary(min_size=1, max_size=16), encrypted=st.booleans())
def test_what_is_written_protected_is_read_protected(data: bytes, encrypted: bool) -> None:
    terminal = at_application()
    sfi = 7 if encrypted else 6
    command = f"04D6{0x80 | sfi:02X}00{len(data):02X}{data.hex()}"
    assert terminal.send(guarded(terminal, LINE_KEY, command, encrypted=encrypted)) == "9000"
    back = read(terminal, f"04B0{0x80 | sfi:02X}00{len(data):02X}", encrypted=encrypted)
    assert back == data


def test_records_under_a_mac() -> None:
    terminal = at_application()
    for record in ("11111111", "22222222"):
        assert terminal.send(guarded(terminal, LINE_KEY, f"04E2005404{record}", encrypted=False)) == "9000"
    assert terminal.send(guarded(terminal, LINE_KEY, "04DC015404" + "33333333", encrypted=False)) == "9000"
    assert read(terminal, "04B2015404", encrypted=False).hex() == "33333333"
    assert read(terminal, "04B2035404", encrypted=False).hex() == "11111111"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("00B0860004", "6900"),  # plain, though the file needs protection
        ("00D6860001AA", "6900"),
        ("00B2015404", "6900"),
        ("00E200540411111111", "6900"),
        ("04B085000400000000" + "04", "6900"),  # protected, though the file has none
        ("04D6850005AA00000000", "6900"),
        ("04DC014C08" + "11" * 8, "6900"),
        ("04B0C60004" + "00" * 4 + "04", "6A86"),
        ("04B0800004" + "00" * 4 + "04", "6A86"),
        ("04B08C0004" + "00" * 4 + "04", "6A82"),
        ("04B0000004" + "00" * 4 + "04", "6986"),
        ("04D68600F0" + "00" * 240, "6700"),
        ("00D68500F0" + "00" * 240, "6700"),
        ("04D6860005AA00000000", "6984"),
    ],
)
def test_refusals_before_the_mac(command: str, word: str) -> None:
    assert at_application().send(command) == word


def test_refusals_of_the_mac() -> None:
    terminal = at_application()
    terminal.challenge(4)
    assert terminal.send("04D6860003AABBCC") == "6987"
    terminal.challenge(4)
    assert terminal.send("04D6860005AA00000000") == "6988"
    command = guarded(terminal, LINE_KEY, "04D6860001AA", encrypted=True)
    assert terminal.send(command) == "9000", "a cryptogram is data, where only a MAC is asked for"
    command = guarded(terminal, LINE_KEY, "04D6870001AA", encrypted=False)
    assert terminal.send(command) == "6988", "no cryptogram, where one is asked for"
    command = guarded(terminal, LINE_KEY, "04B0860002AABB04", encrypted=False)
    assert terminal.send(command) == "6700"


def test_the_key_that_the_control_byte_names() -> None:
    terminal = at_application(state=4)
    other = bytes.fromhex("6A" * 16)
    terminal.go("80D401021536F0F4FF33" + other.hex(), "80E0000B07A80004F0F0FF75")  # read with 02, write with 02
    command = guarded(terminal, LINE_KEY, "04D68B0001AA", encrypted=False)
    assert terminal.send(command) == "6988"
    assert terminal.send(guarded(terminal, other, "04D68B0001AA", encrypted=False)) == "9000"
    terminal.go("80E0000C07A80004F0F0FF7C")  # write with 03, which is not there
    assert terminal.send(guarded(terminal, other, "04D68C0001AA", encrypted=False)) == "6A88"


def test_fixed_and_variable_records() -> None:
    terminal = at_application()
    assert terminal.send("00B2014C04") == "6A83"
    assert terminal.send("00DC034C0411223344") == "9000"
    assert terminal.send("00B2014C04") == "000000009000"
    assert terminal.send("00B2034C04") == "112233449000"
    assert terminal.send("00DC044C0411223344") == "6A83"
    assert terminal.send("00E2004C0411223344") == "6A84"
    assert terminal.send("00DC024403F70111") == "6A83", "the next is the first"
    assert terminal.send("00DC014403F70111") == "9000"
    assert terminal.send("00DC014404F7021122") == "6A83", "a record keeps its length"
    assert terminal.send("00DC014403F70122") == "9000"
    assert terminal.send("00E2004403F70233") == "6A80"
    assert terminal.send("00E2004003F80133") == "9000"
    assert terminal.send("00B2024403") == "F801339000"
