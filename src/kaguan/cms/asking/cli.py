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
from kaguan.cms.rules.choices import Demand, Paper
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import Application, BankFunction, Pin, Production
from kaguan.cms.rules.terms import Channel
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
_who_asks = (
    click.option(
        "--operator",
        envvar="KAGUAN_OPERATOR",
        default="",
        help=f"Code of the operator who asks; not needed by whose token is in {SESSION_VARIABLE}.",
    ),
    click.option("--institution", envvar="KAGUAN_INSTITUTION", default="", help="Where the operator works."),
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
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
class Look(Question):
    """A read by somebody, who sees what lies within their reach."""

    actor: Actor
    request_id: UUID


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
    open_existing(database)
    with told_plainly(database):
        yield


def open_existing(database: str) -> None:
    """Leave the store open over a database that is there; no door but `init` makes one.

    Raises:
        InputError: there is no such file.
        Else as `open_store`.
    """
    if not is_server(database) and not Path(database).is_file():
        raise InputError(f"no database {database}: make one with `kaguan cms init {database}`")
    open_store(database)


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


def database_option(command: Command) -> Command:
    """Give a command the option `--db`."""
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

    return with_options(cast("Command", ask), database_option, _as_json)


def looks(command: Command) -> Command:
    """Give a read the options `--db` and `--json`, and who asks from where, and call it with a Look."""

    @wraps(command)
    def look(*, database: str, as_json: bool, operator: str, institution: str, **values: Any) -> None:
        with _in_store(database, {"operator": operator, "institution": institution, **values}):
            command(Look(as_json, _who(operator, institution), uuid4()), **values)

    return with_options(
        cast("Command", look),
        database_option,
        _as_json,
        *_who_asks,
    )


def _who(operator: str, institution: str) -> Actor:
    """Return who asks: whoever is signed in, or who was named."""
    from kaguan.cms.services.access.command_line import actor_at

    session = Secret(os.environ.get(SESSION_VARIABLE, "").encode())
    if not session and not (operator and institution):
        raise click.UsageError(
            f"who asks? Sign in and put the token into {SESSION_VARIABLE}, or give --operator and --institution"
        )
    return actor_at(operator, institution, session)


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
        with _in_store(database, {"operator": operator, "institution": institution, **values}):
            command(Request(_who(operator, institution), request_id), **values)

    return with_options(
        cast("Command", change),
        database_option,
        *_who_asks,
        request_id_parameter,
    )


CERT_TYPE = click.option(
    "--cert-type", default="01", show_default=True, help="Kind of the document; 01 is the identity card."
)


def names_document(command: Command) -> Command:
    """Give a command the options that name a person by their document, and call it with type and number."""
    number = click.option(
        "--cert-no", prompt="Number of the person's identity document", help="Prompted for if not given."
    )
    return with_options(command, CERT_TYPE, number)


def names_person(command: Command) -> Command:
    """Give a command the options that name a person by document and name, and call it with their three values."""
    name = click.option("--name", prompt="Name of the person", help="Prompted for if not given.")
    return names_document(name(command))


def shows_document(command: Command) -> Command:
    """Give a change the options for the identity document on the counter, and call it with a Document."""

    @wraps(command)
    def show(*, cert_type: str, cert_no: str, original: bool, **values: Any) -> None:
        command(document=Document(cert_type, cert_no, original), **values)

    return with_options(
        cast("Command", show),
        CERT_TYPE,
        click.option("--cert-no", prompt="Number of the identity document shown", help="Prompted for if not given."),
        click.option("--original/--copy", required=True, help="What was shown."),
    )


def shows_papers(command: Command) -> Command:
    """Give a change the option for what else lies on the counter, and call it with the papers."""

    @wraps(command)
    def show(*, papers: tuple[str, ...], **values: Any) -> None:
        command(papers=tuple(Paper(paper) for paper in papers), **values)

    choice = click.Choice([paper.value for paper in Paper])
    return with_options(
        cast("Command", show),
        click.option("--paper", "papers", type=choice, multiple=True, help="What was shown beside the document."),
    )


def names_channel(command: Command) -> Command:
    """Give a change the option for the way it was asked by, and call it with a Channel, or None for the usual one."""

    @wraps(command)
    def name(*, channel: str | None, **values: Any) -> None:
        command(channel=Channel(channel) if channel else None, **values)

    choice = click.Choice([channel.value for channel in Channel])
    return with_options(
        cast("Command", name),
        click.option("--channel", type=choice, default=None, help="How it was asked, if not at this counter."),
    )


def names_urgency(command: Command) -> Command:
    """Give an order the option for how soon it is wanted, and call it with an Urgency."""

    @wraps(command)
    def name(*, urgency: str, **values: Any) -> None:
        command(urgency=Urgency(urgency), **values)

    choice = click.Choice([urgency.value for urgency in Urgency])
    return with_options(
        cast("Command", name),
        click.option("--urgency", type=choice, default=Urgency.NORMAL.value, show_default=True),
    )


def tells_met(command: Command) -> Command:
    """Give a change the option for what the region demands and is met, and call it with a list of Met."""

    @wraps(command)
    def tell(*, met: tuple[Met, ...], **values: Any) -> None:
        command(met=list(met), **values)

    return with_options(
        cast("Command", tell),
        click.option(
            "--met", metavar="DEMAND=EVIDENCE", type=_met_typed, multiple=True, help='As in "accounts closed=letter 7".'
        ),
    )


def _met_typed(text: str) -> Met:
    demand, _, evidence = text.partition("=")
    if demand not in list(Demand):
        raise click.BadParameter(f"'{demand}' is none of {', '.join(Demand)}, as in \"proof=register 7\"")
    return Met(Demand(demand), evidence)
