"""The table of commands: dispatch, trace decoder, documentation and redaction all read these rows.

`secret` marks commands whose data field must never be shown, `secret_answer` those whose answer must not either.
`changes` is false of commands that leave any card as it was, whatever they carry: no try of a PIN or key is spent.
`stages` says in which states of the chip the command is served at all; what else it needs is the handler's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Flag, IntFlag, auto
from typing import NamedTuple


class Stage(Flag):
    """Where the chip stands when a command comes."""

    CREATION = auto()  # blank, being written under the transport key
    OPERATIONAL = auto()
    APPLICATION_BLOCKED = auto()  # the current application is blocked, for now or for ever


class CommandSet(IntFlag):
    """What an operating system understands; a card profile names the sets that its cards have."""

    __hash__ = int.__hash__  # without the enumeration's call: every command finds its card's table by it

    BASIC = auto()  # files, PIN, authentication, blocking
    SOCIAL = auto()  # the social security card's own (LD/T 32.5)
    CREATION = auto()  # the blank chip's, by ISO/IEC 7816-9
    PURSE = auto()  # electronic deposit and purse: load, purchase, balance, proof (JR/T 0025.2)
    BANKING = auto()  # the rest of JR/T 0025.2: cash, unload, overdraft, composite purchase, issuer scripts
    NATIVE = auto()  # files and keys as FMCOS makes them, and protected access to them
    SECURITY_MODULE = auto()  # the terminal's own card (JR/T 0025.9)


class Instruction(NamedTuple):
    """One row. `p1` is None when P1 does not choose between commands."""

    name: str
    cla: int
    ins: int
    p1: int | None
    stages: Stage
    sets: CommandSet
    reference: str
    secret: bool = False
    secret_answer: bool = False
    changes: bool = True


_CREATING = Stage.CREATION
_IN_USE = Stage.OPERATIONAL
_BOTH = Stage.CREATION | Stage.OPERATIONAL
_ANY = _BOTH | Stage.APPLICATION_BLOCKED
_BASIC, _SOCIAL, _CREATION, _PURSE = CommandSet.BASIC, CommandSet.SOCIAL, CommandSet.CREATION, CommandSet.PURSE
_MODULE = CommandSet.SECURITY_MODULE
_BANKING = CommandSet.BANKING
_PROTECTED = CommandSet.NATIVE | CommandSet.BANKING
_NATIVE = CommandSet.NATIVE

INSTRUCTIONS: tuple[Instruction, ...] = (
    Instruction("SELECT", 0x00, 0xA4, None, _ANY, _BASIC, "ISO/IEC 7816-4, 11.1.1", changes=False),
    Instruction("READ BINARY", 0x00, 0xB0, None, _BOTH, _BASIC, "ISO/IEC 7816-4, 11.2.3", changes=False),
    Instruction("UPDATE BINARY", 0x00, 0xD6, None, _BOTH, _BASIC, "ISO/IEC 7816-4, 11.2.5"),
    Instruction("READ RECORD", 0x00, 0xB2, None, _BOTH, _BASIC, "ISO/IEC 7816-4, 11.3.3", changes=False),
    Instruction("UPDATE RECORD", 0x00, 0xDC, None, _BOTH, _BASIC, "ISO/IEC 7816-4, 11.3.5"),
    Instruction("APPEND RECORD", 0x00, 0xE2, None, _BOTH, _BASIC, "ISO/IEC 7816-4, 11.3.6"),
    Instruction("GET DATA", 0x00, 0xCA, None, _ANY, _BASIC, "ISO/IEC 7816-4, 11.4.3", changes=False),
    Instruction("GET DATA (odd)", 0x00, 0xCB, None, _ANY, _BASIC, "ISO/IEC 7816-4, 11.4.3", changes=False),
    Instruction("VERIFY", 0x00, 0x20, None, _IN_USE, _BASIC, "LD/T 32.5; JR/T 0025.2", secret=True),
    Instruction("CHANGE PIN", 0x80, 0x5E, 0x01, _IN_USE, _BASIC, "LD/T 32.5; JR/T 0025.2", secret=True),
    Instruction("PIN UNBLOCK", 0x84, 0x24, None, _IN_USE, _SOCIAL, "LD/T 32.5; JR/T 0025.2", secret=True),
    Instruction("GET CHALLENGE", 0x00, 0x84, None, _ANY, _BASIC, "ISO/IEC 7816-4, 11.5.3", changes=False),
    Instruction("INTERNAL AUTHENTICATE", 0x00, 0x88, None, _IN_USE, _BASIC, "LD/T 32.5", changes=False),
    Instruction("EXTERNAL AUTHENTICATE", 0x00, 0x82, None, _ANY, _BASIC, "LD/T 32.5"),
    Instruction("APPLICATION BLOCK", 0x84, 0x1E, None, _IN_USE, _SOCIAL, "LD/T 32.5; JR/T 0025.2"),
    Instruction("APPLICATION UNBLOCK", 0x84, 0x18, None, _ANY & ~_CREATING, _SOCIAL, "LD/T 32.5; JR/T 0025.2"),
    Instruction("CARD BLOCK", 0x84, 0x16, None, _ANY & ~_CREATING, _SOCIAL, "LD/T 32.5; JR/T 0025.2"),
    Instruction("INITIALIZE FOR LOAD", 0x80, 0x50, 0x00, _IN_USE, _PURSE, "JR/T 0025.2"),
    Instruction("INITIALIZE FOR PURCHASE", 0x80, 0x50, 0x01, _IN_USE, _PURSE, "JR/T 0025.2"),
    Instruction("CREDIT FOR LOAD", 0x80, 0x52, None, _IN_USE, _PURSE, "JR/T 0025.2"),
    Instruction("DEBIT FOR PURCHASE", 0x80, 0x54, 0x01, _IN_USE, _PURSE, "JR/T 0025.2"),
    Instruction("GET BALANCE", 0x80, 0x5C, None, _IN_USE, _PURSE, "JR/T 0025.2", changes=False),
    Instruction("GET TRANSACTION PROVE", 0x80, 0x5A, None, _IN_USE, _PURSE, "JR/T 0025.2", changes=False),
    Instruction("INITIALIZE FOR LOAD (medical)", 0xB0, 0x28, 0x00, _IN_USE, _SOCIAL, "LD/T 32.5"),
    Instruction("INITIALIZE FOR PURCHASE (medical)", 0xB0, 0x28, 0x01, _IN_USE, _SOCIAL, "LD/T 32.5"),
    Instruction("DEBIT FOR PURCHASE (medical)", 0xB0, 0x2C, 0x01, _IN_USE, _SOCIAL, "LD/T 32.5"),
    Instruction("INITIALIZE SAM FOR PURCHASE", 0x80, 0x70, 0x00, _IN_USE, _MODULE, "JR/T 0025.9"),
    Instruction("INITIALIZE SAM FOR PURCHASE (medical)", 0x80, 0x70, 0x01, _IN_USE, _MODULE, "LD/T 32.5"),
    Instruction("CREDIT SAM FOR PURCHASE", 0x80, 0x72, None, _IN_USE, _MODULE, "JR/T 0025.9"),
    Instruction("INITIALIZE FOR DESCRYPT", 0x80, 0x1A, None, _IN_USE, _MODULE, "JR/T 0025.9"),
    Instruction("INITIALIZE FOR DESCRYPT (process key)", 0xBF, 0xDE, None, _IN_USE, _MODULE, "LD/T 32.5"),
    Instruction("DESCRYPT", 0x80, 0xFA, None, _IN_USE, _MODULE, "JR/T 0025.9", secret=True, secret_answer=True),
    Instruction("INITIALIZE FOR CASH WITHDRAW", 0x80, 0x50, 0x02, _IN_USE, _BANKING, "JR/T 0025.2"),
    Instruction("INITIALIZE FOR COMPOSITE PURCHASE", 0x80, 0x50, 0x03, _IN_USE, _BANKING, "JR/T 0025.2; CJ/T 166"),
    Instruction("UPDATE COMPOSITE CACHE", 0x80, 0xDC, None, _IN_USE, _BANKING, "JR/T 0025.2; CJ/T 166"),
    Instruction("INITIALIZE FOR UPDATE", 0x80, 0x50, 0x04, _IN_USE, _BANKING, "JR/T 0025.2"),
    Instruction("UPDATE OVERDRAW LIMIT", 0x80, 0x58, None, _IN_USE, _BANKING, "JR/T 0025.2"),
    Instruction("INITIALIZE FOR UNLOAD", 0x80, 0x50, 0x05, _IN_USE, _BANKING, "JR/T 0025.2"),
    Instruction("DEBIT FOR UNLOAD", 0x80, 0x54, 0x03, _IN_USE, _BANKING, "JR/T 0025.2"),
    Instruction("RELOAD PIN", 0x80, 0x5E, 0x00, _IN_USE, _BANKING, "JR/T 0025.2", secret=True),
    Instruction("PIN UNBLOCK (purse)", 0x84, 0x24, None, _IN_USE, _BANKING, "JR/T 0025.2", secret=True),
    Instruction("APPLICATION BLOCK (purse)", 0x84, 0x1E, None, _IN_USE, _BANKING, "JR/T 0025.2"),
    Instruction("APPLICATION UNBLOCK (purse)", 0x84, 0x18, None, _ANY & ~_CREATING, _BANKING, "JR/T 0025.2"),
    Instruction("CARD BLOCK (purse)", 0x84, 0x16, None, _ANY & ~_CREATING, _BANKING, "JR/T 0025.2"),
    Instruction("GET DATA (card code)", 0x80, 0xCA, None, _IN_USE, _BANKING, "CJ/T 166", changes=False),
    Instruction("CREATE FILE", 0x00, 0xE0, None, _CREATING, _CREATION, "ISO/IEC 7816-9, 6.1"),
    Instruction("DELETE FILE", 0x00, 0xE4, None, _CREATING, _CREATION, "ISO/IEC 7816-9, 6.2"),
    Instruction("ACTIVATE FILE", 0x00, 0x44, None, _CREATING, _CREATION, "ISO/IEC 7816-9, 6.4"),
    Instruction("WRITE KEY", 0x84, 0xD4, None, _CREATING, _CREATION, "FMCOS 2.0 user manual", secret=True),
    Instruction("WRITE KEY (native, protected)", 0x84, 0xD4, None, _IN_USE, _NATIVE, "FMCOS 2.0", secret=True),
    Instruction("WRITE KEY (security module)", 0x84, 0xD4, None, _IN_USE, _MODULE, "JR/T 0025.9", secret=True),
    Instruction("WRITE KEY (native)", 0x80, 0xD4, None, _IN_USE, _NATIVE, "FMCOS 2.0", secret=True),
    Instruction("CREATE FILE (native)", 0x80, 0xE0, None, _IN_USE, _NATIVE, "FMCOS 2.0"),
    Instruction("ERASE DF", 0x80, 0x0E, None, _IN_USE, _NATIVE, "FMCOS 2.0"),
    Instruction("READ BINARY (protected)", 0x04, 0xB0, None, _IN_USE, _PROTECTED, "FMCOS 2.0; JR/T 0025.2"),
    Instruction("UPDATE BINARY (protected)", 0x04, 0xD6, None, _IN_USE, _PROTECTED, "FMCOS 2.0; JR/T 0025.2"),
    Instruction("READ RECORD (protected)", 0x04, 0xB2, None, _IN_USE, _PROTECTED, "FMCOS 2.0; JR/T 0025.2"),
    Instruction("UPDATE RECORD (protected)", 0x04, 0xDC, None, _IN_USE, _PROTECTED, "FMCOS 2.0; JR/T 0025.2"),
    Instruction("APPEND RECORD (protected)", 0x04, 0xE2, None, _IN_USE, _PROTECTED, "FMCOS 2.0; JR/T 0025.2"),
)

GET_RESPONSE = Instruction("GET RESPONSE", 0x00, 0xC0, None, _ANY, _BASIC, "ISO/IEC 7816-4, 11.7.1", changes=False)

_BY_HEADER: Mapping[tuple[int, int, int | None], Instruction] = {
    (row.cla, row.ins, row.p1): row for row in reversed((*INSTRUCTIONS, GET_RESPONSE))
}


def instruction_of(cla: int, ins: int, p1: int, *, commands: CommandSet | None = None) -> Instruction | None:
    """The row that a command with this header belongs to, None when there is none.

    Where two card families have a command of one header, the row is the first of them, unless `commands` says what the
    card understands.
    """
    if commands is not None:
        rows = (row for row in (*INSTRUCTIONS, GET_RESPONSE) if row.sets & commands)
        return next((row for row in rows if (row.cla, row.ins) == (cla, ins) and row.p1 in (None, p1)), None)
    return _BY_HEADER.get((cla, ins, p1)) or _BY_HEADER.get((cla, ins, None))


def may_change(command: bytes) -> bool:
    """Whether a card might not be what it was after these bytes: true of all that the table does not call harmless."""
    row = instruction_of(*command[:3]) if len(command) > 3 else None
    return row is None or row.changes
