"""`kaguan cms activation`: the ways into use besides an outlet of the card's bank, with the card in a reader."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.asking.cli import CERT_TYPE, Request, changes, existing_file, resumes, shows_document
from kaguan.cms.counter.cli import AtCounter, at_counter, takes_card
from kaguan.cms.rules.activation import ApplicationForm, SealedCopy, SignedVerdict, Visit
from kaguan.cms.rules.choices import Check
from kaguan.cms.rules.documents import Document


def copy_typed(text: str) -> tuple[str, Path]:
    """Return what is copied and the file with the copy; it was typed as in "identity card=scan.jpg"."""
    document, _, file = text.partition("=")
    if not document or not Path(file).is_file():
        raise click.BadParameter(f"'{file}' is no file: name document and file, as in 'identity card=scan.jpg'")
    return document, Path(file)


def _verdict(file: Path) -> SignedVerdict:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        told["check"] = Check(told["check"])
        told["measured_at"] = datetime.fromisoformat(told["measured_at"])
        if told["measured_at"].tzinfo is None:
            raise ValueError("measured_at has no time zone")
        return SignedVerdict(**told)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file.name} is no verdict of a verifier: {error}") from None


@click.group()
def activation() -> None:
    """Cards into use: at a service centre, a hospital, a pharmacy."""


@activation.command("verifier")
@click.argument("code")
@click.option("--check", "checks", type=click.Choice([check.value for check in Check]), multiple=True, required=True)
@click.option("--public-key", required=True, help="The device's Ed25519 key, 64 hex digits.")
@click.option("--least-score", type=int, required=True, help="Thousandths from which a verdict passes.")
@changes
def activation_verifier(
    request: Request, code: str, checks: tuple[str, ...], public_key: str, least_score: int
) -> None:
    """Believe the signed verdicts of the device CODE."""
    from kaguan.cms.services.activation.evidence import register_verifier

    asked = {"code": code, "public_key": public_key}
    kinds = [Check(check) for check in checks]
    request.show(register_verifier(request.actor, request.request_id, checks=kinds, least_score=least_score, **asked))


@activation.command("centre")
@click.option("--name", prompt="Name on the form", help="Prompted for if not given.")
@click.option("--bank-card-no", prompt="Bank card number on the form", help="Prompted for if not given.")
@click.option("--paper", "copies", type=copy_typed, multiple=True, help="As in 'identity card=scan.jpg'.")
@click.option("--archive", type=existing_file, required=True, help="Certificate that the copies are sealed for.")
@click.option("--verdict", "verdicts", type=existing_file, multiple=True, help="A verifier's signed verdict, JSON.")
@shows_document
@at_counter
def activation_centre(
    at: AtCounter,
    name: str,
    bank_card_no: str,
    copies: tuple[tuple[str, Path], ...],
    archive: Path,
    verdicts: tuple[Path, ...],
    document: Document,
) -> None:
    """Activate the card in the reader with form, copies, face and fingerprint."""
    from kaguan.personalization.care.envelope import Recipient

    recipient = Recipient.of_file(archive)
    sealed = [_sealed(paper, file.read_bytes(), recipient.seal(file.read_bytes())) for paper, file in copies]
    form = ApplicationForm(name, document.cert_no, bank_card_no)
    found = [_verdict(file) for file in verdicts]
    at.begins("activation")
    request_id = at.request.request_id
    at.request.show(at.outlet.activate_at_centre(at.link, request_id, document, form, sealed, found))


def _sealed(document: str, copy: bytes, sealed: bytes) -> SealedCopy:
    return SealedCopy(document, hashlib.sha256(copy).hexdigest(), sealed)


@activation.command("visit")
@click.argument("visit", type=click.Choice([visit.value for visit in Visit]))
@click.argument("registration_no")
@at_counter
def activation_visit(at: AtCounter, visit: str, registration_no: str) -> None:
    """Register a visit with the card in the reader; the first normal one activates it."""
    at.begins("visit")
    at.request.show(at.outlet.register_visit(at.link, at.request.request_id, Visit(visit), registration_no))


@activation.command("show-old")
@at_counter
def activation_show_old(at: AtCounter) -> None:
    """Read the old card; the same person's new one may follow."""
    at.request.show(at.outlet.show_old_card(at.link, at.request.request_id))


@activation.command("old-medical")
@click.argument("old_card_no")
@CERT_TYPE
@click.option("--cert-no", prompt="Number of the person that the card names", help="Prompted for if not given.")
@click.option("--terminal-no", required=True, help="Number of the terminal that read it.")
@changes
def activation_old_medical(request: Request, old_card_no: str, cert_type: str, cert_no: str, terminal_no: str) -> None:
    """Tell that a medical card OLD_CARD_NO, which no books know, was read at a terminal."""
    from kaguan.cms.services.activation.old_card import show_old_card

    asked = {"cert_type": cert_type, "cert_no": cert_no, "terminal_no": terminal_no}
    request.show(show_old_card(request.actor, request.request_id, old_card_no=old_card_no, **asked))


@activation.command("by-old")
@at_counter
def activation_by_old(at: AtCounter) -> None:
    """Activate the new card in the reader, which follows its holder's old one."""
    at.begins("activation")
    at.request.show(at.outlet.activate_by_old_card(at.link, at.request.request_id))


@activation.command("recover")
@resumes
@takes_card
def activation_recover(at: AtCounter) -> None:
    """Find out what became of activation REQUEST_ID whose answer was lost, and book it."""
    at.request.show(at.outlet.recover_activation(at.link, at.request.request_id))


@activation.command("owed")
@at_counter
def activation_owed(at: AtCounter) -> None:
    """Write the record that an activation without a reader owes the card in the reader."""
    at.request.show(at.outlet.write_owed_record(at.link, at.request.request_id))
