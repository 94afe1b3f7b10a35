"""PIN mailers: the PIN is on paper for its holder, and nowhere else to be read."""

from __future__ import annotations

import re
import secrets
import tracemalloc
import zlib
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from kaguan.personalization.paper import mailer
from kaguan.personalization.paper.fonts import GlyphsMissing, Lettering, check_glyphs
from kaguan.personalization.paper.mailer import Concealment, MailerForm, mailer_texts, write_mailers
from kaguan.personalization.paper.numbering import MailerNumbers
from kaguan.personalization.paper.pairing import Kind, draw_link, pairing_code
from kaguan.personalization.paper.pinfile import PinRecord, write_pins
from kaguan.personalization.paper.pins import draw_pin
from kaguan.vault.secret import Pin, Secret
from personalization.paper.printed import (
    ASCII,
    RARE_NAMES,
    WRITTEN_AT,
    code_at,
    digits_in,
    fonts_of,
    lettering_for,
    page_count,
    picture_of,
    print_of,
    small_font,
    text_of,
)

pytestmark = pytest.mark.slow

NUMBERS = MailerNumbers(Secret(b"n" * 32), "A7")
PAIRING_KEY = Secret(b"p" * 32)
FORM = MailerForm("样例市人力资源和社会保障局", "样例省样例市样例路 1 号 990100")
BLIND = MailerForm(FORM.sender, FORM.sender_address, concealment=Concealment.BLIND)
WINDOW = (114, 92, 78, 20)


def records(count: int) -> list[PinRecord]:
    """Mailers for invented holders, the first with rare names."""
    names = [*RARE_NAMES, *(f"测试{i}" for i in range(count))]
    return [
        PinRecord(draw_link(secrets.token_bytes), names[i], f"样例省样例市样例路{i + 1}号", "990100", _pin())
        for i in range(count)
    ]


def _pin() -> Pin:
    return draw_pin(secrets.token_bytes, digits=6)


def printed(
    folder: Path, rows: list[PinRecord], form: MailerForm = FORM, *, pages_a_file: int = 100, first: int = 1
) -> list[Path]:
    """The files of these mailers."""
    folder.mkdir(exist_ok=True)
    numbers = range(first, first + len(rows))
    return [part.path for part in write(folder, rows, numbers, form, letters(rows), pages_a_file=pages_a_file)]


def letters(rows: Iterable[PinRecord]) -> Lettering:
    """The lettering of these mailers."""
    return lettering_for(mailer_texts(FORM, rows))


def write(folder, rows, numbers, form, lettering, *, pages_a_file=100):
    """`write_mailers` with the keys and the time of these tests."""
    return write_mailers(
        folder,
        rows,
        numbers,
        NUMBERS,
        form,
        lettering,
        pairing_key=PAIRING_KEY,
        written_at=WRITTEN_AT,
        pages_a_file=pages_a_file,
    )


def window(image, dots_an_inch=200):
    """The PIN's window, cut out of a page."""
    dots = dots_an_inch / 25.4
    x, y, width, height = WINDOW
    return image.crop(tuple(round(edge * dots) for edge in (x + 1, y + 1, x + width - 1, y + height - 1)))


def test_each_holder_has_one_page_with_name_address_number_and_code(tmp_path):
    rows = records(7)
    (pdf,) = printed(tmp_path / "out", rows)
    assert page_count(pdf) == 7
    pages = text_of(pdf).split("\f")
    for number, (row, page) in enumerate(zip(rows, pages, strict=False), 1):
        assert row.name in page
        assert row.address in page
        assert NUMBERS.text(number) in page
    assert code_at(picture_of(pdf, 3, tmp_path), 172, 8, 24) == pairing_code(
        PAIRING_KEY, Kind.MAILER, rows[2].mailer_id
    )


def test_fonts_are_embedded_and_subset(tmp_path):
    (pdf,) = printed(tmp_path / "out", records(5))
    fonts = fonts_of(pdf)
    assert fonts
    assert all(font[-3:] == ["yes", "yes", "yes"] for font in fonts)
    assert pdf.stat().st_size < 200_000


def test_the_printed_pin_is_the_record_s(tmp_path):
    rows = [
        PinRecord(draw_link(secrets.token_bytes), "测试", "样例路", "990100", Pin.of(pin))
        for pin in ("741903", "582607", "904168")
    ]
    for form in (FORM, BLIND):
        (pdf,) = printed(tmp_path / form.concealment, rows, form)
        for page, row in enumerate(rows, 1):
            # Hairlines are light: a threshold below their gray leaves the digits, as the eye does.
            on_paper = window(print_of(pdf, page)).point(lambda value: 0 if value < 90 else 255)
            assert digits_in(on_paper, tmp_path) == row.pin.reveal_digits()


def test_on_a_screen_all_mailers_look_the_same_where_the_pin_is(tmp_path):
    one, other = records(1), records(1)
    (first,), (second,) = printed(tmp_path / "a", one), printed(tmp_path / "b", other, first=9)
    looks = []
    for pdf in (first, second):
        with Image.open(picture_of(pdf, 1, tmp_path)) as image:
            looks.append(window(image.convert("L")).tobytes())
    assert looks[0] == looks[1]
    assert window(print_of(first, 1)).tobytes() != window(print_of(second, 1)).tobytes()


def streams_of(pdf: Path) -> bytes:
    """A PDF's bytes with all that is compressed laid open."""
    raw = pdf.read_bytes()
    opened = [raw]
    for match in re.finditer(rb"stream\r?\n", raw):
        try:
            opened.append(zlib.decompressobj().decompress(raw[match.end() :]))
        except zlib.error:
            continue
    return b"\n".join(opened)


def test_no_search_of_any_file_finds_a_pin(tmp_path):
    rows = [
        PinRecord(draw_link(secrets.token_bytes), f"测试{i}", "样例路", "990100", Pin.of(pin))
        for i, pin in enumerate(("74190326", "90517384", "38261507"))
    ]
    with (tmp_path / "pins.sealed").open("wb") as file:
        write_pins(file, rows, Secret(b"k" * 32), secrets.token_bytes)
    printed(tmp_path, rows)
    printed(tmp_path / "blind", rows, BLIND)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) == 3
    for file, row in product(files, rows):
        digits = row.pin.reveal_digits()
        content = streams_of(file) if file.suffix == ".pdf" else file.read_bytes()
        for form in (digits.encode(), digits.encode("utf-16-be"), row.pin.reveal(), digits.encode().hex().encode()):
            assert form not in content
        if file.suffix == ".pdf":
            assert digits not in text_of(file)


def test_files_are_split_named_by_number_and_for_their_owner_alone(tmp_path):
    rows = records(7)
    files = printed(tmp_path / "out", rows, pages_a_file=3, first=11)
    assert [file.name for file in files] == [
        "mailers-A7-00000011-00000013.pdf",
        "mailers-A7-00000014-00000016.pdf",
        "mailers-A7-00000017-00000017.pdf",
    ]
    assert [page_count(file) for file in files] == [3, 3, 1]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    rows = records(5)
    first, second = (printed(tmp_path / name, rows, pages_a_file=2) for name in ("a", "b"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_numbers_and_mailers_are_as_many(tmp_path):
    rows = records(3)
    lettering = letters(rows)
    with pytest.raises(ValueError, match="more mailers"):
        list(write(tmp_path, rows, range(1, 3), FORM, lettering))
    with pytest.raises(ValueError, match="1 numbers"):
        list(write(tmp_path, rows, range(1, 5), FORM, lettering))


def test_a_text_that_was_not_checked_leaves_no_file(tmp_path):
    rows = records(2)
    lettering = lettering_for(mailer_texts(FORM, rows[:1]))
    with pytest.raises(GlyphsMissing):
        list(write(tmp_path, [PinRecord("R00000000001", "㐀", "样例路", "", _pin())], range(1, 2), FORM, lettering))
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_mailers(tmp_path):
    rows = records(20)
    texts = list(mailer_texts(FORM, rows))
    characters = "".join(sorted(set(ASCII).union(*(text for _, text in texts))))
    lettering = check_glyphs([small_font(tmp_path / "small.ttf", characters)], texts)
    peaks = []
    for count in (40, 200):
        many = (rows[i % 20] for i in range(count))
        tracemalloc.start()
        for part in write(tmp_path, many, range(1, count + 1), FORM, lettering, pages_a_file=20):
            part.path.unlink()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_long_address_stays_on_the_mailer(tmp_path):
    row = PinRecord(
        "R00000000001", "阿卜杜拉·买买提·吐尔逊江", "样例省样例市样例区样例街道" * 7 + "1号", "990100", _pin()
    )
    with pytest.raises(mailer.AddressTooLong, match="R0000"):
        printed(tmp_path, [row])
