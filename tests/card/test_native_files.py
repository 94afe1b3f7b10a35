"""CREATE FILE and ERASE DF of a native card."""

from __future__ import annotations

import pytest

from card.cards import Terminal
from card.natives import (
    ADF,
    APPLICATION,
    FACTORY_KEY,
    MASTER_KEY,
    MF,
    PROFILE,
    at_application,
    authenticate,
    built,
    factory,
)
from kaguan.card_os.native import room_left
from kaguan.emulator.imagecodec import decode_image, encode_image
from kaguan.emulator.native_stock import answer_to_select

NATIVE = PROFILE.behaviour.native


def emptied() -> Terminal:
    """A terminal that has just erased the master file of a new card."""
    terminal = Terminal(factory())
    assert authenticate(terminal, 0x00, FACTORY_KEY) == "9000"
    assert terminal.send("800E000000") == "9000"
    return terminal


def test_the_factory_card() -> None:
    image = factory()
    assert image.atr.hex().upper() == "3B8B8001209000" + "0000200101000001" + "9B"
    assert answer_to_select(PROFILE, image).hex().upper() == "1078809002209000" + "0000200101000001"
    assert image.dedicated.keys() == {MF}
    assert Terminal(image).send("00A40000023F00") == "6F15840E315041592E5359532E4444463031A5038801019000"


@pytest.mark.parametrize("image", [factory, built])
def test_a_card_survives_storage(image: object) -> None:
    card = image()  # type: ignore[operator]
    assert decode_image(encode_image(card)) == card


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("80E0000B", "6700"),
        ("80E0000B06280010F0F0FF", "6700"),
        ("80E0000B08280010F0F0FFFFFF", "6700"),
        ("80E03F0208380100F0F095FFFF", "6700"),  # no name
        ("80E03F020C380100F0F095FFFF41414141", "6A80"),  # a name of 4 bytes
        ("80E03F0219380100F0F095FFFF" + "41" * 17, "6A80"),
        ("80E0000B07290010F0F0FFFF", "6A80"),
        ("80E0000B07680010F0F0FFFF", "6A80"),  # 28 and a protection that no file has
        ("80E0000B07280000F0F0FFFF", "6A80"),
        ("80E0000B072A0208F0F0FFFF", "9000"),
        ("80E0000B072A02F8F0F0FFFF", "9000"),
        ("80E0000B072A02F9F0F0FFFF", "6A80"),
        ("80E0000B072E0008F0F0FFFF", "6A80"),
        ("80E0000B072F0208F000FF18", "6A80"),  # a purse is 0001 or 0002
        ("80E00005072F0208F000FF18", "6A80"),
        ("80E0000507280010F0F0FFFF", "6A86"),
        ("80E0000207280010F0F0FFFF", "6A86"),  # the purse is there
        ("80E0000007280010F0F0FFFF", "6A86"),  # the key file is there
        ("80E0000B073F0010F0F0FFFF", "6A80"),  # a key file that is not the first
        ("80E03F000D38FFFFF0F001FFFF4141414141", "6A86"),
        ("80E03F0007280010F0F0FFFF", "6A80"),
        ("80E0000B07284000F0F0FFFF", "6A84"),
    ],
)
def test_create_file_refuses(command: str, word: str) -> None:
    assert at_application(state=4).send(command) == word


def test_the_order_of_create_files_refusals() -> None:
    terminal = at_application(state=1)
    assert terminal.send("80E0000B06280010F0F0FF") == "6700", "length before all"
    terminal = at_application(built()._replace(dedicated={**built().dedicated, ADF: _closed()}), state=1)
    assert terminal.send("80E0000507FF0010F0F0FFFF") == "6982", "rights before the parameters"
    terminal = at_application(state=4)
    assert terminal.send("80E0000507FF0010F0F0FFFF") == "6A80", "parameters before what is there"
    assert terminal.send("80E00005072840 00F0F0FFFF".replace(" ", "")) == "6A86", "what is there before the room"


def _closed() -> object:
    dedicated = built().dedicated[ADF]
    assert dedicated.region is not None
    never = built().dedicated[MF].region
    assert never is not None
    return dedicated._replace(region=dedicated.region._replace(create=never.erase))


def test_only_who_may_creates() -> None:
    terminal = emptied()
    terminal.go("80E03F010D380800F4FA95FFFF4144463031", "00A40000023F01", "80E00000073F005095F0FFFF")
    assert terminal.send("80E0000507280010F0F0FFFF") == "9000", "the file was found empty: nothing is asked for"
    terminal.select("3F01")
    assert terminal.send("80E0000607280010F0F0FFFF") == "6982"


def test_three_levels() -> None:
    terminal = emptied()
    terminal.go(APPLICATION, "00A40000023F01", "80E0DF020D380100F0F096FFFF4144463032", "00A4000002DF02")
    assert terminal.send("80E0DF030D380010F0F096FFFF4144463033") == "6A84"
    assert terminal.send("80E0000507280010F0F0FFFF") == "9000"


def test_every_byte_of_room_is_counted() -> None:
    terminal = emptied()
    terminal.go("80E03F010D380100F0F095FFFF4144463031", "00A40000023F01")

    def left() -> int:
        return room_left(terminal.card.image, ADF, NATIVE)

    for command, taken in (
        ("80E00000073F005095F0FFFF", 11 + 0x50),
        ("80E0000507280010F0F0FFFF", 11 + 0x10),
        ("80E00006072A0208F0F0FFFF", 11 + 2 * 9 + 8),
        ("80E00007072C0010F0F0FFFF", 11 + 0x10),
        ("80E00002072F0208F000FF18", 22),
        ("80E0DF010D380008F0F096FFFF4144463032", 11 + 5 + 8),
    ):
        before = left()
        assert terminal.send(command) == "9000"
        assert before - left() == taken
    room = left() - 11
    assert terminal.send(f"80E000080728{room + 1:04X}F0F0FFFF") == "6A84"
    assert terminal.send(f"80E000080728{room:04X}F0F0FFFF") == "9000"
    assert left() == 0


def test_no_space_is_larger_than_the_memory() -> None:
    terminal = emptied()
    assert terminal.send("80E0000507282000F0F0FFFF") == "6A84"
    assert terminal.send(f"80E000050728{8192 - 11:04X}F0F0FFFF") == "9000"


def test_a_master_file_made_anew() -> None:
    terminal = emptied()
    assert terminal.send("80E03F000D38FFFFF0F001FFFFFFFFFFFFFF") == "9000"
    assert terminal.send("00A40000023F00") == "6F078405FFFFFFFFFF9000", "no key file, no A5"
    assert terminal.send("80E00000073F005001F0FFFF") == "9000"
    assert terminal.send("00A40000023F00") == "6F0C8405FFFFFFFFFFA5038801019000"


def test_erasing_leaves_the_file_itself_and_its_neighbours() -> None:
    terminal = at_application()
    assert terminal.send("800E000000") == "6982"
    assert terminal.send("800E000100") == "6A86"
    assert terminal.send("800E00000100") == "6700"
    terminal.go("00A40000023F00", "80D401010D3FF0F00000" + "55" * 8)  # key 3F 01 of the master file; ADF is 3F01
    kept = {at: keys for at, keys in terminal.card.image.keys.items() if at[:-2] == MF}
    assert len(kept) == 2
    erasing = _master_state(terminal)
    assert erasing.send("800E000000") == "9000"
    image = erasing.card.image
    assert image.dedicated.keys() == {MF, ADF}
    assert image.keys == kept
    assert not image.files
    assert not image.purses
    assert not image.pins


def _master_state(terminal: Terminal) -> Terminal:
    """In the application with the state that may erase it, 10: its key file lets anyone add a key for that."""
    terminal.select("3F01")
    assert terminal.send("80D401050D39F0F0AA33" + "77" * 8) == "9000"
    assert authenticate(terminal, 0x05, bytes.fromhex("77" * 8)) == "9000"
    return terminal


def test_a_purse_asks_for_the_pin_once_there_is_one() -> None:
    terminal = emptied()
    terminal.go("80E00000073F008001F0FFFF", "80E00001072F0208F000FF18", "80E00002072F0208F000FF19")
    assert terminal.send("805C000104") == "000000009000"
    terminal.go("80D40100083AF0EF0133123456")
    assert terminal.send("805C000104") == "6982"
    assert terminal.send("805C000204") == "000000009000"
    assert terminal.go("0020000003123456", "805C000104") == "000000009000"


def test_state_of_the_master_file_opens_files_below() -> None:
    terminal = emptied()
    terminal.go(
        "80E00000073F005001F0FFFF",
        "80D401001539F0F0AA33" + MASTER_KEY.hex(),
        APPLICATION,
        "00A40000023F01",
        "80E00000073F005095F0FFFF",
        "80E00005072800100AF0FFFF",  # read: the master file's state is 10 or more
        "00A40000023F01",
    )
    assert terminal.send("00B0850004") == "000000009000", "the transport key had set the register"
    terminal.card.reset()
    terminal.select("3F01")
    assert terminal.send("00B0850004") == "6982"
    terminal.select("3F00")
    assert authenticate(terminal, 0x00, MASTER_KEY) == "9000"
    terminal.select("3F01")
    assert terminal.send("00B0850004") == "000000009000"
    terminal.card.reset()
    terminal.select("3F01")
    assert terminal.send("00B0850004") == "6982"


def test_selecting_a_file_keeps_the_state_and_selecting_its_directory_does_not() -> None:
    terminal = at_application(state=1)
    terminal.select("0005")
    assert terminal.send("00D6000001AA") == "9000"
    terminal.select("3F01")
    assert terminal.send("00D6850001AA") == "6982"


@pytest.mark.parametrize(("first", "second"), [("EF02", "0002"), ("0002", "EF02"), ("EF02", "EF02")])
def test_a_purse_by_its_other_name_is_the_same_purse(first: str, second: str) -> None:
    """Campus cards make theirs with 80E0EF02: two public programs."""
    terminal = emptied()
    assert terminal.send(f"80E0{first}072F0208F0F0FF18") == "9000"
    assert terminal.send("805C000204") == "000000009000"
    assert terminal.send(f"80E0{second}072F0208F0F0FF18") == "6A86"
    assert terminal.send("80E0EF03072F0208F0F0FF18") == "6A80"
