"""Cards made while their holders wait: marked at one counter, listed there, and nothing for the bureau."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from click.testing import CliRunner

from cms.neighbours import neighbour_at
from cms.town import CERT_NO, NAME
from cms.web import machine
from cms.wishes import ADULT, SECOND, SECOND_CERT_NO, applied, checked, enrol, row
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.cli import cms
from kaguan.cms.models import Holder, InstantMark, Operator
from kaguan.cms.rules.documents import mask_number
from kaguan.cms.rules.refusals import DuplicateRequest, IllegalTransition, NotAllowed, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.instant import instant_requests, mark_instant, unmark_instant
from kaguan.cms.services.order_file import propose_cards
from kaguan.cms.services.production import order_requests
from kaguan.cms.services.requests import withdraw_request

pytestmark = pytest.mark.slow


@pytest.fixture
def wishes(town):
    """Two people's requests, checked."""
    for person in (ADULT, SECOND):
        enrol(person)
    return [checked(town, person) for person in (ADULT, SECOND)]


def mark(actor, number):
    return mark_instant(actor, uuid4(), card_request_id=number)


def waiting(actor):
    return [person.card_request_id for person in instant_requests(actor, uuid4())]


def proposed(town):
    return [one.card_request_id for one in propose_cards(town.clerk, uuid4(), first="C0000001")]


def test_what_is_marked_is_not_proposed_to_the_bureau_until_the_mark_is_taken_back(town, wishes):
    assert proposed(town) == wishes
    assert mark(town.teller, wishes[0]).institution == "ICBC-1"
    assert proposed(town) == wishes[1:]
    assert waiting(town.second_teller) == [str(wishes[0])]
    assert not unmark_instant(town.second_teller, uuid4(), card_request_id=wishes[0]).marked
    assert proposed(town) == wishes
    assert waiting(town.teller) == []


def test_each_counter_sees_who_waits_there_longest_first_and_masked(town, wishes):
    for number in reversed(wishes):
        mark(town.teller, number)
    assert waiting(town.teller) == [str(number) for number in reversed(wishes)]
    for elsewhere in (town.other_bank_teller, town.clerk, neighbour_at(InstitutionKind.OUTLET)):
        assert waiting(elsewhere) == []
    shown = instant_requests(town.teller, uuid4())
    assert [(one.cert_no, one.name, one.progress) for one in shown] == [
        (mask_number(SECOND_CERT_NO), "测***", "accepted"),
        (mask_number(CERT_NO), "测***", "accepted"),
    ]
    order_requests(town.clerk, uuid4(), order_no="J1", rows=[row(wishes[0], "990100001")])
    withdraw_request(town.teller, uuid4(), card_request_id=wishes[1])
    assert waiting(town.teller) == []


def test_what_cannot_be_marked(town, wishes):
    mark(town.teller, wishes[0])
    with pytest.raises(DuplicateRequest, match="marked for instant making already"):
        mark(town.other_bank_teller, wishes[0])
    with pytest.raises(NotFound, match="is not marked"):
        unmark_instant(town.teller, uuid4(), card_request_id=wishes[1])
    withdraw_request(town.teller, uuid4(), card_request_id=wishes[1])
    for ask in (mark_instant, unmark_instant):
        with pytest.raises(IllegalTransition, match="ordered or withdrawn"):
            ask(town.teller, uuid4(), card_request_id=wishes[1])
    with pytest.raises(NotFound, match="no card request"):
        mark(neighbour_at(InstitutionKind.OUTLET), wishes[0])
    with pytest.raises(NotAllowed, match="apply for cards"):
        mark(town.hotline, wishes[0])
    Operator.objects.filter(pk="teller").update(holder=Holder.objects.get(cert_no=CERT_NO))
    with pytest.raises(NeedsSecondPerson):
        unmark_instant(town.teller, uuid4(), card_request_id=wishes[0])
    assert waiting(town.teller) == []
    assert waiting(town.second_teller) == [str(wishes[0])]


def test_over_the_web(town, wishes):
    teller, key = machine(town, "teller"), uuid4()
    for _ in range(2):
        marked = teller.post(f"/requests/{wishes[0]}/instant-mark", key=key).json()
        assert (marked["marked"], marked["institution"]) == (True, "ICBC-1")
    again = teller.post(f"/requests/{wishes[0]}/instant-mark").json()
    assert again["code"] == "duplicate_request"
    (person,) = teller.get("/requests/instant").json()
    assert (person["card_request_id"], person["name"]) == (str(wishes[0]), "测***")
    assert teller.post(f"/requests/{wishes[0]}/instant-mark/removal").json()["marked"] is False
    assert teller.get("/requests/instant").json() == []


def test_the_doors(lasting_town, own_store):
    enrol()
    number = str(applied(lasting_town))

    def run(*words):
        who = {"KAGUAN_DB": own_store, "KAGUAN_OPERATOR": "teller", "KAGUAN_INSTITUTION": "ICBC-1"}
        result = CliRunner().invoke(cms, ["request", *words], env=who)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "ICBC-1" in run("mark-instant", number)
    told = run("instant", "--json")
    assert [one["card_request_id"] for one in json.loads(told)] == [number]
    assert NAME not in told
    run("unmark-instant", number)
    assert json.loads(run("instant", "--json")) == []
    assert not InstantMark.objects.exists()
