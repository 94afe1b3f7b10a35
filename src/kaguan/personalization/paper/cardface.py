"""Card-face previews: the front of each card, as a sheet of ten and as one picture a card.

The layout is data, so that sheet and picture cannot differ: the same words in the same places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from kaguan.durable import write_whole
from kaguan.personalization.paper.fonts import Lettering
from kaguan.personalization.paper.pages import A4, POINT_MM, Align, Pages

CARD_WIDTH_MM, CARD_HEIGHT_MM = 85.6, 53.98
CARDS_A_SHEET = 10
SHEETS_A_FILE = 50
_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class CardFace:
    """What the front of a card shows. `row` is the holder's place in the order; `photo` a JPEG or PNG, or None."""

    row: int
    name: str = field(repr=False)
    id_no: str = field(repr=False)
    card_no: str = field(repr=False)
    issuer: str
    bank: str
    issued: date
    valid_until: date
    photo: bytes | None = field(default=None, repr=False)


class Words(NamedTuple):
    """A line of text on the face, its base line at y; shrunk to fit."""

    x: float
    y: float
    text: str
    size_pt: float
    fit_mm: float
    align: Align = Align.LEFT
    gray: int = 0


_TITLE = "中华人民共和国社会保障卡"
_LABELS = ("姓名", "社会保障号码", "社会保障卡号", "发卡日期", "有效期限", "发卡机构", "照片", "卡面预览 Card faces")
_PHOTO = (6.5, 13.0, 19.0, 24.0)
_FIELD_X, _NAME_X, _VALUE_X = 30.0, 39.0, 51.5
_EDGE_MM = 4.1
_GRAY_LABEL = 95


def face_words(face: CardFace) -> Iterator[Words]:
    """The words on a card's face, in millimetres from its top left corner."""
    yield Words(CARD_WIDTH_MM / 2, 8.6, _TITLE, 12.5, 74, Align.MIDDLE)
    values = (
        (_LABELS[0], face.name, 11.0),
        (_LABELS[1], face.id_no, 9.0),
        (_LABELS[2], face.card_no, 9.0),
        (_LABELS[3], f"{face.issued:%Y年%m月%d日}", 8.0),
        (_LABELS[4], f"{face.valid_until:%Y年%m月%d日}", 8.0),
    )
    for index, (label, value, size) in enumerate(values):
        y = 17.6 + 5.6 * index
        yield Words(_FIELD_X, y, label, 7, 20, gray=_GRAY_LABEL)
        x = _VALUE_X if index else _NAME_X  # names of minorities are long
        yield Words(x, y, value, size, CARD_WIDTH_MM - x - _EDGE_MM)
    yield Words(6.5, 48.4, face.issuer, 7.5, 42)
    yield Words(CARD_WIDTH_MM - 6.5, 48.4, face.bank, 9.5, 30, Align.RIGHT)
    if face.photo is None:
        x, y, width, height = _PHOTO
        yield Words(x + width / 2, y + height / 2, _LABELS[6], 7, width, Align.MIDDLE, 150)


def face_texts(faces: Iterable[CardFace]) -> Iterator[tuple[int, str]]:
    """All that the faces show, each with its row, for `check_glyphs`."""
    yield from ((0, text) for text in (_TITLE, *_LABELS))
    for face in faces:
        yield from ((face.row, words.text) for words in face_words(face))


def write_sheets(
    folder: Path, faces: Iterable[CardFace], lettering: Lettering, *, job: str, written_at: datetime
) -> Iterator[Path]:
    """Files of sheets with ten faces each, whole and for their owner alone before they come out.

    Raises:
        GlyphsMissing: a text that was not checked.
        OSError: no room or no right.
    """
    rows, number = iter(faces), 0
    while batch := list(islice(rows, CARDS_A_SHEET * SHEETS_A_FILE)):
        number += 1
        path = folder / f"faces-{number:04}.pdf"
        write_whole(path, face_sheets(batch, lettering, job=job, written_at=written_at), mode=_OWNER_ONLY)
        yield path


def face_sheets(faces: Iterable[CardFace], lettering: Lettering, *, job: str, written_at: datetime) -> bytes:
    """A PDF with ten faces a page, in their true size."""
    pages = Pages(lettering, A4, title=f"Card faces {job}", written_at=written_at)
    left = (A4.width_mm - 2 * CARD_WIDTH_MM - 4) / 2
    for index, face in enumerate(faces):
        place = index % CARDS_A_SHEET
        if place == 0:
            pages.new()
            pages.text(left, 7.5, f"{_LABELS[7]}  {job}", 8, gray=_GRAY_LABEL, fit_mm=150)
            pages.text(A4.width_mm - left, 7.5, str(pages.count), 8, align=Align.RIGHT, gray=_GRAY_LABEL)
        column, line = place % 2, place // 2
        _draw(pages, face, left + column * (CARD_WIDTH_MM + 4), 10.5 + line * (CARD_HEIGHT_MM + 2.6))
    return pages.finish()


def _draw(pages: Pages, face: CardFace, left: float, top: float) -> None:
    pages.box(left, top, CARD_WIDTH_MM, CARD_HEIGHT_MM, line_mm=0.15, gray=120)
    x, y, width, height = _PHOTO
    if face.photo is None:
        pages.box(left + x, top + y, width, height, line_mm=0.15, gray=170)
    else:
        pages.picture(left + x, top + y, width, height, face.photo)
    pages.strokes([[(left + _EDGE_MM, top + 11), (left + CARD_WIDTH_MM - _EDGE_MM, top + 11)]], line_mm=0.2, gray=120)
    for words in face_words(face):
        pages.text(
            left + words.x,
            top + words.y,
            words.text,
            words.size_pt,
            align=words.align,
            gray=words.gray,
            fit_mm=words.fit_mm,
        )


class FacePainter:
    """Pictures of faces in one lettering; fonts are opened once."""

    def __init__(self, lettering: Lettering, *, dots_an_inch: int = 300) -> None:
        self._lettering = lettering
        self._scale = dots_an_inch / 25.4

    def png(self, face: CardFace) -> bytes:
        """The face as a PNG."""
        size = (round(CARD_WIDTH_MM * self._scale), round(CARD_HEIGHT_MM * self._scale))
        image = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(image)
        draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), 3.18 * self._scale, outline=(120, 120, 120))
        draw.line([self._dots(_EDGE_MM, 11), self._dots(CARD_WIDTH_MM - _EDGE_MM, 11)], fill=(120, 120, 120), width=2)
        self._photo(image, draw, face)
        for words in face_words(face):
            self._words(draw, words)
        file = BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    def _photo(self, image: Image.Image, draw: ImageDraw.ImageDraw, face: CardFace) -> None:
        x, y, width, height = _PHOTO
        if face.photo is None:
            draw.rectangle((self._dots(x, y), self._dots(x + width, y + height)), outline=(170, 170, 170))
            return
        with Image.open(BytesIO(face.photo)) as photo:
            ratio = photo.width / photo.height
            fitted = (min(width, height * ratio), min(height, width / ratio))
            dots = self._dots(*fitted)
            place = self._dots(x + (width - fitted[0]) / 2, y + (height - fitted[1]) / 2)
            image.paste(photo.convert("RGB").resize(dots, Image.Resampling.LANCZOS), place)

    def _words(self, draw: ImageDraw.ImageDraw, words: Words) -> None:
        runs = self._lettering.runs(words.text)
        size = words.size_pt * POINT_MM * self._scale
        wide = sum(self._font(run.face, size).getlength(run.text) for run in runs)
        if wide > words.fit_mm * self._scale:
            size, wide = size * words.fit_mm * self._scale / wide, words.fit_mm * self._scale
        x, y = words.x * self._scale - wide * words.align.value, words.y * self._scale
        for run in runs:
            font = self._font(run.face, size)
            draw.text((x, y), run.text, font=font, fill=(words.gray,) * 3, anchor="ls")
            x += font.getlength(run.text)

    def _font(self, face: int, size: float) -> ImageFont.FreeTypeFont:
        key = (face, round(size, 2))
        if key not in self._fonts:
            self._fonts[key] = ImageFont.truetype(BytesIO(self._lettering.faces[face].data), key[1])
        return self._fonts[key]

    @cached_property
    def _fonts(self) -> dict[tuple[int, float], ImageFont.FreeTypeFont]:
        return {}

    def _dots(self, x: float, y: float) -> tuple[int, int]:
        return round(x * self._scale), round(y * self._scale)
