"""Cards with money, the published transactions that judge them, and a till that does the sums with psec."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from card.cards import CARD_KEY, DF04, TERMINAL, WHEN, Terminal, a_file, a_key, specimen, with_file, with_key
from card.oracle import fold, mac, tdes
from kaguan.card_os.image import CardImage, Purse, PurseRules
from kaguan.card_os.profile import FREE, FileKind
from kaguan.card_os.profile.model import LogLayout
from kaguan.vault.vault import Usage

DEPOSIT, WALLET = 1, 2
LOG = DF04 + bytes.fromhex("EF18")


@cache
def published(vector: str) -> dict[str, dict[str, str]]:
    """The sums of a published transaction by their names: key, data and result of each."""
    path = Path(__file__).parents[1] / "vectors" / "crypto.json"
    entry = next(entry for entry in json.loads(path.read_text())["vectors"] if entry["name"] == vector)
    return {step["name"]: step for step in entry["steps"]}


def bank_card(
    key: str, *, purse: int, balance_fen: int = 0, sequence: int = 0, tac: str = "", limit_fen: int = 0xFFFFFFFF
) -> CardImage:
    """A card whose DF04 is a PBOC purse, open to all, with one key for load and purchase."""
    rules = PurseRules(LOG, LogLayout.PBOC, FREE, FREE, FREE, limit_fen)
    image = with_file(specimen(), LOG, a_file(FileKind.CYCLIC, size=10, record_size=23))
    for usage, value in ((Usage.LOAD, key), (Usage.PURCHASE, key), (Usage.TAC, tac or key)):
        image = with_key(image, DF04, a_key(usage, 0x01, bytes.fromhex(value)))
    made = Purse(rules, balance_fen, sequence, sequence, None)
    return image._replace(purses={DF04 + bytes((purse,)): made})


class Done(NamedTuple):
    """A transaction that the card did: its number, and both codes in hex."""

    sequence: str
    mac: str
    tac: str


def initialize_load(amount_fen: int, *, command: str = "805000", purse: int = DEPOSIT) -> str:
    """INITIALIZE FOR LOAD."""
    return f"{command}{purse:02X}0B01{amount_fen:08X}{TERMINAL}10"


def credit(answer: str, amount_fen: int, *, kind: str = "01", when: str = WHEN, key: bytes = CARD_KEY) -> str:
    """CREDIT FOR LOAD, from what INITIALIZE answered."""
    session = tdes(key, bytes.fromhex(answer[16:24] + answer[8:12] + "8000"))
    mac2 = mac(session, bytes.fromhex(f"{amount_fen:08X}{kind}{TERMINAL}{when}"))
    return f"805200000B{when}{mac2.hex()}04"


def load(card: Terminal, amount_fen: int) -> Done:
    """A load of the medical wallet, every code of it checked."""
    answer = card.send(initialize_load(amount_fen))
    balance, sequence, random, mac1, sw = answer[:8], answer[8:12], answer[16:24], answer[24:32], answer[32:]
    assert sw == "9000"
    amount = f"{amount_fen:08X}"
    session = tdes(CARD_KEY, bytes.fromhex(random + sequence + "8000"))
    assert mac1 == mac(session, bytes.fromhex(balance + amount + "01" + TERMINAL)).hex().upper()
    command = credit(answer, amount_fen)
    tac = card.send(command)
    new = f"{int(balance, 16) + amount_fen:08X}"
    fields = bytes.fromhex(new + sequence + amount + "01" + TERMINAL + WHEN)
    assert tac == mac(fold(CARD_KEY), fields).hex().upper() + "9000"
    return Done(sequence, command[-10:-2].upper(), tac[:8])


def initialize_purchase(amount_fen: int, *, purse: int = DEPOSIT) -> str:
    """INITIALIZE FOR PURCHASE."""
    return f"805001{purse:02X}0B01{amount_fen:08X}{TERMINAL}0F"


def debit(answer: str, amount_fen: int, *, number: str = "00000001", key: bytes = CARD_KEY) -> str:
    """DEBIT FOR PURCHASE, from what INITIALIZE answered."""
    session = tdes(key, bytes.fromhex(answer[22:30] + answer[8:12] + number[4:]))
    mac1 = mac(session, bytes.fromhex(f"{amount_fen:08X}05{TERMINAL}{WHEN}"))
    return f"805401000F{number}{WHEN}{mac1.hex()}08"


def purchase(card: Terminal, amount_fen: int, *, number: str = "00000001") -> Done:
    """A purchase from the medical wallet, every code of it checked."""
    answer = card.send(initialize_purchase(amount_fen))
    assert answer[30:] == "9000"
    sequence, amount = answer[8:12], f"{amount_fen:08X}"
    session = tdes(CARD_KEY, bytes.fromhex(answer[22:30] + sequence + number[4:]))
    codes = card.send(debit(answer, amount_fen, number=number))
    tac = mac(fold(CARD_KEY), bytes.fromhex(amount + "05" + TERMINAL + number + WHEN)).hex().upper()
    mac2 = mac(session, bytes.fromhex(amount)).hex().upper()
    assert codes == tac + mac2 + "9000"
    return Done(sequence, mac2, tac)


def balance(card: Terminal) -> int:
    """The medical wallet's balance in fen."""
    answer = card.send("805C000104")
    assert answer.endswith("9000")
    return int(answer[:8], 16)
