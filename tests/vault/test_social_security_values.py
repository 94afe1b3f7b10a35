"""One card of the region 990100, worked out twice: regression values of the social security rules."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.vault.ciphers import Algorithm, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, session_key
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import Scheme, protect
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Pin, Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyRef, Usage

MASTER = bytes(range(16))
FACTORS = (b"990000sh", b"990100sx", bytes.fromhex("8660200101000001"))
CARD_KEY = bytes.fromhex("5043F22D5FF3CC247F3110B141E2FD7E")
CHALLENGE = bytes.fromhex("1122334455667788")
RELOAD_PIN = CommandApdu.of("84 24 00 01", Pin.of("123456").reveal())
PIN_UNBLOCK = CommandApdu.of("84 24 00 00")
STK = cipher(CARD_KEY, Algorithm.TDES)


def test_each_level_of_the_key_tree() -> None:
    key, seen = MASTER, []
    for factor in FACTORS:
        key = diversify(key, factor)
        seen.append(key.hex().upper())
    assert seen == [
        "9A0642B64207AD9D61FB15BD215817C7",
        "00E12C7445D290EEDA423A6B13FC399E",
        CARD_KEY.hex().upper(),
    ]


def test_external_authentication_answer() -> None:
    session = session_key(CARD_KEY, CHALLENGE)
    assert session.hex().upper() == "8E573AFF5B088EF0"
    answer = fresh_cipher(session, Algorithm.DES).encrypt(bytes.fromhex("0102030405060708"))
    assert answer.hex().upper() == "9B9EDFBCB59637BF"


def test_internal_authentication_answer() -> None:
    session = session_key(CARD_KEY, bytes(range(0xA1, 0xA9)))
    answer = fresh_cipher(session, Algorithm.DES).encrypt(bytes(range(0xB1, 0xB9)))
    assert answer.hex().upper() == "996488D993702677"


def test_mac_of_the_identification_code() -> None:
    assert mac4(STK, bytes.fromhex("990100D15600000501000001")).hex().upper() == "F846174E"


def test_reload_pin_on_the_wire() -> None:
    sent = protect(STK, Scheme.SSC, RELOAD_PIN, CHALLENGE, encrypted=True)
    assert bytes(sent).hex().upper() == "842400010CD0D5F19C5D6C1F76AA867B2C"


def test_pin_unblock_on_the_wire() -> None:
    sent = protect(STK, Scheme.SSC, PIN_UNBLOCK, CHALLENGE, encrypted=True)
    assert bytes(sent).hex().upper() == "84240000044B14DB2D"


def test_a_vault_makes_the_same_bytes_without_showing_the_key() -> None:
    vault = SoftwareVault.empty(StoreKind.TEST)
    for label, usage in (
        ("STK", Usage.MESSAGING),
        ("IRK", Usage.INTERNAL_AUTHENTICATION),
        ("PUK", Usage.PIN_UNBLOCK),
    ):
        vault.import_components(label, usage, Algorithm.TDES, [Secret(MASTER)], None, levels=3)
    stk, irk, puk = (KeyRef(label).diversified(*FACTORS) for label in ("STK", "IRK", "PUK"))
    bare = CommandApdu.of("84 24 00 01")
    sent = vault.protect(stk, Scheme.SSC, bare, CHALLENGE, encrypted=True, append=Pin.of("123456"))
    assert bytes(sent).hex().upper() == "842400010CD0D5F19C5D6C1F76AA867B2C"
    assert vault.mac(irk, bytes.fromhex("990100D15600000501000001")).hex().upper() == "F846174E"
    answer = vault.encipher(irk.session(bytes(range(0xA1, 0xA9))), bytes(range(0xB1, 0xB9)))
    assert answer.hex().upper() == "996488D993702677"
    answer = vault.encipher(puk.session(CHALLENGE), bytes.fromhex("0102030405060708"))
    assert answer.hex().upper() == "9B9EDFBCB59637BF"
