"""The doctor's door: `kaguan doctor`."""

from __future__ import annotations

import json

import click

from kaguan.doctor.checks import Verdict, examine

SOMETHING_MISSING = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Say what this machine lacks, what for, and the command that mends it; end with 1 when something is missing.

    Nothing is needed for emulated cards at the command line and in tests: what is missing may be what you never use.
    """
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([{**row._asdict(), "verdict": str(row.verdict)} for row in findings], indent=2))
    else:
        for row in findings:
            click.echo(f"{row.verdict!s:<8}{row.name:<12} {row.detail}")
            if row.remedy:
                click.echo(f"{'':20} for {row.purpose}: {row.remedy}")
    if any(row.verdict is Verdict.MISSING for row in findings):
        raise SystemExit(SOMETHING_MISSING)
