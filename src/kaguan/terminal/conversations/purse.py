"""What the medical wallet holds and what it last did: balance, log, proof."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from kaguan.apdu.codecs import MedicalDetailRecord, decode_amount
from kaguan.apdu.command import SHORT_NE, CommandApdu
from kaguan.card_os.profile import CardProfile
from kaguan.terminal.conversations.files import select_dedicated, select_file
from kaguan.terminal.refusals import FileAbsent, NotProven
from kaguan.terminal.script import Script, ask

DEPOSIT = 0x01


class TransactionProof(NamedTuple):
    """MAC and TAC of the card's last transaction."""

    mac: bytes
    tac: bytes


def timestamp(when: datetime) -> bytes:
    """Date and time as the card takes them: YYYYMMDDhhmmss in BCD, 7 bytes."""
    return bytes.fromhex(when.strftime("%Y%m%d%H%M%S"))


def select_medical(profile: CardProfile) -> Script[None]:
    """The card stands in DF04; a PIN verified in the same application stays verified."""
    yield from select_dedicated(profile.by_name["DF04"])


def read_balance() -> Script[int]:
    """The wallet's balance in fen. DF04 must be selected."""
    return decode_amount((yield from ask(CommandApdu(0x80, 0x5C, 0x00, DEPOSIT, b"", 4))))


def read_log(profile: CardProfile) -> Script[list[MedicalDetailRecord]]:
    """The transactions that the card remembers, newest first. DF04 selected, PIN verified."""
    file = profile.file("DF04", "EF08")
    yield from select_file(file.fid)
    found = []
    for number in range(1, file.record_count + 1):
        try:
            raw = yield from ask(CommandApdu(0x00, 0xB2, number, 0x04, b"", SHORT_NE))
        except FileAbsent:
            break
        found.append(MedicalDetailRecord.parse(raw))
    return found


def prove(transaction_type: int, sequence: int) -> Script[TransactionProof | None]:
    """The proof of that transaction when it is the card's last, None when it is not. DF04 must be selected."""
    command = CommandApdu(0x80, 0x5A, 0x00, transaction_type, sequence.to_bytes(2, "big"), 8)
    try:
        answer = yield from ask(command)
    except NotProven:
        return None
    return TransactionProof(answer[:4], answer[4:8])
