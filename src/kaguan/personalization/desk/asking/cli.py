"""Options in one wording: which job, which machine, and the two people who take a dangerous step."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.operators import LEAST_PASSPHRASE, TwoPeople, authenticated, person
from kaguan.personalization.keys.asking.cli import ask_passphrase
from kaguan.personalization.keys.secretfile import read_secret
from kaguan.personalization.line.places import place_of
from kaguan.vault.secret import Secret

if TYPE_CHECKING:
    from kaguan.personalization.care.envelope import Recipient

_FILE = click.Path(dir_okay=False, path_type=Path)
DATABASE = click.option(
    "--database", default="", envvar="KAGUAN_DATABASE", help="The bureau's database, when the job's folder has none."
)
MACHINE = click.option("--machine", default=socket.gethostname, help="The machine's name in the job; its host name.")
OPERATOR = click.option("--operator", "by", default=getpass.getuser, help="Who does it; the name of the login.")
REASON = click.option("--reason", required=True, help="Why, in a few words; no numbers of people or cards.")
PEOPLE = click.option(
    "--by", "names", multiple=True, metavar="NAME", help="The operators, twice: who asks, and who approves."
)
PASSPHRASES = click.option(
    "--operator-file",
    "files",
    multiple=True,
    metavar="NAME=FILE",
    help="An operator's passphrase, in a file for its owner's eyes alone; else it is asked for.",
)


def _recipient(_context: click.Context, _option: click.Parameter, path: Path | None) -> Recipient | None:
    from kaguan.personalization.care.envelope import Recipient

    return Recipient.of_file(path) if path is not None else None


SEAL_FOR = click.option(
    "--seal-for",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_recipient,
    help="Certificate (RSA) that the return files are sealed for.",
)


def of_job(door: Callable[..., None]) -> Callable[..., None]:
    """The door takes a `place`: the job's folder, or the bureau's database and the job's name."""

    @wraps(door)
    def opened(folder: Path | None, database: str, job: str, **rest: Any) -> None:
        door(place=place_of(folder, database, job), **rest)

    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    for option in (
        click.option("--job", default="", help="The job's name, if the database has several."),
        DATABASE,
        click.argument("folder", metavar="[DIR]", required=False, type=folder),
    ):
        opened = option(opened)
    return opened


def by_two(door: Callable[..., None]) -> Callable[..., None]:
    """The door takes `names` and `files`, to be given to `two_people`."""
    return PEOPLE(PASSPHRASES(door))


def two_people(bureau: Bureau, names: Sequence[str], files: Sequence[str]) -> TwoPeople:
    """The two operators, each of them known by name and passphrase.

    Raises:
        NeedsSecondPerson: fewer than two are named, or one twice.
        NotAuthenticated: one of them is not who is said.
    """
    of_files = passphrase_files(files)
    if len(names) != 2:
        raise NeedsSecondPerson("it takes two operators: say --by twice, first who asks and then who approves")
    TwoPeople(*names)  # before anybody types a passphrase
    return TwoPeople(*(authenticated(bureau, name, _passphrase(name, of_files)) for name in names))


def passphrase_files(pairs: Sequence[str]) -> dict[str, Path]:
    """What `NAME=FILE` options say, by operator.

    Raises:
        click.UsageError: one is of another form.
    """
    found = {}
    for pair in pairs:
        name, _, file = pair.partition("=")
        if not name or not file:
            raise click.UsageError("--operator-file is NAME=FILE")
        found[person(name)] = Path(file)
    return found


def new_passphrase(name: str, file: Path | None) -> Secret:
    """The passphrase of a new operator: from the file, or typed twice, unseen."""
    if file is not None:
        return read_secret(file)
    while True:
        first = ask_passphrase(f"{name}: a new passphrase, at least {LEAST_PASSPHRASE} characters")
        if len(first) >= LEAST_PASSPHRASE and first == ask_passphrase("Once more"):
            return first
        click.echo("Too short, or not the same twice.", err=True)


def _passphrase(name: str, files: dict[str, Path]) -> Secret:
    file = files.get(person(name))
    return ask_passphrase(f"{name}: your passphrase") if file is None else read_secret(file)
