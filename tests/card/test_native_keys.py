"""WRITE KEY of a native card, and what its keys and PINs then do."""

from __future__ import annotations

import pytest

from card.cards import Terminal
from card.natives import ADF, FACTORY_KEY, LOAD_KEY, MASTER_KEY, at_application, authenticate, built, factory, guarded
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import Usage

KEY = LOAD_KEY.hex()


def test_a_key_record_becomes_a_key() -> None:
    (key,) = built().keys[ADF + b"\x3f\x01"]
    assert (key.usage, key.version, key.code, key.algorithm) == (Usage.LOAD, 1, 0, Algorithm.TDES)
    (key,) = built().keys[ADF + b"\x39\x00"]
    assert (key.next_state, key.tries, key.tries_left) == (4, 3, 3)
    (key,) = built().keys[ADF + b"\x36\x00"]
    assert (key.tries, key.tries_left, key.version) == (3, 3, 0)


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("80D4020015" + "3FF0F40100" + KEY, "6A86"),  # P1 is neither 01 nor a type
        ("80D4330015" + "3FF0F40100" + KEY, "6A86"),
        ("80D43F0515" + "3FF0F40100" + KEY, "6A88"),
        ("80D4010215" + "33F0F40100" + KEY, "6A80"),
        ("80D4010214" + "3FF0F40100" + KEY[2:], "6A80"),
        ("80D4010205" + "3FF0F40100", "6A80"),
        ("80D40102", "6A80"),
        ("80D43F0115" + "3EF0F40100" + KEY, "6A80"),  # a record of another type
        ("80D4010115" + "3FF0F40100" + KEY, "6A80"),  # it is there
        ("80D401010D" + "3FF0F40100" + KEY[:16], "6A80"),
        ("80D4010215" + "FFF0F40100" + KEY, "6900"),  # declared enciphered and sent plain
        ("80D4010206" + "3AF0EF013312", "6A80"),
        ("80D401020E" + "3AF0EF0133" + "12" * 9, "6A80"),
        ("80D4010207" + "3AF0EF0133FFFF", "6A80"),
        ("80D4010208" + "3AF0EF013312345A", "6A80"),  # no decimal digits
        ("80D4010208" + "3AF0EF013312FF56", "6A80"),
        ("80D43A0008" + "3AF0EF0133123456", "6982"),
        ("80D4010207" + "3AF0EF01331234", "9000"),
        ("80D4010215" + "3FF0F40100" + KEY, "9000"),
        ("80D43F0115" + "3FF0F40200" + KEY, "9000"),
        ("80D4FF0115" + "FFF0F40200" + KEY, "9000"),
    ],
)
def test_write_key_refuses(command: str, word: str) -> None:
    assert at_application(state=4).send(command) == word


def test_the_order_of_refusals() -> None:
    terminal = Terminal(factory())
    assert authenticate(terminal, 0x00, FACTORY_KEY) == "9000"
    terminal.send("800E000000")
    assert terminal.send("80D4020000") == "6A86"
    assert terminal.send("80D43F0515" + "3FF0F40100" + KEY) == "6A82", "no key file before no key"
    terminal = at_application()
    assert terminal.send("80D43F0515" + "33") == "6700", "Lc says more than there is"
    assert terminal.send("80D43F0501" + "33") == "6A88", "no such key before its rights"
    assert terminal.send("80D43F0101" + "33") == "6982", "rights before the record"
    assert terminal.send("84D43F0101" + "33") == "6982", "rights before the protection"
    terminal = at_application(state=4)
    assert terminal.send("84D43F0101" + "33") == "6984", "the challenge before the MAC"
    terminal.challenge(8)
    assert terminal.send("84D43F0101" + "33") == "6987"
    terminal.challenge(8)
    assert terminal.send("84D43F0104" + "33333333") == "6988"


def test_no_key_to_protect_with() -> None:
    terminal = Terminal(factory())
    assert authenticate(terminal, 0x00, FACTORY_KEY) == "9000"
    terminal.go("800E000000", "80E00000073F005001F0FFFF")
    terminal.challenge(8)
    assert terminal.send("84D4010119" + "3FF0F40100" + KEY + "00000000") == "6A88"
    assert terminal.send("80D4010115" + "FFF0F00100" + KEY) == "9000", "declared, but there is nothing to do it with"
    assert terminal.send("80D43F0115" + "FFF0F00100" + KEY) == "6900"


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("record", ["3FF0F40300" + KEY, "39F0F0AA33" + KEY[:16], "3AF0EF0133123456", "3AF0EF01331234"])
def test_a_key_comes_protected(record: str, encrypted: bool) -> None:
    terminal = at_application(state=4)
    command = guarded(terminal, MASTER_KEY, f"84D40105{len(record) // 2:02X}{record}", encrypted=encrypted)
    plain = at_application(state=4)
    assert plain.send(f"80D40105{len(record) // 2:02X}{record}") == "9000"
    assert terminal.send(command) == "9000"
    assert terminal.card.image == plain.card.image


def test_a_key_declared_enciphered_is_written_so() -> None:
    terminal = at_application(state=4)
    assert terminal.send(guarded(terminal, MASTER_KEY, "84D4010515FFF0F40300" + KEY, encrypted=True)) == "9000"
    assert terminal.send("80D43F0515" + "3FF0F40400" + KEY) == "6900"
    assert terminal.send(guarded(terminal, MASTER_KEY, "84D43F0515FFF0F40400" + KEY, encrypted=False)) == "6988"
    assert terminal.send(guarded(terminal, MASTER_KEY, "84D43F0515FFF0F40400" + KEY, encrypted=True)) == "9000"


def test_the_master_key_of_the_file_above_serves_until_there_is_one() -> None:
    terminal = Terminal(factory())
    terminal.go("80E03F010D380800F0FA95FFFF4144463031", "00A40000023F01", "80E00000073F018F95F0FFFF")
    assert terminal.send(guarded(terminal, FACTORY_KEY, "84D401001539F0F0AA33" + KEY, encrypted=True)) == "9000"
    late = guarded(terminal, FACTORY_KEY, "84D401011539F0F0AA33" + KEY, encrypted=True)
    assert terminal.send(late) == "6988"
    assert terminal.send(guarded(terminal, LOAD_KEY, "84D401011539F0F0AA33" + KEY, encrypted=True)) == "9000"


def test_the_key_file_fills_up() -> None:
    terminal = Terminal(factory())
    terminal.go("80E03F010D380800F0FA95FFFF4144463031", "00A40000023F01", "80E00000073F002895F0FFFF")
    assert terminal.send("80D4010015" + "3FF0F00100" + KEY) == "9000"  # 24 of 40 bytes
    assert terminal.send("80D4010115" + "3FF0F00100" + KEY) == "6A84"
    assert terminal.send("80D401010D" + "3FF0F00100" + KEY[:16]) == "9000"  # and 16
    assert terminal.send("80D4010007" + "3AF0EF01331234") == "6A84"
    assert terminal.send("80D43F000D" + "3FF0F00100" + KEY[:16]) == "9000", "a shorter key gives room back"
    assert terminal.send("80D43F0115" + "3FF0F00100" + KEY) == "9000"


def test_a_key_out_of_time_does_nothing() -> None:
    terminal = at_application(state=4)
    for record in ("3FF1F40100" + KEY, "30F1F40100" + KEY, "39F1F40133" + KEY):
        assert terminal.send(f"80D4010715{record}") == "9000"
    terminal = at_application(terminal.card.image)
    terminal.challenge(8)
    assert terminal.send("0082000708" + "00" * 8) == "6982"
    assert terminal.send("0088000708" + "00" * 8) == "6982"
    terminal.send("0020000003123456")
    assert terminal.send("805000020B0700000001112233445566" + "10")[-4:] == "9000"
    assert authenticate(terminal, 0x07, LOAD_KEY) == "9000"


def test_a_key_has_its_tries() -> None:
    terminal = at_application()
    for left in (2, 1, 0):
        terminal.challenge(4)
        assert terminal.send("0082000008" + "00" * 8) == f"63C{left}"
    assert authenticate(terminal, 0x00, MASTER_KEY) == "6983"
    terminal.card.reset()
    terminal.select("3F01")
    assert authenticate(terminal, 0x00, MASTER_KEY) == "6983"


def test_keys_serve_in_their_own_file_alone() -> None:
    below = at_application(state=4)
    below.go("80E0DF020D380100F0F096FFFF4144463032", "00A4000002DF02")
    assert below.send("0020000003123456") == "6A88"
    above = Terminal(built())
    assert above.send("0020000003123456") == "6A88"
    assert above.send("805C000204") == "6A82"


def test_a_security_modules_key() -> None:
    terminal = at_application(state=4)
    record = "220100" + KEY
    assert terminal.send("80D4000013" + record) == "6A86", "never plain"
    assert terminal.send(guarded(terminal, MASTER_KEY, "84D4000013" + record, encrypted=True)) == "9000"
    assert terminal.send(guarded(terminal, MASTER_KEY, "84D4000012" + record[2:], encrypted=True)) == "6A80"
    (key,) = terminal.card.image.keys[ADF + b"\x20\x01"]
    assert (key.version, key.code, key.value) == (0x22, 0, LOAD_KEY)
    assert terminal.send("84D4000004" + "00000000") == "6984"


@pytest.mark.parametrize("value", ["0123456789ABCDEF", "0123456789ABCDEFFEDCBA9876543210"])
def test_over_a_key_its_value_may_come_alone(value: str) -> None:
    """As two public programs that issue cards write over a key; all else of it stays."""
    card = Terminal(factory())
    assert authenticate(card, 0, FACTORY_KEY) == "9000"
    before = dict(card.card.image.keys)
    assert card.send("0084000004")[-4:] == "9000"
    assert card.send("0082000008" + "00" * 8) == "63C7"
    assert card.send(f"80D43900{len(value) // 2:02X}{value}") == "9000"
    ((address, (old,)),) = before.items()
    (new,) = card.card.image.keys[address]
    algorithm = Algorithm.DES if len(value) == 16 else Algorithm.TDES
    assert new == old._replace(value=bytes.fromhex(value), algorithm=algorithm)
    assert new.tries_left == new.tries == 8
    assert authenticate(card, 0, bytes.fromhex(value)) == "9000"


@pytest.mark.parametrize("length", [7, 9, 15, 17])
def test_what_is_no_key_and_no_record_is_refused(length: int) -> None:
    card = Terminal(factory())
    assert authenticate(card, 0, FACTORY_KEY) == "9000"
    assert card.send(f"80D43900{length:02X}" + "11" * length) == "6A80"


def test_added_it_never_comes_alone() -> None:
    card = Terminal(factory())
    assert authenticate(card, 0, FACTORY_KEY) == "9000"
    assert card.send("80D4010110" + "11" * 16) == "6A80"
