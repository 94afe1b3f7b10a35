"""Who gets in, and how far they see: password, second factor, and another city that is not there."""

from __future__ import annotations

import base64
import secrets
from uuid import uuid4

import pyotp

from kaguan.apdu.errors import RuleBroken
from kaguan.cms.services.access.passwords import give_password
from kaguan.cms.services.access.second_factor import enrol_second_factor
from kaguan.cms.services.access.sign_in import change_password, sign_in
from kaguan.cms.services.looking import look_at_card
from kaguan.cms.services.people.enrolment import enrol
from kaguan.cms.services.people.reading import look_at_person
from kaguan.demo.screen import fact, refused
from kaguan.demo.town import Town
from kaguan.vault.secret import Secret

_SOURCE = "demo"
_STRANGER = "99012119800101001X"


def sign_in_approver(town: Town) -> None:
    """The supervisor has a password and a second factor, and is signed in by both."""
    code = town.supervisor.operator
    first, own = (Secret(f"{word} words 2026".encode()) for word in ("first", "their own"))
    give_password(town.administrator, uuid4(), code=code, password=first)
    change_password(code, first, own, source=_SOURCE)
    with refused("the approver with the password alone", RuleBroken):
        sign_in(code, own, source=_SOURCE)
    factor = Secret(secrets.token_bytes(20))
    enrol_second_factor(town.administrator, uuid4(), code=code, secret=factor)
    now = pyotp.TOTP(_in_base_32(factor)).now()
    admitted = sign_in(code, own, source=_SOURCE, second_factor=now)
    fact(f"{admitted.actor.operator} is signed in with password and second factor (RFC 6238)")
    with refused("the same six digits again", RuleBroken):
        sign_in(code, own, source=_SOURCE, second_factor=now)


def look_across(town: Town, card_no: str) -> None:
    """Of another city's card and person nobody learns that they exist."""
    stranger = {"cert_type": "01", "cert_no": _STRANGER, "name": "测试人乙"}
    there = enrol(town.neighbour, uuid4(), facts={}, **stranger)
    seen = look_at_person(town.neighbour, uuid4(), holder_id=there.holder_id)
    fact(f"the neighbour city has person {there.holder_id} on its books, shown masked: {seen.name} {seen.cert_no}")
    with refused("our clerk looks for that person", RuleBroken):
        look_at_person(town.clerk, uuid4(), holder_id=there.holder_id)
    with refused("their clerk looks for our card", RuleBroken):
        look_at_card(town.neighbour, uuid4(), card_no=card_no)


def _in_base_32(secret: Secret) -> str:
    return base64.b32encode(secret.reveal()).decode()
