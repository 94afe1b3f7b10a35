"""The shape of every command: what its P1 and P2 say, what its data are, and what it answers.

Rows stand in the order of the table of instructions and go by the same names. `a ‖ b` is a and then b, the number is
how many bytes it has, and nothing means that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Form(NamedTuple):
    """One command's shape."""

    parameters: str
    data: str = ""
    answer: str = ""

    @property
    def case(self) -> int:
        """The case of ISO/IEC 7816-3, 12.1: 1 neither data nor answer, 2 an answer, 3 data, 4 both."""
        return 1 + bool(self.answer) + 2 * bool(self.data)


_MAC = "MAC 4"
_OFFER = "balance 4 ‖ offline number 2 ‖ overdraft limit 3 ‖ key version 1 ‖ algorithm 1 ‖ random 4"
_ONLINE = "balance 4 ‖ online number 2 ‖ key version 1 ‖ algorithm 1 ‖ random 4 ‖ MAC1 4"
_INITIALIZE = "key index 1 ‖ amount 4 ‖ terminal 6"
_DEBIT = "terminal's number 4 ‖ date 4 ‖ time 3 ‖ MAC1 4"
_CREDIT = "date 4 ‖ time 3 ‖ MAC2 4"
_SFI_OFFSET = "offset; or P1 100sssss the short identifier, P2 the offset"
_RECORD = "P1 number or tag; P2 sssssmmm the short identifier (0 the current file) and how P1 is meant"
_PURSE = "P2 01 deposit, 02 purse"
_DEPOSIT = "P2 01 deposit"
_NONE = "00 00"
_ENCIPHERED = "cryptogram ‖ MAC 4"

FORMS: Mapping[str, Form] = {
    "SELECT": Form(
        "P1 00 identifier, 01 DF below, 02 EF here, 03 parent, 04 name, 08 path from the root, 09 path from here; "
        "P2 00 FCI, 04 FCP, 0C nothing",
        "identifier, name or path",
        "FCI or FCP; nothing of an EF selected by its identifier",
    ),
    "READ BINARY": Form(_SFI_OFFSET, "", "bytes"),
    "UPDATE BINARY": Form(_SFI_OFFSET, "bytes"),
    "READ RECORD": Form(_RECORD + ": 4 number, 5 all from it on, 0 tag", "", "record, or records"),
    "UPDATE RECORD": Form(_RECORD + ": 4 number, 0 tag; of a cyclic file 00 and 3, or 01 and 4", "record"),
    "APPEND RECORD": Form("P1 00; P2 sssss000", "record"),
    "GET DATA": Form("the object's tag", "", "the object"),
    "GET DATA (odd)": Form("the object's tag", "", "the object"),
    "VERIFY": Form("P2 the PIN's reference", "digits, BCD; nothing asks for the tries left"),
    "CHANGE PIN": Form("P2 the PIN's reference", "old ‖ FF ‖ new"),
    "PIN UNBLOCK": Form("P2 00 or 01", "MAC 4; or cryptogram of the new PIN ‖ MAC 4"),
    "GET CHALLENGE": Form(_NONE, "", "random 4, 8 or 16"),
    "INTERNAL AUTHENTICATE": Form(
        "P2 the key's reference; where a key works directly P1 00 enciphers, 01 deciphers, 02 makes a MAC",
        "factor 8 ‖ data 8; where a key works directly the data",
        "cryptogram",
    ),
    "EXTERNAL AUTHENTICATE": Form(
        "P2 the key's reference", "cryptogram 8 ‖ original 8; where a key works directly the challenge enciphered"
    ),
    "APPLICATION BLOCK": Form("P2 00 for now, 01 for ever", _MAC),
    "APPLICATION UNBLOCK": Form(_NONE, _MAC),
    "CARD BLOCK": Form(_NONE, _MAC),
    "INITIALIZE FOR LOAD": Form(_PURSE, _INITIALIZE, _ONLINE),
    "INITIALIZE FOR PURCHASE": Form(_PURSE, _INITIALIZE, _OFFER),
    "CREDIT FOR LOAD": Form(_NONE, _CREDIT, "TAC 4"),
    "DEBIT FOR PURCHASE": Form("P2 00", _DEBIT, "TAC 4 ‖ MAC2 4"),
    "GET BALANCE": Form(_PURSE, "", "balance 4, in fen"),
    "GET TRANSACTION PROVE": Form("P2 the transaction's type", "number 2", "MAC 4 ‖ TAC 4"),
    "INITIALIZE FOR LOAD (medical)": Form(_DEPOSIT, _INITIALIZE, _ONLINE),
    "INITIALIZE FOR PURCHASE (medical)": Form(
        _DEPOSIT,
        "key index 1 ‖ personal account 4 ‖ own share 4 ‖ pool 4 ‖ terminal 6",
        "the profile's 14 ‖ offline number 2 ‖ key version 1 ‖ algorithm 1 ‖ random 4",
    ),
    "DEBIT FOR PURCHASE (medical)": Form("P2 00", _DEBIT, "TAC 4 ‖ MAC2 4"),
    "INITIALIZE SAM FOR PURCHASE": Form(
        "P2 00",
        "random 4 ‖ number 2 ‖ amount 4 ‖ type 1 ‖ date 4 ‖ time 3 ‖ key version 1 ‖ algorithm 1 ‖ factors of 8",
        "terminal's number 4 ‖ MAC1 4",
    ),
    "INITIALIZE SAM FOR PURCHASE (medical)": Form(
        "P2 00",
        "random 4 ‖ number 2 ‖ three amounts of 4 ‖ type 1 ‖ date 4 ‖ time 3 ‖ key version 1 ‖ algorithm 1 ‖ "
        "factors of 8",
        "terminal's number 4 ‖ MAC1 4",
    ),
    "CREDIT SAM FOR PURCHASE": Form(_NONE, "MAC2 4"),
    "INITIALIZE FOR DESCRYPT": Form("P1 the key's usage byte, P2 the key", "factors of 8, one a level"),
    "INITIALIZE FOR DESCRYPT (process key)": Form(
        "P1 the key's usage byte, P2 the key", "factors of 8, one a level ‖ the process key's factor 8"
    ),
    "DESCRYPT": Form(
        "P1 00 enciphers, 05 MAC with an initial value in front, 07, 03 .. 01 MAC in parts; P2 00",
        "whole blocks",
        "cryptogram, or MAC 4",
    ),
    "INITIALIZE FOR CASH WITHDRAW": Form(_DEPOSIT, _INITIALIZE, _OFFER),
    "INITIALIZE FOR COMPOSITE PURCHASE": Form("P2 02 purse", _INITIALIZE, _OFFER),
    "UPDATE COMPOSITE CACHE": Form(_RECORD + ": 4 number, 0 tag", "record"),
    "INITIALIZE FOR UPDATE": Form(
        _DEPOSIT,
        "key index 1 ‖ terminal 6",
        "balance 4 ‖ online number 2 ‖ limit 3 ‖ key version 1 ‖ algorithm 1 ‖ random 4 ‖ MAC1 4",
    ),
    "UPDATE OVERDRAW LIMIT": Form(_NONE, "limit 3 ‖ date 4 ‖ time 3 ‖ MAC2 4", "TAC 4"),
    "INITIALIZE FOR UNLOAD": Form(_DEPOSIT, _INITIALIZE, _ONLINE),
    "DEBIT FOR UNLOAD": Form("P2 00", _CREDIT, "MAC3 4"),
    "RELOAD PIN": Form("P2 00", "PIN ‖ MAC 4"),
    "PIN UNBLOCK (purse)": Form("P2 00 or 01", _ENCIPHERED),
    "APPLICATION BLOCK (purse)": Form("P2 00 for now, 01 for ever", _MAC),
    "APPLICATION UNBLOCK (purse)": Form(_NONE, _MAC),
    "CARD BLOCK (purse)": Form(_NONE, _MAC),
    "GET DATA (card code)": Form(_NONE, "", "code 9"),
    "CREATE FILE": Form(_NONE, "FCP"),
    "DELETE FILE": Form(_NONE),
    "ACTIVATE FILE": Form(_NONE),
    "WRITE KEY": Form("01 00", _ENCIPHERED),
    "WRITE KEY (native, protected)": Form(
        "P1 01 adds, otherwise the type written over; P2 the key's number", _ENCIPHERED
    ),
    "WRITE KEY (security module)": Form(_NONE, _ENCIPHERED),
    "WRITE KEY (native)": Form("P1 01 adds, otherwise the type written over; P2 the key's number", "key record"),
    "CREATE FILE (native)": Form("the file's identifier", "file record"),
    "ERASE DF": Form(_NONE),
    "READ BINARY (protected)": Form(_SFI_OFFSET, _MAC, "bytes, or their cryptogram ‖ MAC 4"),
    "UPDATE BINARY (protected)": Form(_SFI_OFFSET, "bytes, or their cryptogram ‖ MAC 4"),
    "READ RECORD (protected)": Form(_RECORD + ": 4 number, 0 tag", _MAC, "record, or its cryptogram ‖ MAC 4"),
    "UPDATE RECORD (protected)": Form(_RECORD + ": 4 number, 0 tag", "record, or its cryptogram ‖ MAC 4"),
    "APPEND RECORD (protected)": Form("P1 00; P2 sssss000", "record, or its cryptogram ‖ MAC 4"),
    "GET RESPONSE": Form(_NONE, "", "what waits"),
}
