"""Screens show what lies within reach, masked: another city's person or card is not found, whatever is asked."""

from __future__ import annotations

import json
from functools import partial
from uuid import uuid4

import pytest
from click.testing import CliRunner

from cms.cities import easy_city
from cms.doors import kaguan
from cms.town import CERT_NO, NAME
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.cli import cms
from kaguan.cms.models import AuditEntry, CardRequest, Operator, Reminder
from kaguan.cms.rules.applying import EXCHANGE_REASON_OF, Damage
from kaguan.cms.rules.care import CARE
from kaguan.cms.rules.refusals import NotAllowed, NotFound
from kaguan.cms.services import browsing

pytestmark = pytest.mark.slow


@pytest.fixture
def cities(town, easy, strict):
    """Both with a card in use; the easy one with 50 yuan of money on it."""
    both = easy, strict
    for city in both:
        city.active()
    town.credit()
    town.load(both[0].first_card, 5_000)
    return both


def of(city):
    """Everything that can be asked about one city's person and card by name."""
    holder = city.holder().pk
    yield browsing.show_card, {"card_no": city.first_card}
    yield browsing.show_life, {"card_no": city.first_card}
    yield browsing.show_holder, {"number": city.cert_no}
    yield browsing.show_holder, {"number": str(holder)}
    yield browsing.show_progress, city.person
    yield browsing.show_account, {"code": f"PA:{holder}"}
    yield browsing.show_account, {"code": f"PURSE:{city.first_card}"}


@pytest.mark.acceptance("S0-18")
def test_another_citys_people_and_cards_are_not_there(cities):
    easy, strict = cities
    for here, there in (cities, reversed(cities)):
        for ask, asked in of(there):
            with pytest.raises(NotFound):
                ask(here.teller, uuid4(), **asked)
    for ask, asked in list(of(easy))[:5]:
        assert ask(easy.teller, uuid4(), **asked)
    assert browsing.show_account(easy.teller, uuid4(), code=f"PURSE:{easy.first_card}")["balance_fen"] == 5_000
    assert strict.holder().region_id == "990200"


def test_lists_hold_what_is_in_reach(cities):
    easy, strict = cities
    for city in cities:
        holder = city.holder()
        CardRequest.objects.create(
            card_request_id=uuid4(), holder=holder, region=holder.region, kind="06", way="person",
            bank_code="95588", applied_by="x", institution="y", applied_at="2026-01-05T00:00Z",
            stage_since="2026-01-05T00:00Z",
        )  # fmt: skip
        card = holder.cards.get()
        holder.cards.update(application="A")
        Reminder.objects.create(card=card, kind="k", due_on="2026-01-05", at="2026-01-05T00:00Z")
        assert len(browsing.list_requests(city.teller, uuid4())) == 1
        assert [row["card_no"] for row in browsing.list_reminders(city.teller, uuid4())] == [card.card_no]
    assert browsing.list_transfers(easy.teller, uuid4()) == browsing.list_transfers(strict.teller, uuid4()) == []


def test_people_are_masked_and_nobody_looks_at_themselves(cities):
    easy, _ = cities
    shown = json.dumps([ask(easy.teller, uuid4(), **asked) for ask, asked in list(of(easy))[:6]], ensure_ascii=False)
    assert NAME not in shown
    assert CERT_NO not in shown
    Operator.objects.filter(pk=easy.teller.operator).update(holder=easy.holder())
    for ask, asked in of(easy):
        if ask is not browsing.show_progress:
            with pytest.raises(NeedsSecondPerson):
                ask(easy.teller, uuid4(), **asked)
    with pytest.raises(NotAllowed, match="no right to look"):
        browsing.show_card(easy.administrator, uuid4(), card_no=easy.first_card)
    assert AuditEntry.objects.latest("sequence").outcome == "NotAllowed"


@pytest.mark.parametrize("code", ["PA:0", "PA:x", "PURSE:1", "NO SUCH", "PA", "MERCHANT"])
def test_what_is_no_account_is_not_found(cities, code):
    with pytest.raises(NotFound, match="no account"):
        browsing.show_account(cities[0].teller, uuid4(), code=code)
    assert browsing.show_account(cities[0].teller, uuid4(), code="PREMIUM_IN")["kind"] == "PREMIUM_IN"


@pytest.mark.acceptance("S4-42")
@pytest.mark.acceptance("S4-43")
def test_care_rules_are_told_with_what_follows():
    told = CliRunner().invoke(cms, ["card", "care"]).stdout
    for word in ("bend", "crease", "heat", "water", "phones", "magnets"):
        assert word in told
    assert {one.prevents for one in CARE} == set(Damage) - {Damage.MADE_BADLY}
    assert all(EXCHANGE_REASON_OF[one.prevents].name in told for one in CARE)


def test_the_doors(lasting_town, own_store):
    city = easy_city(lasting_town)
    city.active()

    run = partial(kaguan, own_store, ("teller", "ICBC-1"))
    assert "NORMAL" in run("card", "show", city.first_card)
    assert "NORMAL" in run("holder", "show", CERT_NO)
    with pytest.raises(NotFound):
        run("account", "show", "PA:77")
    fee = run("fee", "list", "--cert-no", CERT_NO)
    assert fee == ""
    assert run("order", "overdue") == ""
    assert "temporary_loss" not in run("loss", "temporary", city.first_card, "--channel", "bank outlet")
    shown = ["--cert-no", CERT_NO, "--original", "--paper", "bank card"]
    assert "application    2" in run("loss", "formal", city.first_card, *shown)
