"""A program that works with every verb of a token's vault, and then waits to be looked at.

    token_work.py MODULE LABEL FACTOR...

The PIN comes on standard input. When all is done it says so, and ends when standard input does.
"""

from __future__ import annotations

import sys

from kaguan.apdu.command import CommandApdu
from kaguan.vault.messaging import Scheme
from kaguan.vault.pkcs11 import TokenVault
from kaguan.vault.secret import Secret
from kaguan.vault.token import TokenAddress, TokenSession
from kaguan.vault.vault import KeyRef, Usage

CHALLENGE = bytes(range(8))
COMMAND = CommandApdu.of("84 D4 01 00", bytes.fromhex("39F0F0AAFF"))


def work(vault: TokenVault, *factors: bytes) -> None:
    """Every verb has been done with every key that obeys it."""
    transport = KeyRef("TK").diversified(factors[-1])
    for info in vault.infos():
        vault.check_value(KeyRef(info.label))
        vault.check_value(KeyRef(info.label).diversified(factors[0]))
        if info.usage is Usage.TRANSPORT:
            continue
        card_key = KeyRef(info.label).diversified(*factors)
        if info.usage is Usage.LOAD:
            vault.mac(card_key.session(CHALLENGE), b"message")
        elif info.usage is Usage.TAC:
            vault.mac(card_key.folded(), b"message")
        elif info.usage is Usage.EXTERNAL_AUTHENTICATION:
            vault.encipher(card_key.session(CHALLENGE), bytes(8))
        elif info.usage is Usage.MESSAGING:
            for scheme in Scheme:
                vault.protect(card_key, scheme, COMMAND, CHALLENGE, encrypted=True)
            continue  # worked with, and never written to a card
        vault.prepare([card_key])
        vault.protect(transport, Scheme.PBOC, COMMAND, CHALLENGE, encrypted=True, append=card_key)


def main(module: str, label: str, *factors: str) -> None:
    """Work, say so, and wait."""
    pin = Secret(sys.stdin.buffer.readline().strip())
    vault = TokenVault.opened(TokenSession(TokenAddress(module, label), pin))
    for _ in range(3):
        work(vault, *map(bytes.fromhex, factors))
    sys.stdout.write("done\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    vault.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
