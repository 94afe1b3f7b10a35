"""Pages of a PDF: text in a job's lettering, lines, pictures, layers. Lengths are millimetres from the top left corner.

The same calls give the same bytes: the only date in the file is the one that was given.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, NewType

import segno
from fpdf import FPDF
from fpdf.fonts import TTFFont
from PIL import Image

from kaguan.personalization.paper.fonts import Face, Lettering, Outline

POINT_MM = 25.4 / 72
_MEASURED_PT = 100
_PIECES = re.compile(r"[!-~]{1,40}|.", re.DOTALL)
_HANGING = frozenset("，。、；：！？）》」』”’…,.;:!?)")
_ASCENT = 0.88  # of the font size: where Chinese characters reach up to


class Paper(NamedTuple):
    """A page's size."""

    width_mm: float
    height_mm: float


A4 = Paper(210, 297)
A5_ACROSS = Paper(210, 148)


class Align(Enum):
    """Which end of a text its place names."""

    LEFT = 0.0
    MIDDLE = 0.5
    RIGHT = 1.0


Point = tuple[float, float]
Stamp = NewType("Stamp", str)


class Pages:
    """A PDF in the making; `finish` gives its bytes. Memory grows with its pages: write many pages as many files."""

    def __init__(self, lettering: Lettering, paper: Paper, *, title: str, written_at: datetime) -> None:
        self.lettering = lettering
        self.paper = paper
        self._pdf = FPDF(unit="mm", format=(paper.width_mm, paper.height_mm))
        self._pdf.set_auto_page_break(False)
        self._pdf.set_creation_date(written_at)
        self._pdf.set_title(title)
        self._pdf.set_creator("kaguan")
        self._scale = self._pdf.k
        self._advances: dict[str, float] = {}
        with tempfile.TemporaryDirectory(prefix="kaguan-paper-") as folder:
            for face in lettering.faces:
                path = Path(folder) / f"{face.name}{face.suffix}"
                path.write_bytes(face.data)
                self._pdf.add_font(face.name, "", path)
                self._detach(face)

    def _detach(self, face: Face) -> None:
        """The font is read from memory from now on: fpdf2 keeps its file open until the garbage collector comes."""
        font = self._pdf.fonts[face.name]
        if isinstance(font, TTFFont):
            font.ttfont.reader.file.close()
            font.ttfont.reader.file = BytesIO(face.data)

    @property
    def count(self) -> int:
        """How many pages there are so far."""
        return self._pdf.pages_count

    def new(self) -> None:
        """What is drawn now is drawn on a new page."""
        self._pdf.add_page()

    def width(self, text: str, size_pt: float) -> float:
        """How wide the text is in this size."""
        return sum(map(self._advance, text)) * size_pt

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size_pt: float,
        *,
        align: Align = Align.LEFT,
        gray: int = 0,
        fit_mm: float = 0,
    ) -> None:
        """The text stands with its base line at y; smaller than asked for when it would be wider than `fit_mm`."""
        wide = self.width(text, size_pt) if fit_mm or align is not Align.LEFT else 0.0
        if fit_mm and wide > fit_mm:
            size_pt, wide = size_pt * fit_mm / wide, fit_mm
        x -= wide * align.value
        self._pdf.set_text_color(gray)
        for run in self.lettering.runs(text):
            self._font(run.face, size_pt)
            self._pdf.text(x, y, run.text)
            x += self.width(run.text, size_pt)

    def wrapped(self, text: str, size_pt: float, width_mm: float) -> list[str]:
        """The text in lines of this width, broken at spaces, around Chinese characters, or where it must be.

        No line begins with a closing punctuation mark: it hangs over the edge.
        """
        lines: list[str] = []
        line, used = "", 0.0
        for piece in _PIECES.findall(text):
            wide = self.width(piece, size_pt)
            if line and used + wide > width_mm and piece not in _HANGING:
                lines.append(line.rstrip())
                line, used = "", 0.0
            if line or not piece.isspace():
                line, used = line + piece, used + wide
        return [*lines, line.rstrip()] if line else lines

    def box(self, x: float, y: float, width: float, height: float, *, line_mm: float = 0.2, gray: int = 0) -> None:
        """A rectangle's edge."""
        self._draw(f"{self._rectangle(x, y, width, height)} S", line_mm=line_mm, gray=gray)

    def fill(self, rectangles: Iterable[tuple[float, float, float, float]], *, gray: int = 0) -> None:
        """Filled rectangles, each x, y, width, height."""
        self._draw(" ".join(self._rectangle(*rectangle) for rectangle in rectangles) + " f", gray=gray)

    def strokes(
        self, lines: Iterable[Sequence[Point]], *, line_mm: float, gray: int = 0, dash_mm: tuple[float, ...] = ()
    ) -> None:
        """Lines through these points."""
        self.stamp(self.prepared(lines, line_mm=line_mm, gray=gray, dash_mm=dash_mm))

    def prepared(
        self, lines: Iterable[Sequence[Point]], *, line_mm: float, gray: int = 0, dash_mm: tuple[float, ...] = ()
    ) -> Stamp:
        """Lines that are drawn on many pages, worked out once."""
        dash = f"[{' '.join(f'{part * self._scale:.2f}' for part in dash_mm)}] 0 d " if dash_mm else ""
        drawn = " ".join(self._polyline(line) for line in lines)
        return Stamp(self._inked(f"1 J {dash}{drawn} S", line_mm=line_mm, gray=gray))

    def stamp(self, stamp: Stamp) -> None:
        """The prepared lines stand on the page."""
        self._pdf._out(stamp)

    def shape(self, outline: Outline, x: float, y: float, size_pt: float) -> None:
        """The outline stands filled with its base line at y; no text is there to be found."""
        scale = size_pt / outline.units_per_em
        at = f"{x * self._scale:.2f} {(self.paper.height_mm - y) * self._scale:.2f}"
        self._draw(f"{scale:.5f} 0 0 {scale:.5f} {at} cm {outline.operators} f")

    def picture(self, x: float, y: float, width: float, height: float, data: bytes) -> None:
        """The picture fills the rectangle, its own proportions kept."""
        with Image.open(BytesIO(data)) as image:
            ratio = image.width / image.height
        fitted_width = min(width, height * ratio)
        fitted_height = fitted_width / ratio
        place = (x + (width - fitted_width) / 2, y + (height - fitted_height) / 2)
        self._pdf.image(BytesIO(data), *place, fitted_width, fitted_height)

    def code(self, x: float, y: float, side_mm: float, text: str) -> None:
        """A QR code of the text, without the quiet zone around it: leave four modules free."""
        # One mask for all: choosing the best of eight takes five times as long, and readers do not need it.
        rows = list(segno.make_qr(text, error="m", boost_error=False, mask=3).matrix)
        module = side_mm / len(rows)
        dark = []
        for number, row in enumerate(rows):
            start = 0
            for value, length in _lengths(row):
                if value:
                    dark.append((x + start * module, y + number * module, length * module, module))
                start += length
        self.fill(dark)

    @contextmanager
    def layer(self, name: str, *, on_screen: bool, on_paper: bool) -> Iterator[None]:
        """What is drawn within the context is in a layer that viewers or printers leave out."""
        with self._pdf.optional_content(on_view=on_screen, on_print=on_paper, label=name):
            yield

    @contextmanager
    def clip(self, x: float, y: float, width: float, height: float) -> Iterator[None]:
        """What is drawn within the context shows inside the rectangle only."""
        self._pdf._out(f"q {self._rectangle(x, y, width, height)} W n")
        yield
        self._pdf._out("Q")

    def finish(self) -> bytes:
        """The whole file; nothing can be drawn after."""
        return bytes(self._pdf.output())

    def _advance(self, character: str) -> float:
        """The character's width in millimetres a point of font size; letters stand unkerned, so widths add up."""
        known = self._advances.get(character)
        if known is None:
            face = self.lettering.runs(character)[0].face
            self._font(face, _MEASURED_PT)
            known = self._advances[character] = self._pdf.get_string_width(character) / _MEASURED_PT
        return known

    def _font(self, face: int, size_pt: float) -> None:
        self._pdf.set_font(self.lettering.faces[face].name, size=size_pt)

    def _draw(self, operators: str, *, line_mm: float = 0, gray: int = 0) -> None:
        self._pdf._out(self._inked(operators, line_mm=line_mm, gray=gray))

    def _inked(self, operators: str, *, line_mm: float, gray: int) -> str:
        # fpdf2 draws a line a call and writes its colour each time; a dense pattern is one string here.
        ink = f"{gray / 255:.3f}"
        width = f"{line_mm * self._scale:.2f} w " if line_mm else ""
        return f"q {width}{ink} g {ink} G {operators} Q"

    def _rectangle(self, x: float, y: float, width: float, height: float) -> str:
        k = self._scale
        return f"{x * k:.2f} {(self.paper.height_mm - y - height) * k:.2f} {width * k:.2f} {height * k:.2f} re"

    def _polyline(self, points: Sequence[Point]) -> str:
        k, top = self._scale, self.paper.height_mm
        places = [f"{x * k:.2f} {(top - y) * k:.2f}" for x, y in points]
        return f"{places[0]} m " + " ".join(f"{place} l" for place in places[1:])


def first_baseline(top: float, size_pt: float) -> float:
    """Where a line of this size that begins at `top` has its base line."""
    return top + _ASCENT * size_pt * POINT_MM


def _lengths(row: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Values and how often each is repeated."""
    last, length = -1, 0
    for value in row:
        if value == last:
            length += 1
            continue
        if length:
            yield last, length
        last, length = value, 1
    if length:
        yield last, length
