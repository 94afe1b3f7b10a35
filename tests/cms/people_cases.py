"""A request for every use case about people, activation, approval and access."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

from django.utils import timezone

from cms.crowd import citizen_number, enrolled, portrait
from cms.evidence import DEVICE, FORM, centre, copies, employ, hospital, verdicts
from cms.request_cases import CARD, ON_CARD, active, handed_over, in_state, nothing
from cms.town import CERT_NO, shown
from kaguan.cms.models import (
    ChipCase,
    Guardian,
    Holder,
)
from kaguan.cms.rules.activation import ChipRecord, Visit
from kaguan.cms.rules.chip_state import Facet, Remedy
from kaguan.cms.rules.choices import Check
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import Application, CancelReason
from kaguan.cms.rules.personal import Relation
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.access import day, machine_tokens, passwords, second_factor
from kaguan.cms.services.access.holders import sign_in_holder
from kaguan.cms.services.activation import centre as at_centre
from kaguan.cms.services.activation import entry, evidence, old_card, online, visit
from kaguan.cms.services.approvals import asking, deciding
from kaguan.cms.services.case import Actor
from kaguan.cms.services.certificates import checking
from kaguan.cms.services.issue import activate
from kaguan.cms.services.orders import Ending, NewCard
from kaguan.cms.services.people import enrolment, guardians, own_cards, photos, reading
from kaguan.cms.services.set_up import set_region
from kaguan.vault.secret import Secret

TERMINAL = "990100000201"
ASKED_CASE = UUID(int=7)
CHILD, ASKED = citizen_number(date(2020, 1, 1), 1), UUID(int=9)
MOTHER = Document("01", citizen_number(serial=4), original=True)
KEY = DEVICE.public_key().public_bytes_raw().hex()
CHIP = ChipRecord(2, "310,990101", "310,990100")
PASSWORD = Secret(b"given-by-admin-1")
PORTAL = Actor("portal", "SSB")
TOKEN: dict[str, Secret] = {}
ISSUED_TOKEN = UUID(int=10)
TOKEN_ASKED = {"operator": "teller", "purpose": "kiosk", "days": 30, "token": machine_tokens.new_token()}


def somebody(town, request_id):
    enrolled(town)


def me():
    """The person that was put on the books first."""
    return Holder.objects.order_by("pk").first().pk


def child(town, request_id):
    enrolment.enrol(town.clerk, uuid4(), cert_type="01", cert_no=CHILD, name="童", facts={})


def ward(town, request_id):
    child(town, request_id)
    asked = {"relation": Relation.MOTHER, "name": "母", "document": MOTHER}
    guardians.register_guardian(town.clerk, uuid4(), holder_id=me(), **asked)


def two(town, request_id):
    enrolled(town)
    enrolled(town, serial=4)


def correction_asked(town, request_id):
    enrolled(town)
    asking.ask_correction(town.clerk, ASKED, holder_id=me(), wanted={"name": "丙"}, reason="typed wrongly")


def begun(town, request_id):
    handed_over(town, request_id)
    activate(town.teller, request_id, card_no=CARD, document=shown(), chip=CHIP)


def owed(town, request_id):
    active(town, request_id)


def old_shown(town, request_id):
    handed_over(town, request_id)
    old_card.show_old_card(town.pharmacist, uuid4(), **OLD)


def signed_in(town, request_id):
    handed_over(town, request_id)
    sign_in(town)


def sign_in(town):
    """The card's holder is signed in at the portal."""
    employ(town, "portal", "SSB", Role.PORTAL)
    set_region(town.administrator, uuid4(), settings={"online_password_change": "suggested"})
    TOKEN["token"] = sign_in_holder(PORTAL, CERT_NO, Secret(CARD.encode()), source="here").token


def held():
    return TOKEN["token"]


def in_use_and_signed_in(town, request_id):
    signed_in(town, request_id)
    activate(town.teller, uuid4(), card_no=CARD, document=shown())


def with_password(town, request_id):
    passwords.give_password(town.administrator, uuid4(), code="teller", password=PASSWORD)


def with_token(town, request_id):
    machine_tokens.issue_token(town.administrator, ISSUED_TOKEN, **TOKEN_ASKED)


def closed(town, request_id):
    day.close_day(town.administrator, uuid4(), institution="ICBC-1")


def in_place(prepare, place):
    """Prepare, then leave somebody working there."""

    def both(town, request_id):
        prepare(town, request_id)
        place(town)

    return both


OLD = {"old_card_no": "M1", "cert_type": "01", "cert_no": CERT_NO, "terminal_no": TERMINAL}
FOR = {"reason": "asked for by letter"}


def case_open(town, request_id):
    active(town, request_id)
    said = {"facet": Facet.PIN, "step": "read", "books": "set", "chip": "0 tries left"}
    at = timezone.now()
    ChipCase.objects.create(case_id=ASKED_CASE, card_id=CARD, **said, at=at, seen_at=at)


SUCCESSOR = NewCard("990100002", "R1", date(2026, 3, 1), date(2036, 3, 1))
CASES = [
    (enrolment.enrol, "clerk", nothing, {"cert_type": "01", "cert_no": CHILD, "name": "童", "facts": {}}),
    (enrolment.edit_person, "clerk", somebody, {"holder_id": me, "facts": {"phone": "19900000000"}}),
    (photos.take_photo, "clerk", somebody, {"holder_id": me, "image": portrait()}),
    (guardians.register_guardian, "teller", child,
     {"holder_id": me, "relation": Relation.MOTHER, "name": "母", "document": MOTHER}),
    (guardians.end_guardianship, "teller", ward,
     {"holder_id": me, "guardian_id": lambda: Guardian.objects.get().pk}),
    (asking.ask_correction, "clerk", somebody, {"holder_id": me, "wanted": {"name": "丙"}, **FOR}),
    (asking.ask_merge, "clerk", two,
     {"merged": me, "survivor": lambda: Holder.objects.order_by("pk").last().pk, **FOR}),
    (asking.ask_purge, "clerk", somebody, {"holder_id": me, **FOR}),
    (asking.ask_release, "teller", in_state(Application.TEMPORARY_LOSS), {**ON_CARD, "document": shown(), **FOR}),
    (asking.ask_unlock, "clerk", in_state(Application.LOCKED), {**ON_CARD, **FOR}),
    (asking.ask_cancellation, "clerk", active, {**ON_CARD, "code": CancelReason.DEATH, **FOR}),
    (asking.ask_settlement, "clerk", case_open, {"case_id": ASKED_CASE, "remedy": Remedy.EXPLAINED, **FOR}),
    (asking.ask_new_card, "clerk", active,
     {**ON_CARD, "ending": Ending.EXCHANGE, "code": "02", "new": SUCCESSOR, **FOR}),
    (deciding.approve, "supervisor", correction_asked, {"approval_id": ASKED}),
    (deciding.reject, "supervisor", correction_asked, {"approval_id": ASKED, "why": "no"}),
    (entry.confirm_activation, "teller", begun, {}),
    (entry.cancel_activation, "teller", begun, {"why": "left"}),
    (entry.record_written, "teller", owed, {**ON_CARD, "chip": CHIP}),
    (at_centre.activate_at_centre, Actor("centre", "CENTRE-1"), in_place(handed_over, centre),
     {**ON_CARD, "document": shown(), "form": FORM, "copies": copies(), "verdicts": lambda: verdicts(CARD)}),
    (visit.register_visit, Actor("registrar", "HOSPITAL-1"), in_place(handed_over, hospital),
     {**ON_CARD, "visit": Visit.OUTPATIENT, "registration_no": "R1"}),
    (old_card.show_old_card, "pharmacist", handed_over, OLD),
    (old_card.activate_by_old_card, "pharmacist", old_shown, {**ON_CARD, "terminal_no": TERMINAL}),
    (online.activate_online, PORTAL, signed_in, {**ON_CARD, "token": held}),
    (own_cards.report_own_loss, PORTAL, in_use_and_signed_in, {**ON_CARD, "token": held}),
    (evidence.register_verifier, "administrator", nothing,
     {"code": "D", "checks": [Check.FACE], "public_key": KEY, "least_score": 700}),
    (passwords.give_password, "administrator", nothing, {"code": "teller", "password": PASSWORD}),
    (passwords.unlock_account, "administrator", with_password, {"code": "teller"}),
    (second_factor.enrol_second_factor, "administrator", with_password,
     {"code": "teller", "secret": Secret(bytes(20))}),
    (machine_tokens.issue_token, "administrator", nothing, TOKEN_ASKED),
    (machine_tokens.revoke_token, "administrator", with_token, {"token_id": ISSUED_TOKEN}),
    (day.close_day, "administrator", nothing, {"institution": "ICBC-1"}),
    (day.reopen_day, "administrator", closed, {"institution": "ICBC-1"}),
]  # fmt: skip
QUESTIONS = {
    reading.look_at_person,
    reading.unmask_person,
    deciding.open_approvals,
    online.own_record,
    machine_tokens.tokens_in_reach,
    checking.check_certificate,
    checking.look_at_certificates,
}
