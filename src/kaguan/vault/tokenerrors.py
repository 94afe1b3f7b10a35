"""What goes wrong with tokens, told apart; also for machines that have no token and no library for one."""

from __future__ import annotations

from kaguan.apdu.errors import VaultError


class TokenAbsent(VaultError):
    """There is no such library, or it knows no token of that label, or the token was never set up."""


class WrongTokenPin(VaultError):
    """The token has counted a wrong PIN; it was not, and will not be, tried again."""


class TokenPinAtRisk(VaultError):
    """The token counted a wrong PIN before; only somebody who is there may try the next."""


class TokenLocked(VaultError):
    """The token takes no PIN any more: its security officer must set a new one."""


class SessionLost(VaultError):
    """The token was there and is gone; nothing was lost or done twice, and the same command goes on later."""


class MechanismAbsent(VaultError):
    """The token cannot do that with such a key."""


class TokenFailed(VaultError):
    """The token reports an error of its own."""


class KeyExposed(VaultError):
    """A key in the token may leave it; such a key is not worked with."""
