"""A key store in a PKCS#11 token: how it is named, opened and filled.

It is named `pkcs11:LABEL`, or as RFC 7512 has it: `pkcs11:token=LABEL?module-path=/usr/lib/x.so&pin-source=/etc/pin`.
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
from kaguan.vault.secret import Secret

if TYPE_CHECKING:
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
    """Which token, spoken to by which library, and the file its PIN is in, if any."""

    label: str
    module: Path | None = None
    pin_source: Path | None = None

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
        unknown = (attributes.keys() - {"token"}) | (options.keys() - {"module-path", "pin-source"})
        if not text.startswith(SCHEME) or unknown or not attributes.get("token"):
            raise TokenStoreMalformed(
                f"{text!r} names no token: write pkcs11:LABEL or pkcs11:token=LABEL?module-path=FILE&pin-source=FILE"
            )
        module, pin_source = options.get("module-path"), options.get("pin-source", "").removeprefix("file:")
        return cls(
            unquote(attributes["token"]), Path(module) if module else None, Path(pin_source) if pin_source else None
        )

    def resolve(self) -> TokenStore:
        """The same store, named so that it is found from every folder, as a path's `resolve` does."""
        pin_source = self.pin_source.resolve() if self.pin_source else None
        # the library by the name it was given: under two names it would be loaded twice, which it refuses
        return TokenStore(self.label, self.module.absolute() if self.module else None, pin_source)

    def __str__(self) -> str:
        named = {"module-path": self.module, "pin-source": self.pin_source}
        query = "&".join(f"{name}={quote(str(path))}" for name, path in named.items() if path)
        return f"{SCHEME}token={quote(self.label)}" + (f"?{query}" if query else "")


StoreAddress = Path | TokenStore


def store_of(text: str) -> StoreAddress:
    """A key store by name: a token's, or a file.

    Raises:
        TokenStoreMalformed: a token's name that cannot be read.
    """
    return TokenStore.parse(text) if text.startswith(SCHEME) else Path(text)


def open_token(store: TokenStore, pin: Secret | None = None, *, attended: bool = False) -> TokenVault:
    """The vault in the token, opened with this PIN or the one in the store's file.

    Raises:
        VaultError: it holds no key store of ours; and as `token_session` says.
    """
    session = token_session(store, pin, attended=attended)
    from kaguan.vault.pkcs11 import TokenVault  # noqa: PLC0415 - few machines have the package

    return TokenVault.opened(session)


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
        raise VaultError("tokens need python-pkcs11: install kaguan with the extra 'hsm'") from None
    address = TokenAddress(str(_module(store)), store.label)
    return TokenSession(address, pin or pin_in(store), attended=attended, writes=writes, wait=time.sleep)


def pin_in(store: TokenStore) -> Secret:
    """The PIN in the store's own file.

    Raises:
        VaultError: it names none, or the file is missing, empty or has a second line.
    """
    if store.pin_source is None:
        raise VaultError(f"{store}: no PIN: name its file with pin-source or the passphrase option, or be asked for it")
    try:
        pin = store.pin_source.read_bytes().strip()
    except FileNotFoundError:
        raise VaultError(f"{store.pin_source}: there is no such file") from None
    if not pin or b"\n" in pin:
        raise VaultError(f"{store.pin_source}: a token PIN is one line, and not an empty one")
    return Secret(pin)


def _module(store: TokenStore) -> Path:
    named = store.module or os.environ.get(MODULE)
    if named:
        return Path(named)
    for place in map(Path, _MODULES):
        if place.exists():
            return place
    raise VaultError(f"which library speaks to the token? Name it with module-path, or in {MODULE}")
