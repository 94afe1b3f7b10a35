"""`kaguan cms certificate`: electronic certificates of cards, issued, shown, verified, revoked; and their keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.cms.asking.cli import Question, Request, asks, changes, existing_file, shows_document
from kaguan.cms.rules.certificates import Extract, Finding, Purpose, claims_of, judge_time
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.refusals import NotCertified

if TYPE_CHECKING:
    from uuid import UUID

_FORMS = (".txt", ".png", ".svg", ".pdf")
_OWNER_ONLY = 0o600
new_file = click.Path(dir_okay=False, path_type=Path)
takes_out = click.option("--out", type=new_file, help=f"File for it, by its ending: {', '.join(_FORMS)}.")


@click.group()
def certificate() -> None:
    """Electronic certificates: signed extracts of a card, as text, QR code or page."""


@certificate.command("issue")
@click.argument("card_no")
@click.option(
    "--for",
    "purpose",
    type=click.Choice([purpose.value for purpose in Purpose]),
    required=True,
    help="To be shown within minutes, or handed in as a proof.",
)
@takes_out
@shows_document
@changes
def certificate_issue(request: Request, card_no: str, purpose: str, out: Path | None, document: Document) -> None:
    """Issue an extract of card CARD_NO to its holder."""
    from kaguan.cms.services.certificates.issuing import issue_certificate

    _require_form(out)
    issued = issue_certificate(
        request.actor, request.request_id, card_no=card_no, purpose=Purpose(purpose), document=document
    )
    request.show(issued)
    _put_out(request.request_id, out)


@certificate.command("show")
@click.argument("certificate_id", type=click.UUID)
@takes_out
@asks
def certificate_show(question: Question, certificate_id: UUID, out: Path | None) -> None:
    """Show the text and the code of an issued certificate again."""
    _require_form(out)
    _put_out(certificate_id, out)


@certificate.command("verify")
@click.argument("shown", metavar="FILE|TEXT")
@click.option(
    "--key", "keys", type=existing_file, multiple=True, required=True, help="Trusted: a public key, or a set as JSON."
)
@click.option("--photo", type=existing_file, help="The holder's portrait, to be held against the certificate.")
def certificate_verify(shown: str, keys: tuple[Path, ...], photo: Path | None) -> None:
    """Verify a certificate by its signature and its time, without the books.

    Whether its card was lost since is known online alone: `kaguan cms certificate check`.
    """
    from kaguan.cms.certifying.token import opened
    from kaguan.cms.certifying.trust import read_trusted

    said = opened(_text(shown), read_trusted(keys))
    _say({**_record(said), "photo": _compared(said, photo)})
    finding = judge_time(said, datetime.now(UTC))
    if finding is not Finding.GOOD:
        raise NotCertified(f"the certificate is {finding.value}")


@certificate.command("check")
@click.argument("shown", metavar="FILE|TEXT")
@changes
def certificate_check(request: Request, shown: str) -> None:
    """Check a certificate with the books: its signature, its time, and how its card stands now."""
    from kaguan.cms.services.certificates.checking import check_certificate

    found = check_certificate(request.actor, request.request_id, text=_text(shown))
    request.show(found)
    if found.finding is not Finding.GOOD:
        raise NotCertified(f"the certificate is {found.finding.value}")


@certificate.command("revoke")
@click.argument("certificate_id", type=click.UUID)
@click.option("--why", required=True)
@changes
def certificate_revoke(request: Request, certificate_id: UUID, why: str) -> None:
    """Leave a certificate good for nothing."""
    from kaguan.cms.services.certificates.issuing import revoke_certificate

    request.show(revoke_certificate(request.actor, request.request_id, certificate_id=certificate_id, why=why))


@certificate.group("key")
def key() -> None:
    """The keys that sign a region's certificates."""


@key.command("make")
@click.argument("key_file", type=new_file)
def key_make(key_file: Path) -> None:
    """Make a key in KEY_FILE, and its public key in KEY_FILE.pub for those who verify."""
    from kaguan.cms.certifying.token import key_id
    from kaguan.cms.signing import make_key, read_public_key

    public = make_key(key_file)
    _say({"key_id": key_id(read_public_key(public)), "public_key": str(public)})


@key.command("add")
@click.argument("key_file", type=existing_file)
@changes
def key_add(request: Request, key_file: Path) -> None:
    """Let the key in KEY_FILE sign from now on; the one before stays trusted. Then keep the file offline."""
    from kaguan.cms.services.certificates.keys import add_key
    from kaguan.cms.signing import read_key
    from kaguan.vault.secret import Secret

    raw = Secret(read_key(key_file).private_bytes_raw())
    request.show(add_key(request.actor, request.request_id, key=raw))


@key.command("withdraw")
@click.argument("key_id")
@click.option("--why", required=True)
@changes
def key_withdraw(request: Request, key_id: str, why: str) -> None:
    """Trust nothing any more that key KEY_ID has signed."""
    from kaguan.cms.services.certificates.keys import withdraw_key

    request.show(withdraw_key(request.actor, request.request_id, key_id=key_id, why=why))


@key.command("trusted")
@asks
def key_trusted(question: Question) -> None:
    """Print the keys that are trusted, as a JWK set for verifiers."""
    from kaguan.cms.services.certificates.keys import trusted_keys

    click.echo(json.dumps({"keys": trusted_keys()}, indent=2))


def _require_form(out: Path | None) -> None:
    if out is not None and out.suffix not in _FORMS:
        raise InputError(f"{out} ends in none of {', '.join(_FORMS)}: these are written")


def _put_out(certificate_id: UUID, out: Path | None) -> None:
    from kaguan.cms.certifying.qr import Drawing, drawn, for_terminal
    from kaguan.cms.services.certificates.issuing import signed_text
    from kaguan.durable import write_whole

    text = signed_text(certificate_id)
    if out is None:
        click.echo(for_terminal(text))
        click.echo(text)
        return
    if out.suffix == ".pdf":
        content = _page(text, certificate_id)
    else:
        content = f"{text}\n".encode() if out.suffix == ".txt" else drawn(text, Drawing(out.suffix[1:]))
    write_whole(out, content, mode=_OWNER_ONLY)


def _page(text: str, certificate_id: UUID) -> bytes:
    from kaguan.cms.services.certificates.issuing import issued_extract

    try:
        from kaguan.cms.certifying.sheet import printed
    except ImportError:
        raise RuleBroken("a page needs the packages that print: pip install 'kaguan[paper]'") from None
    from django.utils import timezone

    shown = issued_extract(certificate_id)
    return printed(shown, text, zone=timezone.get_current_timezone(), written_at=shown.issued_at)


def _text(shown: str) -> str:
    """Return the text, or what the file of that name holds."""
    file = Path(shown)
    if "." in shown and len(shown) < 256 and file.is_file():
        return file.read_text(encoding="ascii", errors="replace")
    return shown


def _record(said: Extract) -> dict[str, object]:
    return {**claims_of(said), "iat": said.issued_at.isoformat(), "exp": said.expires_at.isoformat()}


def _compared(said: Extract, photo: Path | None) -> str:
    if photo is None or not said.photo:
        return said.photo or "none"
    from kaguan.cms.rules.certificates import photo_hash

    if photo_hash(said.certificate_id, photo.read_bytes()) != said.photo:
        raise NotCertified("the certificate was issued with another photo")
    return "the same"


def _say(record: dict[str, object]) -> None:
    Question(as_json=False).show(record)
