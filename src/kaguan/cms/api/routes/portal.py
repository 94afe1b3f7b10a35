"""Holders at a portal: the portal is a program with a token, the holder signs in through it and sees only themselves.

The holder's own token goes in `Holder-Session`, beside the portal's in `Authorization`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import uuid4

from django.http import HttpRequest
from ninja import Header, Query, Router, Status
from pydantic import IPvAnyAddress, WithJsonSchema

from kaguan.cms.api.asked import Key, Seen, actor_of_request, answers, asks_for
from kaguan.cms.api.errors import Unwelcome
from kaguan.cms.api.shapes import CardNo, CertNo, Password, Strict, secret
from kaguan.cms.rules.refusals import NotAllowed
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.access import holders
from kaguan.cms.services.access.sessions import sign_out
from kaguan.cms.services.activation.entry import ActivationState
from kaguan.cms.services.activation.online import OwnRecord, activate_online, own_record
from kaguan.cms.services.case import CardState
from kaguan.cms.services.people import own_cards
from kaguan.vault.secret import Secret

router: Final = Router(tags=["portal"])

HolderSession = Annotated[
    str, Header(alias="Holder-Session", pattern=r"^[0-9A-Za-z_-]{1,100}$", description="The holder's own token.")
]


Address = Annotated[
    IPvAnyAddress, WithJsonSchema({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
]


class HolderSignIn(Strict):
    """Who signs in, and the address from which they reach the portal: failures are counted there."""

    cert_no: CertNo
    password: Password
    source: Address


class OwnPassword(Strict):
    """The password of one's own."""

    password: Password


@dataclass(frozen=True, slots=True)
class HolderSignedIn:
    """A holder's token, and whether they should, or have to, choose a password of their own."""

    holder_id: int
    token: str
    change_suggested: bool
    change_demanded: bool


@router.post("/sign-in", response=answers(HolderSignedIn), operation_id="sign_holder_in")
def sign_in(request: HttpRequest, body: HolderSignIn) -> HolderSignedIn:
    """Sign a holder in at this portal."""
    try:
        admitted = holders.sign_in_holder(
            actor_of_request(request), body.cert_no, secret(body.password), source=str(body.source)
        )
    except NotAllowed as refusal:
        raise Unwelcome("unauthenticated", str(refusal)) from None
    token = admitted.token.reveal().decode()
    return HolderSignedIn(admitted.holder_id, token, admitted.change_suggested, admitted.change_demanded)


@router.post("/password", response=answers(None, status=204), operation_id="choose_password")
def choose_password(request: HttpRequest, session: HolderSession, body: OwnPassword) -> Status[None]:
    """Choose a password of one's own."""
    holders.choose_password(actor_of_request(request), held(session), secret(body.password))
    return Status(204, None)


@router.post("/sign-out", response=answers(None, status=204), operation_id="sign_holder_out")
def leave(request: HttpRequest, session: HolderSession) -> Status[None]:
    """End the holder's session."""
    sign_out(held(session))
    return Status(204, None)


@router.get("/self", response=answers(OwnRecord), operation_id="see_own_record")
def see_own_record(request: HttpRequest, session: HolderSession) -> OwnRecord:
    """See what the books say of oneself."""
    return own_record(*asks_for(request, uuid4()), token=held(session))


@router.post("/cards/{card_no}/activation", response=answers(ActivationState), operation_id="activate_own_card")
def activate(request: HttpRequest, card_no: CardNo, session: HolderSession, key: Key, seen: Seen) -> ActivationState:
    """Bring one's own card into use; the record on its chip is owed."""
    return activate_online(*asks_for(request, key, seen), token=held(session), card_no=card_no)


@router.post("/cards/{card_no}/temporary-loss", response=answers(CardState), operation_id="report_own_loss")
def report_own_loss(
    request: HttpRequest,
    card_no: CardNo,
    session: HolderSession,
    key: Key,
    seen: Seen,
    channel: Annotated[Channel | None, Query()] = None,
) -> CardState:
    """Report one's own card lost for the time being; without a channel over the website."""
    return own_cards.report_own_loss(
        *asks_for(request, key, seen), token=held(session), card_no=card_no, channel=channel
    )


def held(session: str) -> Secret:
    """Return the holder's token as use cases take it."""
    return Secret(session.encode())
