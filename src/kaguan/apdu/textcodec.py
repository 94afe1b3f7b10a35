"""Text as cards and bureau files hold it: GB18030-2022, and the only place that encodes names.

Law 1. `decode(encode(text)) == normalise(text)`: one character has one form, wherever it was typed.
Law 2. No character is ever cut; what does not fit is refused.

Python's codec follows the first edition of GB 18030, where 25 two-byte codes are private-use characters. The
2005 and 2022 editions gave 19 of them to real characters; the ideographs of the other six have four-byte
codes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kaguan.apdu.errors import CodecError

MIDDLE_DOT = "\u00b7"
"""The dot between the parts of a minority name, code A1A4."""

DOTS = "\u2022\u2027\u30fb\u2219\u22c5\uff65\uff0e"
"""What keyboards and other encodings put in the middle dot's place."""

# Two-byte code, its character in the current edition, its private-use character in the first.
_REMAPPED: tuple[tuple[int, int, int], ...] = (
    (0xA8BC, 0x1E3F, 0xE7C7),  # 2005
    (0xA6D9, 0xFE10, 0xE78D),  # 2022, vertical punctuation
    (0xA6DA, 0xFE12, 0xE78E),
    (0xA6DB, 0xFE11, 0xE78F),
    (0xA6DC, 0xFE13, 0xE790),
    (0xA6DD, 0xFE14, 0xE791),
    (0xA6DE, 0xFE15, 0xE792),
    (0xA6DF, 0xFE16, 0xE793),
    (0xA6EC, 0xFE17, 0xE794),
    (0xA6ED, 0xFE18, 0xE795),
    (0xA6F3, 0xFE19, 0xE796),
    (0xFE59, 0x9FB4, 0xE81E),  # 2022, ideographs
    (0xFE61, 0x9FB5, 0xE826),
    (0xFE66, 0x9FB6, 0xE82B),
    (0xFE67, 0x9FB7, 0xE82C),
    (0xFE6D, 0x9FB8, 0xE832),
    (0xFE7E, 0x9FB9, 0xE843),
    (0xFE90, 0x9FBA, 0xE854),
    (0xFEA0, 0x9FBB, 0xE864),
)

# Private use in every edition, though Unicode has the ideograph: stored at the ideograph's own code.
_NEVER_REMAPPED: dict[int, int] = {
    0xE816: 0x20087,  # FE51
    0xE817: 0x20089,  # FE52
    0xE818: 0x200CC,  # FE53
    0xE831: 0x215D7,  # FE6C
    0xE83B: 0x2298F,  # FE76
    0xE855: 0x241FE,  # FE91
}

_TO_REAL: dict[int, int] = {
    **{private: real for _, real, private in _REMAPPED},
    **_NEVER_REMAPPED,
    **dict.fromkeys(map(ord, DOTS), ord(MIDDLE_DOT)),
}
# Asking the codec what it calls each code keeps this right with a Python whose codec has caught up.
_TO_CODEC: dict[int, str] = {real: code.to_bytes(2, "big").decode("gb18030") for code, real, _ in _REMAPPED}

_NOT_NORMAL = re.compile("[" + "".join(map(chr, _TO_REAL)) + "]")
_NOT_THE_CODECS = re.compile("[" + "".join(map(chr, _TO_CODEC)) + "]")


class SplitText(NamedTuple):
    """A text over two fields; `rest` is empty when the first field holds all of it."""

    first: bytes
    rest: bytes


def normalise(text: str) -> str:
    """The same text, with real characters for private-use ones and U+00B7 for every middle dot."""
    if text.isascii() or not _NOT_NORMAL.search(text):
        return text
    return text.translate(_TO_REAL)


def encode(text: str) -> bytes:
    """The text's GB18030-2022 bytes, in normal form.

    Raises:
        CodecError: a lone surrogate, which is no character.
    """
    text = normalise(text)
    if _NOT_THE_CODECS.search(text):
        text = text.translate(_TO_CODEC)
    try:
        return text.encode("gb18030")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise CodecError(f"character {error.start + 1} (U+{code:04X}) does not exist in GB18030") from None


def decode(raw: bytes) -> str:
    """The text, in normal form, that these GB18030 bytes are; older encoders' bytes are understood too.

    Raises:
        CodecError: bytes that are no GB18030 text, with their offset.
    """
    try:
        return normalise(raw.decode("gb18030"))
    except UnicodeDecodeError as error:
        wrong = raw[error.start : error.end].hex().upper()
        raise CodecError(f"bytes {wrong} at offset {error.start} are no GB18030 character") from None


def split(text: str, first: int, rest: int) -> SplitText:
    """The text's bytes over two fields of these widths in bytes, cut between characters only.

    Raises:
        CodecError: the text does not fit in both together, or has no GB18030 form.
    """
    whole = encode(text)
    if len(whole) <= first:
        return SplitText(whole, b"")
    cut = 0
    for character in text:
        size = len(encode(character))
        if cut + size > first:
            break
        cut += size
    if len(whole) - cut > rest:
        raise CodecError(f"a text of {len(whole)} bytes does not fit in fields of {first} and {rest} bytes")
    return SplitText(whole[:cut], whole[cut:])
