"""READ and UPDATE under a file's line protection (线路保护, CLA 04): the plain command, wrapped in a MAC or in both.

The MAC's initial value is the challenge that was just given; the answer to a READ carries a MAC of its own, over the
answer alone and with the same challenge (JR/T 0025.2, FMCOS 2.0). Le counts what was in the file, not what protects it.
"""

from __future__ import annotations

from kaguan.apdu.command import SHORT_DATA, CommandApdu
from kaguan.card_os.access import addressed_file, find_key
from kaguan.card_os.commands import binary, records
from kaguan.card_os.commands.messaging import plain_command
from kaguan.card_os.image import CardKey, Elementary, Messaging
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.vault.ciphers import cipher
from kaguan.vault.messaging import protected_answer
from kaguan.vault.vault import Usage

BY_SFI = 0x80


def read_binary(view: View, command: CommandApdu) -> Outcome:
    """Answer the bytes, protected as the file asks.

    Refuses, in this order: 6A86 P1, 6700 more data than the card takes, 6A82 no such file, 6986 no current file, 6981
    it is a purse or a key file, 6900 (`native.protection_differs`) the file has no protection, 6A88 no such key of type
    36, 6984 no challenge, 6987 no MAC, 6988 MAC or padding wrong, 6700 more than a MAC, 6981 a file with records, 6982
    rights, then as READ BINARY from 6B00 on, 6700 more bytes than a cryptogram can count.
    """
    file, key = _protected_file(view, command, _binary_sfi(command), write=False)
    plain = _asked(view, command, key)
    return _answered(view, binary.read_binary(view, plain), file, key)


def update_binary(view: View, command: CommandApdu) -> Outcome:
    """Plan the new bytes.

    Refuses, in this order: 6A86 P1, as READ BINARY (protected) from 6700 on up to 6988, 6981 a file with records, 6982
    rights, then as UPDATE BINARY from 6B00 on.
    """
    file, key = _protected_file(view, command, _binary_sfi(command), write=True)
    return binary.update_binary(view, _brought(view, command, file, key))


def read_record(view: View, command: CommandApdu) -> Outcome:
    """Answer the record, protected as the file asks.

    Refuses, in this order: as READ BINARY (protected) from 6700 on up to 6988, 6700 more than a MAC, 6981 a file
    without records, 6982 rights, then as READ RECORD from 6A86 on, 6700 more bytes than a cryptogram
    can count.
    """
    file, key = _protected_file(view, command, command.p2 >> 3, write=False)
    return _answered(view, records.read_record(view, _asked(view, command, key)), file, key)


def update_record(view: View, command: CommandApdu) -> Outcome:
    """Plan the record's new content.

    Refuses, in this order: as READ BINARY (protected) from 6700 on up to 6988, 6981 a file without records, 6982
    rights, 6700 no data or a wrong length, then as UPDATE RECORD from 6A86 on.
    """
    file, key = _protected_file(view, command, command.p2 >> 3, write=True)
    return records.update_record(view, _brought(view, command, file, key))


def append_record(view: View, command: CommandApdu) -> Outcome:
    """Plan one more record.

    Refuses, in this order: as READ BINARY (protected) from 6700 on up to 6988, 6981 a file without records, 6982
    rights, 6700 no data or a wrong length, then as APPEND RECORD from 6A86 on.
    """
    file, key = _protected_file(view, command, command.p2 >> 3, write=True)
    return records.append_record(view, _brought(view, command, file, key))


def _binary_sfi(command: CommandApdu) -> int:
    if not command.p1 & BY_SFI:
        return 0
    if command.p1 & 0x60 or not command.p1 & 0x1F:
        raise Refuse(0x6A86)
    return command.p1 & 0x1F


def _protected_file(view: View, command: CommandApdu, sfi: int, *, write: bool) -> tuple[Elementary, CardKey]:
    if len(command.data) > view.chip.behaviour.native.longest_data_bytes:
        raise Refuse(0x6700)
    _, file = addressed_file(view, sfi)
    protection = file.protection
    if not protection.update:
        raise Refuse(view.chip.behaviour.native.protection_differs)
    reference = protection.update_key if write else protection.read_key
    return file, find_key(view, Usage.APPLICATION_MAINTENANCE, reference)[1]


def _asked(view: View, command: CommandApdu, key: CardKey) -> CommandApdu:
    plain = plain_command(view, command, key, encrypted=False)
    if plain.data:
        raise Refuse(0x6700)
    return plain


def _brought(view: View, command: CommandApdu, file: Elementary, key: CardKey) -> CommandApdu:
    return plain_command(view, command, key, encrypted=file.protection.update is Messaging.ENCIPHERED)


def _answered(view: View, outcome: Outcome, file: Elementary, key: CardKey) -> Outcome:
    worker, scheme = cipher(key.value, key.algorithm), view.chip.behaviour.messaging
    encrypted = file.protection.update is Messaging.ENCIPHERED
    if encrypted and len(outcome.data) > SHORT_DATA:
        raise Refuse(0x6700)
    return outcome._replace(data=protected_answer(worker, scheme, outcome.data, view.challenge, encrypted=encrypted))
