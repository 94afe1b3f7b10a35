"""`kaguan cms audit`: check the log, sign where it stands, and take it out."""

from __future__ import annotations

from pathlib import Path

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.asking.cli import Question, asks, existing_file

new_file = click.Path(dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command("verify")
@click.option("--checkpoints", type=existing_file, help="File of signed checkpoints that the log has to fit.")
@click.option("--public-key", type=existing_file, help="Whose signatures they bear.")
@asks
def audit_verify(question: Question, checkpoints: Path | None, public_key: Path | None) -> None:
    """Check every line of the audit log, and that it is as the checkpoints saw it."""
    from kaguan.cms.audit import verify_chain
    from kaguan.cms.auditing.checkpoints import read_checkpoints, verify_log
    from kaguan.cms.signing import read_public_key

    if checkpoints is None and public_key is None:
        question.show(verify_chain()._asdict())
        return
    if checkpoints is None or public_key is None:
        raise InputError("checkpoints are checked with their file and their public key: give both")
    question.show(verify_log(read_checkpoints(checkpoints, read_public_key(public_key)))._asdict())


@audit.command("key")
@click.argument("key_file", type=new_file)
def audit_key(key_file: Path) -> None:
    """Make a key that signs checkpoints in KEY_FILE, and its public key in KEY_FILE.pub. Keep both off the database."""
    from kaguan.cms.signing import make_key

    public_key_file = make_key(key_file)
    click.echo(f"{key_file}: keep it from the database's administrators; {public_key_file}: give to who verifies")


@audit.command("checkpoint")
@click.option("--key", "key_file", type=existing_file, required=True, help="The key that signs it.")
@click.option("--checkpoints", type=new_file, required=True, help="File that gets a line more.")
@asks
def audit_checkpoint(question: Question, key_file: Path, checkpoints: Path) -> None:
    """Sign where the audit log stands now; keep the file where the database's administrators cannot write."""
    from kaguan.cms.auditing.checkpoints import make_checkpoint
    from kaguan.cms.signing import read_key

    made = make_checkpoint(read_key(key_file), checkpoints)
    question.show({"checkpoint": made.number, "entries": made.entries, "at": made.at, "digest": made.digest()})


@audit.command("export")
@click.argument("file", type=new_file)
@click.option("--form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@asks
def audit_export(question: Question, file: Path, form: str) -> None:
    """Write every line of the audit log to FILE, checked on the way."""
    from kaguan.cms.auditing.exporting import ExportForm, export_log

    question.show({"file": str(file), "lines": export_log(file, ExportForm(form))})
