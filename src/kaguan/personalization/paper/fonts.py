"""Fonts that are there, what they can write, and the lettering that a print job may use.

Law 1. A character that no font has stops the job before its first page, by code point and row; no box is ever printed.
Law 2. A code point of private use is never printed: what it looks like is a matter between a font and its maker.
Law 3. A person's text is not quoted in an error.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from fontTools.pens.basePen import BasePen, NullPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont, TTLibError

from kaguan.apdu.errors import InputError

FOLDERS_SETTING = "KAGUAN_FONTS"
"""Environment variable with font files or folders, separated as in PATH; without it the usual folders are searched."""

DEBIAN_PACKAGES = ("fonts-noto-cjk", "fonts-babelstone-han", "fonts-hanazono")

_USUAL_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts")
_PREFERRED = (
    ("NotoSansCJK-Regular.ttc", "Noto Sans CJK SC"),
    ("NotoSansCJKsc-Regular.otf", ""),
    ("BabelStoneHan.ttf", ""),
    ("HanaMinA.ttf", ""),
    ("HanaMinB.ttf", ""),
)
_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_UNPRINTABLE = ("Co", "Cc", "Cs", "Cf")
_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_MOST_NAMED = 50


class FontsMissing(InputError):
    """There is no font that writes Chinese."""


class MissingGlyph(NamedTuple):
    """A character that cannot be printed, and the first row in which it stands; row 0 is our own wording."""

    row: int
    code_point: int

    def __str__(self) -> str:
        name = unicodedata.name(chr(self.code_point), "")
        return f"row {self.row}: U+{self.code_point:04X}{f' {name}' if name else ''}"


class GlyphsMissing(InputError):
    """Characters that no font has; nothing was printed."""

    def __init__(self, missing: Sequence[MissingGlyph]) -> None:
        self.missing = tuple(missing)
        shown = "; ".join(map(str, self.missing[:_MOST_NAMED]))
        more = f"; and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        super().__init__(
            f"no font has these characters, so nothing was printed: {shown}{more}. "
            f"Install a font that has them and name it in {FOLDERS_SETTING}, or have the order corrected"
        )


@dataclass(frozen=True)
class Font:
    """One face of a font file."""

    path: Path
    face: int

    @cached_property
    def characters(self) -> frozenset[int]:
        """The code points that it has a glyph for."""
        with TTFont(self.path, fontNumber=self.face, lazy=True) as font:
            return frozenset(code for code, glyph in (font.getBestCmap() or {}).items() if glyph != ".notdef")

    def subset(self, text: Iterable[str]) -> bytes:
        """A font file with these characters alone; the same for the same characters."""
        options = Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=[1, 2, 4, 6])
        options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "DSIG"]
        with TTFont(self.path, fontNumber=self.face, lazy=True, recalcTimestamp=False) as font:
            subsetter = Subsetter(options)
            subsetter.populate(unicodes=[ord(character) for character in text])
            subsetter.subset(font)
            file = BytesIO()
            font.save(file)
        return file.getvalue()


class Face(NamedTuple):
    """A subset that a job prints with."""

    name: str
    data: bytes
    suffix: str
    characters: frozenset[str]


class Run(NamedTuple):
    """Characters of one face in a row."""

    face: int
    text: str


@dataclass(frozen=True)
class Lettering:
    """The faces of a job, the preferred one first; only `check_glyphs` makes one, so its characters are known."""

    faces: tuple[Face, ...]

    @cached_property
    def _face_of(self) -> dict[str, int]:
        return {character: number for number, face in enumerate(self.faces) for character in face.characters}

    def runs(self, text: str) -> list[Run]:
        """The text, split where the face changes.

        Raises:
            GlyphsMissing: it was not among the texts that were checked.
        """
        face_of = self._face_of
        try:
            return [Run(face, "".join(group)) for face, group in groupby(text, face_of.__getitem__)]
        except KeyError:
            raise GlyphsMissing([MissingGlyph(0, ord(c)) for c in text if c not in face_of]) from None

    @cached_property
    def digits(self) -> tuple[Outline, ...]:
        """The shapes of 0 to 9 as PDF path operators, for what must be seen and not be found by a search."""
        face = self.faces[self._face_of["0"]]
        with TTFont(BytesIO(face.data)) as font:
            glyphs, names, units = font.getGlyphSet(), font.getBestCmap(), font["head"].unitsPerEm
            return tuple(_outline(glyphs, names[ord(digit)], units) for digit in "0123456789")


class Outline(NamedTuple):
    """Path operators in the font's units, of which `units_per_em` make the font size."""

    operators: str
    width: float
    units_per_em: int


class _PathPen(BasePen):  # type: ignore[misc]
    def __init__(self, glyphs: object) -> None:
        super().__init__(glyphs)
        self.operators: list[str] = []

    def _add(self, operator: str, *points: tuple[float, float]) -> None:
        self.operators.append(" ".join([*(f"{x:g} {y:g}" for x, y in points), operator]))

    def _moveTo(self, pt: tuple[float, float]) -> None:  # noqa: N802 - fontTools' name
        self._add("m", pt)

    def _lineTo(self, pt: tuple[float, float]) -> None:  # noqa: N802
        self._add("l", pt)

    def _curveToOne(  # noqa: N802
        self, pt1: tuple[float, float], pt2: tuple[float, float], pt3: tuple[float, float]
    ) -> None:
        self._add("c", pt1, pt2, pt3)

    def _closePath(self) -> None:  # noqa: N802
        self.operators.append("h")


class _Inked(Exception):
    pass


class _InkPen(NullPen):  # type: ignore[misc]
    """Goes no further than the first line."""

    def lineTo(self, pt: object) -> None:  # noqa: N802 - fontTools' name
        raise _Inked

    def curveTo(self, *points: object) -> None:  # noqa: N802
        raise _Inked

    def qCurveTo(self, *points: object) -> None:  # noqa: N802
        raise _Inked

    def addComponent(self, glyphName: object, transformation: object) -> None:  # noqa: N802, N803
        raise _Inked


def _outline(glyphs: Mapping[str, Any], name: str, units_per_em: int) -> Outline:
    pen = _PathPen(glyphs)
    glyphs[name].draw(pen)
    return Outline(" ".join(pen.operators), glyphs[name].width, units_per_em)


def find_fonts(places: Sequence[Path] | None = None) -> tuple[Font, ...]:
    """The fonts at these places, or at those of the setting, or of the system; the preferred ones first.

    A file that is named is taken whatever it is; of a folder only the fonts that are known to serve.

    Raises:
        FontsMissing: none is there; says which packages bring them.
        InputError: a named file is no font.
    """
    if places is None:
        setting = os.environ.get(FOLDERS_SETTING, "")
        places = [Path(place) for place in (setting.split(os.pathsep) if setting else _USUAL_FOLDERS)]
    fonts = list(_found(place.expanduser() for place in places))
    if not fonts:
        raise FontsMissing(
            f"no font for Chinese was found in {os.pathsep.join(map(str, places))}: "
            f"'apt-get install {' '.join(DEBIAN_PACKAGES)}', or name font files in {FOLDERS_SETTING}"
        )
    return tuple(dict.fromkeys(fonts))


def check_glyphs(fonts: Sequence[Font], texts: Iterable[tuple[int, str]]) -> Lettering:
    """The lettering for these texts, each given with its row; every character of them can be printed.

    Takes each character from the first font that has it. Memory grows with the number of different characters only.

    Raises:
        GlyphsMissing: with every character that no font has, or whose glyph is empty, and its first row.
    """
    rows: dict[str, int] = dict.fromkeys(_ASCII, 0)
    for row, text in texts:
        for character in text:
            rows.setdefault(character, row)
    chosen: dict[Font, set[str]] = {font: set() for font in fonts}
    missing = []
    for character, row in rows.items():
        font = _font_for(character, fonts)
        if font is None:
            missing.append(MissingGlyph(row, ord(character)))
        else:
            chosen[font].add(character)
    faces = []
    for number, font in enumerate(fonts):
        if characters := chosen[font]:
            data = font.subset(sorted(characters))
            with TTFont(BytesIO(data)) as subset:
                missing += [MissingGlyph(rows[c], ord(c)) for c in _without_ink(subset, characters)]
            suffix = ".otf" if data.startswith(b"OTTO") else ".ttf"
            faces.append(Face(f"face{number}", data, suffix, frozenset(characters)))
    if missing:
        raise GlyphsMissing(sorted(missing))
    return Lettering(tuple(faces))


def missing_glyphs(fonts: Sequence[Font], texts: Iterable[tuple[int, str]]) -> list[MissingGlyph]:
    """What `check_glyphs` would refuse of these texts, without making a lettering: for texts that are printed later.

    Memory grows with the number of different characters only.
    """
    rows: dict[str, int] = {}
    for row, text in texts:
        for character in text:
            if character not in rows:
                rows[character] = row
    chosen: dict[Font, list[str]] = {}
    missing = []
    for character in rows:
        font = _font_for(character, fonts)
        if font is None:
            missing.append(character)
        else:
            chosen.setdefault(font, []).append(character)
    for font, characters in chosen.items():
        with TTFont(font.path, fontNumber=font.face, lazy=True) as opened:
            missing += _without_ink(opened, characters)
    return sorted(MissingGlyph(rows[character], ord(character)) for character in missing)


def _font_for(character: str, fonts: Sequence[Font]) -> Font | None:
    if unicodedata.category(character) in _UNPRINTABLE:
        return None
    return next((font for font in fonts if ord(character) in font.characters), None)


def _without_ink(font: TTFont, characters: Iterable[str]) -> Iterator[str]:
    """Characters whose glyph shows nothing though they are no spaces: some fonts have empty ones for the rarest."""
    glyphs, names = font.getGlyphSet(), font.getBestCmap()
    for character in characters:
        if unicodedata.category(character) != "Zs":
            try:
                glyphs[names[ord(character)]].draw(_InkPen())
            except _Inked:
                continue
            yield character


def _found(places: Iterable[Path]) -> Iterator[Font]:
    for place in places:
        if place.is_file():
            yield from _faces_of(place, "")
        elif place.is_dir():
            files = {file.name: file for file in sorted(place.rglob("*")) if file.suffix.lower() in _SUFFIXES}
            for name, face in _PREFERRED:
                if name in files:
                    yield from _faces_of(files[name], face)


def _faces_of(path: Path, name: str) -> Iterator[Font]:
    """The face of that name in a collection, or its first one; or the one face that the file has."""
    with path.open("rb") as file:
        try:
            if path.suffix.lower() not in (".ttc", ".otc"):
                TTFont(file, lazy=True)
                yield Font(path, -1)
                return
            names = [font["name"].getDebugName(4) for font in TTCollection(file, lazy=True).fonts]
        except TTLibError as error:
            raise InputError(f"{path} is no font: {error}") from None
    yield Font(path, names.index(name) if name in names else 0)
