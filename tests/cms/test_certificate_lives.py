"""A certificate's life: issued to a holder, checked with the books, revoked, and dead with its card."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from random import Random
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from PIL import Image

from cms.certificates import CARD, KEY, NEXT_KEY, TRUSTED, issue, issued_text, sign_with
from cms.crowd import portrait
from cms.evidence import employ
from cms.neighbours import neighbour_at
from cms.timing import days_ago
from cms.town import CERT_NO, NAME, copied, shown
from kaguan.apdu.errors import RuleBroken
from kaguan.cms.certifying.token import key_id, opened, signed
from kaguan.cms.models import AuditEntry, Card, Certificate, Holder, Receipt
from kaguan.cms.rules.certificates import Finding, Purpose, judge_time, mask_card_no, photo_hash
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.documents import mask_name, mask_number
from kaguan.cms.rules.lifecycle import Application, CancelReason, ExchangeReason, LockReason
from kaguan.cms.rules.refusals import AlreadyResolved, IdempotencyConflict, IllegalTransition, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.access.holders import sign_in_holder
from kaguan.cms.services.approvals.asking import ask_purge, ask_release
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.case import Actor
from kaguan.cms.services.certificates import checking, issuing, keys
from kaguan.cms.services.certificates.checking import check_certificate
from kaguan.cms.services.departures import register_departure
from kaguan.cms.services.lock import cancel, lock, unlock
from kaguan.cms.services.loss import lapse_loss, release_loss, report_formal_loss, report_temporary_loss
from kaguan.cms.services.orders import NewCard, order_exchange
from kaguan.cms.services.people.photos import take_photo
from kaguan.cms.services.set_up import set_region
from kaguan.vault.secret import Secret

OTHER, OTHER_CERT_NO = "990100002", "990101198811110028"


@pytest.fixture
def certified(town):
    """The town, where a card is in use, its holder's portrait is known, and certificates are signed."""
    town.active_card(CARD)
    take_photo(town.clerk, uuid4(), holder_id=Holder.objects.get().pk, image=portrait())
    sign_with(town)
    return town


def found(town, text: str) -> str:
    return check_certificate(town.pharmacist, uuid4(), text=text).finding.value


@pytest.mark.acceptance("S1-10")
def test_a_holder_gets_one_for_their_card_in_use(certified):
    text = issued_text(certified)
    found_now = check_certificate(certified.pharmacist, uuid4(), text=text)
    assert (found_now.finding, found_now.name) == (Finding.GOOD, mask_name(NAME))
    assert (found_now.cert_no, found_now.card_no) == (mask_number(CERT_NO), mask_card_no(CARD))
    assert found_now.photo == photo_hash(Certificate.objects.get().pk, portrait())
    noted = AuditEntry.objects.get(action="check certificate", outcome="done")
    assert noted.detail == {"certificate": found_now.certificate_id, "finding": "good"}


def test_it_is_made_again_the_same_and_stands_in_no_receipt(certified):
    certificate_id = issue(certified)
    text = issuing.signed_text(certificate_id)
    assert text == issuing.signed_text(certificate_id)
    assert text.rpartition(".")[2] not in str(list(Receipt.objects.values_list("result")))


@pytest.mark.parametrize("purpose", Purpose)
def test_one_to_be_shown_is_good_for_minutes_and_a_proof_for_days(certified, purpose):
    rules = {"certificate_show_minutes": 3, "certificate_proof_days": 7}
    set_region(certified.administrator, uuid4(), settings=rules)
    text = issued_text(certified, purpose)
    row = Certificate.objects.get()
    span = timedelta(minutes=3) if purpose is Purpose.SHOWING else timedelta(days=7)
    assert row.expires_at - row.issued_at == span
    assert found(certified, text) == "good"


def test_none_lasts_longer_than_its_card(certified):
    Card.objects.update(valid_until=date.max)
    assert issue(certified)
    Certificate.objects.all().delete()
    Card.objects.update(valid_until=timezone.localdate())
    issue(certified)
    ends = timezone.localtime(Certificate.objects.get().expires_at)
    assert (ends.date(), ends.hour, ends.minute) == (timezone.localdate() + timedelta(days=1), 0, 0)
    Card.objects.update(valid_until=timezone.localdate() - timedelta(days=1))
    with pytest.raises(NotEligible, match="expired"):
        issue(certified)


def lose(town):
    report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown())


def end(town):
    cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.DAMAGE)


def die(town):
    told = {"kind": DepartureKind.DEAD, "happened_on": date(2026, 1, 9), "evidence": "register 17/2026"}
    register_departure(town.clerk, uuid4(), cert_type="01", cert_no=CERT_NO, **told)


def exchange(town):
    new = NewCard("990100009", "R9", date(2026, 3, 1), date(2036, 3, 1))
    order_exchange(town.clerk, uuid4(), card_no=CARD, reason=ExchangeReason.DAMAGE, new=new)


@pytest.mark.acceptance("S1-10")
@pytest.mark.parametrize("ended", [lose, end, die, exchange])
def test_it_dies_with_its_card(certified, ended):
    text = issued_text(certified)
    ended(certified)
    assert found(certified, text) == "card lost or ended"
    with pytest.raises(IllegalTransition, match="certifying refused"):
        issue(certified)


def test_a_loss_for_the_time_being_suspends_it_and_the_release_revives_it(certified):
    text = issued_text(certified)
    report_temporary_loss(certified.hotline, uuid4(), card_no=CARD)
    assert found(certified, text) == "card out of use for the time being"
    release_loss(certified.hotline, uuid4(), card_no=CARD)
    assert found(certified, text) == "good"
    report_temporary_loss(certified.hotline, uuid4(), card_no=CARD)
    days_ago(CARD, "report_temporary_loss", 11)
    lapse_loss(certified.clock, uuid4(), card_no=CARD)
    assert found(certified, text) == "good"
    lock(certified.clerk, uuid4(), card_no=CARD, reason=LockReason.OTHER)
    assert found(certified, text) == "card out of use for the time being"
    unlock(certified.clerk, uuid4(), card_no=CARD)
    assert found(certified, text) == "good"


MISHAPS = [
    lambda town: report_temporary_loss(town.hotline, uuid4(), card_no=CARD),
    lambda town: release_loss(town.hotline, uuid4(), card_no=CARD),
    lambda town: release_loss(town.teller, uuid4(), card_no=CARD, document=shown()),
    lambda town: lock(town.clerk, uuid4(), card_no=CARD, reason=LockReason.OTHER),
    lambda town: unlock(town.clerk, uuid4(), card_no=CARD),
    lose,
    end,
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_whatever_befalls_the_card_the_certificate_is_good_only_as_long_as_it(certified, seed):
    set_region(certified.administrator, uuid4(), settings={"formal_loss_can_be_released": True})
    text, dice, ended = issued_text(certified), Random(seed), False
    for _ in range(12):
        with suppress(RuleBroken):
            dice.choices(MISHAPS, weights=(9, 9, 9, 9, 9, 3, 1))[0](certified)
        state = Application(Card.objects.get(pk=CARD).application)
        ended = ended or state in {Application.FORMAL_LOSS, Application.CANCELLED}
        good = state is Application.NORMAL and not ended
        told = found(certified, text)
        assert (told == "good") == good
        assert (told == "card lost or ended") == ended


def test_one_of_before_a_formal_loss_stays_dead_when_the_card_is_found(certified):
    set_region(certified.administrator, uuid4(), settings={"formal_loss_can_be_released": True})
    text = issued_text(certified)
    lose(certified)
    wanted = {"card_no": CARD, "document": shown(), "reason": "found in a coat"}
    asked = ask_release(certified.teller, uuid4(), **wanted)
    approve(certified.supervisor, uuid4(), approval_id=UUID(asked.approval_id))
    assert Card.objects.get().application == "1"
    assert found(certified, text) == "card lost or ended"


@pytest.mark.acceptance("S4-4")
def test_when_the_books_say_otherwise_it_is_not_good(certified):
    text = issued_text(certified)
    for change, back in (({"name": "别人"}, {"name": NAME}), ({"cert_no": "99"}, {"cert_no": CERT_NO})):
        Holder.objects.update(**change)
        assert found(certified, text) == "not as the books say"
        Holder.objects.update(**back)
        assert found(certified, text) == "good"
    other = BytesIO()
    Image.new("L", (358, 441), 90).save(other, "JPEG")
    take_photo(certified.clerk, uuid4(), holder_id=Holder.objects.get().pk, image=other.getvalue())
    assert found(certified, text) == "not as the books say"


def test_time_ends_it(certified):
    text = issued_text(certified)
    [row] = Certificate.objects.all()
    told = opened(text, TRUSTED)
    assert judge_time(told, row.expires_at + timedelta(minutes=2)) is Finding.EXPIRED


def test_it_is_revoked_once_for_a_reason(certified):
    certificate_id = issue(certified)
    text = issuing.signed_text(certificate_id)
    revoke = issuing.revoke_certificate
    for why, kind in ((" ", NotEligible), ("left at the copy shop", None), ("again", AlreadyResolved)):
        if kind is None:
            revoke(certified.clerk, uuid4(), certificate_id=certificate_id, why=why)
            continue
        with pytest.raises(kind):
            revoke(certified.clerk, uuid4(), certificate_id=certificate_id, why=why)
    assert found(certified, text) == "revoked"
    with pytest.raises(NotFound):
        revoke(neighbour_at(InstitutionKind.OUTLET), uuid4(), certificate_id=certificate_id, why="x")
    [view] = checking.look_at_certificates(certified.teller, uuid4(), card_no=CARD)
    assert (view.certificate_id, view.finding) == (str(certificate_id), Finding.REVOKED)


def test_a_purge_leaves_nothing_of_it_but_that_it_was(certified):
    certificate_id = issue(certified)
    text = issuing.signed_text(certificate_id)
    end(certified)
    asked = ask_purge(certified.clerk, uuid4(), holder_id=Holder.objects.get().pk, reason="own request of 3 February")
    approve(certified.supervisor, uuid4(), approval_id=UUID(asked.approval_id))
    assert Certificate.objects.get().content == ""
    assert found(certified, text) == "not genuine"
    with pytest.raises(NotFound):
        issuing.signed_text(certificate_id)
    assert checking.look_at_certificates(certified.clerk, uuid4(), card_no=CARD) == []


def test_a_new_key_signs_and_the_one_before_stays_trusted_until_it_is_withdrawn(certified):
    old = issued_text(certified)
    name = sign_with(certified, NEXT_KEY)
    new = issued_text(certified)
    assert [found(certified, text) for text in (old, new)] == ["good", "good"]
    assert opened(new, {name: NEXT_KEY.public_key()})
    assert [row["kid"] for row in keys.trusted_keys()] == list(TRUSTED)
    stolen = key_id(KEY.public_key())
    keys.withdraw_key(certified.administrator, uuid4(), key_id=stolen, why="copied")
    assert [found(certified, text) for text in (old, new)] == ["key withdrawn", "good"]
    assert [row["kid"] for row in keys.trusted_keys()] == [name]
    with pytest.raises(AlreadyResolved):
        keys.withdraw_key(certified.administrator, uuid4(), key_id=stolen, why="copied")


def test_what_is_well_signed_and_was_never_issued_is_not_genuine(certified):
    certificate_id = issue(certified)
    issued = issuing.issued_extract(certificate_id)
    for never in (
        replace(issued, certificate_id=uuid4()),
        replace(issued, expires_at=issued.expires_at.replace(year=2099)),
    ):
        assert found(certified, signed(never, KEY)) == "not genuine"
    for text in ("", "x", "a.b.c", "你好"):
        assert found(certified, text) == "not genuine"


def test_a_verifier_of_another_city_is_told_and_sees_no_more(certified):
    text = issued_text(certified)
    there = neighbour_at(InstitutionKind.HOSPITAL)
    assert check_certificate(there, uuid4(), text=text).finding is Finding.GOOD
    with pytest.raises(NotFound):
        checking.look_at_certificates(there, uuid4(), card_no=CARD)


def test_without_key_document_or_card_there_is_none(town):
    town.active_card(CARD)
    ask = {"card_no": CARD, "purpose": Purpose.PROOF}
    with pytest.raises(NotEligible, match="no certificate key"):
        issuing.issue_certificate(town.teller, uuid4(), **ask, document=shown())
    sign_with(town)
    for document in (copied(), shown(OTHER_CERT_NO)):
        with pytest.raises(NotEligible, match="certifying refused"):
            issuing.issue_certificate(town.teller, uuid4(), **ask, document=document)
    with pytest.raises(NotEligible, match="32 private bytes"):
        keys.add_key(town.administrator, uuid4(), key=Secret(b"short"))


def test_a_holder_online_gets_and_revokes_their_own_and_nobody_elses(certified):
    employ(certified, "portal", "SSB", Role.PORTAL)
    set_region(certified.administrator, uuid4(), settings={"online_password_change": "suggested"})
    portal = Actor("portal", "SSB")
    token = sign_in_holder(portal, CERT_NO, Secret(CARD.encode()), source="here").token
    own = {"token": token, "card_no": CARD, "purpose": Purpose.SHOWING}
    issued = issuing.issue_own_certificate(portal, uuid4(), **own)
    assert issued.card_no == CARD
    with pytest.raises(NotFound, match="you have no card"):
        issuing.issue_own_certificate(portal, uuid4(), **{**own, "card_no": OTHER})
    gone = {"token": token, "certificate_id": issued.certificate_id, "why": "sent by mistake"}
    issuing.revoke_own_certificate(portal, uuid4(), **gone)
    certified.active_card(OTHER, OTHER_CERT_NO, "测试人乙")
    others = uuid4()
    document = shown(OTHER_CERT_NO)
    issuing.issue_certificate(certified.teller, others, card_no=OTHER, purpose=Purpose.PROOF, document=document)
    with pytest.raises(NotFound):
        issuing.revoke_own_certificate(portal, uuid4(), **{**gone, "certificate_id": others})
    with pytest.raises(IdempotencyConflict, match="used for another step"):
        issuing.issue_own_certificate(portal, others, **own)
