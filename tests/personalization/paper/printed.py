"""What was printed, as programs that we did not write see it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from kaguan.personalization.paper.fonts import Font, FontsMissing, Lettering, check_glyphs, find_fonts
from outside.programs import missing, need

WRITTEN_AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ASCII = "".join(map(chr, range(0x20, 0x7F)))
RARE_NAMES = ("王䶮", "李㛃", "张𠮷", "阿卜杜拉·买买提·吐尔逊江", "测𰻝")


def small_font(path: Path, characters: str, *, empty: str = "") -> Font:
    """A font file with a square for each character, and nothing for those that are empty."""
    pen = TTGlyphPen(None)
    for place, step in enumerate(((0, 0), (0, 700), (700, 700), (700, 0))):
        (pen.lineTo if place else pen.moveTo)(step)
    pen.closePath()
    square, nothing = pen.glyph(), TTGlyphPen(None).glyph()
    names = {ord(c): f"u{ord(c):04X}" for c in characters + empty}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    empties = {names[ord(c)] for c in empty}
    builder.setupGlyf({name: nothing if name in empties else square for name in [".notdef", *names.values()]})
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names.values()], (800, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Small", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return Font(path, -1)


def lettering_for(texts: Iterable[tuple[int, str]]) -> Lettering:
    """The lettering of the system's fonts; without any the test is skipped."""
    try:
        fonts = find_fonts()
    except FontsMissing as error:
        missing(str(error))
    return check_glyphs(fonts, texts)


def text_of(pdf: Path) -> str:
    """The words in a PDF, with a form feed after each page."""
    return run("pdftotext", "-layout", pdf, "-")


def page_count(pdf: Path) -> int:
    """How many pages qpdf counts, after it has found nothing wrong."""
    assert "No syntax or stream encoding errors" in run("qpdf", "--check", pdf)
    return int(run("qpdf", "--show-npages", pdf))


def fonts_of(pdf: Path) -> list[list[str]]:
    """Whether each font is embedded, subset, and maps to Unicode."""
    rows = run("pdffonts", pdf).splitlines()[2:]
    return [row[row.index("CID") :].split()[-5:-2] for row in rows]


def picture_of(pdf: Path, page: int, folder: Path, *, dots_an_inch: int = 200) -> Path:
    """The page as a viewer shows it."""
    run(
        "pdftoppm",
        "-r",
        str(dots_an_inch),
        "-f",
        str(page),
        "-l",
        str(page),
        "-singlefile",
        "-png",
        pdf,
        folder / "page",
    )
    return folder / "page.png"


def print_of(pdf: Path, page: int, *, dots_an_inch: int = 200) -> Image.Image:
    """The page as a printing program that heeds layers puts it on paper."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[page - 1].render(scale=dots_an_inch / 72, optimize_mode="print").to_pil().convert("L")
    finally:
        document.close()


def digits_in(image: Image.Image, folder: Path) -> str:
    """The digits that an outside reader of print finds in a picture."""
    image.save(folder / "window.png")
    return run(
        "tesseract", folder / "window.png", "-", "--psm", "8", "-c", "tessedit_char_whitelist=0123456789"
    ).strip()


def code_at(picture: Path, x_mm: float, y_mm: float, side_mm: float, *, dots_an_inch: int = 200) -> str:
    """The bar code that zbar reads in a square of a picture, as a camera over the belt sees one at a time."""
    dots = dots_an_inch / 25.4
    square = [round(edge * dots) for edge in (x_mm, y_mm, x_mm + side_mm, y_mm + side_mm)]
    with Image.open(picture) as page:
        page.crop((square[0], square[1], square[2], square[3])).save(picture.with_name("code.png"))
    return run("zbarimg", "--quiet", "--raw", "--nodbus", picture.with_name("code.png")).strip()


def run(program: str, *arguments: object) -> str:
    """What the program said; it ended well."""
    done = subprocess.run([need(program), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
