"""Cards in production and in stock: how far they are, who has them, and how they end."""

from __future__ import annotations

from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cms.town import return_row, shown
from cms.wishes import SECOND_CERT_NO, SECOND_NAME
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardEvent, Operator, StockItem
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application, CancelReason
from kaguan.cms.rules.production import (
    FAILURES,
    PRODUCTION,
    Production,
    Report,
    ScrapReason,
    UndeliverableReason,
)
from kaguan.cms.rules.refusals import (
    DuplicateRequest,
    IllegalTransition,
    NotAllowed,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import Actor
from kaguan.cms.services.custody import (
    offer_cards,
    place_card,
    recover_card,
    refuse_cards,
    return_stock,
    scrap_card,
    take_cards,
)
from kaguan.cms.services.issue import activate, give_back, hand_over
from kaguan.cms.services.lock import cancel
from kaguan.cms.services.loss import report_temporary_loss
from kaguan.cms.services.production import report_stage, take_return
from kaguan.cms.services.stock import receive_stock

CARD, OTHER = "990100001", "990100002"
BACK = UndeliverableReason.NOT_COLLECTED


@pytest.fixture
def stored(town):
    """Two cards in the outlet's stock."""
    town.order(CARD)
    town.order(OTHER, SECOND_CERT_NO, SECOND_NAME)
    town.receive(CARD)
    town.receive(OTHER, SECOND_CERT_NO, SECOND_NAME)
    return town


def report(town, *reports, card_no=CARD):
    for told in reports:
        why = "told so" if told in FAILURES else ""
        stage = report_stage(town.clerk, uuid4(), card_nos=[card_no], report=told, why=why).stage
    return stage


def test_a_card_fails_at_every_stage_and_goes_on(town):
    town.order(CARD)
    way = [
        (Report.FAIL_BATCH, "12"),
        (Report.BATCH, "10"),
        (Report.FAIL_BANK_EXPORT, "22"),
        (Report.ASK_ACCOUNT, "20"),
        (Report.FAIL_ACCOUNT, "23"),
        (Report.ASK_ACCOUNT, "20"),
        (Report.OPEN_ACCOUNT, "21"),
        (Report.FAIL_BUREAU_EXPORT, "32"),
        (Report.SEND, "30"),
        (Report.FAIL, "33"),
        (Report.SEND, "30"),
        (Report.MAKE, "34"),
        (Report.FAIL_SHIPPING, "52"),
        (Report.SEND, "30"),
        (Report.MAKE, "34"),
    ]
    for told, stage in way:
        assert report(town, told) == stage
    take_return(town.clerk, uuid4(), rows=[return_row(CARD)])
    town.receive(CARD)
    assert Card.objects.get().production == Production.AT_OUTLET
    failed = CardEvent.objects.get(event="fail")
    assert (failed.to_state, failed.detail) == ("33", {"why": "told so"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(reports=st.lists(st.sampled_from(Report), max_size=8))
def test_whatever_is_reported_the_card_walks_along_its_table(town, reports):
    card_no = f"9{Card.objects.count():08}"
    town.order(card_no, f"99010119900307{Card.objects.count():04}")
    for told in reports:
        before = Card.objects.get(pk=card_no).production
        legal = [row for row in PRODUCTION.transitions if row.event == told and before in row.sources]
        if legal:
            assert report(town, told, card_no=card_no) == legal[0].target
        else:
            with pytest.raises(IllegalTransition):
                report(town, told, card_no=card_no)
            assert Card.objects.get(pk=card_no).production == before
    steps = list(CardEvent.objects.filter(card=card_no).order_by("id").values_list("from_state", "to_state"))
    assert all(after == before for (_, after), (before, _) in pairwise(steps))


def test_a_report_names_cards_and_a_failure_its_reason(town):
    town.order(CARD)
    told = {"card_nos": [CARD], "report": Report.BATCH}
    for bad, complaint in (
        ({"card_nos": []}, "no cards are named"),
        ({"report": Report.FAIL_BATCH}, "say why"),
        ({"why": "x"}, "of no failure"),
        ({"report": Report.FAIL_BATCH, "why": "卡" * 17}, "at most 50 bytes"),
    ):
        with pytest.raises(NotEligible, match=complaint):
            report_stage(town.clerk, uuid4(), **{**told, **bad})
    with pytest.raises(NotFound):
        report_stage(town.clerk, uuid4(), **{**told, "card_nos": [CARD, OTHER]})
    assert Card.objects.get().production == Production.ORDERED
    with pytest.raises(NotAllowed, match="order cards"):
        report_stage(town.teller, uuid4(), **told)


def test_a_returned_card_arrives_with_the_chip_that_was_returned(town):
    town.order(CARD)
    with pytest.raises(NotEligible, match="no rows"):
        take_return(town.clerk, uuid4(), rows=[])
    with pytest.raises(IllegalTransition, match="still being made"):
        take_return(town.clerk, uuid4(), rows=[return_row(CARD)])
    report(town, Report.BATCH, Report.SEND)
    take_return(town.clerk, uuid4(), rows=[return_row(CARD)])
    assert Card.objects.get().atr == return_row(CARD).atr
    other_chip = return_row("990100009")._replace(card_no=CARD)
    with pytest.raises(NotEligible, match="returned with another chip"):
        receive_stock(town.teller, uuid4(), rows=[other_chip])
    town.receive(CARD)


def test_a_card_lies_in_one_place_and_a_place_holds_one_card(stored):
    town = stored
    here = {"card_no": CARD, "cabinet": "A", "position": "12"}
    place_card(town.teller, uuid4(), **here)
    item = StockItem.objects.get(card=CARD)
    assert (item.cabinet, item.position) == ("A", "12")
    with pytest.raises(DuplicateRequest, match=f"card {CARD} lies in A 12"):
        place_card(town.teller, uuid4(), **{**here, "card_no": OTHER})
    for unplaced in ({"cabinet": ""}, {"position": ""}):
        with pytest.raises(NotEligible, match="cabinet and a position"):
            place_card(town.teller, uuid4(), **{**here, **unplaced})
    with pytest.raises(NotEligible, match="not in the custody of ABC-1"):
        place_card(town.other_bank_teller, uuid4(), **here)
    place_card(town.teller, uuid4(), **{**here, "position": "13"})
    moved = CardEvent.objects.filter(event="place").latest("id")
    assert moved.detail == {"old_place": "A 12", "place": "A 13"}
    place_card(town.teller, uuid4(), **{**here, "card_no": OTHER})
    town.hand_over(CARD)
    place_card(town.second_teller, uuid4(), **{**here, "card_no": OTHER, "position": "13"})
    assert StockItem.objects.get(card=OTHER).position == "13"


def test_between_tellers_one_gives_and_the_other_takes(stored):
    town = stored
    for _ in range(2):
        with pytest.raises(NeedsSecondPerson, match="to themselves"):
            offer_cards(town.teller, uuid4(), card_nos=[CARD], taker="teller")
    with pytest.raises(NotFound, match="no operator"):
        offer_cards(town.teller, uuid4(), card_nos=[CARD], taker="nobody")
    with pytest.raises(NotEligible, match="no cards"):
        offer_cards(town.teller, uuid4(), card_nos=[], taker="teller2")
    receipt = offer_cards(town.teller, uuid4(), card_nos=[CARD, OTHER], taker="teller2")
    assert (receipt.card_count, receipt.keeper) == (2, "teller2")
    for blocked in (
        lambda: offer_cards(town.teller, uuid4(), card_nos=[CARD], taker="abc"),
        lambda: place_card(town.teller, uuid4(), card_no=CARD, cabinet="A", position="1"),
        lambda: town.hand_over(CARD),
        lambda: recover_card(town.teller, uuid4(), card_no=CARD),
    ):
        with pytest.raises(NotEligible, match="offered to teller2"):
            blocked()
    with pytest.raises(NotEligible, match="not on offer to teller"):
        take_cards(town.teller, uuid4(), card_nos=[CARD])
    take_cards(town.second_teller, uuid4(), card_nos=[CARD])
    with pytest.raises(NotEligible, match="not on offer"):
        take_cards(town.second_teller, uuid4(), card_nos=[CARD])
    with pytest.raises(NotEligible, match="kept by teller2"):
        town.hand_over(CARD)
    hand_over(town.second_teller, uuid4(), card_no=CARD, document=shown(), verdict=Verdict.SAME_PERSON)
    told = CardEvent.objects.get(event="take").detail
    assert told == {"giver": "teller", "taker": "teller2"}


@pytest.mark.parametrize("who", ["teller", "second_teller"])
def test_an_offer_is_refused_by_either_and_by_nobody_else(stored, who):
    town = stored
    offer_cards(town.teller, uuid4(), card_nos=[CARD], taker="teller2")
    with pytest.raises(NotEligible, match="neither by nor to abc"):
        refuse_cards(town.other_bank_teller, uuid4(), card_nos=[CARD])
    refuse_cards(getattr(town, who), uuid4(), card_nos=[CARD])
    with pytest.raises(NotEligible, match="not on offer"):
        refuse_cards(town.teller, uuid4(), card_nos=[CARD])
    with pytest.raises(NotEligible, match="kept by teller"):
        place_card(town.second_teller, uuid4(), card_no=CARD, cabinet="A", position="1")
    town.hand_over(CARD)


def test_cards_that_nobody_collects_go_back(stored):
    town = stored
    for taker, refusal in (("nobody", NotFound), ("teller2", NotEligible)):
        with pytest.raises(refusal):
            return_stock(town.teller, uuid4(), card_nos=[CARD], reason=BACK, taker=taker)
    with pytest.raises(NotEligible, match="not in the custody"):
        return_stock(town.other_bank_teller, uuid4(), card_nos=[CARD], reason=BACK, taker="clerk")
    assert Card.objects.get(pk=CARD).production == Production.AT_OUTLET
    return_stock(town.teller, uuid4(), card_nos=[CARD], reason=BACK, taker="clerk")
    with pytest.raises(IllegalTransition, match="goes back"):
        return_stock(town.teller, uuid4(), card_nos=[CARD], reason=BACK, taker="clerk")
    take_cards(town.clerk, uuid4(), card_nos=[CARD])
    item = StockItem.objects.get(card=CARD)
    assert (item.institution.code, item.keeper, item.offered_to) == ("SSB", "clerk", "")
    assert CardEvent.objects.get(event="fail_delivery").reason == BACK


def test_a_card_is_scrapped_by_somebody_who_did_not_bring_it_and_never_alive(stored):
    town = stored
    town.hand_over(CARD)
    with pytest.raises(IllegalTransition, match="handed over already"):
        scrap_card(town.clerk, uuid4(), card_no=CARD, reason=ScrapReason.RECOVERED)
    recovered = recover_card(town.clerk, uuid4(), card_no=CARD)
    assert recovered.production == Production.RECOVERED
    asked = {"card_no": CARD, "reason": ScrapReason.RECOVERED}
    with pytest.raises(NotEligible, match="not cancelled yet"):
        scrap_card(town.supervisor, uuid4(), **asked)
    cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.DAMAGE)
    with pytest.raises(NeedsSecondPerson, match="brought the card in"):
        scrap_card(town.clerk, uuid4(), **asked)
    with pytest.raises(NotAllowed, match="scrap"):
        scrap_card(town.teller, uuid4(), **asked)
    with pytest.raises(NotEligible, match="is none of"):
        scrap_card(town.supervisor, uuid4(), card_no=CARD, reason="7")
    assert scrap_card(town.supervisor, uuid4(), **asked).production == Production.SCRAPPED
    assert StockItem.objects.get(card=CARD).handed_over_at is not None
    with pytest.raises(IllegalTransition, match="destroyed"):
        recover_card(town.clerk, uuid4(), card_no=CARD)


def test_a_found_card_goes_back_to_its_holder(stored):
    town = stored
    town.hand_over(CARD)
    asked = {"card_no": CARD, "document": shown(), "verdict": Verdict.SAME_PERSON}
    with pytest.raises(IllegalTransition, match="handed over already"):
        give_back(town.teller, uuid4(), **asked)
    activate(town.teller, uuid4(), card_no=CARD, document=shown())
    report_temporary_loss(town.hotline, uuid4(), card_no=CARD)
    recover_card(town.other_bank_teller, uuid4(), card_no=CARD)
    with pytest.raises(NotEligible, match="not in the custody of ICBC-1"):
        give_back(town.teller, uuid4(), **asked)
    with pytest.raises(NotEligible, match="not the person"):
        give_back(town.other_bank_teller, uuid4(), **{**asked, "verdict": Verdict.ANOTHER_PERSON})
    back = give_back(town.other_bank_teller, uuid4(), **asked)
    assert (back.production, back.application) == (Production.HANDED_OVER, Application.TEMPORARY_LOSS)
    recover_card(town.other_bank_teller, uuid4(), card_no=CARD)
    cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.LOST)
    with pytest.raises(NotEligible, match="scrapped, not given back"):
        give_back(town.other_bank_teller, uuid4(), **asked)


def test_a_spoilt_card_is_scrapped_without_ever_having_been_in_stock(town):
    town.order(CARD)
    report(town, Report.FAIL)
    cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.QUALITY)
    asked = {"card_no": CARD, "reason": ScrapReason.SPOILED}
    with pytest.raises(NeedsSecondPerson):
        scrap_card(town.clerk, uuid4(), **asked)
    assert scrap_card(town.supervisor, uuid4(), **asked).production == Production.SCRAPPED


def test_a_card_on_offer_is_not_scrapped(stored):
    town = stored
    cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.QUALITY)
    return_stock(town.teller, uuid4(), card_nos=[CARD], reason=BACK, taker="clerk")
    with pytest.raises(NotEligible, match="offered to clerk"):
        scrap_card(town.supervisor, uuid4(), card_no=CARD, reason=ScrapReason.UNDELIVERABLE)


@pytest.mark.usefixtures("stored")
def test_nobody_moves_a_card_of_their_own():
    holder = Card.objects.get(pk=CARD).holder
    Operator.objects.create(
        code="self", name="self", institution_id="ICBC-1", roles=[Role.OUTLET_TELLER.value], holder=holder
    )
    own = Actor("self", "ICBC-1")
    for use in (
        lambda: place_card(own, uuid4(), card_no=CARD, cabinet="A", position="1"),
        lambda: offer_cards(own, uuid4(), card_nos=[CARD], taker="teller"),
        lambda: recover_card(own, uuid4(), card_no=CARD),
    ):
        with pytest.raises(NeedsSecondPerson):
            use()
    assert Card.objects.get(pk=CARD).application == Application.NOT_ENABLED
