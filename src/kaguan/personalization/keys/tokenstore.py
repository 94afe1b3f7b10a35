"""A key store in a PKCS#11 token: how it is named, opened and filled.

It is named `pkcs11:LABEL`, or as RFC 7512 has it: `pkcs11:token=LABEL?module-path=/usr/lib/x.so&pin-source=/etc/pin`;
`register=FILE` is ours.
The PIN comes from a file or from somebody who types it, and never stands in a command line.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote

from kaguan.apdu.errors import VaultError
from kaguan.personalization.keys.opening import check_register, guarded_by
from kaguan.personalization.keys.secretfile import line_in
from kaguan.personalization.keys.service.address import SCHEME as SERVICE
from kaguan.personalization.keys.service.address import ServiceStore
from kaguan.personalization.keys.storefile import RegisterBroken, StoreFile
from kaguan.vault.secret import Secret
from kaguan.vault.tokenerrors import TokenAbsent

if TYPE_CHECKING:
    from kaguan.vault.guard import GuardedVault
    from kaguan.vault.pkcs11 import TokenVault
    from kaguan.vault.token import TokenSession

SCHEME = "pkcs11:"
MODULE = "KAGUAN_PKCS11_MODULE"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


class TokenStoreMalformed(VaultError):
    """The name of a token's key store cannot be read."""


@dataclass(frozen=True, slots=True)
class TokenStore:
    """Which token, spoken to by which library, the file its PIN is in, and its register's, if it has one."""

    label: str
    module: Path | None = None
    pin_source: Path | None = None
    register: Path | None = None

    @classmethod
    def parse(cls, text: str) -> TokenStore:
        """The store of that name.

        Raises:
            TokenStoreMalformed: it names no token, or something unknown, or brings its PIN along.
        """
        body, _, query = text.removeprefix(SCHEME).partition("?")
        attributes = dict(part.partition("=")[::2] for part in body.split(";")) if "=" in body else {"token": body}
        options = dict(parse_qsl(query))
        if "pin-value" in options:
            raise TokenStoreMalformed("a PIN does not belong into a command line: use pin-source, a file, or be asked")
        unknown = (attributes.keys() - {"token"}) | (options.keys() - {"module-path", "pin-source", "register"})
        if not text.startswith(SCHEME) or unknown or not attributes.get("token"):
            raise TokenStoreMalformed(
                f"{text!r} names no token: write pkcs11:LABEL or pkcs11:token=LABEL?module-path=FILE&pin-source=FILE"
            )
        files = [options.get(name, "").removeprefix("file:") for name in ("module-path", "pin-source", "register")]
        return cls(unquote(attributes["token"]), *(Path(file) if file else None for file in files))

    def resolve(self) -> TokenStore:
        """The same store, named so that it is found from every folder, as a path's `resolve` does."""
        pin_source = self.pin_source.resolve() if self.pin_source else None
        register = self.register.resolve() if self.register else None
        # the library by the name it was given: under two names it would be loaded twice, which it refuses
        return TokenStore(self.label, self.module.absolute() if self.module else None, pin_source, register)

    def __str__(self) -> str:
        named = {"module-path": self.module, "pin-source": self.pin_source, "register": self.register}
        query = "&".join(f"{name}={quote(str(path))}" for name, path in named.items() if path)
        return f"{SCHEME}token={quote(self.label)}" + (f"?{query}" if query else "")


StoreAddress = Path | TokenStore | ServiceStore


def store_of(text: str) -> StoreAddress:
    """A key store by name: a token's, a key service's, or a file.

    Raises:
        TokenStoreMalformed, ServiceMalformed: a name that cannot be read.
    """
    if text.startswith(SERVICE):
        return ServiceStore.parse(text)
    return TokenStore.parse(text) if text.startswith(SCHEME) else Path(text)


def open_token(store: TokenStore, pin: Secret | None = None, *, attended: bool = False) -> TokenVault | GuardedVault:
    """The vault in the token, opened with this PIN or the one in the store's file; guarded when it has a register.

    Raises:
        VaultError: it holds no key store of ours, or has a register that was not named; and as `token_session` says.
        RegisterBroken: the register is another token's, or was changed by hand.
    """
    session = token_session(store, pin, attended=attended)
    from kaguan.vault.pkcs11 import TokenVault  # noqa: PLC0415 - few machines have the package

    vault = TokenVault.opened(session)
    if store.register is None and vault.register_id is None:
        return vault
    return guarded_by(registered(store, vault), vault)


def registered(store: TokenStore, vault: TokenVault) -> StoreFile:
    """The token's own register, and no other, whole.

    Raises:
        VaultError: the token has one and it was not named, or the other way round.
        RegisterBroken, RecordBroken: see `check_register`.
    """
    if vault.register_id is None:
        raise VaultError(f"{store}: this token has no register: make it with 'kaguan keys token register'")
    if store.register is None:
        raise VaultError(f"{store}: the keys of this token have states and counters: name its register, register=FILE")
    file = StoreFile(store.register)
    try:
        if file.store_id != vault.register_id:
            raise RegisterBroken(f"{store.register} is the register of another token, or an older one of this")
        check_register(file, vault)
    except BaseException:
        file.close()
        raise
    return file


def token_session(
    store: TokenStore, pin: Secret | None = None, *, attended: bool = False, writes: bool = False
) -> TokenSession:
    """A session with the token. `attended` says that somebody has just typed this PIN: see `kaguan.vault.token`.

    Raises:
        VaultError: no PIN, no library, and whatever else `kaguan.vault.token` tells apart.
    """
    try:
        from kaguan.vault.token import TokenAddress, TokenSession  # noqa: PLC0415 - few machines have the package
    except ModuleNotFoundError:
        raise VaultError("tokens need python-pkcs11: pip install 'kaguan[hsm]'; see 'kaguan doctor'") from None
    address = TokenAddress(str(module_path(store.module)), store.label)
    return TokenSession(address, pin or pin_in(store), attended=attended, writes=writes, wait=time.sleep)


def pin_in(store: TokenStore) -> Secret:
    """The PIN in the store's own file.

    Raises:
        VaultError: it names none, or the file is missing, empty or has a second line.
    """
    if store.pin_source is None:
        raise VaultError(f"{store}: no PIN: name its file with pin-source or the passphrase option, or be asked for it")
    return line_in(store.pin_source)


def module_path(named: Path | None = None) -> Path:
    """The library that speaks to tokens: the one named, the environment's, or SoftHSM's.

    Raises:
        TokenAbsent: none is named, and SoftHSM is not where it usually is.
    """
    if chosen := named or os.environ.get(MODULE):
        return Path(chosen)
    for place in map(Path, _MODULES):
        if place.exists():
            return place
    raise TokenAbsent(
        f"which library speaks to the token? Name it with module-path, or in {MODULE}; for tokens in files "
        "'apt-get install softhsm2'"
    )
