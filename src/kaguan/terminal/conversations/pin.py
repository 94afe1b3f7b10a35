"""The cardholder's PIN: verify, change, unblock, reload."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as, get_challenge
from kaguan.terminal.refusals import PinBlocked, PinRefused
from kaguan.terminal.script import Script, ask
from kaguan.vault.secret import Pin

REFERENCE = 0x00


def verify_pin(pin: Pin) -> Script[None]:
    """The session holds the PIN's right.

    Raises:
        PinRefused: wrong, with the tries left.
        PinBlocked: no tries are left.
    """
    yield from ask(CommandApdu(0x00, 0x20, 0x00, REFERENCE, pin.reveal()))


def pin_tries_left() -> Script[int]:
    """The tries that the PIN has left; asking costs none."""
    try:
        yield from ask(CommandApdu(0x00, 0x20, 0x00, REFERENCE))
    except PinRefused as refusal:
        return refusal.tries_left
    except PinBlocked:
        return 0
    raise AssertionError("the card took an empty PIN")


def change_pin(old: Pin, new: Pin) -> Script[None]:
    """The PIN is the new one.

    Raises:
        PinRefused: the old one is wrong.
        PinBlocked: no tries are left.
    """
    yield from ask(CommandApdu(0x80, 0x5E, 0x01, REFERENCE, old.reveal() + b"\xff" + new.reveal()))


def unblock_pin(keys: CardKeys) -> Script[None]:
    """The PIN, whatever it is, has all its tries again. SSSE must be selected."""
    yield from _unblock(keys, None)


def reload_pin(keys: CardKeys, new: Pin) -> Script[None]:
    """The PIN is the new one and has all its tries. SSSE must be selected."""
    yield from _unblock(keys, new)


def _unblock(keys: CardKeys, new: Pin | None) -> Script[None]:
    yield from authenticate_as(keys, "SSSE.PUK")
    challenge = yield from get_challenge()
    command = CommandApdu(0x84, 0x24, 0x00, 0x00) if new is None else CommandApdu(0x84, 0x24, 0x00, 0x01, new.reveal())
    scheme = keys.profile.behaviour.messaging
    yield from ask(keys.vault.protect(keys.ref("SSSE.STK"), scheme, command, challenge, encrypted=new is not None))
