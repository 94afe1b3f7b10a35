"""WRITE KEY of a security module: its keys come one at a time, enciphered and with a MAC under its master key.

One published exchange shows the command and its record: `usage version algorithm`, then the key. The usage byte and
the version address the key; one that is there is written over. The master key is the one with usage 00 and number 00,
and is replaced in the same way, under itself.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import find_key
from kaguan.card_os.commands.messaging import plain_command
from kaguan.card_os.image import CardKey
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.writes import PutKey
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

MASTER_USAGE = MASTER_KEY = 0x00
HEADER_SIZE = 3
_ALGORITHMS = {0x00: Algorithm.TDES, 0x01: Algorithm.DES}  # JR/T 0025.9; no identifier of SM4 is public


def write_key(view: View, command: CommandApdu) -> Outcome:
    """Plan the key in the current application, in place of the one with its usage and version, all its tries back.

    Refuses, in this order: 6A86 P1 or P2, 6A88 no master key, 6984 no challenge, 6987 no MAC, 6988 MAC or padding
    wrong, 6A80 another algorithm, or a value that is not as long as its keys are.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    scope, master = find_key(view, Usage.SECURITY_MODULE, MASTER_KEY, version=MASTER_USAGE)
    record = plain_command(view, command, master, encrypted=True, scheme=Scheme.PBOC).data
    key = _key(record, view.chip.behaviour.module.mac2_tries)
    return Outcome(b"", 0x9000, view.session, ((PutKey(scope, key),),))


def _key(record: bytes, tries: int) -> CardKey:
    if len(record) <= HEADER_SIZE:
        raise Refuse(0x6A80)
    usage, version, code = record[:HEADER_SIZE]
    value, algorithm = record[HEADER_SIZE:], _ALGORITHMS.get(code)
    if algorithm is None or len(value) != algorithm.key_size:
        raise Refuse(0x6A80)
    return CardKey(Usage.SECURITY_MODULE, version, usage, algorithm, value, tries, tries)
