"""The bureau's text form: GB18030 lines ended by CR LF, columns parted by `|`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError

SEPARATOR = "|"
LINE_END = b"\r\n"
LONGEST_LINE = 65_536
"""Bytes; a line that is longer is no line of ours, and is never read whole."""

SAMPLE_SIZE = 65_536
"""Bytes at the start of a file that tell its code page."""


class Line(NamedTuple):
    """One line: its number, counted from 1, and its bytes with the line end."""

    number: int
    raw: bytes

    def __repr__(self) -> str:
        return f"<Line {self.number} of {len(self.raw)} bytes>"

    @property
    def ended(self) -> bool:
        """Whether CR LF ends it, as it should."""
        return self.raw.endswith(LINE_END)

    @property
    def overlong(self) -> bool:
        """Whether it is only the beginning of a line of more than `LONGEST_LINE` bytes."""
        return len(self.raw) > LONGEST_LINE

    def columns(self) -> list[str]:
        """The columns' text in normal form.

        Raises:
            CodecError: bytes that are no GB18030 text.
        """
        # The separator's code is also the second byte of many characters, so the text is decoded first.
        return textcodec.decode(self.raw.removesuffix(b"\n").removesuffix(b"\r")).split(SEPARATOR)


def lines(stream: IO[bytes]) -> Iterator[Line]:
    """Each line of the stream in bounded memory. An overlong one is cut off, and is the last."""
    number = 0
    while raw := stream.readline(LONGEST_LINE + 1):
        number += 1
        line = Line(number, raw)
        yield line
        if line.overlong:
            return


def wrong_code_page(sample: bytes) -> str | None:
    """What the start of a file is encoded in when that is not GB18030, else None.

    UTF-8 often decodes as GB18030, to nonsense; Chinese text in GB18030 is practically never valid UTF-8.
    """
    if sample.startswith(b"\xef\xbb\xbf"):
        return "UTF-8 with a byte order mark"
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    if b"\0" in sample:
        return "binary or UTF-16"
    # The sample may end inside a character; the line before it does not.
    whole = sample[: sample.rfind(b"\n") + 1] if len(sample) >= SAMPLE_SIZE else sample
    if whole.isascii():
        return None
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "UTF-8"


def encode_line(columns: Iterable[str]) -> bytes:
    """The line of these columns.

    Raises:
        CodecError: a column holds `|`, a control character, or what GB18030 has not.
    """
    texts = list(columns)
    for position, text in enumerate(texts, 1):
        if SEPARATOR in text or any(character < " " or character == "\x7f" for character in text):
            raise CodecError(f"column {position} holds a separator or a control character")
    return textcodec.encode(SEPARATOR.join(texts)) + LINE_END
