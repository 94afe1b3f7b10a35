"""The purse by a table: what JR/T 0025.2 says of every transaction, and a machine that reads it.

A second account of the sums, made to be unlike the chip's and unlike `bank_teller`: no code for any transaction, only
rows of field names; DES by `cryptography` itself, the MAC as the last block of a CBC. Nothing of kaguan comes in.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

_BYTES: Final = {
    1: "index version algorithm type",
    2: "sequence next",
    3: "limit new_limit time",
    4: "balance new_balance amount random number date code",
    6: "terminal",
}
WIDTHS: Final = {name: width for width, names in _BYTES.items() for name in names.split()}


class Row(NamedTuple):
    """A transaction. `begin` and `end` are the headers of its commands, the rest are layouts: names of fields in order.

    `told` is the answer to the first command; `greeting` what the card's MAC1 there covers, if it has one. `proof` is
    what the terminal's MAC covers, `codes` what each of the card's last codes covers, under which key.
    """

    type: str
    begin: str
    asked: str
    told: str
    key: str
    session: str
    greeting: str
    end: str
    brought: str
    proof: str
    codes: tuple[tuple[str, str], ...]
    moves: str


_ASKED = "index amount terminal"
_TOLD_ONLINE = "balance sequence version algorithm random code"
_TOLD_OFFLINE = "balance sequence limit version algorithm random"
_ONLINE, _OFFLINE = "random sequence 8000", "random sequence last_two_of_number"
_FIELDS = "amount type terminal"
_DEBIT = (
    *("805401000F", "number date time code", _FIELDS + " date time"),
    (("TAC", _FIELDS + " number date time"), ("SESSION", "amount")),
)


def _debit(kind: str, begin: str, proof: str = "") -> Row:
    end, brought, normal, codes = _DEBIT
    return Row(kind, begin, _ASKED, _TOLD_OFFLINE, "DPK", _OFFLINE, "", end, brought, proof or normal, codes, "-amount")


def _load(kind: str, begin: str) -> Row:
    after = "new_balance sequence amount type terminal date time"
    return Row(
        *(kind, begin, _ASKED, _TOLD_ONLINE, "DLK", _ONLINE, "balance " + _FIELDS),
        *("805200000B", "date time code", _FIELDS + " date time", (("TAC", after),), "+amount"),
    )


ROWS: Final = {
    "load deposit": _load("01", "805000010B"),
    "load purse": _load("02", "805000020B"),
    "unload": Row(
        *("03", "805005010B", _ASKED, _TOLD_ONLINE, "DULK", _ONLINE, "balance " + _FIELDS),
        *("805403000B", "date time code", _FIELDS + " date time"),
        *((("SESSION", "new_balance sequence amount type terminal date time"),), "-amount"),
    ),
    "cash": _debit("04", "805002010B"),
    "purchase deposit": _debit("05", "805001010B"),
    "purchase purse": _debit("06", "805001020B"),
    "overdraft": Row(
        *("07", "8050040107", "index terminal", "balance sequence limit version algorithm random code", "DUK", _ONLINE),
        *("balance limit type terminal", "805800000E", "new_limit date time code"),
        *("new_limit type terminal date time", (("TAC", "new_balance sequence new_limit type terminal date time"),)),
        "+new_limit-limit",
    ),
    "composite": _debit("09", "805003020B"),
    "composite with card code": _debit("09", "805003020B", _FIELDS + " date time card_code"),
}


def triple(key: bytes, block: bytes) -> bytes:
    """3DES, or DES under 8 bytes, of whole blocks."""
    wide = {8: key * 3, 16: key + key[:8]}[len(key)]
    return Cipher(TripleDES(wide), modes.ECB()).encryptor().update(block)  # noqa: S305 - the standard's own mode


def chained(key: bytes, data: bytes, start: bytes = bytes(8)) -> bytes:
    """The last block of a DES CBC over the data and its padding 80 00.."""
    full = data + b"\x80" + b"\0" * (7 - len(data) % 8)
    return Cipher(TripleDES(key * 3), modes.CBC(start)).encryptor().update(full)[-8:]


def retail(key: bytes, challenge: bytes, data: bytes) -> bytes:
    """ISO 9797-1 algorithm 3 by its definition: a chain under the left half, then out and in again."""
    last = chained(key[:8], data, challenge.ljust(8, b"\0"))
    through = Cipher(TripleDES(key[8:] * 3), modes.ECB()).decryptor().update(last)  # noqa: S305
    return triple(key[:8], through)[:4]


def halves(key: bytes) -> bytes:
    """Left xor right, as one number."""
    return (int.from_bytes(key[:8], "big") ^ int.from_bytes(key[8:], "big")).to_bytes(8, "big")


class Machine:
    """Reads one row with the keys of one card. `values` are the fields known so far, by their names; `covered` says
    whether the money is there for what the row does to it."""

    def __init__(self, row: Row, keys: dict[str, bytes], **values: str | bytes) -> None:
        self.row = row
        self.keys = keys
        given = {name: value if isinstance(value, bytes) else bytes.fromhex(value) for name, value in values.items()}
        self.covered = False
        self.values = {"type": bytes.fromhex(row.type), "8000": b"\x80\x00"} | given

    def first(self) -> str:
        """The command that begins."""
        return self.row.begin + self._laid(self.row.asked).hex()

    def hear(self, answer: bytes) -> None:
        """Take the card's offer apart; check its MAC1, and reckon what will be."""
        for name in self.row.told.split():
            width = WIDTHS[name]
            self.values[name], answer = answer[:width], answer[width:]
        assert not answer
        if "number" in self.values:
            self.values["last_two_of_number"] = self.values["number"][2:]
        self.values["SESSION"] = triple(self.keys[self.row.key], self._laid(self.row.session))
        if self.row.greeting:
            assert self.values["code"] == self._code("SESSION", self.row.greeting), "MAC1"
        moved = {
            "+amount": self._number("amount"),
            "-amount": -self._number("amount"),
            "+new_limit-limit": self._number("new_limit") - self._number("limit"),
        }[self.row.moves]
        balance_fen = self._number("balance") + moved
        self.covered = balance_fen >= 0
        self.values["new_balance"] = max(balance_fen, 0).to_bytes(4, "big")
        self.values["next"] = (self._number("sequence") + 1).to_bytes(2, "big")

    def second(self) -> str:
        """The command that ends."""
        self.values["code"] = self._code("SESSION", self.row.proof)
        return self.row.end + self._laid(self.row.brought).hex()

    def expected(self) -> bytes:
        """What the card must answer to it."""
        return b"".join(self._code(key, fields) for key, fields in self.row.codes)

    def proven(self) -> bytes:
        """What GET TRANSACTION PROVE must answer: the MAC that settled it, and the TAC or zeros."""
        codes = {key: self._code(key, fields) for key, fields in self.row.codes}
        return codes.get("SESSION", self.values["code"]) + codes.get("TAC", bytes(4))

    def logged(self, sequence: str = "sequence") -> bytes:
        """The record of the log."""
        limit = "new_limit" if "new_limit" in self.values else "limit"
        if self.row.type == "07":
            self.values["amount"] = bytes(4)
        return self._laid(f"{sequence} {limit} amount type terminal date time")

    def _laid(self, layout: str) -> bytes:
        return b"".join(self.values[name] for name in layout.split())

    def _code(self, key: str, layout: str) -> bytes:
        worker = halves(self.keys["DTK"]) if key == "TAC" else self.values["SESSION"]
        return chained(worker, self._laid(layout))[:4]

    def _number(self, name: str) -> int:
        return int.from_bytes(self.values.get(name, b""), "big")
