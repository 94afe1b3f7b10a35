"""A certificate's text as QR code: a picture, a drawing, or characters for a terminal."""

from __future__ import annotations

from enum import StrEnum
from io import BytesIO, StringIO
from typing import Final

import segno

_QUIET_MODULES: Final = 4
_PIXELS_A_MODULE: Final = 6


class Drawing(StrEnum):
    """How the code is drawn."""

    PNG = "png"
    SVG = "svg"


def drawn(text: str, drawing: Drawing) -> bytes:
    """Return the code of the text in a file of that kind, with its quiet zone."""
    stream = BytesIO()
    _code(text).save(stream, kind=drawing.value, scale=_PIXELS_A_MODULE, border=_QUIET_MODULES)
    return stream.getvalue()


def for_terminal(text: str) -> str:
    """Return the code of the text in half blocks, two modules a character, for a terminal that is wide enough."""
    stream = StringIO()
    _code(text).terminal(stream, border=_QUIET_MODULES, compact=True)
    return stream.getvalue()


def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error="m", boost_error=False)
