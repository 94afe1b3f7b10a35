"""APPLICATION BLOCK, APPLICATION UNBLOCK and CARD BLOCK: the current application, or the whole chip, stops serving.

Each needs the application's lock key authenticated and a MAC under its messaging key (INF for the SSC; JR/T 0025.2
asks for the MAC). The commands carry the MAC alone.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import ABSENT, current_dedicated, find_key, require
from kaguan.card_os.commands.messaging import plain_command
from kaguan.card_os.image import Address, Dedicated, Lifecycle
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.rules import AccessRule
from kaguan.card_os.writes import PutDedicated, PutLifecycle
from kaguan.vault.vault import Usage

TEMPORARY, FOR_EVER = 0x00, 0x01


def block_application(view: View, command: CommandApdu) -> Outcome:
    """Plan the current application's end: P2 00 until it is unblocked, 01 for ever.

    Refuses, in this order: 6A86 P1 or P2, 6A81 the application has no lock key, 6982 it is not authenticated, 6A88 no
    messaging key, 6984 no challenge, 6987 no MAC, 6988 MAC wrong, 6A80 more than a MAC.
    """
    if command.p1 or command.p2 not in (TEMPORARY, FOR_EVER):
        raise Refuse(0x6A86)
    dedicated = _authorised(view, command, view.session.current)
    lifecycle = Lifecycle.TERMINATED if command.p2 == FOR_EVER else Lifecycle.DEACTIVATED
    return _with_lifecycle(view, dedicated, lifecycle)


def unblock_application(view: View, command: CommandApdu) -> Outcome:
    """Plan the current application's return.

    Refuses, in this order: 6A86 P1 or P2, 9303 blocked for ever, 6985 not blocked, then as APPLICATION BLOCK from 6A81
    on.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    lifecycle = current_dedicated(view).lifecycle
    if lifecycle is Lifecycle.TERMINATED:
        raise Refuse(0x9303)
    if lifecycle is Lifecycle.ACTIVATED:
        raise Refuse(0x6985)
    return _with_lifecycle(view, _authorised(view, command, view.session.current), Lifecycle.ACTIVATED)


def block_card(view: View, command: CommandApdu) -> Outcome:
    """Plan the end of the chip: from then on every command answers 6A81.

    The keys are those of the application's first file, below the master file (BK and STK of the SSSE): the lock key of
    an application inside it ends that application alone.
    Refuses, in this order: 6A86 P1 or P2, then as APPLICATION BLOCK from 6A81 on.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    _authorised(view, command, view.session.current[:4])
    return Outcome(b"", 0x9000, view.session, ((PutLifecycle(Lifecycle.TERMINATED),),))


def _authorised(view: View, command: CommandApdu, address: Address) -> Dedicated:
    """The dedicated file at the address, whose lock key and messaging key have both been shown."""
    dedicated = view.image.dedicated[address]
    if ABSENT in (dedicated.lock_key, dedicated.messaging_key):
        raise Refuse(0x6A81)
    require(view, AccessRule.right(dedicated.lock_key))
    _, key = find_key(view, Usage.MESSAGING, dedicated.messaging_key)
    if plain_command(view, command, key, encrypted=False).data:
        raise Refuse(0x6A80)
    return dedicated


def _with_lifecycle(view: View, dedicated: Dedicated, lifecycle: Lifecycle) -> Outcome:
    write = PutDedicated(view.session.current, dedicated._replace(lifecycle=lifecycle))
    return Outcome(b"", 0x9000, view.session, ((write,),))
