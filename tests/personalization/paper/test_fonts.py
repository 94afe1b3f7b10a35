"""Characters are printed right, or the job stops by code point and row."""

from __future__ import annotations

from io import BytesIO

import pytest
from fontTools.ttLib import TTFont

from kaguan.apdu.errors import InputError
from kaguan.personalization.paper.fonts import (
    DEBIAN_PACKAGES,
    FOLDERS_SETTING,
    FontsMissing,
    GlyphsMissing,
    check_glyphs,
    find_fonts,
)
from personalization.paper.printed import ASCII, RARE_NAMES, lettering_for, small_font

pytestmark = pytest.mark.slow


def test_rare_names_have_glyphs_with_ink():
    lettering = lettering_for(enumerate(RARE_NAMES, 1))
    for name in RARE_NAMES:
        assert "".join(run.text for run in lettering.runs(name)) == name
    for face in lettering.faces:
        with TTFont(BytesIO(face.data)) as font:
            assert {chr(code) for code in font.getBestCmap()} >= face.characters


def test_each_character_comes_from_the_first_font_that_has_it(tmp_path):
    first, second = small_font(tmp_path / "a.ttf", ASCII + "王"), small_font(tmp_path / "b.ttf", "王䶮")
    lettering = check_glyphs([first, second], [(1, "王䶮王")])
    assert [tuple(run) for run in lettering.runs("王䶮王")] == [(0, "王"), (1, "䶮"), (0, "王")]


def test_missing_characters_are_named_with_their_first_row_and_nothing_else(tmp_path):
    font = small_font(tmp_path / "a.ttf", ASCII + "王李")
    with pytest.raises(GlyphsMissing) as caught:
        check_glyphs([font], [(1, "王"), (2, "李㛃"), (3, "李㛃𠮷")])
    assert [tuple(missing) for missing in caught.value.missing] == [(2, 0x36C3), (3, 0x20BB7)]
    assert "row 2: U+36C3" in str(caught.value)
    assert "row 3: U+20BB7" in str(caught.value)
    assert "李" not in str(caught.value)
    assert caught.value.exit_code == 7


def test_a_glyph_without_ink_is_missing(tmp_path):
    font = small_font(tmp_path / "a.ttf", ASCII, empty="䶮\u3000")
    with pytest.raises(GlyphsMissing, match=r"row 9: U\+4DAE"):
        check_glyphs([font], [(1, "\u3000"), (9, "䶮")])


@pytest.mark.parametrize("character", ["\ue81e", "\uf8ff", "\u200d", "\x00", "\n"])
def test_what_has_no_sure_look_is_refused_though_a_font_may_draw_it(tmp_path, character):
    font = small_font(tmp_path / "a.ttf", ASCII + character.strip("\x00\n"))
    with pytest.raises(GlyphsMissing, match=f"row 4: U\\+{ord(character):04X}"):
        check_glyphs([font], [(4, character)])


def test_text_that_was_not_checked_is_not_printed(tmp_path):
    lettering = check_glyphs([small_font(tmp_path / "a.ttf", ASCII + "王李")], [(1, "王")])
    with pytest.raises(GlyphsMissing):
        lettering.runs("王李")


def test_without_fonts_the_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDERS_SETTING, str(tmp_path))
    with pytest.raises(FontsMissing) as caught:
        find_fonts()
    assert f"apt-get install {' '.join(DEBIAN_PACKAGES)}" in str(caught.value)


def test_a_named_file_is_a_font_or_an_error(tmp_path, monkeypatch):
    font = small_font(tmp_path / "mine.ttf", ASCII)
    monkeypatch.setenv(FOLDERS_SETTING, str(font.path))
    assert find_fonts() == (font,)
    (tmp_path / "no.ttf").write_bytes(b"no font at all")
    with pytest.raises(InputError, match="is no font"):
        find_fonts([tmp_path / "no.ttf"])


def test_the_same_characters_give_the_same_font(tmp_path):
    font = small_font(tmp_path / "a.ttf", ASCII + "王李")
    assert font.subset("王李") == font.subset("李王")
