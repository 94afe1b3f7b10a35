"""Certificates by the doors: over the web, at the command line, on paper; and they agree with the chip."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import zxingcpp
from click.testing import CliRunner
from PIL import Image

from card.cards import PROFILE
from cms.certificates import CARD, KEY, PEM, TRUSTED, issue, sign_with
from cms.counter import CARD as CHIP_CARD
from cms.counter import Counter
from cms.crowd import portrait
from cms.evidence import employ
from cms.town import CERT_NO, NAME, found_town, shown
from cms.web import Caller, machine
from cms.web import shown as shown_as_json
from kaguan.cms.certifying.sheet import printed
from kaguan.cms.certifying.token import key_id, opened
from kaguan.cms.certifying.trust import read_trusted
from kaguan.cms.cli import cms
from kaguan.cms.models import Holder
from kaguan.cms.rules.certificates import Purpose, mask_card_no
from kaguan.cms.rules.documents import mask_name, mask_number
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.certificates.issuing import issue_certificate, issued_extract, signed_text
from kaguan.cms.services.people.photos import take_photo
from kaguan.cms.services.set_up import set_region
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from personalization.paper.printed import code_at, lettering_for, page_count, picture_of, text_of

WHO = ("--operator", "teller", "--institution", "ICBC-1")


@pytest.mark.slow
@pytest.mark.acceptance("S4-4")
def test_the_certificate_says_what_the_chip_says(town):
    card = Counter(town).active(CHIP_CARD)
    sign_with(town)
    request_id = uuid4()
    issue_certificate(town.teller, request_id, card_no=CHIP_CARD, purpose=Purpose.PROOF, document=shown())
    said = opened(signed_text(request_id), TRUSTED)
    on_chip = converse(card, read_identity(PROFILE))
    assert (said.name, said.cert_no) == (mask_name(on_chip.name), mask_number(on_chip.id_no))
    assert said.card_no == mask_card_no(on_chip.card_no)


@pytest.mark.acceptance("S1-10")
def test_over_the_web_it_is_issued_once_checked_and_revoked(town):
    town.active_card(CARD)
    sign_with(town)
    teller, key = machine(town, "teller"), uuid4()
    wanted = {"card_no": CARD, "purpose": "show", "document": shown_as_json(CERT_NO)}
    issued = teller.post("/certificates", wanted, key=key)
    assert issued.status_code == 200
    assert issued.json() == teller.post("/certificates", wanted, key=key).json()
    text = issued.json()["text"]
    till = machine(town, "cashier")
    found = till.post("/certificates/check", {"text": text}).json()
    assert (found["finding"], found["name"]) == ("good", mask_name(NAME))
    trusted = Caller().get("/certificate-keys").json()
    assert [row["kid"] for row in trusted["keys"]] == [key_id(KEY.public_key())]
    gone = teller.post(f"/certificates/{key}/revocation", {"why": "wrong person at the counter"})
    assert gone.status_code == 200
    assert till.post("/certificates/check", {"text": text}).json()["finding"] == "revoked"
    [listed] = teller.get(f"/cards/{CARD}/certificates").json()
    assert (listed["certificate_id"], listed["finding"]) == (str(key), "revoked")
    assert till.post("/certificates", wanted).json()["code"] == "not_allowed"


def test_a_holder_gets_theirs_at_the_portal(town):
    town.active_card(CARD)
    sign_with(town)
    employ(town, "portal", "SSB", Role.PORTAL)
    set_region(town.administrator, uuid4(), settings={"online_password_change": "suggested"})
    portal = machine(town, "portal")
    entered = portal.post("/portal/sign-in", {"cert_no": CERT_NO, "password": CARD, "source": "10.0.0.7"}).json()
    held = {"Holder-Session": entered["token"]}
    issued = portal.post(f"/portal/cards/{CARD}/certificates", {"purpose": "show"}, **held)
    assert issued.status_code == 200
    strange = portal.post("/portal/cards/990100009/certificates", {"purpose": "show"}, **held)
    assert strange.status_code == 404
    number = issued.json()["ref"]["certificate_id"]
    assert portal.post(f"/portal/certificates/{number}/revocation", {"why": "x"}, **held).status_code == 200


@pytest.mark.slow
def test_the_page_says_what_the_code_proves(town, tmp_path):
    town.active_card(CARD)
    sign_with(town)
    certificate_id = issue(town)
    said, text = issued_extract(certificate_id), signed_text(certificate_id)
    lettering_for([(0, NAME)])  # skipped without fonts
    page = tmp_path / "certificate.pdf"
    page.write_bytes(printed(said, text, zone=UTC, written_at=datetime(2026, 2, 3, tzinfo=UTC)))
    assert page_count(page) == 1
    words = text_of(page)
    for value in (said.name, said.cert_no, said.card_no, str(certificate_id), "社会保障卡电子凭证"):
        assert value in words
    picture = picture_of(page, 1, tmp_path)
    assert code_at(picture, 60, 158, 90) == text


def run(*arguments: object):
    """The command's exit code, or what it was refused with, and what it said."""
    done = CliRunner().invoke(cms, [str(argument) for argument in arguments])
    return done.exit_code if done.exception is None or isinstance(
        done.exception, SystemExit
    ) else done.exception, done.output


@pytest.mark.slow
def test_at_the_command_line_from_key_to_revocation(own_store, tmp_path):
    town = found_town()
    town.active_card(CARD)
    take_photo(town.clerk, uuid4(), holder_id=Holder.objects.get().pk, image=portrait())
    (tmp_path / "photo.jpg").write_bytes(portrait())
    key, db = tmp_path / "region.key", ("--db", own_store)
    assert run("certificate", "key", "make", key)[0] == 0
    admin = ("--operator", "admin", "--institution", "SSB")
    assert run("certificate", "key", "add", key, *db, *admin)[0] == 0
    documents = ("--cert-no", CERT_NO, "--original")
    text, picture = tmp_path / "certificate.txt", tmp_path / "certificate.png"
    issue_it = ("certificate", "issue", CARD, "--for", "proof", *documents, *db, *WHO, "--out", text)
    code, told = run(*issue_it)
    assert code == 0, told
    number = UUID(next(line.split()[1] for line in told.splitlines() if line.startswith("certificate_id")))
    assert run("certificate", "show", number, *db, "--out", picture)[0] == 0
    with Image.open(picture) as image:
        [read] = zxingcpp.read_barcodes(image.convert("L"))
    assert read.text == text.read_text().strip()
    assert (text.stat().st_mode | picture.stat().st_mode) & 0o077 == 0
    assert "▀" in run("certificate", "show", number, *db)[1]
    trusted = tmp_path / "trusted.json"
    trusted.write_text(run("certificate", "key", "trusted", *db)[1])
    assert read_trusted([trusted]) == read_trusted([Path(f"{key}.pub")])
    for trust in (f"{key}.pub", trusted):
        for shown_one in (text, read.text):
            code, told = run("certificate", "verify", shown_one, "--key", trust, "--photo", tmp_path / "photo.jpg")
            assert (code, "the same" in told) == (0, True), told
    (tmp_path / "stranger.pem").write_bytes(PEM)
    assert "none of those" in str(run("certificate", "verify", text, "--key", tmp_path / "stranger.pem")[0])
    assert "another photo" in str(run("certificate", "verify", text, "--key", trusted, "--photo", text)[0])
    assert run("certificate", "check", text, *db, *WHO)[0] == 0
    assert run("certificate", "revoke", number, "--why", "sent by mistake", *db, *WHO)[0] == 0
    assert "revoked" in str(run("certificate", "check", text, *db, *WHO)[0])
