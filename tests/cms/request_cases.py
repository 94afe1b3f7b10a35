"""A request for every use case of cards in use, money and the system itself."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID, uuid4, uuid5

from django.utils import timezone

from cms.town import AT_TILL, BANK, CERT_NO, EXPIRES, ISSUED, NAME, TERMINAL, return_row, shown
from kaguan.cms.models import (
    Card,
    CardEvent,
    Holder,
)
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application, CancelReason, LockReason
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services import (
    browsing,
    casework,
    clock,
    contributions,
    deadlines,
    fees,
    instant,
    issue,
    load,
    lock,
    looking,
    loss,
    making,
    misuse,
    order_file,
    orders,
    outbox,
    pin,
    privacy,
    purchase,
    reconciliation,
    regions,
    requests,
    sampling,
    set_up,
    stock,
    temporary,
)
from kaguan.vault.secret import Secret

CARD = "990100001"
ORDER_ROW = orders.OrderRow("990100005", "01", CERT_NO, NAME, BANK, "", ISSUED, EXPIRES)
LOAD = {"card_no": CARD, "amount_fen": 100, "purse_before_fen": 0, "online_sequence": 0, **TERMINAL}
REPLACEMENT = {"card_no": CARD, "new": orders.NewCard("990100002", "R1", ISSUED, EXPIRES)}
BILL = {"card_no": CARD, "items": [Item(ItemCategory.DRUG, 100)], **AT_TILL}


def nothing(town, request_id):
    pass


def ordered(town, request_id):
    town.order()


def received(town, request_id):
    town.order()
    town.receive(CARD)


def handed_over(town, request_id):
    received(town, request_id)
    town.hand_over(CARD)


def active(town, request_id):
    town.active_card()
    town.credit()


def funded(town, request_id):
    active(town, request_id)
    town.load(CARD, 5_000)


def loading(town, request_id):
    active(town, request_id)
    load.begin_load(town.teller, request_id, **LOAD)


def buying(town, request_id):
    funded(town, request_id)
    purchase.authorise_purchase(town.cashier, request_id, **BILL)


def in_state(application):
    def prepare(town, request_id):
        active(town, request_id)
        Card.objects.update(application=application)

    return prepare


def lost_long_ago(town, request_id):
    active(town, request_id)
    Card.objects.update(application=Application.TEMPORARY_LOSS)
    CardEvent.objects.create(
        card_id=CARD,
        at=timezone.now() - timedelta(days=11),
        event="report_temporary_loss",
        request_id=uuid4(),
    )


TORN_LOAD, TORN_RECONCILIATION = UUID(int=7), UUID(int=8)
FOUND_OUT = {
    "transfer_id": TORN_LOAD,
    "outcome": reconciliation.Outcome.VOID,
    "reason": "the chip never had it",
    "evidence": "terminal journal of 3 February",
}


def torn_load(town, request_id):
    loading(town, TORN_LOAD)


def reconciliation_asked(town, request_id):
    torn_load(town, request_id)
    reconciliation.ask_reconciliation(town.clerk, TORN_RECONCILIATION, **FOUND_OUT)


LEAVER = 990_100


def person_without_cards(town, request_id):
    Holder.objects.create(pk=LEAVER, cert_type="01", cert_no=CERT_NO, name=NAME, region_id="990100")


def replaced(town, request_id):
    funded(town, request_id)
    loss.report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown())
    orders.order_replacement(town.clerk, uuid4(), **REPLACEMENT)
    Card.objects.filter(card_no="990100002").update(application=Application.NORMAL)
    loss.confirm_blocked(town.clerk, uuid4(), card_no=CARD, how="reader")


REPORT = UUID(int=11)
TOLD = uuid5(REPORT, f"report_temporary_loss {CARD}")
BANK_KNOWN = {"bank_code": BANK, "url": "https://bank.example/notices", "key": Secret(bytes(range(32)))}


def told_of_loss(town, request_id):
    active(town, request_id)
    outbox.register_endpoint(town.administrator, uuid4(), **BANK_KNOWN)
    loss.report_temporary_loss(town.hotline, REPORT, card_no=CARD)
    assert list(outbox.claim_due(timezone.now(), 1))


NEIGHBOUR = 'code = "990300"\nname = "N"\nparent = "990000"\n[[version]]\nvalid_from = 2020-01-01\npin.pin_tries = 4'
HOSPITAL = {"code": "H", "name": "H", "kind": InstitutionKind.HOSPITAL}
EMPLOYEE = {"code": "o", "name": "o", "institution": "SSB", "roles": [Role.HOTLINE]}
PREMIUM = {"cert_type": "01", "cert_no": CERT_NO, "month": date(2025, 5, 1), "base_fen": 10_000}
ON_CARD = {"card_no": CARD}
WITH_DOCUMENT = {"card_no": CARD, "document": shown()}
CASES = [
    (set_up.register_institution, "administrator", nothing, HOSPITAL),
    (set_up.register_operator, "administrator", nothing, EMPLOYEE),
    (set_up.blacklist_institution, "administrator", nothing, {"code": "CLINIC-1", "breach": "x"}),
    (set_up.set_region, "administrator", nothing, {"settings": {"temporary_loss_days": 3}}),
    (regions.import_regions, "administrator", nothing, {"texts": {"990300.toml": NEIGHBOUR}}),
    (regions.open_region, "administrator", nothing, {"code": "370200", "authority": "QD", "administrator": "qd"}),
    (orders.order_cards, "clerk", nothing, {"order_no": "B9", "rows": [ORDER_ROW]}),
    (orders.order_replacement, "clerk", in_state(Application.FORMAL_LOSS), REPLACEMENT),
    (stock.receive_stock, "teller", ordered, {"rows": [return_row(CARD)]}),
    (issue.hand_over, "teller", received, {**WITH_DOCUMENT, "verdict": Verdict.SAME_PERSON}),
    (issue.activate, "teller", handed_over, WITH_DOCUMENT),
    (pin.record_pin_change, "cashier", active, ON_CARD),
    (pin.record_pin_blocked, "cashier", active, ON_CARD),
    (pin.reset_pin, "teller", active, WITH_DOCUMENT),
    (contributions.credit_contribution, "clerk", active, PREMIUM),
    (load.begin_load, "teller", active, LOAD),
    (load.begin_carry_over, "teller", replaced, {**LOAD, "card_no": "990100002", "amount_fen": 5_000}),
    (load.confirm_load, "teller", loading, {"tac": "A1B2C3D4"}),
    (load.cancel_load, "teller", loading, {"why": "removed"}),
    (load.mark_load_grey, "teller", loading, {}),
    (purchase.authorise_purchase, "cashier", funded, BILL),
    (purchase.record_purchase, "cashier", buying, {"tac": "0F1E2D3C"}),
    (purchase.cancel_purchase, "cashier", buying, {"why": "left"}),
    (purchase.mark_purchase_grey, "cashier", buying, {}),
    (loss.report_temporary_loss, "hotline", active, ON_CARD),
    (loss.report_formal_loss, "teller", active, WITH_DOCUMENT),
    (loss.release_loss, "hotline", in_state(Application.TEMPORARY_LOSS), ON_CARD),
    (loss.lapse_loss, "hotline", lost_long_ago, ON_CARD),
    (loss.order_block, "teller", in_state(Application.FORMAL_LOSS), ON_CARD),
    (loss.presume_blocked, "teller", in_state(Application.FORMAL_LOSS), ON_CARD),
    (reconciliation.ask_reconciliation, "clerk", torn_load, FOUND_OUT),
    (
        reconciliation.approve_reconciliation,
        "supervisor",
        reconciliation_asked,
        {"reconciliation_id": TORN_RECONCILIATION},
    ),
    (loss.confirm_blocked, "teller", in_state(Application.FORMAL_LOSS), {**ON_CARD, "how": "reader"}),
    (outbox.register_endpoint, "administrator", nothing, BANK_KNOWN),
    (outbox.take_back_loss, "hotline", told_of_loss, {"notice_id": TOLD, "why": "not our card"}),
    (sampling.add_sample, "administrator", nothing, {"holders": 3}),
    (privacy.export_person, "clerk", person_without_cards, {"holder_id": LEAVER, "reason": "own request"}),
    (misuse.report_misuse, "cashier", active, {**ON_CARD, "what": "a stranger paid with it"}),
    (lock.lock, "clerk", active, {**ON_CARD, "reason": LockReason.OTHER}),
    (lock.unlock, "clerk", in_state(Application.LOCKED), ON_CARD),
    (lock.seal, "clerk", ordered, ON_CARD),
    (lock.cancel, "clerk", active, {**ON_CARD, "reason": CancelReason.DEATH}),
]  # fmt: skip
ALWAYS_REFUSED = {load.refuse_cash_top_up}
QUESTIONS = {
    load.allow_load,
    load.allow_carry_over,
    purchase.allow_purchase,
    clock.allow_run,
    clock.look_ahead,
    reconciliation.open_reconciliations,
    instant.instant_requests,
    casework.look_at_cases,
    casework.look_at_case,
    casework.look_at_blacklist,
    casework.look_at_pushed_lists,
    making.look_at_making,
    requests.may_have_card,
    looking.look_at_card,
    looking.look_at_card_of,
    looking.look_at_cards,
    looking.look_at_life,
    deadlines.overdue_orders,
    fees.look_at_fees,
    temporary.use_temporary_card,
    misuse.misuse_reports,
    browsing.show_card,
    browsing.show_life,
    browsing.show_holder,
    browsing.show_progress,
    browsing.show_account,
    browsing.list_requests,
    browsing.list_reminders,
    browsing.list_transfers,
    browsing.list_institutions,
    browsing.list_operators,
    order_file.content_of_order,
    order_file.propose_cards,
}
