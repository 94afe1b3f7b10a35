"""Card faces: ten a sheet in true size, rare names right, sheet and picture alike."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pytest
from PIL import Image, ImageChops

from kaguan.personalization.paper.cardface import (
    CARD_HEIGHT_MM,
    CARD_WIDTH_MM,
    CardFace,
    FacePainter,
    face_sheets,
    face_texts,
    write_sheets,
)
from personalization.paper.printed import (
    RARE_NAMES,
    WRITTEN_AT,
    fonts_of,
    lettering_for,
    page_count,
    picture_of,
    run,
    text_of,
)

pytestmark = pytest.mark.slow


def photo() -> bytes:
    """A picture of nobody."""
    file = BytesIO()
    Image.linear_gradient("L").resize((358, 441)).save(file, "JPEG")
    return file.getvalue()


FACES = [
    CardFace(
        row,
        name,
        "990101199003070015",
        "A00000011",
        "样例市人力资源和社会保障局",
        "样例银行",
        date(2026, 11, 1),
        date(2036, 10, 31),
        photo() if row % 2 else None,
    )
    for row, name in enumerate((*RARE_NAMES, *(f"测试{i}" for i in range(8))), 1)
]


@pytest.fixture(scope="module")
def lettering():
    """The lettering of these faces."""
    return lettering_for(face_texts(FACES))


def test_a_sheet_has_ten_faces_with_all_they_must_show(tmp_path, lettering):
    (pdf,) = write_sheets(tmp_path, FACES, lettering, job="job-1", written_at=WRITTEN_AT)
    assert page_count(pdf) == 2
    words = text_of(pdf)
    for shown in (*(face.name for face in FACES), "样例银行", "2026年11月01日", "2036年10月31日"):
        assert shown in words
    assert words.count("990101199003070015") == words.count("A00000011") == len(FACES)
    assert all(font[-3:] == ["yes", "yes", "yes"] for font in fonts_of(pdf))
    assert len(run("pdfimages", "-list", pdf).splitlines()) - 2 == 7
    assert pdf.stat().st_mode & 0o077 == 0


def test_sheet_and_picture_show_the_same(tmp_path, lettering):
    pdf = tmp_path / "faces.pdf"
    pdf.write_bytes(face_sheets(FACES, lettering, job="job-1", written_at=WRITTEN_AT))
    dots = 300 / 25.4
    left, top = (210 - 2 * CARD_WIDTH_MM - 4) / 2, 10.5
    with Image.open(picture_of(pdf, 1, tmp_path, dots_an_inch=300)) as page:
        for index, face in enumerate(FACES[:4]):
            x, y = left + index % 2 * (CARD_WIDTH_MM + 4), top + index // 2 * (CARD_HEIGHT_MM + 2.6)
            box = [round(edge * dots) for edge in (x + 5, y + 3, x + CARD_WIDTH_MM - 4, y + CARD_HEIGHT_MM - 3)]
            on_sheet = page.convert("L").crop((box[0], box[1], box[2], box[3])).reduce(6)
            with Image.open(BytesIO(FacePainter(lettering).png(face))) as picture:
                corner = (round(5 * dots), round(3 * dots))
                alone = picture.convert("L").crop((*corner, corner[0] + box[2] - box[0], corner[1] + box[3] - box[1]))
            difference = ImageChops.difference(on_sheet, alone.reduce(6)).histogram()
            assert sum(difference[100:]) < 0.01 * sum(difference)


def test_the_same_input_gives_the_same_bytes(lettering):
    first, second = (face_sheets(FACES, lettering, job="job-1", written_at=WRITTEN_AT) for _ in range(2))
    assert first == second
    assert FacePainter(lettering).png(FACES[0]) == FacePainter(lettering).png(FACES[0])


def test_a_face_does_not_show_itself():
    assert "王" not in repr(FACES[0])
    assert "990101" not in repr(FACES[0])
