"""Scenes of the purse's commands, its last steps behind their first, and everything that may be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from card import banks
from card.cards import DF04, PURSE_ADDRESS, funded
from card.order import Make, Order
from card.scene import (
    Scene,
    Seal,
    Violation,
    after,
    altered,
    both,
    data,
    forged,
    gone,
    keys,
    no_file,
    no_keys,
    p1,
    p2,
    patch,
    scene,
    standing,
    with_right,
    without,
)
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.commands.purse import session_worker
from kaguan.card_os.image import Proof
from kaguan.card_os.profile import NEVER, FileKind
from kaguan.card_os.profile.medical import MedicalItem, composed, shares
from kaguan.card_os.profile.rules import PIN_RIGHT
from kaguan.card_os.session import SPENT
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

AMOUNT, TERMINAL, WHEN, NUMBER = "000002BC", "112233445566", "20240101120000", "00000005"
INITIALIZE = f"0B01{AMOUNT}{TERMINAL}"
MEDICAL = f"B02801011301{AMOUNT}{'00' * 8}{TERMINAL}16"
COMPOSITES = banks.ADF + b"\x00\x17"
MORE = bytes.fromhex("05F5E100")  # more fen than a log of eight digits shows


def _bank(command: str) -> Scene:
    return scene(banks.rich(), banks.ADF, command, PIN_RIGHT)


def _social(command: str) -> Scene:
    return scene(funded(), DF04, command, PIN_RIGHT)


def _deposit(**parts: Any) -> Violation:
    return both(altered("purses", banks.DEPOSIT, **parts), altered("purses", PURSE_ADDRESS, **parts))


def _wallet(**parts: Any) -> Violation:
    return altered("purses", banks.WALLET, **parts)


def _rules(**parts: Any) -> Violation:
    def made(before: Scene) -> Scene:
        for at, purse in before.image.purses.items():
            before = altered("purses", at, rules=purse.rules._replace(**parts))(before)
        return before

    return made


NO_PURSE = both(gone("purses", banks.DEPOSIT), gone("purses", banks.WALLET), gone("purses", PURSE_ADDRESS))
CLOSED = _rules(load=NEVER, purchase=NEVER, balance=NEVER, unload=NEVER, cash=NEVER, overdraft=NEVER)
BROKE = both(_deposit(balance_fen=0), _wallet(balance_fen=0))
COUNTED_OUT = both(
    _deposit(online_sequence=0xFFFF, offline_sequence=0xFFFF), _wallet(online_sequence=0xFFFF, offline_sequence=0xFFFF)
)
NOT_BEGUN = ("6901", standing(pending=None))
NO_TAC_KEY = ("9406", no_keys(Usage.TAC))
FORGED = ("9302", forged)


def _begun(usage: Usage, length: str, *last: tuple[str, Violation], other_type: int) -> Sequence[tuple[str, Violation]]:
    return [
        ("6A86", p2(other_type)),
        ("6A82", NO_PURSE),
        ("6700", data(length)),
        ("6985", with_right(SPENT)),
        ("6982", both(CLOSED, without(PIN_RIGHT))),
        ("9403", no_keys(usage)),
        ("6982", keys(usage, use=NEVER)),
        ("9402", COUNTED_OUT),
        *last,
    ]


def _online(fields: str) -> Seal:
    """The seal of a last step: MAC2 over these fields and the command's own data, under the session key."""

    def made(before: Scene) -> CommandApdu:
        pending, command = before.session.pending, before.command
        if pending is None or pending.session_cipher is None:
            return command._replace(data=command.data + bytes(4))
        cut = command.data[:-7]
        text = fields.format(new=cut.hex(), type=f"{pending.transaction_type:02X}", when=command.data[-7:].hex())
        return command._replace(data=command.data + mac4(pending.session_cipher, bytes.fromhex(text)))

    return made


def _offline(before: Scene) -> CommandApdu:
    """The same of a purchase, whose session key needs the terminal's number."""
    pending, command = before.session.pending, before.command
    key = before.key(Usage.PURCHASE)
    if pending is None or key is None:
        return command._replace(data=command.data + bytes(4))
    sequence = before.image.purses[pending.purse].offline_sequence.to_bytes(2, "big")
    worker = session_worker(key, pending.random + sequence + command.data[2:4])
    kind = bytes((pending.transaction_type,))
    fields = pending.amount_fen.to_bytes(4, "big") + kind + pending.terminal + command.data[4:]
    if pending.shares:
        rules = before.behaviour.medical
        values = shares(pending.shares) | {
            MedicalItem.SEQUENCE: sequence,
            MedicalItem.TYPE: kind,
            MedicalItem.TERMINAL: pending.terminal,
            MedicalItem.TERMINAL_NUMBER: command.data[:4],
            MedicalItem.WHEN: command.data[4:],
        }
        fields = composed(rules.mac1, values)
    return command._replace(data=command.data + mac4(worker, fields))


def _unsealed(value: str) -> Violation:
    return both(data(value), lambda before: replace(before, seal=None))


def _credit(first: Scene) -> Scene:
    return after(first, "8052000007" + WHEN, _online(AMOUNT + "{type}" + TERMINAL + "{when}"))


def _unload() -> Scene:
    return after(_bank("80500501" + INITIALIZE), "8054030007" + WHEN, _online(AMOUNT + "{type}" + TERMINAL + "{when}"))


def _update(limit: str = "000064") -> Scene:
    first = _bank(f"805004010701{TERMINAL}")
    return after(first, f"805800000A{limit}{WHEN}", _online("{new}{type}" + TERMINAL + "{when}"))


def _lowered(before: Scene) -> Scene:
    """The limit lowered by more than the balance has."""
    return both(_deposit(balance_fen=100, overdraft_limit_fen=500), patch(0, "000000"))(before)


def _over_the_top(before: Scene) -> Scene:
    return _rules(max_balance_fen=10_000)(before)


def _cache() -> Scene:
    record = banks.rich().files[COMPOSITES].records[0]
    command = f"80DC01BC{len(record):02X}{record.hex()}"
    return after(_bank("80500302" + INITIALIZE), command)


def _elsewhere(before: Scene) -> Scene:
    return both(_rules(composite=b""), altered("files", COMPOSITES, update=NEVER))(before)


def _proven() -> Scene:
    made = _bank("805A0001020001")
    return _deposit(proof=Proof(0x01, 1, b"1234", b"5678"))(made)


INITIAL = (
    ("INITIALIZE FOR LOAD", lambda: _bank("80500001" + INITIALIZE), Usage.LOAD, 9),
    ("INITIALIZE FOR LOAD (medical)", lambda: _social("B0280001" + INITIALIZE), Usage.LOAD, 9),
    ("INITIALIZE FOR PURCHASE", lambda: _bank("80500101" + INITIALIZE), Usage.PURCHASE, 9),
    ("INITIALIZE FOR CASH WITHDRAW", lambda: _bank("80500201" + INITIALIZE), Usage.PURCHASE, 2),
    ("INITIALIZE FOR COMPOSITE PURCHASE", lambda: _bank("80500302" + INITIALIZE), Usage.PURCHASE, 1),
    ("INITIALIZE FOR UNLOAD", lambda: _bank("80500501" + INITIALIZE), Usage.UNLOAD, 2),
    ("INITIALIZE FOR UPDATE", lambda: _bank(f"805004010701{TERMINAL}"), Usage.OVERDRAFT, 2),
    ("INITIALIZE FOR PURCHASE (medical)", lambda: _social(MEDICAL), Usage.PURCHASE, 9),
)
FULL = ("6985", _rules(max_balance_fen=0))
POOR = ("9401", BROKE)
LAST = {
    "INITIALIZE FOR LOAD": [FULL],
    "INITIALIZE FOR LOAD (medical)": [FULL],
    "INITIALIZE FOR UPDATE": [],
    "INITIALIZE FOR PURCHASE (medical)": [("6A80", patch(1, MORE.hex())), POOR],
}


def _order(name: str, make: Make, usage: Usage, other_type: int) -> Order:
    return Order(name, make, _begun(usage, "0001", *LAST.get(name, [POOR]), other_type=other_type))


DEBITS = (
    ("DEBIT FOR PURCHASE", lambda: after(_bank("80500101" + INITIALIZE), f"805401000B{NUMBER}{WHEN}", _offline)),
    ("DEBIT FOR PURCHASE (medical)", lambda: after(_social(MEDICAL), f"B02C01000B{NUMBER}{WHEN}", _offline)),
)
DEBITED = [("6A86", p2(1)), NOT_BEGUN, ("6700", _unsealed("00" * 14)), FORGED, NO_TAC_KEY]

ORDERS = (
    *(_order(*initial) for initial in INITIAL),
    *(Order(name, make, DEBITED) for name, make in DEBITS),
    Order(
        "CREDIT FOR LOAD",
        lambda: _credit(_bank("80500001" + INITIALIZE)),
        [("6A86", p1(1)), NOT_BEGUN, ("6700", _unsealed("00" * 10)), FORGED, NO_TAC_KEY],
    ),
    Order(
        "DEBIT FOR UNLOAD",
        _unload,
        [("6A86", p2(1)), NOT_BEGUN, ("6700", _unsealed("00" * 10)), FORGED],
    ),
    Order(
        "UPDATE OVERDRAW LIMIT",
        _update,
        [
            ("6A86", p1(1)),
            NOT_BEGUN,
            ("6700", _unsealed("00" * 13)),
            FORGED,
            ("9401", _lowered),
            ("6985", _over_the_top),
            NO_TAC_KEY,
        ],
    ),
    Order(
        "UPDATE COMPOSITE CACHE",
        _cache,
        [
            NOT_BEGUN,
            ("6A82", p2(0xF4)),
            ("6986", both(no_file, p2(0x04))),
            ("6981", altered("files", COMPOSITES, kind=FileKind.CYCLIC)),
            ("6982", _elsewhere),
            ("6A86", p2(0xBE)),
            ("6A83", p1(0x50)),
            ("6700", data("0102")),
            ("6A80", patch(0, "77")),
        ],
    ),
    Order(
        "GET BALANCE",
        lambda: _bank("805C000104"),
        [
            ("6A86", p1(1)),
            ("6A82", NO_PURSE),
            ("6700", data("00")),
            ("6982", both(CLOSED, without(PIN_RIGHT))),
        ],
    ),
    Order(
        "GET TRANSACTION PROVE",
        _proven,
        [
            ("6A86", p1(1)),
            ("6700", data("00")),
            ("6A86", p2(0x55)),
            ("6A82", NO_PURSE),
            ("9406", _deposit(proof=None)),
        ],
    ),
)
