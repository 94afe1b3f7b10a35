"""The purse's commands, judged by transactions that real cards did (JR/T 0025.2, FM1208)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import (
    CARD_KEY,
    DF04,
    PURSE_ADDRESS,
    SELECT_DF04,
    SELECT_SSSE,
    TERMINAL,
    VERIFY,
    WHEN,
    Terminal,
    a_file,
    a_key,
    funded,
    given,
    specimen,
    terminal,
    with_file,
    with_key,
)
from card.oracle import fold, mac, tdes
from kaguan.apdu.codecs import MedicalDetailRecord
from kaguan.card_os.image import CardImage, Purse, PurseRules
from kaguan.card_os.profile import FREE, FileKind
from kaguan.card_os.profile.model import LogLayout
from kaguan.vault.vault import Usage

VECTORS = {
    entry["name"]: entry
    for entry in json.loads((Path(__file__).parents[1] / "vectors" / "crypto.json").read_text())["vectors"]
}
LOG = DF04 + bytes.fromhex("EF18")
TYPE_OF_PURSE = {1: (0x01, 0x05), 2: (0x02, 0x06)}  # load, purchase


def bank_card(
    key: bytes, *, kind: int, balance_fen: int = 0, online: int = 0, tac: bytes | None = None
) -> CardImage:
    """A card whose DF04 is a PBOC purse of this kind with one key for all, open to all."""
    rules = PurseRules(LOG, LogLayout.PBOC, FREE, FREE, FREE, 0x7FFFFFFF)
    image = with_file(specimen(), LOG, a_file(FileKind.CYCLIC, size=10, record_size=23))
    for usage, value in ((Usage.LOAD, key), (Usage.PURCHASE, key), (Usage.TAC, tac or key)):
        image = with_key(image, DF04, a_key(usage, 0x01, value))
    return image._replace(purses={DF04 + bytes((kind,)): Purse(rules, balance_fen, online, 0, None)})


def step(vector: str, name: str) -> dict[str, Any]:
    """One published sum of a vector."""
    return next(entry for entry in VECTORS[vector]["steps"] if entry["name"] == name)


LOADS = [("pboc-load-ed-1", 1), ("pboc-load-ep-fm1208-a", 2), ("pboc-load-ep-fm1208-b", 2)]


@pytest.mark.parametrize(("name", "kind"), LOADS)
def test_a_real_load(name: str, kind: int) -> None:
    session, mac1 = step(name, "session_key"), step(name, "MAC1")
    random, sequence = session["data"][:8], session["data"][8:12]
    balance, amount, load_type, posted_at = (mac1["data"][at : at + 8] for at in (0, 8, 16, 18))
    terminal_number = mac1["data"][18:]
    assert posted_at and int(load_type[:2], 16) == kind
    key = bytes.fromhex(session["key"])
    card = terminal(bank_card(key, kind=kind), at="DF04", random=given(random))
    answer = card.send(f"805000{kind:02X}0B01{amount}{terminal_number}10")
    assert answer == balance + sequence + "0000" + random + mac1["out"] + "9000"
    mac2 = next((entry for entry in VECTORS[name]["steps"] if entry["name"] == "MAC2"), None)
    if mac2 is None:
        return
    tac = card.send(f"805200000B{mac2['data'][-14:]}{mac2['out']}04")
    published = next((entry["out"] for entry in VECTORS[name]["steps"] if entry["name"] == "TAC"), None)
    assert tac[-4:] == "9000"
    assert published is None or tac[:-4] == published
    assert card.send(f"805C00{kind:02X}04") == amount + "9000"
    assert card.send(f"805A00{kind:02X}02{sequence}08") == mac2["out"] + tac


def test_the_published_load_byte_for_byte() -> None:
    context = VECTORS["pboc-load-ed-1"]["context"]
    key = bytes.fromhex(step("pboc-load-ed-1", "session_key")["key"])
    card = terminal(bank_card(key, kind=1), at="DF04", random=given("11223344"))
    assert card.go(context["init"], "00C0000010") == context["init_resp"]
    assert card.send(context["credit"]) == "6104"


def test_a_real_load_in_the_middle_of_a_cards_life() -> None:
    """Online number 0017, balance 001A; load and TAC keys differ (a published FM1208 log)."""
    image = bank_card(bytes.fromhex("3F01" * 8), kind=2, balance_fen=0x1A, online=0x17, tac=bytes.fromhex("34" * 16))
    card = terminal(image, at="DF04", random=given("06B825D7"))
    for kind in (1, 2):
        answer = card.send(f"805000{kind:02X}0B010000000111223344556610")
        if answer == "6A82":
            continue
        assert answer[:24] == "0000001A0017000006B825D7"
    assert card.card.image.purses == image.purses


def test_a_real_purchase() -> None:
    name = "pboc-purchase-ep-fm1208"
    key = bytes.fromhex(step(name, "session_key")["key"])
    card = terminal(bank_card(key, kind=2, balance_fen=0x2000), at="DF04", random=given("584633C9"))
    answer = card.send("805001020B01000000010011223344550F")
    assert answer == "00002000" + "0000" + "000000" + "0000" + "584633C9" + "9000"
    when = step(name, "MAC1")["data"][-14:]
    debit = f"805401000F00000000{when}{step(name, 'MAC1')['out']}08"
    assert card.send(debit) == step(name, "TAC")["out"] + step(name, "MAC2")["out"] + "9000"
    assert card.send("805C000204") == "00001FFF9000"
    assert card.send("805A0006020000" + "08") == step(name, "MAC2")["out"] + step(name, "TAC")["out"] + "9000"
    card.select("EF18")
    assert card.send("00B2010417") == "0000" + "000000" + "00000001" + "06" + "001122334455" + when + "9000"


def test_a_published_session_key_takes_the_terminals_last_two_bytes() -> None:
    name = "pboc-purchase-1"
    key = bytes.fromhex(step(name, "session_key")["key"])
    card = terminal(bank_card(key, kind=2, balance_fen=0x1000), at="DF04", random=given("11223344"))
    card.send("805001020B01000010001122334455660F"[:-2].replace("112233445566", "112233445512"))
    card = terminal(bank_card(key, kind=2, balance_fen=0x1000), at="DF04", random=given("11223344"))
    mac1 = step(name, "MAC1")
    card.send(f"805001020B01{mac1['data'][:8]}{mac1['data'][10:22]}0F")
    assert card.send(f"805401000F00000001{mac1['data'][-14:]}{mac1['out']}08")[-4:] == "9000"
