"""Card and host show each other their keys: INTERNAL and EXTERNAL AUTHENTICATE (LD/T 32.5)."""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.refusals import NotGenuine
from kaguan.terminal.script import Script, ask
from kaguan.vault.vault import KeyRef

CHALLENGE_SIZE = 8


def get_challenge() -> Script[bytes]:
    """Eight random bytes of the card, good for the next command."""
    return (yield from ask(CommandApdu(0x00, 0x84, 0x00, 0x00, b"", CHALLENGE_SIZE)))


def authenticate(keys: CardKeys, ref: KeyRef, reference: int, original: bytes = bytes(8)) -> Script[None]:
    """The session holds the right of this key.

    Raises:
        PinRefused: the card's key is another one.
    """
    challenge = yield from get_challenge()
    cryptogram = keys.vault.encipher(ref.session(challenge), original)
    yield from ask(CommandApdu(0x00, 0x82, 0x00, reference, cryptogram + original))


def authenticate_as(keys: CardKeys, master_label: str) -> Script[None]:
    """The session holds the right of the card's key under this master, such as `DF01.RK1`."""
    yield from authenticate(keys, keys.ref(master_label), keys.reference(master_label))


def prove_genuine(keys: CardKeys, factor: bytes, original: bytes) -> Script[None]:
    """The card has shown that it holds its IRK; `factor` and `original` are 8 random bytes each.

    Raises:
        NotGenuine: its answer is not what the IRK makes.
    """
    reference = keys.reference("SSSE.IRK")
    answer = yield from ask(CommandApdu(0x00, 0x88, 0x00, reference, factor + original, 8))
    if not hmac.compare_digest(answer, keys.vault.encipher(keys.ref("SSSE.IRK").session(factor), original)):
        raise NotGenuine("the card does not hold the key it should: INTERNAL AUTHENTICATE gives another answer")
