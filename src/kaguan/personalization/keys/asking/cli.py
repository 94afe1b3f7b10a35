"""Who is at the store, and what each of them brings: from files of their own, or typed with nobody looking on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from kaguan.apdu.errors import CodecError, KaguanError
from kaguan.personalization.keys.ceremony import Entered
from kaguan.personalization.keys.secretfile import read_secret
from kaguan.personalization.keystore import passphrase_path
from kaguan.vault.ceremony import ShareDuplicate
from kaguan.vault.custodian import LEAST_PASSPHRASE
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.share import Share, custodian_name, join_lines, lines_of, parse_line, parse_share

_T = TypeVar("_T")
_FILE = click.Path(dir_okay=False, path_type=Path)

STORE = click.argument("store", metavar="STORE", type=_FILE)
CUSTODIANS = click.option("--custodian", "custodians", multiple=True, metavar="NAME", help="Who is here; repeat it.")
PASSPHRASES = click.option(
    "--passphrase-file", "passphrases", multiple=True, metavar="NAME=FILE", help="A custodian's passphrase; repeat it."
)
STORE_PASSPHRASE = click.option(
    "--store-passphrase-file", "store_passphrase", type=_FILE, help="The store's own passphrase; else it is asked for."
)


def named(pairs: Sequence[str], option: str) -> dict[str, str]:
    """What `NAME=VALUE` options say, by custodian.

    Raises:
        click.UsageError: one has no '='.
        ShareDuplicate: one name twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise click.UsageError(f"{option} is NAME=VALUE, one for each custodian")
        name = custodian_name(name)
        if name in found:
            raise ShareDuplicate(f"{option} names {name} twice: nobody is two custodians")
        found[name] = value
    return found


def people(custodians: Sequence[str], *pairs: Mapping[str, object]) -> list[str]:
    """Everybody who is named anywhere, in the order of the naming; nobody twice.

    Raises:
        ShareDuplicate: one custodian was named twice.
    """
    names = [custodian_name(name) for name in custodians]
    if len(set(names)) < len(names):
        raise ShareDuplicate("a custodian is named twice: nobody is two custodians")
    return list(dict.fromkeys([*names, *(name for found in pairs for name in found)]))


def passphrases_of(custodians: Sequence[str], files: Sequence[str], *, new: bool = False) -> dict[str, Secret]:
    """The passphrase of everybody who approves, by name; typed twice when it is new."""
    found = named(files, "--passphrase-file")
    ask = new_passphrase if new else ask_passphrase
    return {
        name: read_secret(Path(found[name])) if name in found else ask(f"{name}: your passphrase")
        for name in people(custodians, found)
    }


def store_passphrase_of(store: Path, file: Path | None) -> Secret:
    """The store's passphrase: from the file, from beside a test store, or asked for."""
    if file is None and passphrase_path(store).exists():
        file = passphrase_path(store)
    return read_secret(file) if file is not None else ask_passphrase("Passphrase of the key store")


def new_passphrase(who: str) -> Secret:
    """A passphrase typed twice."""
    while True:
        first = ask_passphrase(f"{who} (new, at least {LEAST_PASSPHRASE} characters)")
        if len(first) >= LEAST_PASSPHRASE and first == ask_passphrase("Once more"):
            return first
        click.echo("Too short, or not the same twice.")


def ask_passphrase(prompt: str) -> Secret:
    """What was typed, unseen."""
    require_terminal("--passphrase-file and --store-passphrase-file")
    return Secret(str(click.prompt(prompt, hide_input=True)).encode())


def require_terminal(instead: str) -> None:
    """Nothing happens when there is somebody to ask.

    Raises:
        click.UsageError: standard input is no terminal, so what is typed could be seen, or nobody is there.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"secrets are typed at a terminal; in scripts use {instead}")


def entered_by(
    custodians: Sequence[str],
    shares: Sequence[str],
    passphrases: Sequence[str],
    values: Sequence[str],
    *,
    known: set[str],
) -> dict[str, Entered]:
    """What everybody brings to the ceremony. `known` are the custodians whom the store has a passphrase of.

    Raises:
        ShareMistyped, FileTooOpen, InputError: what a file holds is not what it should be.
    """
    share_files, passphrase_files = named(shares, "--share-file"), named(passphrases, "--passphrase-file")
    given = {name: CheckValue.parse(text) for name, text in named(values, "--check-value").items()}
    found: dict[str, Entered] = {}
    for name in people(custodians, share_files, passphrase_files, given) or _asked_names():
        typed = name not in share_files
        if typed:
            require_terminal("--share-file")
            click.clear()
            click.echo(f"{name} alone is at the screen and has the sheet at hand. Nothing that is typed shows.")
        share = ask_share() if typed else _share_in(Path(share_files[name]), name)
        value = given.get(name) or _again(lambda: CheckValue.parse(str(click.prompt("Check value on the sheet"))))
        if name in passphrase_files:
            passphrase = read_secret(Path(passphrase_files[name]))
        else:
            prompt = f"{name}: your passphrase"
            passphrase = ask_passphrase(prompt) if name in known else new_passphrase(prompt)
        found[name] = Entered(share, passphrase, value)
    return found


def ask_share() -> Share:
    """The share typed line by line, unseen; a mistyped line is asked for again."""

    def line(number: int) -> bytes:
        return parse_line(number, str(click.prompt(f"Line {number}", hide_input=True)))

    def whole() -> Share:
        first = _again(lambda: line(1))
        parts = [first, *(_again(partial(line, number)) for number in range(2, lines_of(first) + 1))]
        return join_lines(parts)

    return _again(whole)


def _share_in(path: Path, name: str) -> Share:
    try:
        return parse_share(read_secret(path).reveal().decode())
    except UnicodeDecodeError:
        raise CodecError(f"the share file of {name} is no text") from None


def _asked_names() -> list[str]:
    require_terminal("--custodian")
    count = click.prompt("How many custodians enter a share", type=click.IntRange(2, 99))
    return people([str(click.prompt(f"Name of custodian {number}")) for number in range(1, count + 1)])


def _again(ask: Callable[[], _T]) -> _T:
    """What was asked for, once it is right."""
    while True:
        try:
            return ask()
        except KaguanError as error:
            click.echo(str(error), err=True)
