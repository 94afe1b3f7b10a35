"""The chip's end of secure messaging: from a protected command to the plain one, or to the refusal."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.image import CardKey
from kaguan.card_os.outcome import Refuse, View
from kaguan.vault.ciphers import cipher
from kaguan.vault.messaging import MessagingError, ProtectionAbsent, Scheme, unprotect


def plain_command(
    view: View, command: CommandApdu, key: CardKey, *, encrypted: bool, scheme: Scheme | None = None
) -> CommandApdu:
    """The command with its plaintext, once its MAC is right under this key and the challenge just given.

    Refuses, in this order: 6984 no challenge, 6987 no MAC, 6988 MAC or padding wrong.
    """
    if not view.challenge:
        raise Refuse(0x6984)
    scheme = scheme or view.chip.behaviour.messaging
    if scheme is Scheme.SSC and len(view.challenge) != 8:
        raise Refuse(0x6984)
    try:
        return unprotect(cipher(key.value, key.algorithm), scheme, command, view.challenge, encrypted=encrypted)
    except ProtectionAbsent:
        raise Refuse(0x6987) from None
    except MessagingError:
        raise Refuse(0x6988) from None
