"""The edges of ISO/IEC 7816-3 and 7816-4, on cards of every profile: lengths, classes, GET RESPONSE, SELECT.

What the standards leave open, or no public text about these cards says, is a setting of the profile.
"""

from __future__ import annotations

from functools import cache

import pytest

from card import banks, cards, modules, natives
from card.cards import Terminal, a_file, with_file
from card.scene import Scene, scene, settings
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS
from kaguan.card_os.image import Address, CardImage
from kaguan.card_os.profile import FileKind, load_profile
from kaguan.card_os.profile.model import Unasked
from kaguan.card_os.profile.wire import Wire
from kaguan.personalization.specimen import specimen_card

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3", "pboc-purse", "cjt-purse", "fmcos-blank", "psam")
HOMES: dict[str, Address] = {"pboc-purse": banks.ADF, "cjt-purse": banks.ADF, "fmcos-blank": natives.ADF}
HOMES |= {"psam": modules.DF01}
HERE = "001A"  # a transparent file of 300 bytes
RECORDS = "001B"
CONTENT = bytes(number % 251 for number in range(300))
NAMES = {
    "pboc-purse": "A00000000386980701",
    "cjt-purse": "A00000000386980701",
    "fmcos-blank": "4144463031",
    "psam": "D15600000590",
}


@cache
def image(profile: str) -> CardImage:
    """A card of this profile with a transparent file and one of records, open to all."""
    if profile in NAMES:
        made = {
            "pboc-purse": banks.bank,
            "cjt-purse": lambda: banks.bank("cjt-purse"),
            "fmcos-blank": natives.built,
            "psam": modules.module,
        }[profile]()
    else:
        made = specimen_card(load_profile(profile)).image
    home = HOMES.get(profile, cards.SSSE)
    made = with_file(made, home + bytes.fromhex(HERE), a_file(FileKind.TRANSPARENT, content=CONTENT))
    records = (b"\x07\x02AB", b"\x08\x03ABC")
    return with_file(made, home + bytes.fromhex(RECORDS), a_file(FileKind.LINEAR_VARIABLE, records=records))


def name(profile: str) -> str:
    """The DF name of the application that the files lie in."""
    made = image(profile)
    return made.dedicated[HOMES.get(profile, cards.SSSE)].name.hex().upper()


def at_file(profile: str, fid: str = HERE) -> Terminal:
    """A terminal whose card has this file selected."""
    card = Terminal(image(profile))
    card.go(f"00A4040C{len(name(profile)) // 2:02X}{name(profile)}", f"00A4020C02{fid}")
    return card


def wire(profile: str) -> Wire:
    """What the profile says of lengths and classes."""
    return load_profile(profile).behaviour.wire


every_profile = pytest.mark.parametrize("profile", PROFILES)


@every_profile
@pytest.mark.parametrize(
    "command",
    [
        "",
        "00",
        "00B0",
        "00B000",
        "00B0000000FF",  # Lc 00 and one byte: neither a short nor an extended length
        "00D6000003AABB",  # Lc says more than comes
        "00D6000001AABBCC",  # data after Le
        "00D6000001AA0000",  # Le of two bytes behind a short Lc
        "00D60000000003AABB",  # extended Lc says more than comes
        "00D60000000001AABB",  # one byte too many, and half of an extended Le
        "00D60000000000AA",  # extended Lc 0000 with data
    ],
)
def test_lengths_that_contradict_each_other(profile: str, command: str) -> None:
    card = at_file(profile)
    before = card.card.image
    assert card.send(command) == "6700"
    assert card.card.image is before
    assert card.send("00B0000001") == "009000"


@every_profile
def test_extended_lengths_are_served_or_refused_as_the_profile_says(profile: str) -> None:
    card, told = at_file(profile), wire(profile).extended_length
    whole = CONTENT.hex().upper() + "9000"
    assert card.send("00B00000000000") == (whole if told else "6700")
    assert card.send("00B00000000002") == ("00019000" if told else "6700")
    assert card.send("00D60000000002AABB") == ("9000" if told else "6700")
    assert card.send("00B0000002") == ("AABB9000" if told else "00019000")
    assert card.send("00D600000000020001" + "0000") == ("9000" if told else "6700")


def test_only_the_card_whose_answer_to_reset_denies_extended_lengths_refuses_them() -> None:
    """The compact-TLV object 73 of the historical bytes, third byte, bit 7 (ISO/IEC 7816-4, 12.1.1.9)."""
    denying = set()
    for profile in PROFILES:
        historical = load_profile(profile).atr_prefix
        _, found, capabilities = historical.partition(b"\x80\x31\xe0\x73")
        if found and not capabilities[2] & 0x40:
            denying.add(profile)
    assert denying == {profile for profile in PROFILES if not wire(profile).extended_length} == {"cjt-purse"}


def test_short_lengths_are_a_variant() -> None:
    assert not wire("ssc-v2+short-lengths").extended_length


@every_profile
@pytest.mark.parametrize("channel", [1, 2, 3])
def test_there_is_one_logical_channel(profile: str, channel: int) -> None:
    card = at_file(profile)
    word = f"{wire(profile).channel:04X}"
    assert card.send(f"{channel:02X}B0000001") == word
    assert card.send(f"{channel:02X}A4040000") == word
    assert card.send(f"{channel:02X}700000") == word  # MANAGE CHANNEL comes on it, too
    assert card.send(f"{channel | 0x10:02X}B0000001") == word  # and the channel is asked before chaining
    assert card.send(f"4{channel:X}B0000001") == word  # 4 + n
    assert card.send("0070000001") == "6D00"
    assert card.send("00B0000001") == "009000"


@every_profile
def test_commands_are_not_chained(profile: str) -> None:
    card = at_file(profile)
    assert card.send("10D6000001AA") == f"{wire(profile).chaining:04X}"
    assert card.send("00D6000101BB") == "9000"
    assert card.send("00B0000002") == "00BB9000"


@every_profile
@pytest.mark.parametrize("cla", ["04", "08", "0C"])
def test_secure_messaging_that_a_command_does_not_have(profile: str, cla: str) -> None:
    card = at_file(profile)
    word = f"{wire(profile).messaging:04X}"
    assert card.send(f"{cla}A40000023F00") == word
    assert card.send(f"{cla}20000003123456") == word
    if cla != "04" or profile not in HOMES or profile == "psam":
        assert card.send(f"{cla}B0000004") == word
    else:
        assert card.send(f"{cla}B0000004") == "6900"  # the file has no line protection


@every_profile
@pytest.mark.parametrize("cla", ["20", "3F", "90", "9F", "A0", "C0", "E0", "F0", "FF"])
def test_classes_that_nobody_knows(profile: str, cla: str) -> None:
    assert at_file(profile).send(f"{cla}B0000001") == "6E00"


@every_profile
def test_a_class_is_asked_before_the_instruction(profile: str) -> None:
    card = at_file(profile)
    assert card.send("FF70000000") == "6E00"
    assert card.send("0070000000") == "6D00"


@every_profile
def test_instructions_that_are_none(profile: str) -> None:
    """6X and 9X would be procedure bytes of T=0 (ISO/IEC 7816-3, 12.3.3), and no command here has one."""
    card = at_file(profile)
    known = {row.ins for row in (*INSTRUCTIONS, GET_RESPONSE)}
    assert not any(ins >> 4 in (0x6, 0x9) for ins in known)
    for ins in (*range(0x60, 0x70), *range(0x90, 0xA0), 0xC1, 0xC2, 0x00, 0x0F):
        assert card.send(f"00{ins:02X}000000") == "6D00"


@every_profile
def test_wrong_p1_and_p2(profile: str) -> None:
    card = at_file(profile)
    assert card.send("00840100" + "08") == "6A86"
    assert card.send("00840001" + "08") == "6A86"
    assert card.send("00B0A10001") == "6A86"  # P1 bits 7 and 6
    assert card.send("00B0C10001") == "6A86"
    assert card.send("00A4050000") == "6A86"
    assert card.send("00A4000800") == "6A86"


@every_profile
def test_offsets_at_the_end(profile: str) -> None:
    card = at_file(profile)
    assert card.send("00B0012B01") == f"{CONTENT[299]:02X}9000"
    assert card.send("00B0012B02") == "6C01"
    assert card.send("00B0012B00") == f"{CONTENT[299]:02X}9000"  # Le 00: what there is
    assert card.send("00B0012C01") == "6B00"
    assert card.send("00B07FFF01") == "6B00"
    assert card.send("00D6012B01AA") == "9000"
    assert card.send("00D6012B02AABB") == "6A84"
    assert card.send("00D6012C01AA") == "6B00"
    assert card.send("00B0000000") == CONTENT[:256].hex().upper() + "9000"


@every_profile
def test_le_absent_and_data_where_none_belong(profile: str) -> None:
    card = at_file(profile)
    assert card.send("00B00000") == "6700"
    assert card.send("00B0000001AA") == "6700"  # case 3 instead of 2
    assert card.send("00B0000001AA01") == "6700"
    assert card.send("00D60000") == "6700"  # case 1 instead of 3
    assert card.send("00D6000000") == "6700"  # case 2 instead of 3
    assert card.send("00840000") == "6700"
    assert card.send("0084000001AA08") == "6700"


@every_profile
def test_short_identifiers_at_their_ends(profile: str) -> None:
    card = at_file(profile)
    assert card.send("00B0800001") == "6A86"  # 00 is no file of READ BINARY by identifier
    assert card.send("00B09F0001") == "6A82"  # 1F is nobody's
    assert card.send("00B09A0001") == "009000"
    assert card.send("00B201FC04") == "6A82"
    assert card.send("00B201DC04") == "070241429000"
    assert card.send("00B2010404") == "070241429000"  # 00: the current file, which it now is
    assert Terminal(image(profile)).send("00B0000001") == "6986"
    assert Terminal(image(profile)).send("00B2010401") == "6986"


@every_profile
def test_record_numbers_at_their_ends(profile: str) -> None:
    card = at_file(profile, RECORDS)
    assert card.send("00B2000404") == "6A83"  # no record is current
    assert card.send("00B2020405") == "08034142439000"
    assert card.send("00B2000405") == "08034142439000"  # 00: the current one
    assert card.send("00B2030404") == "6A83"
    assert card.send("00B2FF0404") == "6A83"
    assert card.send("00B2010604") == "6A86"
    assert card.send("00B2010403") == "6C04"
    assert card.send("00B2010405") == "6C04"
    assert card.send("00B2010400") == "070241429000"
    assert card.send("00B2080005") == "08034142439000"  # by tag
    assert card.send("00B2010500")[-4:] == "9000"
    assert card.send("00B0000001") == "6981"


@every_profile
def test_select_in_every_way(profile: str) -> None:
    card = Terminal(image(profile))
    home = HOMES.get(profile, cards.SSSE)
    path, dedicated = home[2:].hex(), name(profile)
    by_name = f"00A4040C{len(dedicated) // 2:02X}{dedicated}"
    assert card.send("00A4000C") == "9000"  # no identifier: the master file
    assert card.send("00A4000C023F00") == "9000"
    assert card.send(f"00A4010C02{path[:4]}") == "9000"  # a dedicated file below
    assert card.send(f"00A4010C02{path[:4]}") == "6A82"  # of which it is not one itself
    assert card.send(f"00A4020C02{HERE}") == "9000"
    assert card.send(f"00A4010C02{HERE}") == "6A82"  # no dedicated file
    assert card.send("00A4030C") == "9000"
    assert card.send("00A4030C023F00") == "6A80"  # the parent needs no name
    assert card.send(f"00A4020C02{HERE}") == "6A82"  # below the application alone
    assert card.send(f"00A4020C02{path[:4]}") == "6A82"  # no elementary file
    assert card.send(f"00A4080C{len(path) // 2 + 2:02X}{path}{HERE}") == "9000"
    assert card.send(f"00A4090C02{HERE}") == "9000"
    assert card.send("00A4080C023F00") == "6A82"  # the path leaves the master file out
    assert card.send("00A4090C") == "6A80"
    assert card.send("00A4090C01EF") == "6A80"
    assert card.send(by_name) == "9000"
    assert card.send(by_name.replace("00A4040C", "00A4040E", 1)) == "6A82"  # the next one of that name
    assert card.send("00A4040C00") == "6A82"
    assert card.send("00A4000C033F0000") == "6A80"


@every_profile
def test_the_answer_to_select_waits_where_nobody_asked_for_it(profile: str) -> None:
    card = Terminal(image(profile))
    dedicated = name(profile)
    answer = card.send(f"00A40400{len(dedicated) // 2:02X}{dedicated}")
    if load_profile(profile).behaviour.unasked is Unasked.GIVEN:
        assert answer.startswith("6F")
        assert answer.endswith("9000")
        return
    waiting = int(answer[2:], 16)
    assert answer == f"61{waiting:02X}"
    assert card.send(f"00C00000{waiting + 1:02X}") == f"6C{waiting:02X}"
    assert card.send("00C0000001") == f"6F61{waiting - 1:02X}"
    assert card.send("00C0000000").endswith("9000")


def _challenged(profile: str) -> Terminal:
    card = at_file(profile)
    card.challenge(8)
    return card


@every_profile
def test_get_response_at_the_wrong_moment(profile: str) -> None:
    word = f"{load_profile(profile).behaviour.nothing_waiting:04X}"
    assert Terminal(image(profile)).send("00C0000001") == word
    assert at_file(profile).send("00C0000000") == word
    assert _challenged(profile).send("00C0000008") == word
    card = Terminal(image(profile))
    if load_profile(profile).behaviour.unasked is Unasked.WAITS:
        card.go("00A4000002" + "3F00", "00A4000002" + "3F00")
        assert card.send("00C0000100") == "6A86"
        assert card.send("00C00000") == "6700"
        assert card.send("00C0000001AA") == "6700"
        assert card.send("00C0000001") != word  # still there
        assert card.send("00A4000C") == "9000"
        assert card.send("00C0000001") == word  # another command came between


@every_profile
def test_le_beside_data_is_no_more_than_what_is_wanted(profile: str) -> None:
    """Case 4: what Le does not ask for waits; an answer there is none of may be asked for."""
    card = Terminal(image(profile))
    dedicated = name(profile)
    first = card.send(f"00A40400{len(dedicated) // 2:02X}{dedicated}01")
    rest = card.send(f"00C00000{int(first[-2:], 16):02X}")
    assert first.startswith("6F61")
    assert (first[:2] + rest).endswith("9000")
    assert at_file(profile).send("00D6000001AA00") == "9000"


@every_profile
def test_the_words_are_settings(profile: str) -> None:
    other = settings(wire=Wire(channel=0x6E00, chaining=0x6E01, messaging=0x6E02))

    def answer(command: str) -> int:
        made: Scene = scene(image(profile), HOMES.get(profile, cards.SSSE), command)
        return other(made).outcome().sw

    assert (answer("01B0000001"), answer("10B0000001"), answer("08B0000001")) == (0x6E00, 0x6E01, 0x6E02)
