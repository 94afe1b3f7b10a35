"""What a profile's TOML may say: everything it does not understand is refused, with file, line and place."""

from __future__ import annotations

import pytest

from kaguan.apdu.errors import ProfileError
from kaguan.card_os.profile import load_profile, parse_profile

MINIMAL = 'extends = "ssc-v2"\nname = "site"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (MINIMAL + "surprise = 1", 3, "'surprise'"),
        (MINIMAL + '[answer_to_reset]\nchip = "0081"', 4, "answer_to_reset has no 'chip'"),
        (
            MINIMAL + '[[df]]\nname = "DF01"\n[[df.file]]\nname = "EF05"\ncolour = "red"',
            7,
            "df DF01, file EF05 has no 'colour'",
        ),
        (
            MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF05"\nfields = [\n'
            '    { tag = 0x02, example = "1" },\n    { tag = 0x07, exampel = "A00000011" },\n]',
            9,
            "fields 07 has no 'exampel'",
        ),
        (MINIMAL + '[[df]]\nname = "SSSE"\nkey = [{ label = "UK", hms = "1" }]', 5, "key UK has no 'hms'"),
        (MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF99"\nremove = true', 0, "EF99 is removed"),
        (MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF99"', 0, "kind is missing"),
        (
            MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF06"\nfields = [{ tag = 0x0A, codes = "colour" }]',
            0,
            "colour",
        ),
        (
            MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF06"\nfields = [{ tag = 0x0A, example = "7" }]',
            0,
            "'sex'",
        ),
        (
            MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF06"\nfields = [{ tag = 0x0B, example = "012" }]',
            0,
            "example",
        ),
        (MINIMAL + '[[df]]\nname = "DF01"\n[[df.file]]\nname = "EF15"\nfields = [{ tag = 0x40, width = 51 }]', 0, "52"),
        (MINIMAL + '[[df]]\nname = "DF02"\n[[df.file]]\nname = "EF07"\nrecord_size = 84', 0, "84"),
        (MINIMAL + '[confidence]\n"behaviour.colour" = "B"', 0, "behaviour.colour"),
        (MINIMAL + '[confidence]\n"behaviour.sm4" = "D"', 0, "'D'"),
        ('extends = "ssc-v9"\nname = "site"', 0, "ssc-v9"),
    ],
)
def test_a_description_is_refused_with_its_place(text: str, line: int, words: str) -> None:
    with pytest.raises(ProfileError) as refusal:
        parse_profile(text, file="site.toml")
    assert words in str(refusal.value)
    assert refusal.value.line == line
    assert refusal.value.file == ("ssc-v9" if "ssc-v9" in text else "site.toml")


def test_an_unknown_variant() -> None:
    with pytest.raises(ProfileError, match="pin-tries-6"):
        load_profile("ssc-v2+pin-tries-7")


def test_a_site_changes_what_it_names_and_nothing_else() -> None:
    site = parse_profile(MINIMAL + '[[df]]\nname = "SSSE"\npin = [{ id = 0, tries = 8 }]')
    stock = load_profile("ssc-v2")
    assert (site.by_name["SSSE"].pins[0].tries, stock.by_name["SSSE"].pins[0].tries) == (8, 3)
    assert [str(key) for key in site.keys()] == [str(key) for key in stock.keys()]  # noqa: SIM118 - no mapping
    assert list(site.fields) == list(stock.fields)
    assert not site.absent
