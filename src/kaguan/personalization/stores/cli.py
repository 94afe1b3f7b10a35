"""Options that say which key store, in one wording: `--keys` with `--passphrase-file`."""

from __future__ import annotations

from pathlib import Path

import click

from kaguan.personalization.keys.secretfile import line_in, typed_line
from kaguan.personalization.keys.service.address import ServiceStore
from kaguan.personalization.keys.token.cli import key_store
from kaguan.personalization.keys.tokenstore import StoreAddress, TokenStore
from kaguan.personalization.keystore import open_store, passphrase_path
from kaguan.vault.secret import Secret

KEYS = click.option("--keys", type=key_store, help="Key store: a file, pkcs11:LABEL, or service:PLACE.")
PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the store's passphrase; asked for when it is neither given nor beside the store.",
)


def passphrase_of(store: StoreAddress | None, file: Path | None) -> Secret | None:
    """The store's passphrase, or the token's PIN: from the file, asked for, or None when the store has its own file.

    A key service is asked for none: whoever started it has given it.

    Raises:
        VaultError: it is empty, has a line break in it, or does not open the store.
    """
    if store is None or isinstance(store, ServiceStore):
        return None
    if file is not None:
        passphrase = line_in(file)
    elif store.pin_source is not None if isinstance(store, TokenStore) else passphrase_path(store).exists():
        open_store(store)
        return None
    else:
        asked = "PIN of the token" if isinstance(store, TokenStore) else "Passphrase of the key store"
        passphrase = typed_line(click.prompt(asked, hide_input=True, err=True).encode(), asked)
    open_store(store, passphrase, attended=file is None)
    return passphrase
