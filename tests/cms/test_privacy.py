"""A person's data is handed out whole, and destroyed without a trace of who it was and with sound books."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.apps import apps
from django.db.models import ForeignKey

from cms.town import CERT_NO, NAME
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms import audit
from kaguan.cms.ledger.posting import Move, post
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import AuditEntry, Card, CardEvent, Entry, Holder, Institution, Operator, Region
from kaguan.cms.rules.lifecycle import CancelReason
from kaguan.cms.rules.refusals import AlreadyResolved, NotAllowed, NotEligible, NotFound
from kaguan.cms.safekeeping.dump import row_lines
from kaguan.cms.services.approvals.asking import ask_purge
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.lock import cancel
from kaguan.cms.services.privacy import ABOUT_PEOPLE, export_person, person_data

CARD = "990100001"
WHY = {"reason": "asked for by the person"}
BANK_CARD = "6229999900000001"


@pytest.fixture
def leaver(town):
    """The number of a person whose card has ended and whose account is empty."""
    town.active_card()
    town.credit()
    holder_id = Holder.objects.get().pk
    left_fen = person_data(holder_id)["accounts"][f"PA:{holder_id}"]
    post(uuid4(), "paid out", [Move(f"PA:{holder_id}", "SUSPENSE", left_fen)])
    cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.DEATH)
    return holder_id


def test_a_purge_leaves_nothing_that_says_who_it_was(town, leaver):
    assert any(CERT_NO.encode() in line for _, line in row_lines())
    counts = [model.objects.count() for model in (Card, CardEvent, Entry)]
    asked = ask_purge(town.clerk, uuid4(), holder_id=leaver, **WHY)
    assert any(CERT_NO.encode() in line for _, line in row_lines())
    approve(town.supervisor, uuid4(), approval_id=asked.approval_id)
    for personal in (CERT_NO, NAME, BANK_CARD):
        assert [table for table, line in row_lines() if personal.encode() in line] == []
    assert [model.objects.count() for model in (Card, CardEvent, Entry)] == counts
    verify_books()
    audit.verify_chain()
    with pytest.raises(AlreadyResolved):
        ask_purge(town.clerk, uuid4(), holder_id=leaver, **WHY)
    town.active_card("990100002")
    assert Holder.objects.count() == 2


def test_it_takes_two(town, leaver):
    asked = ask_purge(town.clerk, uuid4(), holder_id=leaver, **WHY)
    Operator.objects.filter(pk="clerk").update(roles=["authority supervisor"])
    with pytest.raises(NeedsSecondPerson):
        approve(town.clerk, uuid4(), approval_id=asked.approval_id)
    assert Holder.objects.get().name == NAME
    with pytest.raises(NotAllowed):
        approve(town.teller, uuid4(), approval_id=asked.approval_id)
    with pytest.raises(NotFound):
        approve(town.supervisor, uuid4(), approval_id=uuid4())


def test_not_while_a_card_is_open_or_money_is_left(town, leaver):
    asked = ask_purge(town.clerk, uuid4(), holder_id=leaver, **WHY)
    post(uuid4(), "test", [Move("PREMIUM_IN", f"PA:{leaver}", 7)])
    for again in (
        lambda: ask_purge(town.clerk, uuid4(), holder_id=leaver, **WHY),
        lambda: approve(town.supervisor, uuid4(), approval_id=asked.approval_id),
    ):
        with pytest.raises(NotEligible, match="holds 7 fen"):
            again()
    town.order("990100002")
    with pytest.raises(NotEligible, match="990100002 is not cancelled"):
        ask_purge(town.clerk, uuid4(), holder_id=leaver, **WHY)
    with pytest.raises(NotEligible, match="needs a reason"):
        ask_purge(town.clerk, uuid4(), holder_id=leaver, reason=" ")


@pytest.mark.acceptance("S0-18")
def test_nobody_sees_the_people_of_another_region_or_their_own_file(town, leaver):
    Region.objects.create(code="990200")
    Institution.objects.filter(pk="SSB").update(region="990200")
    for ask in (export_person, ask_purge):
        with pytest.raises(NotFound):
            ask(town.clerk, uuid4(), holder_id=leaver, **WHY)
    Institution.objects.filter(pk="SSB").update(region="990100")
    Operator.objects.filter(pk="clerk").update(holder=leaver)
    with pytest.raises(NeedsSecondPerson):
        export_person(town.clerk, uuid4(), holder_id=leaver, **WHY)


def test_all_of_it_is_handed_out_and_that_is_audited(town, leaver):
    export_person(town.clerk, uuid4(), holder_id=leaver, **WHY)
    data = person_data(leaver)
    assert data["cms_holder"][0]["cert_no"] == CERT_NO
    assert [card["card_no"] for card in data["cms_card"]] == [CARD]
    assert len(data["cms_cardevent"]) == CardEvent.objects.count()
    assert len(data["entries"]) == 2
    line = AuditEntry.objects.latest("sequence")
    assert (line.action, line.detail) == ("export person", {"holder": leaver, **WHY})
    assert CERT_NO not in str(line.detail)


def test_every_table_about_a_person_is_known():
    people = {Holder, Card}
    leads = {
        model
        for model in apps.get_app_config("cms").get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey) and field.related_model in people
    }
    # an operator is told apart from the holder that they are as well
    assert leads - {Operator} - set(ABOUT_PEOPLE) == set(), "name it in services/privacy.ABOUT_PEOPLE"
