"""Doors of what is printed: `kaguan perso mailers`, `void-mailer`, `count-mailers` and `pair`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

import click

from kaguan.personalization.keys.secretfile import read_secret
from kaguan.vault.secret import Secret

if TYPE_CHECKING:
    from kaguan.personalization.paper.numbering import MailerRegister

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
KEY = click.option("--key-file", required=True, type=_FILE, help="Key of the PIN path: 64 hex digits, yours alone.")
PAIRING_KEY = click.option("--pairing-key-file", required=True, type=_FILE, help="Key of the pairing codes, as above.")
SERIES = click.option("--series", required=True, help="Series of the mailer numbers: up to 8 capitals and digits.")
REGISTER = click.option("--register", required=True, type=click.Path(dir_okay=False, path_type=Path))
BY = click.option("--by", required=True, help="Who does it.")


@click.command()
@click.argument("pins", type=_FILE)
@click.option("--out", required=True, type=_FOLDER, help="Folder for the PDFs.")
@click.option("--sender", required=True, help="Printed as sender.")
@click.option("--sender-address", required=True, help="Printed under the sender.")
@click.option("--hotline", default="12333", show_default=True, help="Whom a holder calls.")
@click.option("--blind", is_flag=True, help="No pattern of ours: for peel-off film or carbon sets.")
@click.option("--reprint", default="", metavar="NUMBER", help="One mailer, under the number that void-mailer drew.")
@click.option("--only", default="", metavar="CODE", help="With --reprint: whose, by a pairing code of theirs.")
@KEY
@PAIRING_KEY
@SERIES
@REGISTER
@BY
def mailers(
    pins: Path, out: Path, sender: str, sender_address: str, hotline: str, blind: bool, reprint: str, only: str,
    key_file: Path, pairing_key_file: Path, series: str, register: Path, by: str,
) -> None:  # fmt: skip
    """Print the PIN mailers of a sealed PIN file; every number goes into the register.

    A mailer that was voided is printed again with --reprint and --only.
    """
    from kaguan.apdu.errors import RuleBroken
    from kaguan.personalization.paper.fonts import check_glyphs, find_fonts
    from kaguan.personalization.paper.mailer import Concealment, MailerForm, mailer_texts, write_mailers
    from kaguan.personalization.paper.numbering import MailerNumbers, MailerRegister
    from kaguan.personalization.paper.pairing import read_code
    from kaguan.personalization.paper.pinfile import PinRecord, read_pins

    if bool(reprint) != bool(only):
        raise click.UsageError("--reprint and --only go together: which number, and whose")
    key, pairing_key = key_of(key_file), key_of(pairing_key_file)
    link = read_code(pairing_key, only)[1] if only else ""

    def wanted(file: BinaryIO) -> Iterator[PinRecord]:
        return (record for record in read_pins(file, key) if link in ("", record.mailer_id))

    form = MailerForm(sender, sender_address, hotline, Concealment.BLIND if blind else Concealment.LAYER)
    with pins.open("rb") as file:
        count = sum(1 for _ in wanted(file))
    if only and not count:
        raise RuleBroken(f"{pins} has no PIN of whom {only} belongs to")
    with pins.open("rb") as file:
        lettering = check_glyphs(find_fonts(), mailer_texts(form, wanted(file)))
    numbers = MailerNumbers(key, series)
    if not count:
        click.echo("no mailers")
        return
    with MailerRegister(register, numbers) as book, pins.open("rb") as file:
        drawn = _drawn_before(book, reprint) if reprint else book.draw(count, by=by, at=datetime.now(UTC))
        now = datetime.now(UTC)
        records = wanted(file)
        for part in write_mailers(
            out, records, drawn, numbers, form, lettering, pairing_key=pairing_key, written_at=now
        ):
            book.printed(part.numbers, by=by, at=datetime.now(UTC))
            click.echo(f"{part.path}: {numbers.text(part.numbers[0])} to {numbers.text(part.numbers[-1])}")
        click.echo(f"register {book.head}")


@click.command("void-mailer")
@click.argument("number")
@click.option("--reason", required=True)
@click.option("--approved-by", required=True, help="Somebody else, who has the mailer before them.")
@click.option("--reprint", is_flag=True, help="Draw a new number for it.")
@KEY
@SERIES
@REGISTER
@BY
def void_mailer(
    number: str, reason: str, approved_by: str, reprint: bool, key_file: Path, series: str, register: Path, by: str
) -> None:
    """Void a mailer for ever, by two people."""
    with _register(register, key_file, series) as book:
        running = book.numbers.parse(number)
        at = datetime.now(UTC)
        new = book.void(running, reason=reason, by=by, approved_by=approved_by, at=at, reprint=reprint)
        click.echo(f"{number} is void" + (f"; its reprint is {book.numbers.text(new)}" if new else ""))
        click.echo(f"register {book.head}")


@click.command("count-mailers")
@click.argument("scanned", type=click.File(encoding="utf-8"))
@KEY
@SERIES
@REGISTER
def count_mailers_door(scanned: IO[str], key_file: Path, series: str, register: Path) -> None:
    """Hold the numbers on a pile of mailers, one a line, against the register."""
    from kaguan.apdu.errors import RuleBroken
    from kaguan.personalization.paper.numbering import count_mailers

    with _register(register, key_file, series) as book:
        count = count_mailers(book, (line.strip() for line in scanned if line.strip()))
        for what, found in count._asdict().items():
            for number in found:
                click.echo(f"{what}: {number if isinstance(number, str) else book.numbers.text(number)}")
        if not count.ok:
            raise RuleBroken("the pile is not what the register says")
        click.echo(f"{len(book.standing.valid)} mailers, all there")


@click.command("pair")
@click.argument("code")
@click.argument("other")
@PAIRING_KEY
def pair_door(code: str, other: str, pairing_key_file: Path) -> None:
    """Say whether two things belong into one envelope, by the codes that a camera read."""
    from kaguan.personalization.paper.pairing import pair

    pair(key_of(pairing_key_file), code, other)
    click.echo("they belong together")


def _drawn_before(book: MailerRegister, number: str) -> range:
    from kaguan.apdu.errors import RuleBroken

    running = book.numbers.parse(number)
    if running not in book.standing.open:
        raise RuleBroken(
            f"{number} was not drawn for a reprint, or is printed or void: 'void-mailer --reprint' draws one"
        )
    return range(running, running + 1)


def key_of(path: Path) -> Secret:
    """The 32-byte key that stands in the file as hex; the file must be its owner's alone."""
    from kaguan.apdu.errors import InputError

    try:
        key = bytes.fromhex(read_secret(path).reveal().decode("ascii"))
    except ValueError:
        raise InputError(f"{path} holds no key: 64 hex digits are one") from None
    if len(key) != 32:
        raise InputError(f"{path} holds {len(key)} bytes, a key has 32")
    return Secret(key)


@contextmanager
def _register(path: Path, key_file: Path, series: str) -> Iterator[MailerRegister]:
    from kaguan.personalization.paper.numbering import MailerNumbers, MailerRegister

    with MailerRegister(path, MailerNumbers(key_of(key_file), series)) as book:
        yield book
