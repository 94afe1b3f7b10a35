"""Ending an application or a card, and bringing an application back."""

from __future__ import annotations

from contextlib import suppress

from kaguan.apdu.command import CommandApdu
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as, get_challenge
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.refusals import CardBlocked
from kaguan.terminal.script import Script, ask


def block_application(keys: CardKeys, *, for_ever: bool = False) -> Script[None]:
    """The medical application (DF04) is blocked."""
    yield from _select_medical(keys)
    yield from _locked(keys, CommandApdu(0x84, 0x1E, 0x00, 0x01 if for_ever else 0x00))


def unblock_application(keys: CardKeys) -> Script[None]:
    """The medical application (DF04) serves again.

    Raises:
        CardBlocked: it was blocked for ever.
    """
    with suppress(CardBlocked):  # a blocked application is selected all the same
        yield from _select_medical(keys)
    yield from _locked(keys, CommandApdu(0x84, 0x18, 0x00, 0x00))


def block_card(keys: CardKeys) -> Script[None]:
    """The card answers nothing any more but that it is blocked."""
    yield from select_dedicated(keys.profile.by_name["SSSE"])
    yield from authenticate_as(keys, "SSSE.BK")
    yield from _protected(keys, "SSSE.STK", CommandApdu(0x84, 0x16, 0x00, 0x00))


def _select_medical(keys: CardKeys) -> Script[None]:
    yield from select_dedicated(keys.profile.by_name["SSSE"])
    yield from select_dedicated(keys.profile.by_name["DF04"])


def _locked(keys: CardKeys, command: CommandApdu) -> Script[None]:
    yield from authenticate_as(keys, "DF04.LK")
    yield from _protected(keys, "DF04.STK", command)


def _protected(keys: CardKeys, master_label: str, command: CommandApdu) -> Script[None]:
    challenge = yield from get_challenge()
    scheme = keys.profile.behaviour.messaging
    yield from ask(keys.vault.protect(keys.ref(master_label), scheme, command, challenge, encrypted=False))
