"""Sign a holder in at a region's portal: the user name is the identity number, or where the region says so a card's;
the initial password is their card's number or their personal number.

A holder sees themselves and nobody else; both initial passwords serve until the holder has one of their own.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils import timezone

from kaguan.apdu.errors import RuleBroken
from kaguan.cms import audit
from kaguan.cms.models import Card, Holder, HolderCredential, Merge, Operator
from kaguan.cms.rules.choices import InitialPassword, OnlineName, PasswordChange
from kaguan.cms.rules.lifecycle import Application, Production
from kaguan.cms.rules.passwords import check_new_password
from kaguan.cms.rules.personal import Fact
from kaguan.cms.rules.refusals import NotAllowed, NotEligible
from kaguan.cms.rules.regions import RegionRules
from kaguan.cms.rules.rights import Right, rights_of
from kaguan.cms.services.access.sessions import live_session, open_session
from kaguan.cms.services.access.sign_in import WRONG
from kaguan.cms.services.access.throttle import count_failure, forget_failures, is_locked, source_of
from kaguan.cms.services.case import Actor, Case
from kaguan.cms.services.minors import facts_of
from kaguan.cms.services.scope import regions_in_reach
from kaguan.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class HolderAdmission:
    """A holder who is signed in, and whether they are asked to choose a password of their own (demanded: they must)."""

    holder_id: int
    token: Secret
    change_suggested: bool
    change_demanded: bool


def sign_in_holder(portal: Actor, user_name: str, password: Secret, *, source: str) -> HolderAdmission:
    """Leave the holder signed in at the portal, there alone. Refuses with NotAllowed, in the same words whatever it is.

    The user name is the identity number or a card's number, as the portal's region says.
    Persons of other regions than the portal's are not known there.
    """
    with transaction.atomic(durable=True):
        at = timezone.now()
        operator = _portal(portal)
        outcome = _admitted(operator, user_name, password, source, at)
        why = {"why": str(outcome)} if isinstance(outcome, RuleBroken) else {"holder": outcome.holder_id}
        _note(portal, "sign holder in", type(outcome).__name__, {"source": source, "cert_no": user_name, **why}, at)
    if isinstance(outcome, RuleBroken):
        raise outcome
    return outcome


def choose_password(portal: Actor, token: Secret, new: Secret) -> None:
    """Leave the holder with a password of their own; the initial ones serve no more, and the session goes on.

    Refuses, in this order: the session is over, or of another region's portal (both NotAllowed), an initial password,
    what `check_new_password` refuses.
    """
    with transaction.atomic(durable=True):
        operator = _portal(portal)
        holder = _holder_of(token)
        _check_within(holder, regions_in_reach(operator.institution))
        text = new.reveal().decode("utf-8", errors="replace")
        if _is_initial(holder, text):
            raise NotEligible("the initial password is known to others: choose one of your own")
        check_new_password(text, names=(holder.name, holder.cert_no))
        credential, _ = HolderCredential.objects.select_for_update(no_key=True).get_or_create(holder=holder)
        credential.password = make_password(text)
        credential.save()
        _note(portal, "choose password", "done", {"holder": holder.pk}, timezone.now())


def signed_in_holder(case: Case, token: Secret) -> Holder:
    """Return the holder of the session, seen now. Refuses with NotAllowed: over, of another region, password to change
    first.
    """
    holder = _holder_of(token)
    _check_within(holder, case.regions)
    if _change_is_forced(holder.region.rules()) and not _own_password(holder):
        raise NotAllowed("the initial password has to be changed first")
    case.note(holder=holder.pk)
    return holder


def _admitted(
    portal: Operator, user_name: str, password: Secret, source: str, at: datetime
) -> HolderAdmission | RuleBroken:
    rules = portal.institution.region.rules()
    text = password.reveal().decode("utf-8", errors="replace")
    counter = source_of(source)
    holder = _holder(portal, user_name)
    if holder is None:
        make_password(text)
        count_failure(rules, None, counter, at)
        return NotAllowed(WRONG)
    credential, _ = HolderCredential.objects.select_for_update(no_key=True).get_or_create(holder=holder)
    right = _is_right(holder, credential, text)
    if is_locked(counter, at) or is_locked(credential, at):
        return NotAllowed(WRONG)
    if not right:
        count_failure(rules, credential, counter, at)
        return NotAllowed(WRONG)
    forget_failures(credential, counter)
    initial = not credential.password
    token = open_session(at, source, holder=holder)
    return HolderAdmission(holder.pk, token, initial, initial and _change_is_forced(rules))


def _check_within(holder: Holder, regions: frozenset[str]) -> None:
    if holder.region.code not in regions:
        raise NotAllowed("the session is of another region's portal: sign in")


def _change_is_forced(rules: RegionRules) -> bool:
    return rules.online_password_change is PasswordChange.FORCED


def _is_right(holder: Holder, credential: HolderCredential, text: str) -> bool:
    """Return whether it is the holder's password; both ways cost one hash."""
    if credential.password:
        return check_password(text, credential.password)
    make_password(text)
    return _is_initial(holder, text)


def _is_initial(holder: Holder, text: str) -> bool:
    """Return whether it is the number of a card in the holder's hands that is not ended, or the personal number.

    A region may take one of them alone.
    """
    cards = Card.objects.filter(holder=holder, production=Production.HANDED_OVER)
    numbers = {
        InitialPassword.CARD_NUMBER: list(
            cards.exclude(application=Application.CANCELLED).values_list("card_no", flat=True)
        ),
        InitialPassword.PERSONAL_NUMBER: [facts_of(holder).get(Fact.PERSONAL_NUMBER)],
    }
    given = text.encode()
    taken = holder.region.rules().online_initial_passwords
    accepted = [number for kind in taken for number in numbers[kind] if number]
    hits = [hmac.compare_digest(number.encode(), given) for number in accepted]  # every one, so that time tells nothing
    return True in hits


def _holder(portal: Operator, user_name: str) -> Holder | None:
    region = portal.institution.region
    known = Holder.objects.filter(region=region)
    if region.rules().online_name is OnlineName.CARD_NUMBER:
        open_cards = Card.objects.filter(pk=user_name, production=Production.HANDED_OVER)
        known = known.filter(cards__in=open_cards.exclude(application=Application.CANCELLED))
    else:
        known = known.filter(cert_no=user_name.upper())
    holder = known.order_by("cert_type").first()
    while holder is not None and (merge := Merge.objects.filter(merged=holder).first()) is not None:
        holder = merge.survivor
    return holder


def _holder_of(token: Secret) -> Holder:
    session = live_session(token)
    if session.holder is None:
        raise NotAllowed("this is an operator's session: a holder signs in with their identity number")
    return session.holder


def _own_password(holder: Holder) -> bool:
    return HolderCredential.objects.filter(holder=holder).exclude(password="").exists()


def _portal(portal: Actor) -> Operator:
    operator = Operator.objects.filter(pk=portal.operator, institution=portal.institution, active=True).first()
    if operator is None or Right.SERVE_ONLINE not in rights_of(operator.roles):
        raise NotAllowed(f"operator {portal.operator!r} at {portal.institution!r} does not serve holders online")
    return operator


def _note(portal: Actor, action: str, outcome: str, detail: dict[str, object], at: datetime) -> None:
    told = "done" if outcome == HolderAdmission.__name__ else outcome
    audit.append(audit.AuditLine(at, portal.operator, portal.institution, action, uuid4(), told, detail))
