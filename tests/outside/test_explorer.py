"""opensc-explorer walks through our files, as through any card's: SELECT by path, file control information, records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from card.cards import PIN_ADDRESS, PIN_TRIES, PROFILE, specimen
from kaguan.card_os.profile import FREE

pytestmark = [pytest.mark.usefixtures("inserted"), pytest.mark.slow]


@pytest.fixture
def explore(run, tmp_path: Path):
    """What opensc-explorer prints for these words."""

    def explore(*lines: str) -> str:
        script = tmp_path / "script"
        script.write_text("".join(f"{line}\n" for line in (*lines, "quit")))
        return run("opensc-explorer", "--reader", "0", "--card-driver", "default", str(script))

    return explore


def hex_of(dump: str) -> str:
    """The bytes of a dump."""
    rows = re.findall(r"^[0-9A-F]{8}: ((?:[0-9A-F]{2} )+)", dump, flags=re.MULTILINE)
    return "".join(rows).replace(" ", "")


def test_cd_and_info_show_where_one_stands(explore) -> None:
    told = explore("info", "cd DDF1", "info", "info EF05", "cd DF04", "info", "cd ..", "info")
    places = re.findall(r"File path: +(\S+)", told)
    assert places == ["3F00", "3F00/DDF1", "3F00/DDF1/EF05", "3F00/DDF1/DF04", "3F00/DDF1"]
    assert "DF name:                 sx1.sh." in told
    size = sum(len(record) for record in _records("EF05"))
    assert f"File size:               {size} bytes" in told
    assert "EF structure:            Linear variable, SIMPLE-TLV" in told
    assert "Life cycle:              Operational, activated" in told


def test_cat_shows_every_record(explore) -> None:
    told = explore("cd DDF1", "cat EF05")
    assert hex_of(told) == b"".join(_records("EF05")).hex().upper()


def test_the_files_that_are_there_are_found_and_the_others_are_not(explore) -> None:
    """The list of ls is no command of ISO/IEC 7816-4 nor of these cards; find asks for one identifier after another."""
    told = explore("cd DDF1", "find EF00 EF1F")
    assert re.findall(r"^ (EF[0-9A-F]{2})\s+wEF", told, flags=re.MULTILINE) == sorted(
        file.name for file in PROFILE.by_name["SSSE"].files
    )


def test_the_pin_is_verified_and_counted(explore, card) -> None:
    assert "Code correct" in explore("cd DDF1", "verify CHV0 12:34:56")
    told = explore("cd DDF1", "verify CHV0 65:43:21")
    assert "Incorrect code" in told
    assert card.image.pins[PIN_ADDRESS].tries_left == PIN_TRIES - 1


def test_random_numbers_and_bare_commands(explore) -> None:
    told = explore("random 8", "apdu 00A40000023F00", "apdu 00A4000002EEEE")
    assert len(hex_of(told)) == 16
    assert "SW1=0x90, SW2=0x00" in told
    assert "SW1=0x6A, SW2=0x82" in told


def test_what_a_key_guards_is_not_shown(explore) -> None:
    file = PROFILE.file("DF04", "EF08")
    assert file.read != FREE
    told = explore("cd DDF1", "cd DF04", "cat EF08")
    assert hex_of(told) == ""


def _records(name: str) -> list[bytes]:
    address = PROFILE.path("SSSE") + PROFILE.file("SSSE", name).fid.to_bytes(2, "big")
    return [bytes(record) for record in specimen().files[address].records]
