"""Options that many doors have, in one wording: `--reader` with `--i-own-this-card`, `--trace`, `--fault`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from kaguan.terminal.consent import CONSENT, WantedReader

READER_HELP = "A PC/SC reader: its number, or a part of its name."
_OWNED = "kaguan.terminal.consent"

READER_NAME = click.option("--reader", metavar="NAME", help=READER_HELP)
"""For doors whose own checks say whose card it is: the name alone."""


def _wanted(context: click.Context, _option: click.Parameter, name: str | None) -> WantedReader | None:
    return None if name is None else WantedReader(name, owned=context.meta[_OWNED])


PSAM_READER = click.option(
    "--psam-reader", metavar="NAME", callback=_wanted, help="The PSAM's reader: its number, or a part of its name."
)
"""Give the command `psam_reader`, a WantedReader or None; beside `READER`, whose consent is for both cards."""


def READER(command: Callable[..., Any]) -> Callable[..., Any]:  # noqa: N802 - it stands among options
    """Give the command `reader`, a WantedReader or None."""

    def owned(context: click.Context, _option: click.Parameter, said: bool) -> None:
        context.meta[_OWNED] = said

    consent = click.option(
        CONSENT, is_flag=True, is_eager=True, expose_value=False, callback=owned,
        help="The card in the reader is mine: send also what could change it.",
    )  # fmt: skip
    return click.option("--reader", metavar="NAME", callback=_wanted, help=READER_HELP)(consent(command))


TRACE = click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="Write all that is said to a file: .jsonl, .pcap, .apdu, else text; - is standard error.",
)


def FAULTS(command: Callable[..., Any]) -> Callable[..., Any]:  # noqa: N802 - it stands among options
    """Give the command `faults`, a Faults: none when none is named."""

    @wraps(command)
    def take(*, faults: tuple[str, ...], fault_seed: int, **values: Any) -> None:
        from kaguan.emulator.faults import Faults

        command(faults=Faults(*faults, seed=fault_seed), **values)

    return click.option(
        "--fault", "faults", metavar="KIND[@WHEN][:VALUE]", multiple=True,
        help="Put a fault into the first card: tear, mute, lose, remove, garble, sw, late, worn; see docs/traces.md.",
    )(
        click.option(
            "--fault-seed", default=0, show_default=True, help="What chance the faults have hangs on it."
        )(take)
    )  # fmt: skip


def require_apart(read: Iterable[Path | None], *written: Path | None) -> None:
    """Return when no file that is to be written is one that is read, or another that is written."""
    taken = {path.resolve() for path in read if path is not None}
    for path in written:
        if path is None or str(path) == "-":
            continue
        if path.resolve() in taken:
            raise click.UsageError(f"{path} would be overwritten: it is read, or written to, already")
        taken.add(path.resolve())
