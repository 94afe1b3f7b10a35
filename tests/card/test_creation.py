"""CREATE FILE, WRITE KEY, DELETE FILE and ACTIVATE FILE: what a blank chip does under its transport key."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import PROFILE, SELECT_SSSE, VERIFY, Terminal, blank, specimen, terminal
from card.oracle import retail, tdes
from kaguan.card_os.image import CardImage, Lifecycle
from kaguan.card_os.profile import FREE, FileKind
from kaguan.card_os.profile.fcp import DF_DESCRIPTOR, LOAD, PURSE_DESCRIPTOR, READ, UPDATE, Fcp
from kaguan.card_os.profile.rules import parse_rule
from kaguan.emulator.stock import FACTORY_TRANSPORT_KEY
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.specimen import specimen_holder, specimen_keys
from kaguan.personalization.station.recipe import make_card
from kaguan.terminal.script import converse

FACTOR = blank().atr[-8:]
TRANSPORT = tdes(FACTORY_TRANSPORT_KEY, FACTOR + bytes(byte ^ 0xFF for byte in FACTOR))
MASTER = Fcp(descriptor=DF_DESCRIPTOR, fid=0x3F00, df_name=b"1PAY.SYS.DDF01")
PURSE = bytes.fromhex("01EF080105F5E0FF")
KEY = "3901000008" + "41" * 16


def create(fcp: Fcp | bytes) -> bytes:
    raw = bytes(fcp)
    return bytes((0x00, 0xE0, 0x00, 0x00, len(raw))) + raw


def write_key(card: Terminal, plain: str, *, header: str = "84D40100", key: bytes = TRANSPORT) -> str:
    """The response to WRITE KEY under the transport key, made as the purse's standard says, by psec."""
    challenge = card.challenge()
    data = bytes.fromhex(plain)
    packed = bytes((len(data),)) + data
    if len(packed) % 8:
        packed += b"\x80"
    cryptogram = tdes(key, packed + bytes(-len(packed) % 8))
    head = bytes.fromhex(header) + bytes((len(cryptogram) + 4,)) + cryptogram
    return card.send(head + retail(key, challenge, head))


@pytest.fixture
def open_chip(blank_terminal: Terminal) -> Terminal:
    """A blank chip whose transport key has been shown."""
    assert blank_terminal.external_authenticate(0x00, key=TRANSPORT) == "9000"
    return blank_terminal


@pytest.fixture
def begun_chip(open_chip: Terminal) -> Terminal:
    """A chip with a master file and nothing in it."""
    assert open_chip.send(create(MASTER)) == "9000"
    return open_chip


@pytest.mark.parametrize("command", [create(MASTER), "84D4010004AABBCCDD", "00E40000", "00440000"])
def test_without_the_transport_key_nothing(blank_terminal: Terminal, command: str | bytes) -> None:
    assert blank_terminal.send(command) == "6982"
    assert blank_terminal.card.image == blank()


def test_a_file_is_made_where_one_stands(begun_chip: Terminal) -> None:
    file = Fcp(descriptor=FileKind.TRANSPARENT, fid=0x0003, size=20, rules={READ: FREE, UPDATE: FREE})
    assert begun_chip.send(create(file)) == "9000"
    assert begun_chip.send("00D6000002ABCD") == "9000", "it is the current file"
    assert begun_chip.send("00B0000003") == "ABCDFF9000"
    made = begun_chip.card.image.files[bytes.fromhex("3F000003")]
    assert (made.kind, made.size, made.read, made.update) == (FileKind.TRANSPARENT, 20, FREE, FREE)


def test_a_key_and_a_pin_come_enciphered(begun_chip: Terminal) -> None:
    assert write_key(begun_chip, KEY) == "9000"
    assert write_key(begun_chip, "3A000302060602123456") == "9000"
    image = begun_chip.card.image
    (key,) = image.keys[bytes.fromhex("3F003901")]
    assert (key.value, key.tries_left, key.version) == (b"A" * 16, 8, 0)
    pin = image.pins[bytes.fromhex("3F0000")]
    assert (pin.value, pin.tries_left, pin.min_bytes, pin.max_bytes) == (bytes.fromhex("123456"), 3, 2, 6)


@pytest.mark.parametrize(
    "fcp",
    [
        b"",
        b"\x62\x00",
        b"\x61\x00",
        b"\x62\x05\x82\x01",
        bytes(Fcp(descriptor=DF_DESCRIPTOR, fid=0xDDF1)),
        bytes(Fcp(descriptor=DF_DESCRIPTOR, fid=0xDDF1, df_name=bytes(17))),
        bytes(Fcp(descriptor=FileKind.TRANSPARENT, fid=0x3F00, size=1)),
        bytes(Fcp(descriptor=FileKind.TRANSPARENT, fid=0xEF01)),
        bytes(Fcp(descriptor=FileKind.CYCLIC, fid=0xEF01, size=3)),
        bytes(Fcp(descriptor=FileKind.LINEAR_VARIABLE, fid=0xEF01, size=3, record_size=3)),
        bytes(Fcp(descriptor=0x77, fid=0xEF01, size=3)),
        bytes(Fcp(descriptor=PURSE_DESCRIPTOR, fid=1)),
        bytes(Fcp(descriptor=PURSE_DESCRIPTOR, fid=1, proprietary=PURSE[:-1])),
        bytes(Fcp(descriptor=PURSE_DESCRIPTOR, fid=1, proprietary=b"\x03" + PURSE[1:])),
        bytes(Fcp(descriptor=PURSE_DESCRIPTOR, fid=1, proprietary=PURSE[:3] + b"\x02" + PURSE[4:])),
    ],
)
def test_contradictory_parameters_are_wrong_data(begun_chip: Terminal, fcp: bytes) -> None:
    before = begun_chip.card.image
    assert begun_chip.send(create(fcp)) == "6A80"
    assert begun_chip.card.image is before


def test_create_refuses_in_order(open_chip: Terminal) -> None:
    nameless = Fcp(descriptor=DF_DESCRIPTOR, fid=0x3F00)
    file = Fcp(descriptor=FileKind.TRANSPARENT, fid=0xEF01, size=0x8000)
    assert open_chip.send("00E00100000000") == "6A86"
    assert open_chip.send("00E00001") == "6A86"
    assert open_chip.send(create(nameless)) == "6A80"
    assert open_chip.send(create(file)) == "6A82"
    assert open_chip.send(create(MASTER)) == "9000"
    assert open_chip.send(create(nameless)) == "6A80"
    assert open_chip.send(create(file)) == "6A84"
    assert open_chip.send(create(MASTER)) == "6A89"
    assert open_chip.send(create(Fcp(descriptor=DF_DESCRIPTOR, fid=0xDDF1, df_name=MASTER.df_name))) == "6A8A"


def test_a_purse_is_made_once(begun_chip: Terminal) -> None:
    purse = Fcp(descriptor=PURSE_DESCRIPTOR, fid=1, proprietary=PURSE, rules={READ: FREE, UPDATE: FREE, LOAD: FREE})
    assert [begun_chip.send(create(purse)) for _ in range(2)] == ["9000", "6A89"]
    (made,) = begun_chip.card.image.purses.values()
    assert (made.balance_fen, made.rules.max_balance_fen) == (0, 99_999_999)


def test_write_key_refuses_in_order(open_chip: Terminal) -> None:
    assert open_chip.send("84D4000004AABBCCDD") == "6A86"
    assert open_chip.send("84D4010104AABBCCDD") == "6A86"
    assert write_key(open_chip, KEY) == "6A82", "a key without a file to lie in"
    assert open_chip.send(create(MASTER)) == "9000"
    assert open_chip.send("84D4010004AABBCCDD") == "6984"
    open_chip.challenge()
    assert open_chip.send("84D4010003AABBCC") == "6987"
    assert write_key(open_chip, KEY, key=bytes(16)) == "6988"
    before = open_chip.card.image
    for plain in ("", "39", KEY[:-2], KEY + "41", "55" + KEY[2:], "00" + KEY[2:], KEY[:6] + "07" + KEY[8:]):
        assert write_key(open_chip, plain) == "6A80", plain
    for plain in ("3A0003020606", "3A000002060602123456", "3A00030206060212", "3A000302060602" + "12" * 7):
        assert write_key(open_chip, plain) == "6A80", plain
    assert open_chip.card.image is before


def test_a_pin_is_decimal_digits(begun_chip: Terminal) -> None:
    """Whatever VERIFY would refuse as no PIN is not written as one either."""
    before = begun_chip.card.image
    for digits in ("12345A", "FF3456", "12FF56", "1234F6", "FFFFFF", "12FFFF"):
        assert write_key(begun_chip, "3A000303060602" + digits) == "6A80", digits
    assert begun_chip.card.image is before
    for digits, kept in (("123456", "123456"), ("12345F", "12345F"), ("123456FF", "123456")):
        assert write_key(begun_chip, "3A000303060602" + digits) == "9000"
        (pin,) = begun_chip.card.image.pins.values()
        assert pin.value.hex().upper() == kept


def test_delete_takes_all_that_is_in_the_file(begun_chip: Terminal) -> None:
    write_key(begun_chip, KEY)
    assert begun_chip.send(create(Fcp(descriptor=DF_DESCRIPTOR, fid=0xDDF1, df_name=b"x"))) == "9000"
    write_key(begun_chip, KEY)
    assert begun_chip.send("00E40000") == "9000"
    assert list(begun_chip.card.image.dedicated) == [bytes.fromhex("3F00")]
    assert begun_chip.send("00E40000") == "9000"
    assert begun_chip.card.image == blank()


def test_delete_and_activate_refuse_in_order(open_chip: Terminal) -> None:
    for ins in ("E4", "44"):
        assert open_chip.send(f"00{ins}010001AA") == "6A86"
        assert open_chip.send(f"00{ins}000101AA") == "6A86"
        assert open_chip.send(f"00{ins}000001AA") == "6700"
    assert open_chip.send("00E40000") == "6A82"
    assert open_chip.send("00440000") == "6985"
    open_chip.send(create(MASTER))
    open_chip.send(create(Fcp(descriptor=DF_DESCRIPTOR, fid=0xDDF1, df_name=b"x")))
    assert open_chip.send("00440000") == "6985", "it is sealed from the master file"


def test_the_seal_is_for_good(begun_chip: Terminal) -> None:
    assert begun_chip.send("00440000") == "9000"
    assert begun_chip.card.image.lifecycle is Lifecycle.ACTIVATED
    assert begun_chip.card.image.keys == {}
    assert begun_chip.send(create(MASTER)) == "6985"
    assert begun_chip.external_authenticate(0x00, key=TRANSPORT) == "6A88"


def test_what_is_on_an_unsealed_chip_serves_nobody_else(begun_chip: Terminal) -> None:
    file = Fcp(descriptor=FileKind.TRANSPARENT, fid=0x0003, size=20, rules={READ: FREE, UPDATE: FREE})
    begun_chip.send(create(file))
    begun_chip.card.reset()
    assert begun_chip.send("00A40000020003") == "9000"
    assert begun_chip.send("00B0000001") == "6982"
    assert begun_chip.send(VERIFY) == "6985"


def sealed(image: CardImage) -> CardImage:
    """The chip made into the specimen by the recipe."""
    card = Terminal(image).card
    keys = specimen_keys(PROFILE, card.atr)
    converse(card, make_card(keys, prepare(PROFILE, specimen_holder(PROFILE), b"")))
    return card.image


def test_a_torn_chip_is_begun_anew(begun_chip: Terminal) -> None:
    write_key(begun_chip, KEY)
    assert sealed(begun_chip.card.image) == specimen()


def test_all_keys_of_the_specimen_are_the_published_card_key() -> None:
    expected = bytes.fromhex("5043F22D5FF3CC247F3110B141E2FD7E")
    assert {key.value for versions in specimen().keys.values() for key in versions} == {expected}


def test_the_identification_code_bears_the_published_mac() -> None:
    card = terminal(at="SSSE")
    assert card.go(SELECT_SSSE, "00B2012C00") == "0110990100D15600000501000001F846174E9000"


SEEDS = [
    bytes(MASTER),
    bytes(Fcp(descriptor=DF_DESCRIPTOR, fid=0xDF01, df_name=b"name", proprietary=b"\x05\x02", shown=b"\x88\x01\x1e")),
    bytes(Fcp(descriptor=FileKind.CYCLIC, fid=0xEF01, size=3, record_size=2, rules={READ: FREE, UPDATE: FREE})),
    bytes(
        Fcp(
            descriptor=FileKind.TRANSPARENT,
            fid=0xEF02,
            size=9,
            rules={READ: parse_rule("any(pin, all(key(4), key(5)))"), UPDATE: parse_rule("never")},
        )
    ),
    bytes(Fcp(descriptor=PURSE_DESCRIPTOR, fid=1, proprietary=PURSE, rules={READ: FREE, LOAD: FREE})),
]


@examples(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=3))
def test_damaged_parameters_are_refused_or_make_a_file(seed: bytes, changes: list[tuple[int, int]]) -> None:
    chip = Terminal(blank())
    assert chip.external_authenticate(0x00, key=TRANSPORT) == "9000"
    assert chip.send(create(MASTER)) == "9000"
    damaged = bytearray(seed)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    before = chip.card.image
    answer = chip.send(create(bytes(damaged)))
    assert answer in ("9000", "6A80", "6A84", "6A89", "6A8A")
    assert (chip.card.image == before) == (answer != "9000")


@examples(st.binary(max_size=40) | st.binary(max_size=40).map(lambda rest: b"\x3a" + rest))
def test_any_key_data_under_a_right_mac(plain: bytes) -> None:
    chip = Terminal(blank())
    assert chip.external_authenticate(0x00, key=TRANSPORT) == "9000"
    assert chip.send(create(MASTER)) == "9000"
    assert write_key(chip, plain.hex()) in ("9000", "6A80")


def test_before_the_seal_one_command_brings_many_records(begun_chip: Terminal) -> None:
    file = Fcp(descriptor=FileKind.LINEAR_VARIABLE, fid=0xEF05, size=12, rules={READ: FREE, UPDATE: FREE})
    assert begun_chip.send(create(file)) == "9000"
    assert begun_chip.send("00E20000064001AA4101BB") == "9000"
    assert begun_chip.send("00B2010500") == "4001AA4101BB9000"
    assert begun_chip.send("00E20000054001AA4101") == "6A80", "the last one is cut off"
    assert begun_chip.send("00E20000094001AA4001AA4001AA") == "6A84", "they do not all fit, so none is there"
    assert begun_chip.send("00B2010500") == "4001AA4101BB9000"
    assert begun_chip.go("00A40000023F00", "00440000") == "9000"
    begun_chip.select("EF05")
    assert begun_chip.send("00E20000064001AA4101BB") == "6A80", "afterwards one command is one record"
