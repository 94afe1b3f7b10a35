"""What goes wrong, by name: on the other side of the wire an error is of the same class as on this one."""

from __future__ import annotations

from kaguan.apdu.errors import ApduSyntaxError, CodecError, InputError, KaguanError, RuleBroken, VaultError
from kaguan.durable import DiskFailed, InUse
from kaguan.personalization.keys.storefile import RegisterBroken
from kaguan.vault import vault as vaults
from kaguan.vault.messaging import MessagingError
from kaguan.vault.sealedsecret import SealBroken
from kaguan.vault.tokenerrors import (
    KeyExposed,
    MechanismAbsent,
    SessionLost,
    TokenAbsent,
    TokenFailed,
    TokenLocked,
    TokenPinAtRisk,
    WrongTokenPin,
)


class ServiceLost(VaultError):
    """The key service does not answer; nothing was lost or done twice, and the same command goes on later."""


class ServiceForeign(VaultError):
    """The service, or this machine, is not who the other takes it for."""


class RequestMalformed(VaultError):
    """The service was asked something that is no request, or one that is too long."""


class ServiceFailed(VaultError):
    """The service met a bug of its own; its log says where."""


_KNOWN: dict[str, type[KaguanError]] = {
    error.__name__: error
    for error in (
        *(ApduSyntaxError, CodecError, InputError, RuleBroken, VaultError, DiskFailed, InUse, RegisterBroken),
        *(vaults.KeyAbsent, vaults.KeyPresent, vaults.UsageForbidden, vaults.CheckValueMismatch),
        *(vaults.KeyNotActive, vaults.KeyUsedUp, vaults.WrongPassphrase, SealBroken, MessagingError),
        *(KeyExposed, MechanismAbsent, SessionLost, TokenAbsent, TokenFailed, TokenLocked),
        *(TokenPinAtRisk, WrongTokenPin, ServiceLost, ServiceForeign, RequestMalformed, ServiceFailed),
    )
}


def name_of(error: KaguanError) -> str:
    """What the error is called on the wire: its class, or the nearest above it that both sides know."""
    return next((kind.__name__ for kind in type(error).__mro__ if _KNOWN.get(kind.__name__) is kind), "VaultError")


def fault(name: str, text: str) -> KaguanError:
    """The error of that name."""
    return _KNOWN.get(name, VaultError)(text)
