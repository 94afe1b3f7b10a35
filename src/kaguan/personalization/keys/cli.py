"""The key store's door: `kaguan keys`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from kaguan.card_os.profile import load_profile
from kaguan.personalization.keys.asking.cli import (
    CUSTODIANS,
    PASSPHRASES,
    STORE,
    STORE_PASSPHRASE,
    entered_by,
    new_passphrase,
    passphrases_of,
    require_terminal,
    store_passphrase_of,
)
from kaguan.personalization.keys.ceremony import CeremonyPlan, ceremony_at, hold_ceremony
from kaguan.personalization.keys.evidence.cli import keys_of, record, verify
from kaguan.personalization.keys.service.cli import serve_keys, service_cert
from kaguan.personalization.keys.sheets import sheet_list, sheet_text, write_sheets
from kaguan.personalization.keys.sitting import sit
from kaguan.personalization.keys.storefile import KeyRow, StoreFile
from kaguan.personalization.keys.token.cli import MOST, token
from kaguan.personalization.keystore import BUREAU_KEYS, add_factory_key, passphrase_path, store_orders, usual_label
from kaguan.terminal.cardkeys import TRANSPORT_LABEL
from kaguan.vault.ceremony import KeyOrder, deal
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.guard import KeyState
from kaguan.vault.record import Entry
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.share import ShareSet
from kaguan.vault.vault import BUREAU_USAGES, KeyAbsent, KeyRef, Usage
from kaguan.vault.zone import Zone

_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
LABEL = click.argument("label")
VERSION = click.option("--version", default=1, show_default=True, type=click.IntRange(1, 0xFFFF), help="Key version.")
ACTIVATE = click.option("--activate", is_flag=True, help="The keys work at once; else they are activated later.")
ZONE = click.option("--zone", type=click.Choice([zone.value for zone in Zone]), help="Make the key of this zone.")


@click.group()
def keys() -> None:
    """Key stores: ceremonies, states, counters, key blocks, and the record of it all."""


for command in (token, record, verify, serve_keys, service_cert):
    keys.add_command(command)


@keys.command("deal")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in StoreKind]), help="Test or live.")
@ZONE
@click.option("--usage", type=click.Choice([usage.value for usage in Usage]), help="Or a key for this.")
@click.option("--algorithm", type=click.Choice([a.value for a in Algorithm]), default="3des", help="With --usage.")
@click.option("--threshold", required=True, type=click.IntRange(2, 99), help="How many shares make the key.")
@click.option("--custodian", "custodians", multiple=True, required=True, metavar="NAME", help="One for each share.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the sheets, one file each.")
def deal_shares(
    kind: str,
    zone: str | None,
    usage: str | None,
    algorithm: str,
    threshold: int,
    custodians: Sequence[str],
    out: Path | None,
) -> None:
    """Make a new key, give each custodian a share of it, and forget it.

    Without --out each share is shown once, on a cleared screen, to its custodian alone.
    """
    if zone and not usage:
        purpose, of_algorithm = Zone(zone).usage, Algorithm.AES
    elif usage and not zone:
        purpose = Usage(usage)
        of_algorithm = Algorithm.AES if purpose in BUREAU_USAGES else Algorithm(algorithm)
    else:
        raise click.UsageError("say either --zone or --usage")
    of = ShareSet(secrets.token_bytes(4), StoreKind(kind), purpose, of_algorithm, threshold, len(custodians))
    shares, value = deal(of, custodians, secrets.token_bytes)
    if out is not None:
        for path in write_sheets(out, shares, value):
            click.echo(f"{path}: print it, hand it over, and 'shred -u' it")
    else:
        require_terminal("--out")
        for name, share in shares.items():
            click.clear()
            click.prompt(f"{name} alone is at the screen: press Enter", default="", show_default=False)
            click.echo(sheet_text(share, name, value))
            click.prompt(
                "Written down and compared? Press Enter, it is not shown again", default="", show_default=False
            )
            click.clear()
    click.echo(sheet_list(of, shares, value))


@keys.command("ceremony")
@STORE
@click.option("--label", help="The key's name; one of a zone or the bureau has a name.")
@VERSION
@click.option("--levels", default=1, show_default=True, type=click.IntRange(0, 3), help="Diversifications to a card.")
@MOST
@ACTIVATE
@CUSTODIANS
@click.option("--share-file", "shares", multiple=True, metavar="NAME=FILE", help="A custodian's share; repeat it.")
@PASSPHRASES
@click.option(
    "--check-value", "values", multiple=True, metavar="NAME=HEX", help="As it stands on the custodian's sheet."
)
@STORE_PASSPHRASE
def ceremony(
    store: Path,
    label: str | None,
    version: int,
    levels: int,
    most_uses: int | None,
    activate: bool,
    custodians: Sequence[str],
    shares: Sequence[str],
    passphrases: Sequence[str],
    values: Sequence[str],
    store_passphrase: Path | None,
) -> None:
    """Make a key from the shares of its custodians, in a new store or one that is there.

    Everybody enters share, passphrase and the check value of the sheet; all must agree with the key that comes of it.
    """
    with ceremony_at(store):
        known: set[str] = set()
        if store.exists():
            with StoreFile(store) as file:
                known = {custodian.name for custodian in file.custodians()}
        entered = entered_by(custodians, shares, passphrases, values, known=known)
        of = next(iter(entered.values())).share.set
        passphrase, beside = _passphrase_of_new(store, store_passphrase, of.kind)
        plan = CeremonyPlan(store, label or usual_label(of.usage), version, levels, most_uses, activate)
        entry = hold_ceremony(plan, entered, passphrase, time=now(), beside=beside)
    tell(entry)


@keys.command()
@STORE
@click.option("--profile", help="Every master key of this card profile, and the bureau's own keys.")
@click.option("--bureau", is_flag=True, help="The bureau's own keys alone, for a store that was made without.")
@click.option(
    "--transport",
    type=click.Choice(["new", "emulated"]),
    help="And a transport key: a new one, or the one of the emulated card factory, which every test store may have.",
)
@MOST
@ACTIVATE
@CUSTODIANS
@PASSPHRASES
@STORE_PASSPHRASE
def generate(
    store: Path,
    profile: str | None,
    bureau: bool,
    transport: str | None,
    most_uses: int | None,
    activate: bool,
    custodians: Sequence[str],
    passphrases: Sequence[str],
    store_passphrase: Path | None,
) -> None:
    """Make the master keys of a card profile, and the bureau's own; nobody sees them. Two custodians approve."""
    if bool(profile) is bureau:
        raise click.UsageError("say either --profile or --bureau")
    orders = store_orders(load_profile(profile)) if profile else list(BUREAU_KEYS)
    if transport == "new":
        orders.append(KeyOrder(TRANSPORT_LABEL, Usage.TRANSPORT))
    passphrase, who = _brought(store, store_passphrase, custodians, passphrases)
    with sit(store, passphrase, who, now) as sitting:
        given = [add_factory_key] if transport == "emulated" else []
        tell(sitting.generate(orders, most_uses=most_uses, activate=activate, given=given))


@keys.command("import")
@STORE
@click.argument("block", metavar="BLOCK", type=_EXISTING)
@click.option("--check-value", "value", required=True, metavar="HEX", help="As the sender announced it by another way.")
@click.option("--under", required=True, help="Label of the zone key.")
@click.option("--under-version", default=1, show_default=True, help="Its version.")
@MOST
@ACTIVATE
@CUSTODIANS
@PASSPHRASES
@STORE_PASSPHRASE
def import_key(
    store: Path,
    block: Path,
    value: str,
    under: str,
    under_version: int,
    most_uses: int | None,
    activate: bool,
    custodians: Sequence[str],
    passphrases: Sequence[str],
    store_passphrase: Path | None,
) -> None:
    """Take a key out of the key block in which it came. Two custodians approve."""
    text = block.read_text(encoding="ascii", errors="replace")
    expected, zone_key = CheckValue.parse(value), KeyRef(under, under_version)
    passphrase, who = _brought(store, store_passphrase, custodians, passphrases)
    with sit(store, passphrase, who, now) as sitting:
        tell(sitting.import_block(text, zone_key, expected, most_uses=most_uses, activate=activate))


@keys.command("export")
@STORE
@LABEL
@VERSION
@click.option("--check-value", "value", required=True, metavar="HEX", help="The check value of the key that is meant.")
@click.option("--out", required=True, type=_FILE, help="File for the key block.")
@CUSTODIANS
@PASSPHRASES
@STORE_PASSPHRASE
def export_key(
    store: Path,
    label: str,
    version: int,
    value: str,
    out: Path,
    custodians: Sequence[str],
    passphrases: Sequence[str],
    store_passphrase: Path | None,
) -> None:
    """Put a key into a key block under the key of its zone. Two custodians approve."""
    expected = CheckValue.parse(value)
    passphrase, who = _brought(store, store_passphrase, custodians, passphrases)
    with sit(store, passphrase, who, now) as sitting:
        tell(sitting.export_block(KeyRef(label, version), None, expected, out))


def _state_command(name: str, state: KeyState, help_text: str) -> None:
    @keys.command(name, help=f"{help_text} Two custodians approve.")
    @STORE
    @LABEL
    @VERSION
    @CUSTODIANS
    @PASSPHRASES
    @STORE_PASSPHRASE
    def change(
        store: Path,
        label: str,
        version: int,
        custodians: Sequence[str],
        passphrases: Sequence[str],
        store_passphrase: Path | None,
    ) -> None:
        passphrase, who = _brought(store, store_passphrase, custodians, passphrases)
        with sit(store, passphrase, who, now) as sitting:
            tell(sitting.change_state(KeyRef(label, version), state))


_state_command("activate", KeyState.ACTIVE, "Let a key work, new or suspended.")
_state_command("suspend", KeyState.SUSPENDED, "Stop a key until it is activated again.")
_state_command("retire", KeyState.RETIRED, "Stop a key for good; its value stays until it is destroyed.")
_state_command("destroy", KeyState.DESTROYED, "Take a retired key's value out of the store.")


@keys.command("list")
@STORE
@click.option("--json", "as_json", is_flag=True, help="Print the keys as JSON.")
def list_keys(store: Path, as_json: bool) -> None:
    """The keys of a store: state, uses, check value. It takes no passphrase and shows no key."""
    with StoreFile(store) as file:
        rows, kind = file.rows(), file.kind
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows], ensure_ascii=False))
        return
    click.echo(f"{kind} store, {len(rows)} keys")
    for row in rows:
        click.echo(_in_a_line(row))


@keys.command()
@STORE
@LABEL
@VERSION
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(store: Path, label: str, version: int, as_json: bool) -> None:
    """One key, and what the record says of it."""
    with StoreFile(store) as file:
        rows = [row for row in file.rows() if row.name == (label, version)]
        entries = file.record()
    if not rows:
        raise KeyAbsent(f"{store} has no key {KeyRef(label, version)}")
    start = f"{KeyRef(label, version)} "
    steps = [entry for entry in entries if any(str(key).startswith(start) for key in keys_of(entry))]
    if as_json:
        click.echo(
            json.dumps({**_as_json(rows[0]), "record": [entry._asdict() for entry in steps]}, ensure_ascii=False)
        )
        return
    click.echo(_in_a_line(rows[0]))
    for entry in steps:
        click.echo(f"  {entry.number}  {entry.time}  {entry.step}  {', '.join(entry.signatures)}")


def now() -> str:
    """The time, as records have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def tell(entry: Entry) -> None:
    """Say what was recorded, and what to note on paper."""
    for key in keys_of(entry):
        click.echo(key)
    click.echo(f"recorded as entry {entry.number}: note its digest {entry.digest}")


def _brought(
    store: Path, file: Path | None, custodians: Sequence[str], passphrases: Sequence[str]
) -> tuple[Secret, dict[str, Secret]]:
    return store_passphrase_of(store, file), passphrases_of(custodians, passphrases)


def _passphrase_of_new(store: Path, file: Path | None, kind: StoreKind) -> tuple[Secret, Path | None]:
    """The store's passphrase, and where it has to be written: beside a new test store, when none was given."""
    if file is not None or store.exists():
        return store_passphrase_of(store, file), None
    if kind is StoreKind.TEST:
        return Secret(secrets.token_urlsafe(24).encode()), passphrase_path(store)
    return new_passphrase("Passphrase of the new key store"), None


def _as_json(row: KeyRow) -> dict[str, object]:
    info = row.info
    return {
        "label": info.label,
        "version": info.version,
        "usage": info.usage,
        "algorithm": info.algorithm,
        "levels": info.levels,
        "check_value": str(info.check_value),
        "state": row.state,
        "used": row.used,
        "most_uses": row.most,
    }


def _in_a_line(row: KeyRow) -> str:
    info = row.info
    most = "no limit" if row.most is None else f"of {row.most}"
    return f"{info.label:16} {info.version}  {row.state:10}  {info.check_value}  {info.usage}, used {row.used} {most}"
