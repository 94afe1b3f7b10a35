"""People of the town who wish for a card, and what they bring."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from cms.town import BANK, CERT_NO, EXPIRES, ISSUED, NAME, Town, shown
from kaguan.cms.models import Holder, Region
from kaguan.cms.rules.applying import Agent, AgentRelation, ApplicationWay, Presence, RequestKind
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.personal import Relation
from kaguan.cms.services.people.guardians import register_guardian
from kaguan.cms.services.production import RequestRow, order_requests
from kaguan.cms.services.requests import Applicant, Wish, apply, check_request

SECOND_CERT_NO, SECOND_NAME = "990101198811110028", "测试人乙"
ADULT = Applicant("01", CERT_NO, NAME)
SECOND = Applicant("01", SECOND_CERT_NO, SECOND_NAME)
CHILD_NAME = "测试童"
FATHER = Agent("测试人丁", Document("01", "99010119700101001X", original=True), AgentRelation.FATHER_OF_SON)
NEW = Wish(RequestKind.NEW, BANK)


def enrol(applicant: Applicant = ADULT, region: str = "990100") -> Holder:
    """Leave the person on the books."""
    return Holder.objects.create(
        cert_type=applicant.cert_type,
        cert_no=applicant.cert_no,
        name=applicant.name,
        region=Region.objects.get(pk=region),
    )


def under_guard(town: Town, ward: Holder) -> int:
    """Leave the father registered as the person's guardian; return the guardian's number."""
    father = {"relation": Relation.FATHER, "name": FATHER.name, "document": FATHER.document}
    return register_guardian(town.clerk, uuid4(), holder_id=ward.pk, **father).guardian_id


def a_child() -> Applicant:
    """Somebody who was born five years ago."""
    born = timezone.localdate() - timedelta(days=5 * 366)
    return Applicant("01", f"990101{born:%Y%m%d}0013", CHILD_NAME)


def in_person(applicant: Applicant = ADULT, **changes) -> Presence:
    """The person at the counter with the identity card."""
    present = Presence(ApplicationWay.PERSON, document=shown(applicant.cert_no), verdict=Verdict.SAME_PERSON)
    return replace(present, **changes)


def applied(town: Town, applicant: Applicant = ADULT, wish: Wish = NEW, presence: Presence | None = None) -> UUID:
    """Leave a request at the outlet; return its id."""
    request_id = uuid4()
    apply(town.teller, request_id, applicant=applicant, wish=wish, presence=presence or in_person(applicant))
    return request_id


def checked(town: Town, applicant: Applicant = ADULT, wish: Wish = NEW) -> UUID:
    """Leave a request that may be ordered."""
    request_id = applied(town, applicant, wish)
    check_request(town.supervisor, uuid4(), card_request_id=request_id)
    return request_id


def ordered(town: Town, card_no: str, applicant: Applicant = ADULT, wish: Wish = NEW) -> UUID:
    """Leave a card ordered from a request; return the request's id."""
    request_id = checked(town, applicant, wish)
    order_requests(town.clerk, uuid4(), order_no=f"R{card_no}", rows=[row(request_id, card_no)])
    return request_id


def row(request_id: UUID, card_no: str) -> RequestRow:
    """The card that a request becomes."""
    return RequestRow(request_id, card_no, ISSUED, EXPIRES, "6229999900000001")
