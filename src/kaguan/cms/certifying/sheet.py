"""A certificate on paper: one page that says what was signed, and the code that proves it."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from kaguan.cms.rules.certificates import Extract, Purpose
from kaguan.personalization.paper.fonts import check_glyphs, find_fonts
from kaguan.personalization.paper.pages import A4, Align, Pages, first_baseline

_TITLE: Final = "社会保障卡电子凭证"
_TITLE_ENGLISH: Final = "Electronic certificate of a social security card"
_LABELS: Final = (
    ("姓名 Name", "name"),
    ("证件类型 Document", "cert_type"),
    ("证件号码 Number", "cert_no"),
    ("社会保障卡卡号 Card No.", "card_no"),
    ("统筹区 Region", "region"),
    ("卡有效期至 Card valid until", "card_valid_until"),
    ("用途 Purpose", "purpose"),
    ("签发时间 Issued", "issued_at"),
    ("凭证有效期至 Good until", "expires_at"),
    ("凭证编号 Certificate", "certificate_id"),
)
_PURPOSES: Final = {Purpose.SHOWING: "出示 show", Purpose.PROOF: "证明 proof"}
_NOTES: Final = (
    "本页文字以二维码中经签名的内容为准；卡挂失、注销后本凭证随即失效，请联网核验。",
    "What the code says counts, not what is printed. The certificate ends with its card: check it online.",
)
_LEFT_MM, _VALUES_MM, _TOP_MM, _STEP_MM = 25.0, 88.0, 62.0, 9.0
_CODE_MM: Final = 75.0
_CODE_TOP_MM: Final = 165.0


def printed(shown: Extract, text: str, *, zone: tzinfo, written_at: datetime) -> bytes:
    """Return the page as PDF; moments stand in that zone.

    Raises:
        FontsMissing, GlyphsMissing: no font here has what has to be printed.
    """
    values = [_value(shown, name, zone) for _, name in _LABELS]
    fixed = (_TITLE, _TITLE_ENGLISH, *_NOTES, *(label for label, _ in _LABELS))
    lettering = check_glyphs(find_fonts(), [(0, one) for one in (*fixed, *values)])
    pages = Pages(lettering, A4, title=_TITLE, written_at=written_at)
    pages.new()
    middle = A4.width_mm / 2
    pages.text(middle, 35, _TITLE, 22, align=Align.MIDDLE)
    pages.text(middle, 44, _TITLE_ENGLISH, 11, align=Align.MIDDLE, gray=80)
    for row, ((label, _), value) in enumerate(zip(_LABELS, values, strict=True)):
        line = first_baseline(_TOP_MM + row * _STEP_MM, 11)
        pages.text(_LEFT_MM, line, label, 10, gray=80)
        pages.text(_VALUES_MM, line, value, 11, fit_mm=A4.width_mm - _VALUES_MM - _LEFT_MM)
    pages.code(middle - _CODE_MM / 2, _CODE_TOP_MM, _CODE_MM, text)
    line = _CODE_TOP_MM + _CODE_MM + 14
    for note in _NOTES:
        for part in pages.wrapped(note, 9, A4.width_mm - 2 * _LEFT_MM):
            pages.text(_LEFT_MM, line, part, 9, gray=80)
            line += 5
    return pages.finish()


def _value(shown: Extract, name: str, zone: tzinfo) -> str:
    value = getattr(shown, name)
    if isinstance(value, Purpose):
        return _PURPOSES[value]
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
