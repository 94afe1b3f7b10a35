"""What a file's rule asks for, shown to the card: the PIN, keys of the security module, or keys by other hands."""

from __future__ import annotations

from kaguan.card_os.profile import AccessRule, FileSpec
from kaguan.card_os.profile.rules import LOCAL, PIN_RIGHT
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.pin import verify_pin
from kaguan.terminal.ministry.number import CallFailed, Number
from kaguan.terminal.ministry.pinpad import PinPad, PinPurpose
from kaguan.terminal.ministry.powered import PoweredCard
from kaguan.terminal.ministry.settings import Shown
from kaguan.terminal.refusals import PinBlocked, PinRefused
from kaguan.vault.secret import Pin
from kaguan.vault.vault import Usage


class Admission:
    """The rights that one call has won on its card, and where it stands."""

    def __init__(self, card: PoweredCard, pin_pad: PinPad, first: Shown) -> None:
        self._card = card
        self._pin_pad = pin_pad
        self._first = first
        self._held: set[int] = set()
        self._dedicated = "SSSE"

    def enter(self, dedicated: str) -> None:
        """The card stands in this application; the keys of the one that was left are forgotten, the PIN is not."""
        if dedicated != self._dedicated:
            self._card.run(select_dedicated(self._card.profile.by_name[dedicated]))
            self._dedicated = dedicated
            self._held = {right for right in self._held if right & PIN_RIGHT or not right & LOCAL}

    def admit(self, file: FileSpec, rule: AccessRule) -> None:
        """The card stands in the file's application, and the session holds what the rule asks for.

        A rule that nobody can fulfil is left to the card.
        """
        self.enter(file.dedicated)
        for right in self.wanted(rule):
            if right == PIN_RIGHT:
                self.verify()
            else:
                self._card.authenticate(self.label(file, right))
                self._held.add(right)

    def wanted(self, rule: AccessRule) -> list[int]:
        """What is still to be shown, the PIN first; of several ways that with least of what is not shown first."""
        if rule.allows(frozenset(self._held)) or not rule.alternatives:
            return []
        left = [alternative - self._held for alternative in rule.alternatives]
        easiest = min(left, key=self._cost)
        return sorted(easiest, reverse=True)

    def verify(self) -> Pin:
        """The card has seen the holder's PIN.

        Raises:
            CallFailed: -31 to -33 the entry, -51 wrong, -52 blocked.
        """
        pin = self._pin_pad.ask(PinPurpose.CURRENT)
        verify(self._card, pin)
        self._held.add(PIN_RIGHT)
        return pin

    def label(self, file: FileSpec, right: int) -> str:
        """The label of the key whose right this is, where the file stands."""
        spec = self._card.profile.by_name[file.dedicated if right & LOCAL else "SSSE"]
        for key in spec.keys:
            if key.reference == right and key.usage is Usage.EXTERNAL_AUTHENTICATION:
                return key.master_label
        raise CallFailed(Number.KEY_NOT_FOUND)

    def _cost(self, rights: frozenset[int]) -> tuple[int, int, list[int]]:
        avoided = (Shown.PIN if right == PIN_RIGHT else Shown.KEY for right in rights)
        return sum(shown is not self._first for shown in avoided), len(rights), sorted(rights)


def verify(card: PoweredCard, pin: Pin) -> None:
    """The card has seen this PIN.

    Raises:
        CallFailed: -51 wrong, -52 blocked.
    """
    try:
        card.run(verify_pin(pin))
    except PinRefused:
        raise CallFailed(Number.PIN_WRONG) from None
    except PinBlocked:
        raise CallFailed(Number.PIN_BLOCKED) from None
