"""What the demo says: steps, facts, refusals, tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from kaguan.apdu.errors import KaguanError


def step(number: int, title: str) -> None:
    """A new step begins."""
    click.secho(f"\n{number}. {title}", bold=True)


def fact(text: str) -> None:
    """Something that is true now."""
    click.echo(f"   {text}")


@contextmanager
def refused(attempt: str, *kinds: type[KaguanError]) -> Iterator[None]:
    """What is tried within the context must be refused in one of these ways; the refusal is shown.

    Raises:
        AssertionError: it was not refused.
    """
    try:
        yield
    except kinds as refusal:
        click.echo(f"   {attempt}: ", nl=False)
        click.secho(f"refused, {refusal}", fg="yellow")
        return
    raise AssertionError(f"{attempt} was not refused")


def table(rows: Mapping[str, object]) -> None:
    """Names and values in two columns."""
    width = max(map(len, rows))
    for name, value in rows.items():
        click.echo(f"   {name:<{width}}  {value}")


def yuan(amount_fen: int) -> str:
    """An amount as people read it."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d} yuan"
