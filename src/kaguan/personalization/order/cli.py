"""The doors `kaguan order`: what is wrong with an order, who sent it, and what its totals are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kaguan.personalization.order.authentic import Trust
    from kaguan.personalization.order.holder_rules import HolderRules
    from kaguan.personalization.order.report import OrderReport

PROFILE = click.option("--profile", default="ssc-v2", show_default=True, help="Card profile.")
ORDER = click.argument("order", metavar="ZIP", type=click.Path(exists=True, dir_okay=False, path_type=Path))
BAD_INPUT = 7

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TRUST = (
    click.option("--signer", "signers", type=_FILE, multiple=True, help="Trusted public key or certificate (PEM)."),
    click.option("--mac-key", type=_FILE, help="File with the MAC key in hexadecimal, for its owner's eyes alone."),
    click.option("--require-signature", is_flag=True, help="Refuse an order without ZIP.sig."),
    click.option("--require-mac", is_flag=True, help="Refuse an order without ZIP.mac."),
)


def trust_options(door: Callable[..., None]) -> Callable[..., None]:
    """The door takes, as `trust`, by whose keys it judges an order's signature and MAC."""
    from functools import wraps

    @wraps(door)
    def opened(
        signers: tuple[Path, ...], mac_key: Path | None, require_signature: bool, require_mac: bool, **rest: Any
    ) -> None:
        door(trust=trust_of(signers, mac_key, signature=require_signature, mac=require_mac), **rest)

    for option in reversed(_TRUST):
        opened = option(opened)
    return opened


def trust_of(signers: tuple[Path, ...], mac_key: Path | None, *, signature: bool, mac: bool) -> Trust:
    """By whose keys orders are judged; with `signature` or `mac` none comes in without."""
    from kaguan.personalization.keys.secretfile import read_secret
    from kaguan.personalization.order.authentic import Proof, Trust, mac_key_of, read_signer

    wanted = ((Proof.SIGNATURE, signature), (Proof.MAC, mac))
    return Trust(
        tuple(map(read_signer, signers)),
        mac_key_of(read_secret(mac_key)) if mac_key else None,
        frozenset(proof for proof, required in wanted if required),
    )


def rules_for(profile: str) -> HolderRules:
    """The rules of today for orders of cards of this profile."""
    from kaguan.card_os.profile import load_profile
    from kaguan.personalization.order.holder_rules import HolderRules, absent_columns, layout_of

    chosen = load_profile(profile)
    today = datetime.now(UTC).astimezone().date()
    return HolderRules(today=today, layout=layout_of(chosen), absent=absent_columns(chosen))


@click.group()
def order() -> None:
    """Order files: what is wrong with them, who sent them, and their totals."""


@order.command("check")
@ORDER
@PROFILE
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256), help="Judge rows in so many.")
@trust_options
def check(order: Path, profile: str, as_json: bool, processes: int, trust: Trust) -> None:
    """List every fault of an order; end with 7 when there is one.

    A signature ZIP.sig, a MAC ZIP.mac and totals ZIP.totals beside the order are judged as well.
    """
    from kaguan.personalization.order.authentic import authenticate
    from kaguan.personalization.order.check import check_order
    from kaguan.personalization.preparation.local import LocalEngine

    proved = authenticate(order, trust)
    with ExitStack() as stack:
        executor = stack.enter_context(LocalEngine(processes)) if processes > 1 else None
        report = check_order(order, rules_for(profile), executor)
    if as_json:
        for piece in report.as_json():
            click.echo(piece, nl=False)
        click.echo()
    else:
        if proved.signer or proved.mac:
            click.echo(str(proved))
        print_report(report)
    if not report.ok:
        raise SystemExit(BAD_INPUT)


def print_report(report: OrderReport) -> None:
    """One line a fault, and one for the sum."""
    for line in report.as_text():
        click.echo(line)


@order.command("totals")
@ORDER
def totals(order: Path) -> None:
    """Write an order's totals beside it, as ZIP.totals, for its sender to send along."""
    from kaguan.personalization.order.totals import write_totals

    place = write_totals(order)
    click.echo(place.read_text(encoding="ascii"), nl=False)
    click.echo(f"written to {place}", err=True)
