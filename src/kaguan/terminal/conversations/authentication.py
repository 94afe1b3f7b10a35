"""Card and host show each other their keys: INTERNAL and EXTERNAL AUTHENTICATE (LD/T 32.5)."""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile import CardProfile
from kaguan.card_os.profile.model import VersionByte
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.refusals import NotGenuine
from kaguan.terminal.script import Script, ask
from kaguan.vault.vault import KeyRef

CHALLENGE_SIZE = 8
_GET_CHALLENGE = CommandApdu(0x00, 0x84, 0x00, 0x00, ne=CHALLENGE_SIZE)


def get_challenge() -> Script[bytes]:
    """Eight random bytes of the card, good for the next command."""
    return (yield from ask(_GET_CHALLENGE))


def authenticate(keys: CardKeys, ref: KeyRef, reference: int, version: int = 0) -> Script[None]:
    """The session holds the right of this key; a version other than 0 is named to the card.

    Raises:
        PinRefused: the card's key is another one.
    """
    original = bytes(keys.vault.info(ref).algorithm.block_size)
    challenge = yield from get_challenge()
    cryptogram = keys.vault.encipher(ref.session(challenge), original)
    data = named(keys.profile, version, cryptogram + original)
    yield from ask(CommandApdu(0x00, 0x82, 0x00, reference, data))


def named(profile: CardProfile, version: int, data: bytes) -> bytes:
    """The data of EXTERNAL AUTHENTICATE with the version of the key where the card looks for it; 0 is not named."""
    if not version:
        return data
    last = profile.behaviour.version_byte is VersionByte.LAST
    return data + bytes((version,)) if last else bytes((version,)) + data


def authenticate_as(keys: CardKeys, master_label: str, version: int = 0) -> Script[None]:
    """The session holds the right of the card's key under this master, such as `DF01.RK1`, in that version."""
    yield from authenticate(keys, keys.ref(master_label, version), keys.reference(master_label), version)


def prove_genuine(keys: CardKeys, factor: bytes, original: bytes) -> Script[None]:
    """The card has shown that it holds its IRK; `factor` and `original` are 8 random bytes each. For an SM4 key the
    original is filled with zeros to a block.

    Raises:
        NotGenuine: its answer is not what the IRK makes.
    """
    ref, reference = keys.ref("SSSE.IRK"), keys.reference("SSSE.IRK")
    block = keys.vault.info(ref).algorithm.block_size
    original = original.ljust(block, b"\0")
    answer = yield from ask(CommandApdu(0x00, 0x88, 0x00, reference, factor + original, block))
    if not hmac.compare_digest(answer, keys.vault.encipher(ref.session(factor), original)):
        raise NotGenuine("the card does not hold the key it should: INTERNAL AUTHENTICATE gives another answer")
