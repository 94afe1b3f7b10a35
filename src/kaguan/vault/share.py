"""One custodian's share of a key, and the text of it that a person can type without a mistake slipping through.

Ten bytes a line, as four groups of four characters and two check characters; the alphabet has no I, L, O and U. The
line's check is its number modulo the prime 1021, which notices every single wrong character and every two that are
swapped, and says in which line. A digest over the whole share fills the last line.

A share says nothing about the key: no check value is in it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.vault import Usage

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FORGIVEN = str.maketrans({"O": "0", "I": "1", "L": "1", " ": "", "-": "", "\t": ""})
_LINE = re.compile(r"^\s*(\d{1,2})\s*[:.]\s*(\S.*?)\s*$", re.MULTILINE)
_LINE_BYTES, _LINE_CHARACTERS, _CHECK_PRIME = 10, 18, 1021
_FORMAT = 1
_HEADER_SIZE = 16
_LEAST_DIGEST = 4
_KINDS = {StoreKind.TEST: 1, StoreKind.LIVE: 2}
_ALGORITHMS = {Algorithm.DES: 1, Algorithm.TDES: 2, Algorithm.SM4: 3, Algorithm.AES: 4}
MOST_NAME = 40


class ShareMistyped(VaultError):
    """This text is no share, or it is not as it was printed."""


def custodian_name(text: str) -> str:
    """The name by which a custodian is known: no two custodians have names that differ in case or spaces alone.

    Raises:
        VaultError: it is empty, too long, or has characters that do not print.
    """
    name = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not name or len(name) > MOST_NAME or not name.isprintable() or "=" in name:
        raise VaultError(f"a custodian's name has 1 to {MOST_NAME} printable characters, and no '='")
    return name


@dataclass(frozen=True, slots=True)
class ShareSet:
    """What all shares of one key have in common. `number` is drawn by chance: sets are told apart by it."""

    number: bytes
    kind: StoreKind
    usage: Usage
    algorithm: Algorithm
    threshold: int
    count: int

    def __str__(self) -> str:
        return f"{self.number.hex().upper()} ({self.kind}, {self.usage}, {self.threshold} of {self.count})"


@dataclass(frozen=True, slots=True)
class Share:
    """One share. `dealt_to` is the digest of the custodian's name."""

    set: ShareSet
    number: int
    dealt_to: bytes
    value: Secret

    @classmethod
    def dealt(cls, of: ShareSet, number: int, custodian: str, value: Secret) -> Share:
        """The share of this custodian."""
        return cls(of, number, _name_tag(custodian), value)

    def is_of(self, custodian: str) -> bool:
        """Whether it was dealt to the custodian of this name."""
        return hmac.compare_digest(self.dealt_to, _name_tag(custodian))

    @property
    def sheet_number(self) -> str:
        """What stands on the sheet: set, number of how many, and two check digits (ISO/IEC 7064, MOD 97-10)."""
        digits = f"{int.from_bytes(self.set.number, 'big'):010}{self.number:02}{self.set.count:02}"
        return f"{self.set.number.hex().upper()}-{self.number:02}/{self.set.count:02}-{98 - int(digits) * 100 % 97:02}"

    def reveal_lines(self) -> list[str]:
        """The text for the sheet, which is as secret as the share: `1: ABCD EFGH JKMN PQRS 7T`."""
        body = self._header() + self.value.reveal()
        whole = body + hashlib.sha256(body).digest()[: _digest_size(len(self.value))]
        return [
            f"{number}: {_line_text(number, whole[start : start + _LINE_BYTES])}"
            for number, start in enumerate(range(0, len(whole), _LINE_BYTES), 1)
        ]

    def _header(self) -> bytes:
        return (
            bytes([_FORMAT, _KINDS[self.set.kind]])
            + self.set.number
            + _usage_code(self.set.usage)
            + bytes([_ALGORITHMS[self.set.algorithm], self.set.threshold, self.set.count, self.number])
            + self.dealt_to
        )


def parse_share(text: str) -> Share:
    """The share in a sheet's text; whatever is not a numbered line is passed over.

    Raises:
        ShareMistyped: naming the line that is wrong, never what it says.
    """
    found = [(int(number), line) for number, line in _LINE.findall(text)]
    if [number for number, _ in found] != list(range(1, len(found) + 1)) or not found:
        raise ShareMistyped("a share is lines numbered from 1 on, each once and in order: compare it with the sheet")
    return join_lines([parse_line(number, line) for number, line in found])


def join_lines(parsed: Sequence[bytes]) -> Share:
    """The share of these lines, as `parse_line` gives them.

    Raises:
        ShareMistyped: they are not all lines of one share.
    """
    whole = b"".join(parsed)
    if len(parsed) != lines_of(whole):
        raise ShareMistyped(f"this share has {lines_of(whole)} lines, {len(parsed)} were entered")
    size = _algorithm(whole).key_size
    body, digest = whole[: _HEADER_SIZE + size], whole[_HEADER_SIZE + size :]
    if not hmac.compare_digest(hashlib.sha256(body).digest()[: len(digest)], digest):
        raise ShareMistyped("every line checks and the whole does not: are all lines from one sheet?")
    return _share(body)


def parse_line(number: int, text: str) -> bytes:
    """The ten bytes of one line of a share.

    Raises:
        ShareMistyped: a character that is none of the alphabet's, one too many or too few, or a wrong check.
    """
    characters = text.upper().translate(_FORGIVEN)
    if len(characters) != _LINE_CHARACTERS or not set(characters) <= set(_ALPHABET):
        raise ShareMistyped(
            f"line {number} should have {_LINE_CHARACTERS} letters and digits: compare it with the sheet"
        )
    value = 0
    for character in characters:
        value = value * 32 + _ALPHABET.index(character)
    value, check = divmod(value, 1024)
    if check != _line_check(number, value):
        raise ShareMistyped(f"line {number} is mistyped: compare it with the sheet")
    return value.to_bytes(_LINE_BYTES, "big")


def lines_of(first_line: bytes) -> int:
    """How many lines the share has that begins with this one.

    Raises:
        ShareMistyped: this is the first line of no share.
    """
    size = _algorithm(first_line).key_size
    return (_HEADER_SIZE + size + _digest_size(size)) // _LINE_BYTES


def _algorithm(whole: bytes) -> Algorithm:
    for algorithm, code in _ALGORITHMS.items():
        if whole[0] == _FORMAT and whole[8] == code:
            return algorithm
    raise ShareMistyped("line 1 begins no share that this version of Kaguan can read")


def _share(body: bytes) -> Share:
    kinds = {code: kind for kind, code in _KINDS.items()}
    usages = {_usage_code(usage): usage for usage in Usage}
    threshold, count, number = body[9:12]
    if body[1] not in kinds or body[6:8] not in usages or not 1 <= number <= count or not 2 <= threshold <= count:
        raise ShareMistyped("this share is of no kind that this version of Kaguan can use")
    of = ShareSet(body[2:6], kinds[body[1]], usages[body[6:8]], _algorithm(body), threshold, count)
    return Share(of, number, body[12:_HEADER_SIZE], Secret(body[_HEADER_SIZE:]))


def _digest_size(size: int) -> int:
    """As many bytes as fill the last line, and no fewer than four."""
    return _LEAST_DIGEST + -(_HEADER_SIZE + size + _LEAST_DIGEST) % _LINE_BYTES


def _line_text(number: int, data: bytes) -> str:
    value = int.from_bytes(data, "big")
    value = value * 1024 + _line_check(number, value)
    characters = "".join(_characters(value))
    return " ".join(characters[start : start + 4] for start in range(0, _LINE_CHARACTERS, 4))


def _characters(value: int) -> Iterator[str]:
    for place in reversed(range(_LINE_CHARACTERS)):
        yield _ALPHABET[value >> 5 * place & 31]


def _line_check(number: int, value: int) -> int:
    return (value + number) % _CHECK_PRIME


def _usage_code(usage: Usage) -> bytes:
    return hashlib.sha256(usage.encode()).digest()[:2]


def _name_tag(custodian: str) -> bytes:
    return hashlib.sha256(custodian_name(custodian).encode()).digest()[:4]
