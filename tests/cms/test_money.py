"""Premium to account, account to chip, chip to clinic; and every way in which money must not move."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from cms.town import AT_OTHER_TILL, AT_TILL, CERT_NO, TERMINAL
from kaguan.cms.ledger.accounts import balance, held_account, merchant_account, personal_account, purse_account
from kaguan.cms.ledger.posting import Move, post
from kaguan.cms.ledger.proof import total, verify_books
from kaguan.cms.models import AuditEntry, Card, Holder, Institution, Operator, Transfer
from kaguan.cms.queries import open_reservations
from kaguan.cms.rules.money import FundsSource
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    DuplicateRequest,
    ForbiddenSource,
    IdempotencyConflict,
    IllegalTransition,
    InsufficientFunds,
    LimitExceeded,
    NotEligible,
    NotFound,
    NotMedical,
)
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.load import (
    begin_load,
    cancel_load,
    confirm_load,
    mark_load_grey,
    open_load,
    refuse_cash_top_up,
)
from kaguan.cms.services.loss import report_temporary_loss
from kaguan.cms.services.purchase import (
    authorise_purchase,
    cancel_purchase,
    mark_purchase_grey,
    open_purchase,
    record_purchase,
)
from kaguan.cms.services.set_up import blacklist_institution

DRUGS = [Item(ItemCategory.DRUG, 1_200), Item(ItemCategory.REGISTRATION, 300)]
DEBITED = {"tac": "0F1E2D3C"}
CARD = "990100001"


@pytest.fixture
def card(town):
    """An active card whose holder has 200 yuan on the personal account."""
    card_no = town.active_card()
    town.credit()
    return card_no


def balances():
    account = personal_account(Holder.objects.get(cert_no=CERT_NO).pk)
    return balance(account), balance(purse_account(CARD)), balance(merchant_account("CLINIC-1"))


def begin(town, load_id, amount_fen=5_000, **asked):
    asked = {
        "card_no": CARD,
        "purse_before_fen": 0,
        "online_sequence": 0,
        "amount_fen": amount_fen,
        **TERMINAL,
        **asked,
    }
    return begin_load(town.teller, load_id, **asked)


@pytest.mark.acceptance("S3-3")
@pytest.mark.acceptance("S2-12")
@pytest.mark.acceptance("S2-13")
def test_every_month_the_own_premium_reaches_the_account(town):
    town.active_card()
    town.credit(month=date(2026, 1, 31))
    town.credit(month=date(2026, 2, 1))
    assert balances()[0] == 40_000
    assert balance("POOL_EMP") == 120_000
    assert balance("PREMIUM_IN") == -160_000
    with pytest.raises(DuplicateRequest, match="2026-02"):
        town.credit(month=date(2026, 2, 28))
    with pytest.raises(NotFound, match=r"990101\*+0017"):
        town.credit(cert_no="990101190003070017")


@pytest.mark.acceptance("S3-2")
@pytest.mark.acceptance("S3-5")
@pytest.mark.acceptance("S3-6")
def test_from_the_account_to_the_card_to_the_clinic(town, card):
    load_id, purchase_id = uuid4(), uuid4()
    pending = begin(town, load_id)
    assert (pending.amount_fen, pending.online_sequence) == (5_000, 0)
    assert balances() == (15_000, 0, 0)
    assert confirm_load(town.teller, load_id, tac="A1B2C3D4").phase == "settled"
    assert balances() == (15_000, 5_000, 0)
    allowed = authorise_purchase(town.cashier, purchase_id, **AT_TILL, card_no=card, items=DRUGS)
    assert (allowed.amount_fen, allowed.pin_required) == (1_500, True)
    assert balances() == (15_000, 3_500, 0)
    record_purchase(town.cashier, purchase_id, **DEBITED)
    assert balances() == (15_000, 3_500, 1_500)
    assert Transfer.objects.get(phase="settled", kind="load").evidence == {"tac": "A1B2C3D4"}
    verify_books()
    assert total() == 0


@pytest.mark.acceptance("S0-8")
def test_a_load_that_the_chip_did_not_take_moves_nothing(town, card):
    load_id = uuid4()
    begin(town, load_id)
    assert cancel_load(town.teller, load_id, why="card removed").phase == "void"
    assert balances() == (20_000, 0, 0)
    with pytest.raises(AlreadyResolved, match="void already"):
        confirm_load(town.teller, load_id, tac="A1B2C3D4")


@pytest.mark.acceptance("S0-9")
@pytest.mark.parametrize("taken", [True, False])
def test_a_lost_answer_is_grey_until_somebody_finds_out(town, card, taken):
    load_id = uuid4()
    pending = begin(town, load_id)
    assert mark_load_grey(town.teller, load_id).phase == "pending"
    assert (balance("GREY"), balances()) == (5_000, (15_000, 0, 0))
    assert open_load(load_id) == pending
    with pytest.raises(NotFound, match="no purchase"):
        open_purchase(load_id)
    (waiting,) = open_reservations()
    assert (waiting["transfer"], waiting["grey"], waiting["online_sequence"]) == (str(load_id), True, 0)
    if taken:
        confirm_load(town.teller, load_id, tac="A1B2C3D4")
        assert balances() == (15_000, 5_000, 0)
        with pytest.raises(AlreadyResolved):
            cancel_load(town.teller, load_id, why="too late")
    else:
        cancel_load(town.teller, load_id, why="sequence unchanged")
        assert balances() == (20_000, 0, 0)
    assert mark_load_grey(town.second_teller, load_id).phase == "pending"
    assert balance("GREY") == 0
    assert open_reservations() == []
    verify_books()


def test_a_confirmed_load_stays_confirmed_and_other_evidence_is_refused(town, card):
    load_id = town.load(card, 5_000)
    assert confirm_load(town.teller, load_id, tac="A1B2C3D4").phase == "settled"
    with pytest.raises(IdempotencyConflict):
        confirm_load(town.teller, load_id, tac="00000000")
    with pytest.raises(AlreadyResolved):
        mark_load_grey(town.teller, load_id)
    with pytest.raises(AlreadyResolved):
        open_load(load_id)
    assert balances() == (15_000, 5_000, 0)


@pytest.mark.parametrize("tac", ["nonsense", "", "A1B2C3D", "A1B2C3D4E5", "a1b2c3d4", "A1B2C3D4\n", "１２３４５６７８"])
def test_what_is_no_tac_proves_nothing(town, card, tac):
    load_id, purchase_id = uuid4(), uuid4()
    begin(town, load_id)
    with pytest.raises(NotEligible, match="eight upper-case hex digits"):
        confirm_load(town.teller, load_id, tac=tac)
    assert balances() == (15_000, 0, 0)
    confirm_load(town.teller, load_id, tac="A1B2C3D4")
    authorise_purchase(town.cashier, purchase_id, **AT_TILL, card_no=card, items=DRUGS)
    with pytest.raises(NotEligible, match="eight upper-case hex digits"):
        record_purchase(town.cashier, purchase_id, tac=tac)
    assert balances() == (15_000, 3_500, 0)


@pytest.mark.parametrize("amount_fen", [1.5, 100.0, True])
def test_services_move_whole_fen_only(town, card, amount_fen):
    town.load(card, 5_000)
    for attempt in (
        lambda: begin(town, uuid4(), amount_fen=amount_fen, purse_before_fen=5_000),
        lambda: authorise_purchase(
            town.cashier, uuid4(), **AT_TILL, card_no=card, items=[Item(ItemCategory.DRUG, amount_fen)]
        ),
        lambda: town.credit(base_fen=amount_fen, month=date(2026, 2, 1)),
        lambda: post(uuid4(), "test", [Move("PREMIUM_IN", "PA:1", amount_fen)]),
    ):
        with pytest.raises(LimitExceeded, match="whole number of fen"):
            attempt()
    assert balances() == (15_000, 5_000, 0)


def test_a_load_is_finished_where_it_was_begun(town, card):
    load_id = uuid4()
    begin(town, load_id)
    with pytest.raises(NotFound):
        confirm_load(town.other_bank_teller, load_id, tac="A1B2C3D4")
    with pytest.raises(NotFound):
        cancel_purchase(town.cashier, load_id, why="not mine")
    Operator.objects.filter(code="teller").update(roles=[Role.OUTLET_TELLER.value, Role.CASHIER.value])
    with pytest.raises(NotFound):
        cancel_purchase(town.teller, load_id, why="no purchase")
    with pytest.raises(NotFound):
        confirm_load(town.teller, uuid4(), tac="A1B2C3D4")
    report_temporary_loss(town.hotline, uuid4(), card_no=card)
    assert confirm_load(town.teller, load_id, tac="A1B2C3D4").phase == "settled"


@pytest.mark.acceptance("S3-1")
def test_cash_never_reaches_the_medical_card(town, card):
    with pytest.raises(ForbiddenSource, match="only by transfer from the medical insurance account"):
        refuse_cash_top_up(town.teller, uuid4(), card_no=card, amount_fen=10_000)
    with pytest.raises(ForbiddenSource):
        begin(town, uuid4(), source=FundsSource.CASH)
    assert balances() == (20_000, 0, 0)
    line = AuditEntry.objects.get(action="top up in cash")
    assert (line.outcome, line.detail["amount_fen"]) == ("ForbiddenSource", 10_000)


@pytest.mark.parametrize(
    ("asked", "refusal", "complaint"),
    [
        ({"amount_fen": 50_001}, LimitExceeded, "over the limit"),
        ({"amount_fen": 0}, LimitExceeded, "no amount"),
        ({"amount_fen": 20_001}, InsufficientFunds, "holds less"),
        ({"purse_before_fen": 1}, NotEligible, "the chip shows 1 fen"),
        ({"card_no": "990109999"}, NotFound, "no card"),
    ],
)
def test_loads_that_are_refused(town, card, asked, refusal, complaint):
    with pytest.raises(refusal, match=complaint):
        begin(town, uuid4(), **asked)
    assert balances() == (20_000, 0, 0)


@pytest.mark.acceptance("S4-36")
@pytest.mark.acceptance("S4-37")
@pytest.mark.parametrize("category", [ItemCategory.DAILY_GOODS, ItemCategory.FOOD, ItemCategory.CASH_OUT])
def test_the_card_pays_for_nothing_but_medicine(town, card, category):
    town.load(card, 5_000)
    with pytest.raises(NotMedical, match=f"line 3 is {category.value}"):
        authorise_purchase(town.cashier, uuid4(), **AT_TILL, card_no=card, items=[*DRUGS, Item(category, 100)])
    assert balances() == (15_000, 5_000, 0)


@pytest.mark.acceptance("S4-39")
@pytest.mark.acceptance("S4-40")
def test_a_blacklisted_clinic_gets_nothing_new(town, card):
    town.load(card, 5_000)
    blacklist_institution(town.administrator, uuid4(), code="CLINIC-1", breach="sold rice for cards")
    with pytest.raises(NotEligible, match="blacklist"):
        authorise_purchase(town.cashier, uuid4(), **AT_TILL, card_no=card, items=DRUGS)
    assert authorise_purchase(town.pharmacist, uuid4(), **AT_OTHER_TILL, card_no=card, items=DRUGS).amount_fen == 1_500


def test_sites_that_are_not_designated_and_purses_that_are_too_thin(town, card):
    town.load(card, 1_000)
    with pytest.raises(InsufficientFunds):
        authorise_purchase(town.cashier, uuid4(), **AT_TILL, card_no=card, items=DRUGS)
    Institution.objects.filter(code="CLINIC-1").update(designated=False)
    with pytest.raises(NotEligible, match="not a designated"):
        authorise_purchase(town.cashier, uuid4(), **AT_TILL, card_no=card, items=DRUGS)


def test_a_purchase_is_recorded_or_cancelled_and_may_be_grey_meanwhile(town, card):
    town.load(card, 5_000)
    first, second = uuid4(), uuid4()
    for purchase_id in (first, second):
        authorise_purchase(town.cashier, purchase_id, **AT_TILL, card_no=card, items=DRUGS)
    assert balance(held_account(card)) == 3_000
    assert [open_purchase(purchase_id).terminal_sequence for purchase_id in (first, second)] == [1, 2]
    with pytest.raises(NotEligible, match="stands at another institution"):
        authorise_purchase(town.pharmacist, uuid4(), **AT_TILL, card_no=card, items=DRUGS)
    with pytest.raises(NotFound, match="no load"):
        open_load(first)
    mark_purchase_grey(town.cashier, first)
    record_purchase(town.cashier, first, **DEBITED)
    cancel_purchase(town.cashier, second, why="holder left")
    assert balances() == (15_000, 3_500, 1_500)
    with pytest.raises(AlreadyResolved):
        cancel_purchase(town.cashier, first, why="holder regrets")
    verify_books()


def test_an_expired_card_moves_no_money(town, card):
    town.load(card, 5_000)
    Card.objects.filter(card_no=card).update(issue_date=date(2010, 1, 1), valid_until=date(2020, 1, 1))
    with pytest.raises(NotEligible, match="expired on 2020"):
        begin(town, uuid4(), purse_before_fen=5_000)
    with pytest.raises(NotEligible, match="expired on 2020"):
        authorise_purchase(town.cashier, uuid4(), **AT_TILL, card_no=card, items=DRUGS)


def test_a_card_that_is_not_active_moves_no_money(town):
    card_no = town.order()
    town.credit()
    with pytest.raises(IllegalTransition, match="not activated"):
        begin(town, uuid4(), card_no=card_no)
