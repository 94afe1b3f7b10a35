"""The ways into use without a reader: what each asks for, and that nothing changes when it is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.evidence import DEVICE, FORM, PAPERS, STRANGE_DEVICE, centre, copies, employ, hospital, signed, verdicts
from cms.neighbours import neighbour_at
from cms.town import BANK, CERT_NO, REGION, copied, shown
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import (
    Activation,
    AuditEntry,
    Card,
    DocumentCopy,
    Holder,
    Institution,
    OldCardSeen,
    Operator,
    Verifier,
    VerifierVerdict,
)
from kaguan.cms.queries import holder_record
from kaguan.cms.rules.activation import ActivationWay, ApplicationForm, SealedCopy, Visit, medical_record
from kaguan.cms.rules.choices import Check
from kaguan.cms.rules.lifecycle import Application, BankFunction
from kaguan.cms.rules.refusals import DuplicateRequest, IllegalTransition, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.activation.centre import activate_at_centre
from kaguan.cms.services.activation.entry import owed_by
from kaguan.cms.services.activation.evidence import register_verifier
from kaguan.cms.services.activation.old_card import activate_by_old_card, show_old_card
from kaguan.cms.services.activation.visit import register_visit
from kaguan.cms.services.case import Actor
from kaguan.cms.services.issue import activate
from kaguan.cms.services.set_up import blacklist_institution, register_institution, set_region

CARD, OTHER = "990100001", "990100002"
OTHER_CERT_NO = "990101198811110028"
TERMINAL = "990100000201"
SEALED = copies()[0].sealed


@pytest.fixture
def delivered(town):
    """The card is with its holder, and not in use."""
    town.order(CARD)
    town.receive(CARD)
    town.hand_over(CARD)
    return town


def state():
    return Card.objects.values_list("application", "bank_function").get(pk=CARD)


def at_centre(actor, **change):
    asked = {"card_no": CARD, "document": shown(), "form": FORM, "copies": copies(), "verdicts": verdicts(CARD)}
    return activate_at_centre(actor, uuid4(), **{**asked, **change})


@pytest.mark.acceptance("S1-1")
@pytest.mark.acceptance("S1-2")
@pytest.mark.acceptance("S1-3")
@pytest.mark.acceptance("S1-4")
@pytest.mark.acceptance("S1-5")
@pytest.mark.acceptance("S1-6")
@pytest.mark.acceptance("S0-11")
@pytest.mark.acceptance("S0-12")
def test_a_service_centre_activates_with_form_copies_face_and_fingerprint(delivered):
    clerk = centre(delivered)
    assert holder_record(CERT_NO, {REGION})["medical_account"] == "suspended"
    done = at_centre(clerk)
    assert (done.phase, done.application, done.bank_function) == ("done", "1", BankFunction.INACTIVE)
    assert holder_record(CERT_NO, {REGION})["medical_account"] == "normal"
    kept = {copy.document: copy for copy in DocumentCopy.objects.all()}
    assert set(kept) == set(PAPERS)
    assert all(name.encode() not in bytes(copy.sealed) for name, copy in kept.items())
    assert sorted(VerifierVerdict.objects.values_list("check_kind", "score")) == [("face", 900), ("fingerprint", 900)]
    assert owed_by(CARD).way == ActivationWay.SERVICE_CENTRE


def measured(late):
    """Verdicts of so much ago."""
    return [signed(check, CARD, measured_at=datetime.now(UTC) + late) for check in Check]


def changed(measured_score, **change):
    """Verdicts that somebody has changed after they were signed."""
    return [replace(signed(check, CARD, measured_score), **change) for check in Check]


ANOTHER = ApplicationForm("别人", CERT_NO, "6229999900000001")
OTHER_BANK_CARD = replace(FORM, bank_card_no="6229999900000002")
OPEN_COPY = SealedCopy("bank card", copies()[0].digest, b"\xff\xd8\xff\xe0" + bytes(200))


@pytest.mark.acceptance("S1-8")
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"document": copied()}, "original identity document"),
        ({"document": shown(OTHER_CERT_NO)}, "not the holder's"),
        ({"form": ANOTHER}, "of another person"),
        ({"form": OTHER_BANK_CARD}, "another bank card"),
        *(({"copies": [c for c in copies() if c.document != name]}, f"the {name} has to be shown") for name in PAPERS),
        ({"copies": [*copies()[:3], OPEN_COPY]}, "copy of the bank card is not sealed"),
        ({"copies": [*copies()[:3], SealedCopy("bank card", "short", SEALED)]}, "not sealed"),
        ({"verdicts": []}, "the face has to be compared"),
        ({"verdicts": lambda: [signed(Check.FACE, CARD)]}, "the fingerprint has to be compared"),
        ({"verdicts": lambda: [signed(check, CARD, 799) for check in Check]}, "face did not pass: 799 of 800"),
        ({"verdicts": lambda: [signed(check, CARD, key=STRANGE_DEVICE) for check in Check]}, "is not signed by it"),
        ({"verdicts": lambda: changed(100, score=900)}, "is not signed by it"),
        ({"verdicts": lambda: changed(900, signature="zz")}, "is not signed by it"),
        ({"verdicts": lambda: [signed(check, OTHER) for check in Check]}, "about another card"),
        ({"verdicts": lambda: [signed(check, CARD, verifier="DEVICE-9") for check in Check]}, "no verifier 'DEVICE-9'"),
        *(
            ({"verdicts": partial(measured, late)}, "not fresh")
            for late in (timedelta(minutes=-11), timedelta(minutes=3))
        ),
    ],
)  # fmt: skip
def test_what_a_centre_lacks_leaves_account_and_card_as_they_were(delivered, change, complaint):
    clerk = centre(delivered)
    # Verdicts are made when they are needed, for they do not stay fresh.
    asked = {name: value() if callable(value) else value for name, value in change.items()}
    with pytest.raises(NotEligible, match=complaint):
        at_centre(clerk, **asked)
    assert state() == (Application.NOT_ENABLED, BankFunction.INACTIVE)
    assert not any(model.objects.exists() for model in (Activation, DocumentCopy, VerifierVerdict))
    assert AuditEntry.objects.latest("sequence").outcome == "NotEligible"


@pytest.mark.acceptance("S1-8")
def test_without_a_verifier_nobody_is_verified(delivered):
    clerk = centre(delivered, with_device=False)
    for change in ({}, {"verdicts": []}):
        with pytest.raises(NotEligible, match="no verifier for the face is set up"):
            at_centre(clerk, **change)
    other = neighbour_at(InstitutionKind.AUTHORITY)
    key = DEVICE.public_key().public_bytes_raw().hex()
    register_verifier(other, uuid4(), code="DEVICE-1", checks=list(Check), public_key=key, least_score=800)
    with pytest.raises(NotEligible, match="no verifier for the face"):
        at_centre(clerk)
    Verifier.objects.update(region="990100", active=False)
    with pytest.raises(NotEligible, match="no verifier for the face"):
        at_centre(clerk)


def test_a_verdict_serves_once(delivered):
    clerk, used = centre(delivered), verdicts(CARD)
    at_centre(clerk, verdicts=used)
    Card.objects.update(application=Application.NOT_ENABLED)
    with pytest.raises(NotEligible, match="was used before"):
        at_centre(clerk, verdicts=used)


def test_a_region_asks_for_less_or_has_no_such_way(delivered):
    clerk = centre(delivered, with_device=False)
    set_region(delivered.administrator, uuid4(), settings={"activation_checks": [], "medical_documents": []})
    set_region(delivered.administrator, uuid4(), settings={"activate_channels": ["bank outlet"]})
    with pytest.raises(NotEligible, match="cards are not activated like this"):
        at_centre(clerk, verdicts=[])
    set_region(delivered.administrator, uuid4(), settings={"activate_channels": ["service centre"]})
    assert at_centre(clerk, verdicts=[], copies=copies()[:1]).application == "1"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"checks": []}, "say which"),
        ({"public_key": "00"}, "32 bytes in hex"),
        ({"public_key": "x"}, "32 bytes in hex"),
        ({"least_score": 0}, "1 to 1000"),
        ({"least_score": 1001}, "1 to 1000"),
    ],
)
def test_a_verifier_out_of_form_is_not_registered(town, change, complaint):
    key = DEVICE.public_key().public_bytes_raw().hex()
    good = {"code": "D", "checks": [Check.FACE], "public_key": key, "least_score": 700}
    with pytest.raises(NotEligible, match=complaint):
        register_verifier(town.administrator, uuid4(), **{**good, **change})
    register_verifier(town.administrator, uuid4(), **good)
    with pytest.raises(DuplicateRequest):
        register_verifier(town.administrator, uuid4(), **good)


def test_a_bank_is_no_service_centre(delivered):
    centre(delivered)
    with pytest.raises(NotEligible, match="service centre or at the authority"):
        at_centre(delivered.teller)
    assert state()[0] == Application.NOT_ENABLED


@pytest.mark.acceptance("S4-31")
def test_any_outlet_of_the_cards_bank_activates_it_and_others_say_where_to_go(delivered):
    register_institution(
        delivered.administrator, uuid4(), code="ICBC-2", name="2", kind=InstitutionKind.OUTLET, bank_code=BANK
    )
    employ(delivered, "teller3", "ICBC-2", Role.OUTLET_TELLER)
    with pytest.raises(NotEligible, match=f"belongs to bank {BANK}: go to one of that bank's outlets"):
        activate(delivered.other_bank_teller, uuid4(), card_no=CARD, document=shown())
    done = activate(Actor("teller3", "ICBC-2"), uuid4(), card_no=CARD, document=shown())
    assert (done.application, done.bank_function) == (Application.NORMAL, BankFunction.ACTIVE)


@pytest.mark.acceptance("S2-4")
@pytest.mark.acceptance("S2-5")
@pytest.mark.acceptance("S2-8")
@pytest.mark.acceptance("S4-11")
@pytest.mark.acceptance("S4-14")
@pytest.mark.parametrize("visit", [Visit.OUTPATIENT, Visit.INPATIENT])
def test_the_first_registration_at_a_designated_hospital_activates_by_itself(delivered, visit):
    registrar = hospital(delivered)
    first = register_visit(registrar, uuid4(), card_no=CARD, visit=visit, registration_no="R1")
    assert (first.application, first.phase) == (Application.NORMAL, "done")
    assert first.activation_id == str(Activation.objects.get().pk)
    second = register_visit(registrar, uuid4(), card_no=CARD, visit=visit, registration_no="R2")
    assert (second.application, second.activation_id) == (Application.NORMAL, "")
    assert Activation.objects.count() == 1


def test_an_emergency_is_no_normal_registration(delivered):
    registrar = hospital(delivered)
    with pytest.raises(NotEligible, match="emergency"):
        register_visit(registrar, uuid4(), card_no=CARD, visit=Visit.EMERGENCY, registration_no="R1")
    with pytest.raises(NotEligible, match="registration number"):
        register_visit(registrar, uuid4(), card_no=CARD, visit=Visit.INPATIENT, registration_no=" ")
    assert state()[0] == Application.NOT_ENABLED
    register_visit(registrar, uuid4(), card_no=CARD, visit=Visit.OUTPATIENT, registration_no="R1")
    register_visit(registrar, uuid4(), card_no=CARD, visit=Visit.EMERGENCY, registration_no="R2")
    Card.objects.update(application=Application.FORMAL_LOSS)
    with pytest.raises(IllegalTransition, match="lost"):
        register_visit(registrar, uuid4(), card_no=CARD, visit=Visit.OUTPATIENT, registration_no="R3")


@pytest.mark.acceptance("S2-7")
def test_places_that_are_not_designated_activate_nothing(delivered):
    registrar = hospital(delivered)
    visit = {"card_no": CARD, "visit": Visit.OUTPATIENT, "registration_no": "R1"}
    new = {"card_no": CARD, "terminal_no": TERMINAL}
    old = {"old_card_no": "M1", "cert_type": "01", "cert_no": CERT_NO, "terminal_no": TERMINAL}
    with pytest.raises(NotEligible, match="at a designated hospital"):
        register_visit(delivered.pharmacist, uuid4(), **visit)
    show_old_card(registrar, uuid4(), **old)
    with pytest.raises(NotEligible, match="at a designated pharmacy"):
        activate_by_old_card(registrar, uuid4(), **new)
    show_old_card(delivered.pharmacist, uuid4(), **old)
    Institution.objects.filter(pk__in=["HOSPITAL-1", "PHARMACY-1"]).update(designated=False)
    for ask in (
        lambda: register_visit(registrar, uuid4(), **visit),
        lambda: activate_by_old_card(delivered.pharmacist, uuid4(), **new),
    ):
        with pytest.raises(NotEligible, match="is not designated"):
            ask()
    Institution.objects.filter(pk="HOSPITAL-1").update(designated=True)
    blacklist_institution(delivered.administrator, uuid4(), code="HOSPITAL-1", breach="x")
    with pytest.raises(NotEligible, match="blacklist"):
        register_visit(registrar, uuid4(), **visit)
    assert state()[0] == Application.NOT_ENABLED


def pharmacy(town, *steps, terminal=TERMINAL):
    """Old cards and new ones go into the reader, one after another."""
    for step, number in steps:
        if step == "old":
            show_old_card(
                town.pharmacist, uuid4(), old_card_no="M-1", cert_type="01", cert_no=number, terminal_no=terminal
            )
        else:
            activate_by_old_card(town.pharmacist, uuid4(), card_no=number, terminal_no=TERMINAL)


@pytest.mark.acceptance("S2-6")
def test_at_a_pharmacy_the_old_card_first_and_the_new_one_after_it_activate(delivered):
    pharmacy(delivered, ("old", CERT_NO), ("new", CARD))
    assert state()[0] == Application.NORMAL
    assert OldCardSeen.objects.get().used_at is not None


@pytest.mark.acceptance("S2-6")
def test_the_wrong_order_other_persons_and_other_readers_activate_nothing(delivered):
    delivered.order(OTHER, OTHER_CERT_NO, "别人")
    for steps, terminal in (
        ([("new", CARD)], TERMINAL),
        ([("old", OTHER_CERT_NO), ("new", CARD)], TERMINAL),
        ([("old", CERT_NO), ("old", OTHER_CERT_NO), ("new", CARD)], TERMINAL),
        ([("old", CERT_NO), ("new", CARD)], "990100000202"),
    ):
        OldCardSeen.objects.all().delete()
        with pytest.raises(NotEligible, match="old card has to be read here first"):
            pharmacy(delivered, *steps, terminal=terminal)
    OldCardSeen.objects.all().delete()
    pharmacy(delivered, ("old", CERT_NO))
    OldCardSeen.objects.update(at=timezone.now() - timedelta(minutes=11))
    with pytest.raises(NotEligible, match="first"):
        pharmacy(delivered, ("new", CARD))
    OldCardSeen.objects.update(at=timezone.now(), old_card_no=CARD)
    with pytest.raises(NotEligible, match="first"):
        pharmacy(delivered, ("new", CARD))
    assert state()[0] == Application.NOT_ENABLED


def test_an_old_card_is_its_holders_and_somebody_on_the_books(delivered):
    delivered.order(OTHER, OTHER_CERT_NO, "别人")
    told = {"cert_type": "01", "terminal_no": TERMINAL}
    with pytest.raises(NotEligible, match="another person's"):
        show_old_card(delivered.pharmacist, uuid4(), old_card_no=OTHER, cert_no=CERT_NO, **told)
    with pytest.raises(NotFound, match="no person"):
        show_old_card(delivered.pharmacist, uuid4(), old_card_no="M", cert_no="990101190001010000", **told)
    holder = Holder.objects.get(cert_no=CERT_NO)
    Operator.objects.filter(pk="pharmacist").update(holder=holder)
    with pytest.raises(NeedsSecondPerson):
        show_old_card(delivered.pharmacist, uuid4(), old_card_no="M", cert_no=CERT_NO, **told)


@pytest.mark.parametrize("way", ["centre", "hospital", "pharmacy", "bank"])
def test_no_way_activates_what_is_not_delivered_not_theirs_or_in_use(town, way):
    town.order(CARD)
    town.receive(CARD)
    clerk, registrar = centre(town), hospital(town)
    ask = {
        "centre": lambda: at_centre(clerk),
        "hospital": lambda: register_visit(
            registrar, uuid4(), card_no=CARD, visit=Visit.OUTPATIENT, registration_no="R"
        ),
        "pharmacy": lambda: pharmacy(town, ("old", CERT_NO), ("new", CARD)),
        "bank": lambda: activate(town.teller, uuid4(), card_no=CARD, document=shown()),
    }[way]
    with pytest.raises(NotEligible, match="not been handed over"):
        ask()
    town.hand_over(CARD)
    Card.objects.update(valid_until="2026-02-01")
    with pytest.raises(NotEligible, match="expired"):
        ask()
    Card.objects.update(valid_until="2036-01-05", application=Application.CANCELLED)
    with pytest.raises(IllegalTransition, match="cancelled"):
        ask()
    Card.objects.update(application=Application.NOT_ENABLED)
    Operator.objects.update(holder=Holder.objects.get())
    with pytest.raises(NeedsSecondPerson):
        ask()
    Operator.objects.update(holder=None)
    ask()
    assert state()[0] == Application.NORMAL


def test_who_may_not_activate_so_is_told(delivered):
    registrar = hospital(delivered)
    for ask in (
        lambda: register_visit(delivered.teller, uuid4(), card_no=CARD, visit=Visit.INPATIENT, registration_no="R"),
        lambda: at_centre(registrar),
        lambda: activate_by_old_card(delivered.hotline, uuid4(), card_no=CARD, terminal_no=TERMINAL),
    ):
        with pytest.raises(NotAllowed):
            ask()


def test_the_chips_record_keeps_what_else_it_says_and_finds_its_place():
    day = datetime(2026, 3, 1, tzinfo=UTC).date()
    pension, medical = "110,990101,20120701,,00450000", "310,990101,20190101,20191231,00000100"
    planned = medical_record([pension, medical, "", ""], "990100", day)
    assert (planned.slot, planned.before) == (2, medical)
    assert planned.after == "310,990100,20260301,20191231,00000100"
    assert medical_record([pension, "", "", ""], "990100", day).slot == 2
    with pytest.raises(NotEligible, match="taken"):
        medical_record([pension] * 4, "990100", day)
