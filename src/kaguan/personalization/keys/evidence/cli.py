"""The record's door: `kaguan keys record` and `kaguan keys verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.keys.asking.cli import STORE
from kaguan.personalization.keys.opening import record_lines_of
from kaguan.personalization.keys.storefile import StoreFile
from kaguan.vault.record import Entry, RecordBroken, verify_record

_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@STORE
@click.option("--out", type=_FILE, help="File for the record; else it is printed.")
def record(store: Path, out: Path | None) -> None:
    """The record of a store, for signing and keeping: 'kaguan keys verify' reads it without any secret."""
    with StoreFile(store) as file:
        text = "".join(f"{line}\n" for line in file.record_lines())
    if out is None:
        click.echo(text, nl=False)
        return
    if out.exists():
        raise RuleBroken(f"{out} exists already: a record is never written over")
    out.write_text(text, encoding="utf-8")


@click.command()
@click.argument("record", metavar="RECORD", type=_EXISTING)
@click.option("--store", type=_EXISTING, help="The record must also be this store's, up to its last entry.")
@click.option("--digest", "digests", multiple=True, help="An entry that must be there, as noted on paper; repeat it.")
@click.option("--json", "as_json", is_flag=True, help="Print the entries as JSON.")
def verify(record: Path, store: Path | None, digests: Sequence[str], as_json: bool) -> None:
    """Check a record: every entry whole, in its place, and signed by two custodians. RECORD may be the store itself."""
    entries = verify_record(record_lines_of(record))
    if store is not None and record_lines_of(store) != [entry.line for entry in entries]:
        raise RecordBroken(len(entries), f"this is not the record of {store}, or not all of it")
    if missing := [digest for digest in digests if digest.lower() not in {entry.digest for entry in entries}]:
        raise RecordBroken(
            len(entries), f"no entry has the digest {missing[0]}: its end was cut off, or it is another's"
        )
    if as_json:
        click.echo(json.dumps([entry._asdict() for entry in entries], ensure_ascii=False))
        return
    for entry in entries:
        click.echo(f"{entry.number}  {entry.time}  {entry.step}  {', '.join(entry.signatures)}")
        for key in keys_of(entry):
            click.echo(f"     {key}")
        for name, public in entry.custodians.items():
            click.echo(f"     custodian {name}, key {public[:16].upper()}..")
    click.echo(f"{len(entries)} entries, every one in place and signed; last digest {entries[-1].digest}")


def keys_of(entry: Entry) -> list[object]:
    """The keys that the entry is about."""
    keys = entry.about.get("keys")
    return keys if isinstance(keys, list) else []
