"""What must be true of a holder's photo: a JPEG of the card's size that really decodes."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

_BROKEN = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    OSError,
    ValueError,
    SyntaxError,  # Pillow's word for a broken file structure
)


def photo_reason(raw: bytes, pixels: tuple[int, int]) -> str | None:
    """Why this is no photo of that width and height, or None."""
    if not raw.startswith(b"\xff\xd8"):
        return "is not a JPEG"
    try:
        with Image.open(io.BytesIO(raw), formats=["JPEG"]) as picture:
            if picture.size != pixels:
                return f"has {picture.size[0]} x {picture.size[1]} pixels instead of {pixels[0]} x {pixels[1]}"
            # An eighth of the size: all the compressed data is read, few pixels are computed.
            picture.draft("L", (1, 1))
            picture.load()
    except _BROKEN:
        return "is a JPEG that does not decode"
    return None
