"""Use cases over the web: people, requests, two pairs of eyes, the portal; and how the API is served."""

from __future__ import annotations

import http.client
import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import uuid4

import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.x509.oid import NameOID
from django.test import override_settings

from cms.crowd import citizen_number
from cms.evidence import employ
from cms.neighbours import neighbour_at
from cms.town import BANK, CERT_NO, NAME, OTHER_BANK
from cms.web import OWN, Caller, have_password, machine, served, shown
from kaguan.apdu.errors import InputError
from kaguan.cms.models import AuditEntry, Card, Holder, Operator
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.access.second_factor import enrol_second_factor
from kaguan.cms.services.set_up import set_region
from kaguan.cms.serving.server import Place, check_place
from kaguan.vault.secret import Secret

CARD, OTHER = "990100001", "990100002"
OTHER_NUMBER, OTHER_NAME = citizen_number(serial=8), "测试人丁"
EVERYWHERE = "0." * 3 + "0"
SEED = Secret(bytes(range(20)))


@pytest.mark.acceptance("S2-1")
@pytest.mark.acceptance("S2-2")
@pytest.mark.acceptance("S2-3")
def test_a_card_reaches_its_holder_and_comes_into_use_at_its_own_bank(town):
    town.order(CARD)
    town.receive(CARD)
    teller = machine(town, "teller")
    delivery = {"document": shown(CERT_NO), "verdict": "same person"}
    assert teller.post(f"/cards/{CARD}/hand-over", delivery).json()["production"] == Card.objects.get().production
    elsewhere = machine(town, "abc").post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "not_eligible")
    copied = teller.post(f"/cards/{CARD}/activation", {"document": {**shown(CERT_NO), "original": False}})
    assert copied.status_code == 409
    done = teller.post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)})
    assert done.json()["application"] == "1"


def test_a_person_is_enrolled_masked_edited_and_unmasked_for_a_reason(town):
    clerk, teller = machine(town, "clerk"), machine(town, "teller")
    body = {"cert_no": OTHER_NUMBER, "name": OTHER_NAME, "facts": {"phone": "19900000000"}}
    number = clerk.post("/people", body).json()["holder_id"]
    again = clerk.post("/people", body)
    assert (again.status_code, again.json()["code"]) == (409, "duplicate_request")
    looked = clerk.get(f"/people/{number}")
    for personal in (OTHER_NUMBER, OTHER_NAME, "19900000000"):
        assert personal not in looked.content.decode()
    seen = looked["ETag"]
    facts = {"facts": {"phone": "19900000001"}}
    assert clerk.post(f"/people/{number}/facts", facts, seen=seen).json()["changed"] == 1
    late = clerk.post(f"/people/{number}/facts", {"facts": {"phone": "19900000002"}}, seen=seen)
    assert late.status_code == 412
    reason = {"reason": "asked at the counter"}
    assert teller.post(f"/people/{number}/unmasking", reason).json()["code"] == "not_allowed"
    shown_all = clerk.post(f"/people/{number}/unmasking", reason).json()
    assert (shown_all["name"], shown_all["facts"]["phone"]) == (OTHER_NAME, "19900000001")
    assert AuditEntry.objects.get(action="unmask person", outcome="done").detail["reason"] == reason["reason"]
    there = neighbour_at(InstitutionKind.AUTHORITY)
    Operator.objects.filter(pk="clerk").update(institution=there.institution)
    assert clerk.get(f"/people/{number}").status_code == 404
    assert clerk.post(f"/people/{number}/unmasking", reason).status_code == 404


def test_who_may_not_have_a_card_hears_the_number_of_the_answer(town):
    teller = machine(town, "teller")
    person = {"cert_no": OTHER_NUMBER, "name": OTHER_NAME}
    asked = teller.post("/requests/eligibility", {"applicant": person, "kind": "01"})
    assert asked.json()["code"] == "1"
    wanted = {
        "applicant": person,
        "kind": "01",
        "bank_code": BANK,
        "way": "bank",
        "document": shown(OTHER_NUMBER),
        "verdict": "same person",
    }
    refused = teller.post("/requests", wanted)
    assert (refused.status_code, refused.json()["reason_code"]) == (409, "1")
    teller.post("/people", {**person, "facts": {}})
    key = uuid4()
    applied = teller.post("/requests", wanted, key=key)
    assert applied.json()["card_request_id"] == str(key)
    assert teller.post("/requests", wanted, key=key).json() == applied.json()
    assert teller.post(f"/requests/{key}/withdrawal").status_code == 200


def test_two_people_end_a_card_and_the_second_signs_in_with_a_second_factor(town):
    town.active_card(CARD)
    clerk = machine(town, "clerk")
    asked = clerk.post("/approvals/cancellations", {"card_no": CARD, "code": "6", "reason": "holder asks"})
    assert asked.status_code == 200
    alone = clerk.post(f"/approvals/{asked.json()['approval_id']}/approval")
    assert (alone.status_code, alone.json()["code"]) == (403, "not_allowed")
    have_password(town, "supervisor")
    without = Caller().post("/sign-in", {"operator": "supervisor", "password": OWN})
    assert without.status_code == 401
    enrol_second_factor(town.administrator, uuid4(), code="supervisor", secret=SEED)
    code = pyotp.TOTP("AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT").now()
    entered = Caller().post("/sign-in", {"operator": "supervisor", "password": OWN, "second_factor": code})
    supervisor = Caller(entered.json()["token"])
    [waiting] = supervisor.get("/approvals").json()
    assert waiting["approval_id"] == asked.json()["approval_id"]
    assert supervisor.post(f"/approvals/{waiting['approval_id']}/approval").json()["approved"]
    assert Card.objects.get().application == "9"
    again = supervisor.post(f"/approvals/{waiting['approval_id']}/approval")
    assert (again.status_code, again.json()["code"]) == (409, "already_resolved")


def test_one_key_asks_for_one_step(town):
    town.active_card(CARD)
    clerk, key = machine(town, "clerk"), uuid4()
    assert (
        clerk.post("/approvals/cancellations", {"card_no": CARD, "code": "6", "reason": "x"}, key=key).status_code
        == 200
    )
    other = clerk.post("/approvals/purges", {"holder_id": Holder.objects.get().pk, "reason": "x"}, key=key)
    assert other.status_code == 409


@pytest.fixture
def portal(town):
    """The authority's portal, a program."""
    employ(town, "portal", "SSB", Role.PORTAL)
    set_region(town.administrator, uuid4(), settings={"online_password_change": "suggested"})
    for number, cert_no, name in ((CARD, CERT_NO, NAME), (OTHER, OTHER_NUMBER, OTHER_NAME)):
        town.order(number, cert_no, name)
        town.receive(number, cert_no, name)
        town.hand_over(number, cert_no)
    return machine(town, "portal")


@pytest.mark.acceptance("S4-27")
@pytest.mark.acceptance("S4-28")
def test_a_holder_sees_and_activates_nobodys_card_but_their_own(town, portal):
    body = {"cert_no": CERT_NO, "password": CARD, "source": "10.0.0.7"}
    entered = portal.post("/portal/sign-in", body).json()
    held = {"Holder-Session": entered["token"]}
    own = portal.get("/portal/self", **held).json()
    assert (own["person"]["name"], list(own["cards"])) == (NAME, [CARD])
    assert portal.post(f"/portal/cards/{OTHER}/activation", **held).status_code == 404
    assert portal.post(f"/portal/cards/{CARD}/activation", **held).json()["application"] == "1"
    for path in (f"/cards/{CARD}", f"/people/{own['person']['holder_id']}", "/cards"):
        assert portal.get(path).status_code == 403
    for stranger in (Caller(entered["token"]), Caller()):
        assert stranger.get("/portal/self", **held).status_code == 401
    assert machine(town, "teller").get("/portal/self", **held).status_code == 403
    assert portal.get("/portal/self", **{"Holder-Session": "forged"}).status_code == 403
    assert portal.post("/portal/password", {"password": "my own words 22"}, **held).status_code == 204
    assert portal.post("/portal/sign-out", **held).status_code == 204
    assert portal.get("/portal/self", **held).status_code == 403
    wrong = portal.post("/portal/sign-in", {**body, "password": OTHER})
    unknown = portal.post("/portal/sign-in", {**body, "cert_no": "990101199003070999"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_a_holder_of_a_bank_elsewhere_is_no_bank_of_ours(town):
    assert OTHER_BANK != BANK
    teller = machine(town, "abc")
    town.active_card(CARD)
    lost = teller.post(f"/cards/{CARD}/bank-loss")
    assert (lost.status_code, lost.json()["code"]) == (409, "not_eligible")


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        (Place("127.0.0.1", 1, certificate=None, key=None), None),
        (Place("::1", 1), None),
        (Place(EVERYWHERE, 1, trusted_proxy="10.0.0.1"), None),
        (Place(EVERYWHERE, 1), "in the clear"),
        (Place("kaguan.example", 1), "in the clear"),
    ],
)
def test_what_is_open_to_others_is_safe_for_others(monkeypatch, place, complaint):
    monkeypatch.setenv("KAGUAN_SECRET_KEY", "one that lasts")
    if complaint is None:
        check_place(place)
        with override_settings(DEBUG=True):
            if place.trusted_proxy:
                with pytest.raises(InputError, match="debugging"):
                    check_place(place)
        return
    with pytest.raises(InputError, match=complaint):
        check_place(place)
    monkeypatch.delenv("KAGUAN_SECRET_KEY")
    with pytest.raises(InputError, match="KAGUAN_SECRET_KEY"):
        check_place(place)


@pytest.fixture
def certificate(tmp_path):
    """A certificate of this machine, and its key."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


@pytest.mark.slow
def test_it_serves_over_tls_and_takes_no_endless_body(lasting_town, own_store, certificate):
    lasting_town.active_card(CARD)
    token = machine(lasting_town, "teller").headers["Authorization"]
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    with served(own_store, "--certificate", str(certificate[0]), "--key", str(certificate[1])) as address:
        place = urlsplit(address)

        def ask(method, path, body=None, **headers):
            line = http.client.HTTPSConnection(place.hostname, place.port, context=trusted, timeout=20)
            try:
                line.request(method, f"/api/v1{path}", body=body, headers=headers)
                answer = line.getresponse()
                return answer.status, dict(answer.headers), answer.read()
            finally:
                line.close()

        status, headers, body = ask("GET", f"/cards/{CARD}", Authorization=token)
        assert (status, json.loads(body)["card_no"]) == (200, CARD)
        assert "Strict-Transport-Security" in headers
        assert ask("GET", "/me", Host="evil.example", Authorization=token)[0] == 400
        # it answers before the body comes, and waits for none of it
        assert ask("POST", "/sign-in", **{"Content-Length": "1100000"})[0] == 413
