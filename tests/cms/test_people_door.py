"""`kaguan cms person`, `approval`, `access` and `activation`: the same use cases at the command line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import pkcs7_decrypt_der
from cryptography.x509.oid import NameOID

from cms.counter import CARD, PROFILE, Counter, vault
from cms.crowd import citizen_number, portrait
from cms.doors import kaguan
from cms.evidence import DEVICE, FORM, PAPERS, hospital, signed
from cms.town import CERT_NO, NAME
from kaguan.apdu.errors import InputError, NeedsSecondPerson
from kaguan.cms.models import Card, DocumentCopy, Guardian, Holder, HolderPhoto
from kaguan.cms.rules.choices import Check
from kaguan.cms.rules.refusals import NotAllowed, NotEligible
from kaguan.emulator.imagefile import save_image
from kaguan.vault.sealing import SealingCost
from kaguan.vault.secret import Secret

pytestmark = pytest.mark.slow

PEOPLE = {"cl": ("clerk", "SSB"), "su": ("supervisor", "SSB"), "te": ("teller", "ICBC-1"), "ad": ("admin", "SSB")}


@pytest.fixture
def door(own_store, lasting_town, monkeypatch):
    """Run `kaguan cms` as somebody; what it prints, or the error that the front door would show."""

    return lambda who, *words, typed="": kaguan(own_store, PEOPLE.get(who, who), *words, typed=typed)


def number_in(shown, name):
    return next(line.split()[1] for line in shown.splitlines() if line.startswith(name))


def enrolled(door, *facts, number=None):
    number = number or citizen_number()
    return number_in(door("cl", "person", "enrol", "--cert-no", number, "--name", "测试人丙", *facts), "holder_id")


def test_a_person_is_enrolled_edited_corrected_and_looked_at(door, tmp_path):
    person = enrolled(door, "phone=19900000000")
    door("te", "person", "edit", person, "address=幸福里1号楼")
    (tmp_path / "face.jpg").write_bytes(portrait())
    door("cl", "person", "photo", person, tmp_path / "face.jpg")
    assert HolderPhoto.objects.count() == 1
    asked = number_in(
        door("cl", "approval", "correct", person, "--name", "测试人丁", "--reason", "typed wrongly"), "approval_id"
    )
    assert asked in door("su", "approval", "list")
    with pytest.raises(NotAllowed):
        door("cl", "approval", "approve", asked)
    door("su", "approval", "approve", asked)
    masked = door("te", "person", "look", person)
    assert "测***" in masked
    assert "19900000000" not in masked
    assert "测试人丁" in door("cl", "person", "look", person, "--unmask", "letter 12")


def test_guardians_merges_rejections_and_purges(door):
    born = datetime.now(UTC).date() - timedelta(days=3000)
    child = enrolled(door, number=citizen_number(born, 1))
    mother = ["--relation", "mother", "--name", "母", "--cert-no", citizen_number(serial=4), "--original"]
    guardian = number_in(door("te", "person", "guardian", child, *mother), "guardian_id")
    door("te", "person", "end-guardian", child, guardian)
    assert Guardian.objects.get().ended_at is not None
    twin = enrolled(door, number=citizen_number(born, 3))
    for words, verb in (
        (["merge", child, twin], "approve"),
        (["purge", twin], "reject"),
        (["purge", twin], "approve"),
    ):
        asked = number_in(door("cl", "approval", *words, "--reason", "one child"), "approval_id")
        door("su", "approval", verb, asked, *(["--why", "not yet"] if verb == "reject" else []))
    assert set(Holder.objects.values_list("name", flat=True)) == {"purged"}


def test_passwords_codes_sessions_and_the_day(door):
    door("ad", "access", "give-password", "supervisor", typed="given-by-admin-1\n")
    door("su", "access", "change-password", "supervisor", typed="given-by-admin-1\nmy own words 22\n")
    secret = door("ad", "access", "second-factor", "supervisor").rsplit(maxsplit=1)[1]
    code = pyotp.TOTP(secret).now()
    signed_in = door("su", "access", "sign-in", "supervisor", "--second-factor", code, typed="my own words 22\n")
    assert "session  over" in door("su", "access", "sign-out", typed=number_in(signed_in, "token") + "\n")
    door("ad", "access", "unlock", "supervisor")
    door("ad", "access", "close-day", "ICBC-1")
    door("ad", "access", "reopen-day", "ICBC-1")
    with pytest.raises(NeedsSecondPerson):
        door("ad", "access", "give-password", "admin", typed="given-by-admin-1\n")
    with pytest.raises(InputError, match="1 lines were given, 2 are needed"):
        door("su", "access", "change-password", "supervisor", typed="one line\n")


def archive(folder):
    """The archive's key, and its certificate in a file."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "archive")]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    certificate = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    (folder / "archive.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return key, certificate


@pytest.fixture
def desk(lasting_town, tmp_path):
    """A card that is not in use in a file, and what a counter needs."""
    card, passphrase = Counter(lasting_town).handed_over(), b"a long passphrase"
    save_image(tmp_path / "my.card", card.image)
    cheap = SealingCost(2**4, 8, 1)
    (tmp_path / "keys").write_bytes(vault().sealed(Secret(passphrase), bytes, cost=cheap))
    (tmp_path / "passphrase").write_bytes(passphrase)
    return [
        "--card", tmp_path / "my.card", "--keys", tmp_path / "keys",
        "--passphrase-file", tmp_path / "passphrase", "--profile", PROFILE.name,
    ]  # fmt: skip


def test_a_centre_activates_and_the_archive_alone_reads_the_copies(door, lasting_town, desk, tmp_path):
    door("ad", "institution", "add", "C-1", "--name", "c", "--kind", "centre", "--parent", "SSB")
    door("ad", "operator", "add", "centre", "--name", "c", "--at", "C-1", "--role", "service centre clerk")
    public = DEVICE.public_key().public_bytes_raw().hex()
    both = ["--check", "face", "--check", "fingerprint", "--least-score", "800", "--public-key", public]
    door("ad", "activation", "verifier", "DEVICE-1", *both)
    key, certificate = archive(tmp_path)
    words = ["--archive", tmp_path / "archive.pem", "--name", NAME, "--bank-card-no", FORM.bank_card_no]
    for paper in PAPERS:
        (tmp_path / paper).write_bytes(paper.encode() * 3)
        words += ["--paper", f"{paper}={tmp_path / paper}"]
    shown = ["--cert-no", CERT_NO, "--original"]
    clerk = ("centre", "C-1")
    with pytest.raises(NotEligible, match="face has to be compared"):
        door(clerk, "activation", "centre", *words, *shown, *desk)
    for check in Check:
        told = asdict(signed(check, CARD))
        file = tmp_path / f"{check}.json"
        file.write_text(json.dumps({**told, "measured_at": told["measured_at"].isoformat(timespec="seconds")}))
        words += ["--verdict", file]
    assert "done" in door(clerk, "activation", "centre", *words, *shown, *desk)
    copy = DocumentCopy.objects.get(document="bank card")
    opened = pkcs7_decrypt_der(bytes(copy.sealed), certificate, key, [])
    assert opened == b"bank card" * 3
    assert copy.digest == hashlib.sha256(opened).hexdigest()
    (tmp_path / "face.json").write_text("{}")
    with pytest.raises(InputError, match=r"face\.json is no verdict"):
        door(clerk, "activation", "centre", *words, *shown, *desk)


def test_a_visit_activates_at_the_command_line(door, lasting_town, desk):
    registrar = hospital(lasting_town)
    who = (registrar.operator, registrar.institution)
    assert "NORMAL" not in door(who, "card", "show", CARD)
    assert "done" in door(who, "activation", "visit", "outpatient", "R1", *desk)
    assert Card.objects.get(pk=CARD).application == "1"


def test_an_old_card_leads_the_new_one_in_at_the_command_line(door, desk):
    who = ("pharmacist", "PHARMACY-1")
    old = ["--cert-no", CERT_NO, "--terminal-no", "000000000001"]
    door(who, "activation", "show-old", *desk)
    with pytest.raises(NotEligible, match="first"):
        door(who, "activation", "by-old", *desk)
    door(who, "activation", "old-medical", "M1", *old)
    assert "done" in door(who, "activation", "by-old", *desk)
