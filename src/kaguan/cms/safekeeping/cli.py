"""`kaguan cms backup`, `restore` and `sample`: the books as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaguan.cms.asking.cli import Question, Request, asks, changes, existing_file
from kaguan.cms.store import open_store
from kaguan.database import told_plainly
from kaguan.personalization.stores.cli import KEYS, PASSPHRASE_FILE

if TYPE_CHECKING:
    from kaguan.personalization.keys.tokenstore import StoreAddress
    from kaguan.vault.vault import KeyVault


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@KEYS
@PASSPHRASE_FILE
@asks
def backup(question: Question, file: Path, keys: StoreAddress | None, passphrase_file: Path | None) -> None:
    """Write all books to FILE, proved, as they are at one moment; with --keys sealed for that store alone."""
    from kaguan.cms.safekeeping.backup import back_up

    question.show({"file": str(file), **back_up(file, _vault(keys, passphrase_file))._asdict()})


@click.command()
@click.argument("file", type=existing_file)
@click.argument("database")
@KEYS
@PASSPHRASE_FILE
def restore(file: Path, database: str, keys: StoreAddress | None, passphrase_file: Path | None) -> None:
    """Fill the new DATABASE, a file or the URL of an empty one, from FILE, and prove that it is what was backed up."""
    open_store(database)
    from kaguan.cms.safekeeping.backup import restore as restore_books

    with told_plainly(database):
        kept = restore_books(file, _vault(keys, passphrase_file))
    Question(as_json=False).show(kept._asdict())


@click.command()
@click.option("--holders", type=click.IntRange(min=1), required=True, help="How many more.")
@changes
def sample(request: Request, holders: int) -> None:
    """Put made-up people with cards in every state on the books; in the made-up regions 9901xx only."""
    from kaguan.cms.services.sampling import add_sample

    request.show(add_sample(request.actor, request.request_id, holders=holders))


def _vault(keys: StoreAddress | None, passphrase_file: Path | None) -> KeyVault | None:
    if keys is None:
        return None
    from kaguan.personalization.keystore import open_store as open_keys
    from kaguan.personalization.stores.cli import passphrase_of

    return open_keys(keys, passphrase_of(keys, passphrase_file))


COMMANDS = (backup, restore, sample)
