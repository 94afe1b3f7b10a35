"""Cases about chips and blacklists, looked at page by page: all that is in reach once, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from cms.crowd import citizen_number
from cms.neighbours import neighbour_at, province
from cms.web import machine
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import BlacklistChange, Card, ChipCase, Operator
from kaguan.cms.rules.chip_state import Facet, Remedy
from kaguan.cms.rules.lifecycle import LockReason
from kaguan.cms.rules.refusals import NotAllowed, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.approvals.asking import ask_settlement
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.casework import look_at_blacklist, look_at_case, look_at_cases, look_at_pushed_lists
from kaguan.cms.services.chip.blacklist import push_blacklist
from kaguan.cms.services.lock import lock, unlock

pytestmark = pytest.mark.slow

CARDS = ["990100001", "990100002", "990100003"]
HERE = "990100"


@pytest.fixture
def cards(town):
    """Three people's cards in use."""
    for serial, card_no in enumerate(CARDS, start=5):
        town.active_card(card_no, citizen_number(serial=serial), "测试人丙")
    return town


@pytest.fixture
def cases(cards):
    """Five cases, the ids oldest first; the third and fourth were seen at one moment, the fifth is settled."""
    now, ids = timezone.now(), sorted(uuid4() for _ in range(5))
    for place, (case_id, minutes) in enumerate(zip(ids, (1, 2, 3, 3, 4), strict=True)):
        at = now + timedelta(minutes=minutes)
        said = {"facet": list(Facet)[place], "step": "read", "books": "set", "chip": "blocked"}
        ChipCase.objects.create(case_id=case_id, card_id=CARDS[place % 3], **said, at=at, seen_at=at)
    asked = {"case_id": ids[4], "remedy": Remedy.EXPLAINED, "reason": "a test card"}
    approval_id = uuid4()
    ask_settlement(cards.clerk, approval_id, **asked)
    approve(cards.supervisor, uuid4(), approval_id=approval_id)
    return [str(case_id) for case_id in ids]


def pages(caller, path, limit):
    """Every page of the list."""
    cursor, found = "", []
    while True:
        page = caller.get(f"{path}{'&' if '?' in path else '?'}limit={limit}&cursor={cursor}").json()
        found.append(page["items"])
        cursor = page["next"]
        if not cursor:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_every_open_case_stands_on_one_page_oldest_first(cards, cases, limit):
    teller = machine(cards, "teller")
    found = pages(teller, "/chip-cases", limit)
    assert [one["case_id"] for page in found for one in page] == cases[:4]
    assert all(len(page) == limit for page in found[:-1])
    assert [one["case_id"] for page in pages(teller, "/chip-cases?settled=true", limit) for one in page] == cases
    of_one = [one["case_id"] for page in pages(teller, f"/chip-cases?card={CARDS[0]}", limit) for one in page]
    assert of_one == [cases[0], cases[3]]


def test_a_page_begins_after_its_last_case_though_that_was_settled_meanwhile(cards, cases):
    second = UUID(cases[1])
    ChipCase.objects.filter(pk=second).update(state="settled", settled_at=timezone.now())
    assert [one.case_id for one in look_at_cases(cards.teller, uuid4(), after=second, most=9)] == cases[2:4]


def test_a_case_is_told_with_what_became_of_it(cards, cases):
    told = machine(cards, "teller").get(f"/chip-cases/{cases[4]}").json()
    assert (told["state"], told["card_no"], told["settled_by"]) == ("settled", CARDS[1], "clerk")
    assert UUID(told["approval"])
    open_one = look_at_case(cards.teller, uuid4(), case_id=UUID(cases[0]))
    assert (open_one.state, open_one.settled_at, open_one.approval) == ("open", "", "")


@pytest.mark.acceptance("S0-18")
def test_another_citys_cases_and_lists_are_not_there_nor_those_of_ones_own(cards, cases):
    first, there = UUID(cases[0]), neighbour_at(InstitutionKind.AUTHORITY)
    assert look_at_cases(there, uuid4(), after=None, most=9) == []
    for nothing in (first, uuid4()):
        with pytest.raises(NotFound, match=f"no case {nothing} is on the books"):
            look_at_case(there, uuid4(), case_id=nothing)
        with pytest.raises(NotFound, match=f"no case {nothing} is on the books"):
            look_at_cases(there, uuid4(), after=nothing, most=9)
    for ask, after in ((look_at_blacklist, 0), (look_at_pushed_lists, "")):
        for region in (HERE, "990199"):
            with pytest.raises(NotFound, match=f"no region {region} is on the books"):
                ask(there, uuid4(), region=region, after=after, most=9)
    assert len(look_at_cases(province("SSB"), uuid4(), after=None, most=9)) == 4
    Operator.objects.filter(pk="teller").update(holder=Card.objects.get(pk=CARDS[0]).holder)
    shown = [one.case_id for one in look_at_cases(cards.teller, uuid4(), after=None, most=9)]
    assert shown == cases[1:3]
    with pytest.raises(NeedsSecondPerson):
        look_at_case(cards.teller, uuid4(), case_id=first)
    with pytest.raises(NotAllowed, match="no right to look"):
        look_at_cases(cards.administrator, uuid4(), after=None, most=9)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_every_listed_card_stands_on_one_page_under_its_newest_number(cards, limit):
    clerk = machine(cards, "clerk")
    assert clerk.get(f"/regions/{HERE}/blacklist").json() == {"items": [], "next": ""}
    for card_no in CARDS:
        lock(cards.clerk, uuid4(), card_no=card_no, reason=LockReason.OTHER)
    for card_no in CARDS[:2]:
        unlock(cards.clerk, uuid4(), card_no=card_no)
    lock(cards.clerk, uuid4(), card_no=CARDS[0], reason=LockReason.OTHER)
    listed = [one for page in pages(clerk, f"/regions/{HERE}/blacklist", limit) for one in page]
    assert [(one["card_no"], one["cause"]) for one in listed] == [(CARDS[2], "locked"), (CARDS[0], "locked")]
    newest = BlacklistChange.objects.filter(card__in=[CARDS[2], CARDS[0]]).order_by("sequence")
    assert [one["sequence"] for one in listed] == [newest[one].sequence for one in (1, 3)]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_every_terminal_stands_on_one_page_with_its_newest_list(cards, limit):
    at = {"990100000301": "PHARMACY-1", "990100000302": "CLINIC-1", "990100000303": "PHARMACY-1"}
    for terminal_no, place in at.items():
        push_blacklist(cards.clerk, uuid4(), terminal_no=terminal_no, institution=place)
    lock(cards.clerk, uuid4(), card_no=CARDS[0], reason=LockReason.OTHER)
    push_blacklist(cards.clerk, uuid4(), terminal_no="990100000302")
    given = [one for page in pages(machine(cards, "clerk"), f"/regions/{HERE}/pushed-lists", limit) for one in page]
    assert [(one["terminal_no"], one["institution"], one["sequence"]) for one in given] == [
        (number, place, BlacklistChange.objects.get().sequence if number == "990100000302" else 0)
        for number, place in at.items()
    ]


def test_no_cursor_but_ours(cards, cases):
    teller = machine(cards, "teller")
    for path in ("/chip-cases", f"/regions/{HERE}/blacklist"):
        for cursor in ("AAAA", "_____", "x", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"):
            assert teller.get(f"{path}?cursor={cursor}").json()["code"] == "no_such_page"
    assert teller.get("/regions/99/blacklist").status_code == 422
