"""A bank's counter and an issuer's script machine: every command of the purse, its sums done by psec."""

from __future__ import annotations

from typing import NamedTuple

from card.banks import bank_key
from card.cards import Terminal
from card.oracle import fold, mac, retail, tdes

AMOUNT_FEN = 700
TERMINAL = "112233445566"
WHEN = "20240101120000"
NUMBER = "00000005"  # the terminal's
RECORD = "022E" + "A5" * 46
RECORD_COMMAND = f"80DC02B830{RECORD}"
PIN = "654321"


class Kind(NamedTuple):
    """A transaction: its type, P1 and P2 of INITIALIZE, its key, and whether it has the terminal's number."""

    code: str
    initialize: str
    key: str
    purse: str
    offline: bool
    sign: int


KINDS = {
    "load": Kind("01", "00", "DLK", "01", offline=False, sign=1),
    "load purse": Kind("02", "00", "DLK", "02", offline=False, sign=1),
    "unload": Kind("03", "05", "DULK", "01", offline=False, sign=-1),
    "cash": Kind("04", "02", "DPK", "01", offline=True, sign=-1),
    "purchase": Kind("05", "01", "DPK", "01", offline=True, sign=-1),
    "purchase purse": Kind("06", "01", "DPK", "02", offline=True, sign=-1),
    "overdraft": Kind("07", "04", "DUK", "01", offline=False, sign=1),
    "composite": Kind("09", "03", "DPK", "02", offline=True, sign=-1),
}


def initialize(name: str, amount_fen: int = AMOUNT_FEN, *, index: str = "01") -> str:
    """The first step of a transaction."""
    kind = KINDS[name]
    if name == "overdraft":
        return f"80500401 07 {index} {TERMINAL} 13"
    le = "0F" if kind.offline else "10"
    return f"8050{kind.initialize}{kind.purse} 0B {index} {amount_fen:08X} {TERMINAL} {le}"


class Done(NamedTuple):
    """A finished transaction: its number before the increment, the MAC that proves it, and the TAC."""

    sequence: str
    mac: str
    tac: str


class Teller:
    """A counter at which a card lies; `suffix` is what its composite purchases add to MAC1."""

    def __init__(self, terminal: Terminal, *, suffix: str = "") -> None:
        self.terminal = terminal
        self.suffix = suffix
        self.expected = ""
        self.done = Done("", "", "")

    def last_step(self, name: str, amount_fen: int) -> str:
        """The command that ends a transaction which this begins; `expected` is what the card must answer to it."""
        kind = KINDS[name]
        answer = self.terminal.send(initialize(name, amount_fen))
        assert answer.endswith("9000"), f"{name}: {answer}"
        answer = answer[:-4]
        if kind.offline:
            return self._debit(name, kind, answer, amount_fen)
        balance, sequence, middle = answer[:8], answer[8:12], answer[12:-20]
        random, mac1 = answer[-16:-8], answer[-8:]
        session = tdes(bank_key(kind.key), bytes.fromhex(random + sequence + "8000"))
        amount = f"{amount_fen:06X}" if name == "overdraft" else f"{amount_fen:08X}"
        old = middle if name == "overdraft" else amount
        assert mac1 == _mac(session, balance + old + kind.code + TERMINAL), "MAC1"
        fields = amount + kind.code + TERMINAL + WHEN
        mac2 = _mac(session, fields)
        moved = amount_fen - int(middle, 16) if name == "overdraft" else kind.sign * amount_fen
        proven = f"{(int(balance, 16) + moved) % 2**32:08X}" + sequence + fields
        if name == "unload":
            self.expected = _mac(session, proven)
            self.done = Done(sequence, self.expected, "00000000")
            return f"805403000B{WHEN}{mac2}04"
        self.expected = _mac(fold(bank_key("DTK")), proven)
        self.done = Done(sequence, mac2, self.expected)
        return f"805800000E{amount}{WHEN}{mac2}04" if name == "overdraft" else f"805200000B{WHEN}{mac2}04"

    def _debit(self, name: str, kind: Kind, answer: str, amount_fen: int) -> str:
        sequence, random, amount = answer[8:12], answer[22:], f"{amount_fen:08X}"
        if name == "composite":
            assert self.terminal.send(RECORD_COMMAND) == "9000"
        session = tdes(bank_key(kind.key), bytes.fromhex(random + sequence + NUMBER[4:]))
        fields = amount + kind.code + TERMINAL
        mac1 = _mac(session, fields + WHEN + (self.suffix if name == "composite" else ""))
        mac2, tac = _mac(session, amount), _mac(fold(bank_key("DTK")), fields + NUMBER + WHEN)
        self.expected = tac + mac2
        self.done = Done(sequence, mac2, tac)
        return f"805401000F{NUMBER}{WHEN}{mac1}08"

    def do(self, name: str, amount_fen: int = AMOUNT_FEN) -> Done:
        """The whole transaction, every code of it checked."""
        assert self.terminal.send(self.last_step(name, amount_fen)) == self.expected + "9000"
        return self.done


def challenged(terminal: Terminal) -> bytes:
    """The answer to GET CHALLENGE, 4 bytes."""
    return terminal.challenge(4)


def pin_reload(challenge: bytes = b"", pin: str = PIN) -> str:
    """RELOAD PIN; no challenge is in it."""
    code = _mac(fold(bank_key("DRPK")), pin)
    return f"805E0000{len(pin) // 2 + 4:02X}{pin}{code}"


def pin_unblock(challenge: bytes, pin: str = PIN, *, p2: str = "00") -> str:
    """PIN UNBLOCK with this PIN."""
    packed = bytes((len(pin) // 2,)) + bytes.fromhex(pin)
    if len(packed) % 8:
        packed += b"\x80" + bytes(-(len(packed) + 1) % 8)
    return _protected("DPUK", challenge, f"842400{p2}", tdes(bank_key("DPUK"), packed))


def block_application(challenge: bytes, *, p2: str = "00") -> str:
    """APPLICATION BLOCK."""
    return _protected("DAMK", challenge, f"841E00{p2}")


def unblock_application(challenge: bytes) -> str:
    """APPLICATION UNBLOCK."""
    return _protected("DAMK", challenge, "84180000")


def block_card(challenge: bytes) -> str:
    """CARD BLOCK."""
    return _protected("DAMK", challenge, "84160000")


def direct_authentication(challenge: bytes) -> str:
    """EXTERNAL AUTHENTICATE: the challenge enciphered by the key itself."""
    return "0082000008" + tdes(bank_key("DACK"), challenge.ljust(8, b"\0")).hex().upper()


def _protected(label: str, challenge: bytes, header: str, data: bytes = b"") -> str:
    head = bytes.fromhex(header) + bytes((len(data) + 4,)) + data
    return (head + retail(bank_key(label), challenge.ljust(8, b"\0"), head)).hex().upper()


def _mac(key: bytes, data: str) -> str:
    return mac(key, bytes.fromhex(data)).hex().upper()
