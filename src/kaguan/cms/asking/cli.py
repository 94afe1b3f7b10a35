"""What the commands of card management share: the database, who asks, and how an answer is shown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import UUID, uuid4

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import Application, BankFunction, Pin, Production
from kaguan.cms.settings import DATABASE_VARIABLE, DEFAULT_DATABASE, is_server
from kaguan.cms.store import open_store
from kaguan.database import told_plainly
from kaguan.vault.secret import Secret

if TYPE_CHECKING:
    from kaguan.cms.queries import Record
    from kaguan.cms.services.case import Actor

Command = TypeVar("Command", bound=Callable[..., None])

SESSION_VARIABLE = "KAGUAN_SESSION"
"""Whose value is the token of whoever is signed in; no option, since a list of processes shows those."""
DAY = click.DateTime(["%Y-%m-%d"])
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d|Z)")
"""A moment in the books, which people read on their own clock."""
_STATES: Final[Mapping[str, type[StrEnum]]] = {
    "production": Production,
    "stage": Production,
    "application": Application,
    "bank_function": BankFunction,
    "pin": Pin,
}
"""Which axis a field of a result stands on, by its name."""
existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Question:
    """A read of the open database, and how its answer is shown."""

    as_json: bool

    def show(self, record: Record | list[Record]) -> None:
        """Leave the record on the screen, as JSON or as one line a value."""
        if self.as_json:
            click.echo(json.dumps(record, ensure_ascii=False, indent=2))
            return
        parts = record if isinstance(record, list) else [record]
        if not parts:
            click.echo("nothing", err=True)
        for number, part in enumerate(parts):
            if number:
                click.echo()
            _show_lines(part)

    def show_table(self, records: list[Record]) -> None:
        """Leave the records on the screen, as JSON or as a line each under their names; there is one at least."""
        if self.as_json:
            self.show(records)
            return
        rows = [list(records[0]), *([_text(value) for value in record.values()] for record in records)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(map(str.ljust, row, widths)).rstrip())


@dataclass(frozen=True, slots=True)
class Request:
    """A change of the open database: asked for by whom, and under which id."""

    actor: Actor
    request_id: UUID

    def show(self, result: Any) -> None:
        """Leave the result of the use case on the screen, states with their names."""
        named = {name: _named(name, value) for name, value in asdict(result).items()}
        _show_lines({"request_id": str(self.request_id), **named})


def _show_lines(record: Record) -> None:
    width = max(len(name) for name in record)
    for name, value in record.items():
        click.echo(f"{name:<{width}}  {_text(value)}".rstrip())


def _named(field: str, value: object) -> object:
    names = {state.value: state.name for state in _STATES.get(field, ())}
    return f"{value} {names[value]}" if isinstance(value, str) and value in names else value


def _text(value: object) -> str:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        from django.utils.timezone import localtime

        return localtime(datetime.fromisoformat(value)).isoformat(timespec="seconds")
    return str(value) if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)


@contextmanager
def _in_store(database: str, values: Mapping[str, object]) -> Iterator[None]:
    """Within the context the store is open, for a command with these values; its troubles are told plainly.

    Raises:
        InputError: there is no such file, or a value that no database keeps.
    """
    require_text(values)
    if not is_server(database) and not Path(database).is_file():
        raise InputError(f"no database {database}: make one with `kaguan cms init {database}`")
    open_store(database)
    with told_plainly(database):
        yield


def require_text(values: Mapping[str, object]) -> None:
    """Return when every value is text, or no text at all: the terminal hands on bytes that are none as surrogates.

    Raises:
        InputError: one of them has such bytes; with its name.
    """
    for name, value in values.items():
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise InputError(f"{name.replace('_', '-')} holds bytes that are no UTF-8: type it again")


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Return the command with the options, the first one shown first."""
    for option in reversed(options):
        command = option(command)
    return command


def _database(command: Command) -> Command:
    return click.option(
        "--db",
        "database",
        envvar=DATABASE_VARIABLE,
        default=DEFAULT_DATABASE,
        show_default=True,
        metavar="FILE|URL",
        help=f"The books' database, a file or postgresql://USER@HOST/NAME; else what {DATABASE_VARIABLE} says.",
    )(command)


def asks(command: Command) -> Command:
    """Give a read the options `--db` and `--json`, and call it with a Question."""

    @wraps(command)
    def ask(*, database: str, as_json: bool, **values: Any) -> None:
        with _in_store(database, values):
            command(Question(as_json), **values)

    return with_options(
        cast("Command", ask), _database, click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
    )


def changes(command: Command) -> Command:
    """Give a change the options `--db`, who asks from where, and the request's id, and call it with a Request."""
    request_id = click.option(
        "--request-id", type=click.UUID, default=uuid4, help="Give it again to ask the same again."
    )
    return _asked_under(request_id, command)


def resumes(command: Command) -> Command:
    """Give a change that ends an earlier one the id of that one as its argument, else the same as `changes`."""
    return _asked_under(click.argument("request_id", type=click.UUID), command)


def _asked_under(request_id_parameter: Callable[[Command], Command], command: Command) -> Command:
    @wraps(command)
    def change(*, database: str, operator: str, institution: str, request_id: UUID, **values: Any) -> None:
        session = Secret(os.environ.get(SESSION_VARIABLE, "").encode())
        if not session and not (operator and institution):
            raise click.UsageError(
                f"who asks? Sign in and put the token into {SESSION_VARIABLE}, or give --operator and --institution"
            )
        with _in_store(database, {"operator": operator, "institution": institution, **values}):
            from kaguan.cms.services.access.command_line import actor_at

            command(Request(actor_at(operator, institution, session), request_id), **values)

    return with_options(
        cast("Command", change),
        _database,
        click.option(
            "--operator",
            envvar="KAGUAN_OPERATOR",
            default="",
            help=f"Code of the operator who asks; not needed by whose token is in {SESSION_VARIABLE}.",
        ),
        click.option("--institution", envvar="KAGUAN_INSTITUTION", default="", help="Where the operator works."),
        request_id_parameter,
    )


def shows_document(command: Command) -> Command:
    """Give a change the options for the identity document on the counter, and call it with a Document."""

    @wraps(command)
    def show(*, cert_type: str, cert_no: str, original: bool, **values: Any) -> None:
        command(document=Document(cert_type, cert_no, original), **values)

    return with_options(
        cast("Command", show),
        click.option(
            "--cert-type", default="01", show_default=True, help="Kind of the document; 01 is the identity card."
        ),
        click.option("--cert-no", prompt="Number of the identity document shown", help="Prompted for if not given."),
        click.option("--original/--copy", required=True, help="What was shown."),
    )
