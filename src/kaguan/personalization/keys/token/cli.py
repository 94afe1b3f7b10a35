"""The door to key stores in tokens: `kaguan keys token`."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaguan.apdu.errors import InputError, NeedsSecondPerson
from kaguan.personalization.keys.asking.cli import CUSTODIANS, PASSPHRASES, passphrases_of
from kaguan.personalization.keys.secretfile import line_in
from kaguan.personalization.keys.tokenstore import StoreAddress, TokenStore, store_of, token_session
from kaguan.vault.ceremony import KeyOrder
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.guard import KeyState
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.vault import BUREAU_USAGES, KeyInfo, KeyRef, Usage

if TYPE_CHECKING:
    from kaguan.personalization.keys.token.sitting import TokenSitting
    from kaguan.vault.pkcs11 import TokenVault
    from kaguan.vault.record import Entry

STORE = click.argument("store", metavar="pkcs11:LABEL", type=TokenStore.parse)
MOST = click.option("--uses", "most_uses", type=click.IntRange(1), help="How often each key may work; else no limit.")
PIN_FILE = click.option(
    "--pin-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the token's PIN; asked for when neither it nor pin-source is given.",
)


def key_store(text: str) -> StoreAddress:
    """A key store as it is named in a command line: a file that is there, or a token."""
    store = store_of(text)
    if isinstance(store, Path) and not store.is_file():
        raise click.BadParameter(f"File '{text}' does not exist.")
    return store


@click.group()
def token() -> None:
    """Key stores in PKCS#11 tokens: hardware security modules, or SoftHSM."""


@token.command()
@STORE
@click.option(
    "--kind", required=True, type=click.Choice([kind.value for kind in StoreKind]), help="Whether the keys are real."
)
@click.option("--profile", default="ssc-v2", show_default=True, help="Whose master keys are made.")
@MOST
@PIN_FILE
@CUSTODIANS
@PASSPHRASES
def make(
    store: TokenStore,
    kind: str,
    profile: str,
    most_uses: int | None,
    pin_file: Path | None,
    custodians: Sequence[str],
    passphrases: Sequence[str],
) -> None:
    """Make a token a key store, and in it every master key of a profile, and of the bureau, that it has not got.

    The token draws the keys, and no one ever has them. What is there is left alone: the same command goes on. Where the
    token has a register, two custodians approve, and the new keys are active.
    """
    from kaguan.card_os.profile import load_profile
    from kaguan.personalization.keys.token.making import fill
    from kaguan.personalization.keystore import store_orders

    vault = _opened(store, pin_file, found=StoreKind(kind))
    orders, made = store_orders(load_profile(profile)), 0

    def filled() -> Iterator[KeyInfo]:
        nonlocal made
        for info in fill(vault, orders):
            click.echo(_line(vault, info))
            made += 1
            yield info

    if vault.register_id is None:
        deque(filled(), maxlen=0)
    else:
        with _sitting(store, vault, custodians, passphrases) as sitting:
            _tell(sitting.take_in("generate", filled, most_uses=most_uses, activate=True))
    click.echo(f"{made} keys made, {len(list(vault.infos()))} in the {vault.kind} store {store}")


@token.command()
@STORE
@MOST
@PIN_FILE
@CUSTODIANS
@PASSPHRASES
def register(
    store: TokenStore,
    most_uses: int | None,
    pin_file: Path | None,
    custodians: Sequence[str],
    passphrases: Sequence[str],
) -> None:
    """Give the keys of a token states, counters and a record, in the file that STORE names by register=FILE.

    Two custodians or more answer for it from now on, each with a new passphrase. The token works behind it alone.
    """
    from kaguan.personalization.keys.token.sitting import make_register

    if store.register is None:
        raise click.UsageError("name the file: pkcs11:token=LABEL?register=FILE")
    vault = _opened(store, pin_file, writes=True)
    who = passphrases_of(custodians, passphrases, new=True)
    _tell(make_register(store.register, vault, who, time=_now(), most_uses=most_uses))


@token.command()
@STORE
@click.argument("label")
@click.option("--version", default=1, show_default=True, type=click.IntRange(1), help="Key version.")
@click.option("--to", "state", required=True, type=click.Choice([state.value for state in KeyState]), help="Its state.")
@PIN_FILE
@CUSTODIANS
@PASSPHRASES
def change(
    store: TokenStore,
    label: str,
    version: int,
    state: str,
    pin_file: Path | None,
    custodians: Sequence[str],
    passphrases: Sequence[str],
) -> None:
    """Activate, suspend, retire or destroy a key of a token that has a register. Two custodians approve."""
    vault = _opened(store, pin_file, writes=True)
    with _sitting(store, vault, custodians, passphrases) as sitting:
        _tell(sitting.change_state(KeyRef(label, version), KeyState(state)))


@token.command("list")
@STORE
@PIN_FILE
@click.option("--json", "as_json", is_flag=True, help="Print the keys as JSON.")
def show(store: TokenStore, pin_file: Path | None, as_json: bool) -> None:
    """List the keys with their check values, and what the token promises of each."""
    vault = _opened(store, pin_file)
    if as_json:
        click.echo(json.dumps([_described(vault, info) for info in vault.infos()]))
        return
    for info in vault.infos():
        click.echo(_line(vault, info))
    click.echo(f"{len(list(vault.infos()))} keys in the {vault.kind} store {store}")


@token.command()
@STORE
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The PEM file.")
@PIN_FILE
def exchange(store: TokenStore, out: Path, pin_file: Path | None) -> None:
    """Write the public key under which other key centres wrap keys for this token (RSA-OAEP, SHA-1)."""
    from kaguan.durable import write_whole
    from kaguan.personalization.keys.token.making import EXCHANGE_LABEL, exchange_pem

    write_whole(out, exchange_pem(_opened(store, pin_file, writes=True)))
    click.echo(f"{out}: import what was wrapped with it by --under {EXCHANGE_LABEL}")


@token.command("import")
@STORE
@click.argument("cryptogram", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--label", required=True, help="The key's label, such as TK or SSSE.STK.")
@click.option(
    "--usage", required=True, type=click.Choice([usage.value for usage in Usage]), help="What the key is for."
)
@click.option("--check-value", "check_value", required=True, help="Six hex digits that its sender told another way.")
@click.option("--under", required=True, help="Label of the token's key that opens it: AES, or the exchange key.")
@click.option("--version", default=1, show_default=True, type=click.IntRange(1))
@click.option(
    "--levels", default=3, show_default=True, type=click.IntRange(0), help="Diversifications to a card's key."
)
@MOST
@PIN_FILE
@CUSTODIANS
@PASSPHRASES
def import_key(
    store: TokenStore,
    cryptogram: Path,
    label: str,
    usage: str,
    check_value: str,
    under: str,
    version: int,
    levels: int,
    most_uses: int | None,
    pin_file: Path | None,
    custodians: Sequence[str],
    passphrases: Sequence[str],
) -> None:
    """Take in a key that came wrapped: the file holds the cryptogram in hex. It is opened in the token alone.

    It is a 3des key; one for records or audit is an aes key without levels. Two custodians of the token's register
    approve; a test store may be without.
    """
    try:
        wrapped = bytes.fromhex(cryptogram.read_text(encoding="ascii"))
    except ValueError:
        raise InputError(f"{cryptogram}: this is no cryptogram in hex") from None
    vault = _opened(store, pin_file, writes=True)
    expected = CheckValue.parse(check_value)
    purpose, algorithm = Usage(usage), Algorithm.TDES
    if purpose in BUREAU_USAGES:
        algorithm, levels = Algorithm.AES, 0
    order = KeyOrder(label, purpose, algorithm, levels, version)
    if vault.register_id is not None:
        with _sitting(store, vault, custodians, passphrases) as sitting:
            _tell(sitting.import_wrapped(order, wrapped, expected, under=under, most_uses=most_uses, activate=True))
    elif vault.kind is StoreKind.LIVE:
        raise NeedsSecondPerson(
            "nobody imports a live key alone: give the token a register with 'kaguan keys token register', whose "
            "custodians approve"
        )
    else:
        vault.unwrap(label, purpose, algorithm, wrapped, expected, under=under, version=version, levels=levels)
    click.echo(_line(vault, vault.info(KeyRef(label, version))))


def _sitting(
    store: TokenStore, vault: TokenVault, custodians: Sequence[str], passphrases: Sequence[str]
) -> AbstractContextManager[TokenSitting]:
    from kaguan.personalization.keys.token.sitting import sit_at_token

    return sit_at_token(store, vault, passphrases_of(custodians, passphrases), _now)


def _tell(entry: Entry | None) -> None:
    if entry is not None:
        click.echo(f"recorded as entry {entry.number}: note its digest {entry.digest}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _opened(
    store: TokenStore, pin_file: Path | None, *, found: StoreKind | None = None, writes: bool = False
) -> TokenVault:
    pin = _pin(store, pin_file)
    attended = pin_file is None and store.pin_source is None
    session = token_session(store, pin, attended=attended, writes=writes or found is not None)
    from kaguan.vault.pkcs11 import TokenVault

    return TokenVault.founded(session, found) if found else TokenVault.opened(session)


def _pin(store: TokenStore, file: Path | None) -> Secret | None:
    """The PIN from this file, or typed; None when the store names its file itself."""
    if file is not None:
        return line_in(file)
    return None if store.pin_source else Secret(click.prompt("PIN of the token", hide_input=True).encode())


def _described(vault: TokenVault, info: KeyInfo) -> dict[str, object]:
    return {
        "label": info.label,
        "version": info.version,
        "algorithm": info.algorithm,
        "usage": info.usage,
        "levels": info.levels,
        "check_value": str(info.check_value),
        **vault.guard(KeyRef(info.label, info.version))._asdict(),
    }


def _line(vault: TokenVault, info: KeyInfo) -> str:
    guard = vault.guard(KeyRef(info.label, info.version))
    origin = "made here" if guard.always_sensitive and guard.never_extractable else "came in wrapped"
    return f"{info.label} {info.version} {info.usage} {info.algorithm} {info.check_value} {origin}"
