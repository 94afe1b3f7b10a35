"""Two cities over the web: what one has on its books, and who asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from cms.certificates import issue, sign_with
from cms.crowd import citizen_number, enrolled
from cms.evidence import employ
from cms.neighbours import EVERY_ROLE
from cms.town import CERT_NO, TERMINAL, Town, shown
from cms.web import Caller, machine
from cms.wishes import SECOND, checked
from cms.wishes import enrol as known
from kaguan.cms.models import ChipCase, Guardian, Holder, Institution, MachineToken, Operator
from kaguan.cms.rules.activation import ChipRecord
from kaguan.cms.rules.chip_state import Facet
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import CancelReason
from kaguan.cms.rules.personal import Relation
from kaguan.cms.rules.rights import Level, Role
from kaguan.cms.services.access.sessions import open_session
from kaguan.cms.services.approvals.asking import ask_cancellation
from kaguan.cms.services.departures import register_departure
from kaguan.cms.services.issue import activate
from kaguan.cms.services.load import begin_load
from kaguan.cms.services.people.enrolment import enrol
from kaguan.cms.services.people.guardians import register_guardian
from kaguan.cms.services.temporary import issue_temporary_card

CARD = "990100001"
CHIP = ChipRecord(2, "310,990101", "310,990100")
PLAIN = {"facts": {"phone": "19900000000"}, "wanted": {"name": "测试人丙"}, "source": "10.0.0.7", "days": 30}
"""What every request may say, whomever it is about."""


def our_things(town: Town) -> Mapping[str, Any]:
    """Something of every kind is on our books; its names."""
    town.active_card(CARD)
    wished = known(SECOND)
    card_request_id = checked(town, SECOND)
    slip = "T990100001"
    issue_temporary_card(
        town.teller, uuid4(), temporary_card_no=slip, document=Document("01", SECOND.cert_no, original=True)
    )
    machine(town, "cashier")
    child = enrol(town.clerk, uuid4(), cert_type="01", cert_no=citizen_number(_birthday()), name="童", facts={})
    mother = Document("01", citizen_number(serial=4), original=True)
    register_guardian(
        town.clerk, uuid4(), holder_id=child.holder_id, relation=Relation.MOTHER, name="母", document=mother
    )
    asked = {"card_no": CARD, "code": CancelReason.DEATH, "reason": "told"}
    approval_id = UUID(ask_cancellation(town.clerk, uuid4(), **asked).approval_id)
    departed, departure_id = enrolled(town, serial=6), uuid4()
    gone = {"kind": DepartureKind.TRANSFERRED, "happened_on": timezone.localdate(), "evidence": "letter"}
    number = Holder.objects.get(pk=departed).cert_no
    register_departure(town.clerk, departure_id, cert_type="01", cert_no=number, **gone)
    return {
        "card_no": CARD,
        "card_nos": [CARD],
        "temporary_card_no": slip,
        "holder_id": child.holder_id,
        "guardian_id": Guardian.objects.get().pk,
        "merged": child.holder_id,
        "survivor": wished.pk,
        "cert_no": CERT_NO,
        "card_request_id": card_request_id,
        "approval_id": approval_id,
        "departure_id": departure_id,
        **half_done_things(town),
        "path code": "CLINIC-1",
        "path region": "990100",
        "token_id": MachineToken.objects.get().pk,
        "operator": "cashier",
        "taker": "teller2",
        "outlet": "ICBC-1",
        "bank_code": "95588",
        "password": CARD,
        "name": "测试人甲",
        "Holder-Session": "A" * 43,
        **PLAIN,
    }


def half_done_things(town: Town) -> Mapping[str, Any]:
    """A certificate, a case, and what is on its way: a load, and the activation of another person's card."""
    key_id, certificate_id = sign_with(town), issue(town)
    town.credit()
    load_id, activation_id = uuid4(), uuid4()
    begin_load(town.teller, load_id, card_no=CARD, amount_fen=7, purse_before_fen=0, online_sequence=0, **TERMINAL)
    owner = Holder.objects.get(pk=enrolled(town, serial=7))
    town.order("990100003", owner.cert_no, owner.name)
    town.receive("990100003", owner.cert_no, owner.name)
    town.hand_over("990100003", owner.cert_no)
    activate(town.teller, activation_id, card_no="990100003", document=shown(owner.cert_no), chip=CHIP)
    of_money = dict.fromkeys(("load_id", "purchase_id", "fee_id", "reconciliation_id", "transfer_id"), load_id)
    said = {"facet": Facet.PIN, "step": "read", "books": "set", "chip": "0 tries left"}
    case = ChipCase.objects.create(case_id=uuid4(), card_id=CARD, **said, at=timezone.now(), seen_at=timezone.now())
    return {
        "case_id": case.pk,
        "key_id": key_id,
        "certificate_id": certificate_id,
        "activation_id": activation_id,
        **of_money,
    }


def nobodys_things() -> Mapping[str, Any]:
    """The same names, of what is on no books."""
    return {
        "card_no": "990100777",
        "card_nos": ["990100777"],
        "temporary_card_no": "T990100777",
        "holder_id": 777_777,
        "guardian_id": 777_777,
        "merged": 777_777,
        "survivor": 777_778,
        "cert_no": "990101197712310077",
        "card_request_id": UUID(int=777),
        "approval_id": UUID(int=778),
        "departure_id": UUID(int=779),
        "certificate_id": UUID(int=781),
        "case_id": UUID(int=784),
        "key_id": "A" * 43,
        "load_id": UUID(int=782),
        "purchase_id": UUID(int=782),
        "activation_id": UUID(int=783),
        "fee_id": UUID(int=782),
        "reconciliation_id": UUID(int=782),
        "transfer_id": UUID(int=782),
        "path code": "NOWHERE",
        "path region": "990199",
        "token_id": UUID(int=780),
        "operator": "nonesuch",
        "taker": "nonesuch",
        "outlet": "NOWHERE",
        "bank_code": "95588",
        "password": "990100777",
        "name": "测试人甲",
        "Holder-Session": "B" * 43,
        **PLAIN,
    }


def everything_in(region: str, institution: str) -> Operator:
    """Somebody there who may do all that there is to do."""
    place = Institution.objects.get(pk=institution)
    assert place.region.code == region
    return Operator.objects.create(
        code=f"all-{institution}"[:20],
        name="all",
        institution=place,
        roles=EVERY_ROLE,
        level=Level.ADMINISTRATOR,
    )


def signed_in(operator: Operator, **headers: str) -> Caller:
    """The operator, over the web, by a session."""
    token = open_session(timezone.now(), "10.0.0.9", operator=operator)
    return Caller(token.reveal().decode(), **headers)


def portal_of(town: Town) -> Caller:
    """Our city's portal."""
    employ(town, "portal", "SSB", Role.PORTAL)
    return machine(town, "portal")


def _birthday():
    today = timezone.localdate()
    return today.replace(year=today.year - 6, day=1)
