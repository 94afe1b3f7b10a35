"""People who died or left, and the mistake of having said so."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.shapes import Day, PersonNamed, Words
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.services import departures
from kaguan.cms.services.departures import Departed, Revoked

router: Final = Router(tags=["departures"])


class DepartureTold(PersonNamed):
    """Who departed, how, on which day, and what proves it."""

    kind: DepartureKind
    happened_on: Day
    evidence: Words


@router.post("", response=answers(Departed), operation_id="register_departure")
def register(request: HttpRequest, key: Key, body: DepartureTold) -> Departed:
    """Put on record that a person died or left; their cards end."""
    return departures.register_departure(
        *asks_for(request, key),
        cert_type=body.cert_type,
        cert_no=body.cert_no,
        kind=body.kind,
        happened_on=body.happened_on,
        evidence=body.evidence,
    )


@router.post("/{departure_id}/revocation", response=answers(Revoked), operation_id="revoke_departure")
def revoke(request: HttpRequest, departure_id: UUID, key: Key) -> Revoked:
    """Put on record that it was a mistake."""
    return departures.revoke_departure(*asks_for(request, key), departure_id=departure_id)
