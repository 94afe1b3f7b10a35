"""The doors of data care: `kaguan perso purge`, `audit` and `seal`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kaguan.personalization.desk.asking.cli import DATABASE, MACHINE, OPERATOR, REASON, by_two, of_job, two_people
from kaguan.personalization.keys.tokenstore import StoreAddress
from kaguan.personalization.line.places import Place
from kaguan.personalization.stores.cli import KEYS, PASSPHRASE_FILE, passphrase_of

if TYPE_CHECKING:
    from kaguan.personalization.job.audit import Entry
    from kaguan.personalization.job.database import Bureau
    from kaguan.personalization.job.job import Job
    from kaguan.personalization.keystore import OpenVault

JOB = click.option("--job", "named", default="", metavar="NAME|DIR", help="The job, by its name or by its folder.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="For a program.")
_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


def named_place(database: str, named: str, folder: Path | None = None) -> Place:
    """Where the job is that `--job`, a name or a folder, and `--database` speak of."""
    from kaguan.personalization.care.belongings import DATABASE as FILE
    from kaguan.personalization.care.belongings import job_of_report

    name = named
    if named and Path(named).is_dir():
        folder = folder or Path(named)
        own = Path(named) / FILE
        name, database = ("", str(own)) if own.exists() and not database else (job_of_report(Path(named)), database)
    if not database:
        raise click.UsageError("say where the jobs are: --database, or --job with the folder of a job")
    if folder is None and Path(database).name == FILE:
        folder = Path(database).parent
    return Place(database, name, folder)


@click.group(invoke_without_command=True)
@click.option(
    "--after",
    "days",
    envvar="KAGUAN_PURGE_AFTER_DAYS",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Days for which a closed job keeps its data.",
)
@JOB
@DATABASE
@click.option("--folder", type=_FOLDER, help="The job's folder at this machine, if its database is elsewhere.")
@click.option("--proofs", type=_FOLDER, help="Where the proofs go; the job's folder, or here if there is none.")
@MACHINE
@KEYS
@PASSPHRASE_FILE
@OPERATOR
@click.pass_context
def purge(
    context: click.Context, days: float, named: str, database: str, folder: Path | None, proofs: Path | None,
    machine: str, keys: StoreAddress | None, passphrase_file: Path | None, by: str,
) -> None:  # fmt: skip
    """Destroy the personal data of closed jobs, and prove it. Killed, the same command goes on."""
    if context.invoked_subcommand:
        return
    from kaguan.personalization.care.checkpoints import is_due, make_checkpoint
    from kaguan.personalization.care.proof import write_proof
    from kaguan.personalization.care.purge import Purge, due_jobs, purge_job
    from kaguan.personalization.job.database import Bureau
    from kaguan.personalization.job.job import find_job

    place = named_place(database, named, folder)
    passphrase = passphrase_of(keys, passphrase_file)
    with Bureau(place.address) as bureau:
        jobs = [find_job(bureau, place.name)] if named else due_jobs(bureau, days)
        if place.folder is not None and len(jobs) > 1:
            raise click.UsageError("a folder is one job's: name the job with --job")
        for job in jobs:
            with _vault_of(job, keys, passphrase) as vault:
                text = purge_job(job, vault, Purge(by, machine, days, place.folder))
                if is_due(bureau):
                    make_checkpoint(bureau, vault, by)
            where = proofs or (place.folder if place.folder is not None and place.folder.is_dir() else Path())
            where.mkdir(parents=True, exist_ok=True, mode=0o700)
            click.echo(_told(text, write_proof(where, text)))
        if not jobs:
            click.echo("no job is to be purged")


@purge.command("verify")
@click.argument("proof", type=_FILE)
@JOB
@DATABASE
@click.option("--folder", type=_FOLDER, help="The job's folder, if it is not the one of its database.")
@KEYS
@PASSPHRASE_FILE
def verify_purge(
    proof: Path, named: str, database: str, folder: Path | None, keys: StoreAddress | None, passphrase_file: Path | None
) -> None:
    """Hold a proof against its signature and, if it is said where they are, against database and folder."""
    from kaguan.personalization.care.proof import read_proof, verify_in_database, verify_in_folder
    from kaguan.personalization.job.database import Bureau
    from kaguan.personalization.job.job import find_job

    if keys is None and not (database or named):
        raise click.UsageError("name the key store with --keys, or the job's database or folder")
    place = named_place(database, named, folder) if database or named else None
    passphrase = passphrase_of(keys, passphrase_file)
    with Bureau(place.address) if place else nullcontext() as bureau:
        job = find_job(bureau, place.name or _job_in(proof)) if bureau is not None and place else None
        with _vault_of(job, keys, passphrase) as vault:
            said = read_proof(proof, vault)
        if bureau is not None:
            verify_in_database(said, bureau)
    if place and place.folder is not None and place.folder.is_dir():
        verify_in_folder(said, place.folder)
    click.echo(f"{proof} holds: {said['rows']} records and {len(said['files'])} files of job {said['job']} are gone")


@purge.command("hold")
@of_job
@REASON
@OPERATOR
def hold_door(place: Place, reason: str, by: str) -> None:
    """Keep a job's data for as long as the law needs it: nothing of it is purged until it is released."""
    from kaguan.personalization.care.hold import hold

    with place.opened() as job:
        click.echo(f"{job.terms.name} is held" + ("" if hold(job, by, reason) else ", as it was before"))


@purge.command("release")
@of_job
@REASON
@by_two
def release_door(place: Place, reason: str, names: tuple[str, ...], files: tuple[str, ...]) -> None:
    """Let a job's data be purged when its time has come."""
    from kaguan.personalization.care.hold import release

    with place.opened() as job:
        released = release(job, two_people(job.bureau, names, files), reason)
        click.echo(f"{job.terms.name} is {'released' if released else 'not held'}")


@click.group()
def audit() -> None:
    """The audit trail: what was done, by whom, and whether all of it is there."""


@audit.command()
@of_job
@click.option("--checkpoint", "file", type=_FILE, help="Checkpoints that were kept in another place.")
@KEYS
@PASSPHRASE_FILE
@AS_JSON
def verify(
    place: Place, file: Path | None, keys: StoreAddress | None, passphrase_file: Path | None, as_json: bool
) -> None:
    """Find out whether an entry was changed, left out, put elsewhere or cut off at the end; which one is said.

    Without --keys the signatures are held against the key store of the database's first job, if it opens by itself.
    """
    from kaguan.personalization.care.checkpoints import read_checkpoints, verify_checkpoints
    from kaguan.personalization.job.database import Bureau

    passphrase = passphrase_of(keys, passphrase_file)
    kept = read_checkpoints(file) if file is not None else []
    with Bureau(place.address) as bureau, _auditor(bureau, keys, passphrase) as vault:
        found = verify_checkpoints(bureau, vault, kept)
    if as_json:
        click.echo(json.dumps({**found._asdict(), "signatures_checked": vault is not None, "kept": len(kept)}))
        return
    click.echo(f"{found.entries} entries, the last has digest {found.digest}")
    if vault is None:
        click.echo("no signature was checked: name the key store with --keys")
    else:
        click.echo(f"{found.checkpoints} checkpoints sign all entries to {found.signed}; {found.foreign} are of others")
    if not kept:
        click.echo("nobody can tell whether the end was cut off: hold it against --checkpoint FILE from another place")


@audit.command("list")
@of_job
@AS_JSON
def list_entries(place: Place, as_json: bool) -> None:
    """Show the entries, all or those of one job."""
    with _entries(place) as entries:
        for entry in entries:
            click.echo(_line(entry) if as_json else _shown(entry))


@audit.command()
@of_job
@click.option("--to", "file", required=True, type=_NEW_FILE, help="The file.")
def export(place: Place, file: Path) -> None:
    """Write the entries to a file, a line of JSON each."""
    from kaguan.durable import whole_file

    with _entries(place) as entries, whole_file(file, mode=0o600) as stream:
        stream.writelines(f"{_line(entry)}\n".encode() for entry in entries)


@audit.command()
@of_job
@click.option("--to", "file", type=_NEW_FILE, help="Add it to this file too.")
@KEYS
@PASSPHRASE_FILE
@OPERATOR
def checkpoint(
    place: Place, file: Path | None, keys: StoreAddress | None, passphrase_file: Path | None, by: str
) -> None:
    """Sign the trail as it is now; keep the file where nobody who works with the database can write."""
    from kaguan.personalization.care.checkpoints import make_checkpoint
    from kaguan.personalization.job.database import Bureau
    from kaguan.personalization.job.job import find_job

    passphrase = passphrase_of(keys, passphrase_file)
    with Bureau(place.address) as bureau:
        job = find_job(bureau, place.name) if keys is None else None
        with _vault_of(job, keys, passphrase) as vault:
            made = make_checkpoint(bureau, vault, by, file)
    click.echo(f"entry {made.entry} is signed: {made.digest}" if made else "the trail is empty")


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--for", "certificate", required=True, type=_FILE, help="The recipient's certificate (RSA), PEM.")
@click.option("--keep", is_flag=True, help="Keep the plain files.")
def seal(files: tuple[Path, ...], certificate: Path, keep: bool) -> None:
    """Seal files that leave the house: FILE.cms for the recipient alone takes the place of FILE."""
    from kaguan.personalization.care.envelope import Recipient, seal_file

    recipient = Recipient.of_file(certificate)
    for file in files:
        click.echo(seal_file(file, recipient, keep=keep))


@contextmanager
def _entries(place: Place) -> Iterator[Iterator[Entry]]:
    from kaguan.personalization.job.audit import entries
    from kaguan.personalization.job.database import Bureau
    from kaguan.personalization.job.job import find_job

    with Bureau(place.address) as bureau:
        yield entries(bureau, job=find_job(bureau, place.name).key if place.name else None)


@contextmanager
def _vault_of(job: Job | None, keys: StoreAddress | None, passphrase: Any) -> Iterator[OpenVault]:
    """The vault in the store that was named, or in the job's."""
    from kaguan.personalization.keys.tokenstore import store_of
    from kaguan.personalization.keystore import opened_store

    store = keys if keys is not None or job is None else store_of(job.terms.store)
    assert store is not None  # noqa: S101 - the doors see to that
    with opened_store(store, passphrase) as vault:
        yield vault


@contextmanager
def _auditor(bureau: Bureau, keys: StoreAddress | None, passphrase: Any) -> Iterator[OpenVault | None]:
    from kaguan.apdu.errors import KaguanError
    from kaguan.personalization.job.job import only_job
    from kaguan.personalization.keys.tokenstore import store_of
    from kaguan.personalization.keystore import open_store

    if keys is not None:
        with _vault_of(None, keys, passphrase) as named:
            yield named
        return
    job, own = only_job(bureau), None
    if job is not None:
        with suppress(KaguanError, OSError):
            own = open_store(store_of(job.terms.store))
    yield own


def _job_in(proof: Path) -> str:
    try:
        return str(json.loads(proof.read_bytes())["job"])
    except (ValueError, KeyError, TypeError):
        from kaguan.personalization.care.proof import ProofBroken

        raise ProofBroken(f"{proof} is no proof of a purge") from None


def _told(text: str, path: Path) -> str:
    proof = json.loads(text)
    return f"job {proof['job']}: {proof['rows']} records and {len(proof['files'])} files are destroyed; proof in {path}"


def _shown(entry: Entry) -> str:
    at = datetime.fromtimestamp(entry.at, UTC)
    details = " ".join(f"{name}={value}" for name, value in entry.details.items() if value not in ("", None))
    return f"{entry.id:6} {at:%Y-%m-%d %H:%M:%S} {entry.actor}: {entry.action} {details}".rstrip()


def _line(entry: Entry) -> str:
    return json.dumps({**entry._asdict(), "digest": entry.digest.hex()}, ensure_ascii=False)
