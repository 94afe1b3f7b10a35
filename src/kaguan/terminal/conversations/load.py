"""Load (圈存): money from the account onto the card, in two steps that the caller may record between.

After `begin_load` nothing has changed. After `credit_load` the card has the money. When its answer is lost nobody
knows: `prove_load` asks the card, with the number that `begin_load` brought.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime

from kaguan.apdu.codecs import encode_amount
from kaguan.apdu.command import CommandApdu
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.purse import DEPOSIT, prove, timestamp
from kaguan.terminal.refusals import NotGenuine
from kaguan.terminal.script import Script, ask
from kaguan.vault.vault import KeyRef

LOAD = 0x01
KEY_INDEX = 0x01


@dataclass(frozen=True, slots=True)
class LoadOffer:
    """What INITIALIZE FOR LOAD answered: balance and online number before the load, and the session key's name."""

    amount_fen: int
    terminal: bytes
    balance_fen: int
    sequence: int
    session: KeyRef

    @property
    def _fields(self) -> bytes:
        return encode_amount(self.amount_fen) + bytes((LOAD,)) + self.terminal

    def credit_fields(self, when: datetime) -> bytes:
        """What MAC2 is over."""
        return self._fields + timestamp(when)

    def proof_fields(self, when: datetime) -> bytes:
        """What the TAC is over."""
        after = encode_amount(self.balance_fen + self.amount_fen)
        return after + self.sequence.to_bytes(2, "big") + self.credit_fields(when)


def begin_load(keys: CardKeys, amount_fen: int, terminal: bytes) -> Script[LoadOffer]:
    """The card is ready for `credit_load`, which must be the next thing it hears. DF04 selected, PIN verified.

    Raises:
        NotGenuine: MAC1 is wrong: it is not the card that the keys say.
    """
    amount = encode_amount(amount_fen)
    command = CommandApdu(0x80, 0x50, 0x00, DEPOSIT, bytes((KEY_INDEX,)) + amount + terminal, 0x10)
    answer = yield from ask(command)
    balance, sequence, random, mac1 = answer[:4], answer[4:6], answer[8:12], answer[12:16]
    session = keys.ref("DF04.DLK").session(random + sequence + b"\x80\x00")
    fields = balance + amount + bytes((LOAD,)) + terminal
    if not hmac.compare_digest(keys.vault.mac(session, fields), mac1):
        raise NotGenuine("MAC1 of the load is wrong: the card does not hold its load key")
    return LoadOffer(
        amount_fen=amount_fen,
        terminal=terminal,
        balance_fen=int.from_bytes(balance, "big"),
        sequence=int.from_bytes(sequence, "big"),
        session=session,
    )


def credit_load(keys: CardKeys, offer: LoadOffer, when: datetime) -> Script[bytes]:
    """The money is on the card; its TAC, checked.

    Raises:
        NotGenuine: the TAC is wrong; the card has taken the money all the same.
    """
    mac2 = keys.vault.mac(offer.session, offer.credit_fields(when))
    tac = yield from ask(CommandApdu(0x80, 0x52, 0x00, 0x00, timestamp(when) + mac2, 0x04))
    check_load_tac(keys, offer, when, tac)
    return tac


def prove_load(keys: CardKeys, offer: LoadOffer, when: datetime) -> Script[bytes | None]:
    """The TAC of this load when the card did it, None when it did not. DF04 must be selected.

    Raises:
        NotGenuine: the TAC is wrong.
    """
    proof = yield from prove(LOAD, offer.sequence)
    if proof is None:
        return None
    check_load_tac(keys, offer, when, proof.tac)
    return proof.tac


def check_load_tac(keys: CardKeys, offer: LoadOffer, when: datetime, tac: bytes) -> None:
    """Nothing happens when the TAC is that of this load.

    Raises:
        NotGenuine: it is not.
    """
    if not keys.vault.verify_mac(keys.ref("DF04.DTK").folded(), offer.proof_fields(when), tac):
        raise NotGenuine("the TAC of the load is wrong")
