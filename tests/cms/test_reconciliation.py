"""What neither books nor chip can explain: it cannot come about by ordinary use, and two at the authority end it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from cms.counter import (
    CARD,
    FIRST_PIN,
    SUCCESSOR,
    WRONG_PIN,
    Counter,
    account_fen,
    behind_the_rules,
    drugs,
    grey_fen,
    open_transfers,
)
from cms.neighbours import neighbour_at, province
from cms.test_outlet_tears import AMOUNT_FEN, COMMAND, START_FEN, last_write_of, move, recover, replaced, torn
from cms.town import CERT_NO, shown
from cms.web import machine
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.ledger.accounts import balance, merchant_account, purse_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import AuditEntry, Card, Operator, Transfer
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    NeedsReconciliation,
    NotAllowed,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.load import cancel_load, confirm_load
from kaguan.cms.services.loss import report_formal_loss
from kaguan.cms.services.reconciliation import (
    Outcome,
    approve_reconciliation,
    ask_reconciliation,
    open_reconciliations,
)

pytestmark = pytest.mark.slow

FOUND = {"reason": "the proof is gone", "evidence": "terminal journal 2026-02-03, line 7"}


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def asked(counter, transfer_id, outcome, by=None):
    """The id of a reconciliation that waits for approval."""
    reconciliation_id = uuid4()
    actor = by or counter.town.clerk
    ask_reconciliation(actor, reconciliation_id, transfer_id=transfer_id, outcome=outcome, **FOUND)
    return reconciliation_id


def approved(counter, reconciliation_id):
    """What came of it."""
    return approve_reconciliation(counter.town.supervisor, uuid4(), reconciliation_id=reconciliation_id)


@pytest.mark.parametrize("kind", COMMAND)
@pytest.mark.parametrize("next_kind", COMMAND)
@pytest.mark.parametrize("taken", [False, True])
def test_nothing_new_begins_while_the_chip_still_has_the_proof(counter, kind, next_kind, taken):
    card = counter.funded(START_FEN)
    transfer_id = torn(counter, kind, card, last_write_of(counter, kind, card) if taken else 0)
    before = card.image
    with pytest.raises(NeedsReconciliation, match=f"{kind} {transfer_id} of card {CARD} is still open"):
        move(counter, next_kind, card, uuid4())
    assert card.image == before
    assert recover(counter, kind, card, transfer_id).phase == ("settled" if taken else "void")
    move(counter, next_kind, card, uuid4())
    counter.agrees(card)


@pytest.mark.parametrize("kind", COMMAND)
@pytest.mark.parametrize("taken", [False, True])
def test_asked_again_under_its_id_what_was_torn_is_recovered(counter, kind, taken):
    card = counter.funded(START_FEN)
    transfer_id = torn(counter, kind, card, last_write_of(counter, kind, card) if taken else 0)
    if taken:
        assert move(counter, kind, card, transfer_id).phase == "settled"
    else:
        with pytest.raises(AlreadyResolved, match="ask under a new id"):
            move(counter, kind, card, transfer_id)
    assert not open_transfers()
    counter.agrees(card)


@pytest.mark.parametrize("outcome", Outcome)
def test_two_at_the_authority_end_a_grey_load(counter, outcome):
    card = counter.funded(START_FEN)
    load_id = torn(counter, "load", card, last_write_of(counter, "load", card))
    whole_fen = account_fen()
    behind_the_rules(counter, "purchase", card, 100, booked=False)
    with pytest.raises(NeedsReconciliation, match="until the authority reconciles it"):
        recover(counter, "load", card, load_id)
    in_purse_fen = balance(purse_account(CARD))
    reconciliation_id = asked(counter, load_id, outcome)
    assert grey_fen() == AMOUNT_FEN
    (waiting,) = open_reconciliations(counter.town.supervisor, uuid4())
    assert (waiting.transfer_id, waiting.outcome, waiting.asked_by) == (str(load_id), outcome, "clerk")
    ended = approved(counter, reconciliation_id)
    assert (ended.transfer_id, ended.phase, ended.amount_fen) == (str(load_id), outcome, AMOUNT_FEN)
    settled = outcome is Outcome.SETTLED
    assert account_fen() == whole_fen + AMOUNT_FEN * (not settled)
    assert balance(purse_account(CARD)) == in_purse_fen + AMOUNT_FEN * settled
    assert (grey_fen(), open_transfers(), open_reconciliations(counter.town.clerk, uuid4())) == (0, 0, [])
    verify_books()
    assert Transfer.objects.get(phase=outcome, resolves__resolves=load_id).evidence == {
        "reconciliation": str(reconciliation_id),
        **FOUND,
        "asked_by": "clerk",
        "approved_by": "supervisor",
    }
    assert AuditEntry.objects.filter(action__endswith="reconciliation", outcome="done").count() == 2


def test_it_ends_exactly_once(counter):
    card = counter.funded(START_FEN)
    load_id = torn(counter, "load", card, 0)
    first, second = asked(counter, load_id, Outcome.VOID), asked(counter, load_id, Outcome.SETTLED)
    approved(counter, first)
    for late in (
        lambda: approved(counter, first),
        lambda: approved(counter, second),
        lambda: asked(counter, load_id, Outcome.SETTLED),
        lambda: recover(counter, "load", card, load_id),
    ):
        with pytest.raises(AlreadyResolved):
            late()
    assert counter.agrees(card) == START_FEN


def test_the_counter_may_still_find_out_first(counter):
    card = counter.funded(START_FEN)
    load_id = torn(counter, "load", card, 0)
    reconciliation_id = asked(counter, load_id, Outcome.SETTLED)
    assert recover(counter, "load", card, load_id).phase == "void"
    with pytest.raises(AlreadyResolved):
        approved(counter, reconciliation_id)
    assert counter.agrees(card) == START_FEN


def test_nobody_reconciles_alone(counter):
    card, town = counter.funded(START_FEN), counter.town
    load_id = torn(counter, "load", card, 0)
    for nobody in (town.teller, town.administrator, town.hotline, town.pharmacist):
        with pytest.raises(NotAllowed):
            asked(counter, load_id, Outcome.VOID, by=nobody)
    own = asked(counter, load_id, Outcome.VOID, by=town.supervisor)
    with pytest.raises(NeedsSecondPerson, match="another one has to approve"):
        approved(counter, own)
    with pytest.raises(NotAllowed):
        approve_reconciliation(town.clerk, uuid4(), reconciliation_id=own)
    with pytest.raises(NotFound):
        approved(counter, uuid4())
    for role, ask in ((Role.OUTLET_TELLER, confirm_load), (Role.OUTLET_TELLER, cancel_load)):
        Operator.objects.filter(code="clerk").update(roles=[Role.AUTHORITY_CLERK.value, role.value])
        evidence = {"tac": "00000000"} if ask is confirm_load else {"why": "so"}
        with pytest.raises(NotFound):
            ask(town.clerk, load_id, **evidence)
    Operator.objects.filter(code="teller").update(roles=[Role.AUTHORITY_CLERK.value])
    with pytest.raises(NotAllowed, match="no authority"):
        asked(counter, load_id, Outcome.VOID, by=town.teller)
    assert (grey_fen(), open_transfers()) == (AMOUNT_FEN, 1)


def test_nobody_reconciles_a_card_of_their_own_or_without_saying_why(counter):
    card, town = counter.funded(START_FEN), counter.town
    load_id = torn(counter, "load", card, 0)
    for empty in FOUND:
        with pytest.raises(NotEligible, match="needs a reason"):
            ask_reconciliation(town.clerk, uuid4(), transfer_id=load_id, outcome=Outcome.VOID, **{**FOUND, empty: " "})
    reconciliation_id = asked(counter, load_id, Outcome.VOID)
    holder = Transfer.objects.get(pk=load_id).content["moves"][0][0].partition(":")[2]
    Operator.objects.filter(code__in=["clerk", "supervisor"]).update(holder=int(holder))
    with pytest.raises(NeedsSecondPerson, match="of their own"):
        approved(counter, reconciliation_id)
    with pytest.raises(NeedsSecondPerson, match="of their own"):
        asked(counter, load_id, Outcome.VOID)
    assert open_transfers() == 1


def test_what_was_grey_on_a_dead_card_follows_onto_the_new_one(counter):
    card = counter.funded(START_FEN)
    purchase_id = torn(counter, "purchase", card, 0)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown(CERT_NO))
    counter.outlet.block_card(card, uuid4())
    replaced(counter)
    new = counter.active(SUCCESSOR)
    counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    assert counter.chip_fen(new) == START_FEN - AMOUNT_FEN
    with pytest.raises(NotEligible, match="nothing that can be carried over"):
        counter.outlet.carry_over(new, uuid4(), WRONG_PIN)
    approved(counter, asked(counter, purchase_id, Outcome.VOID))
    counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    assert counter.agrees(new, SUCCESSOR) == START_FEN
    assert balance(merchant_account("PHARMACY-1")) == 0
    counter.pharmacy.purchase(new, uuid4(), drugs(START_FEN), FIRST_PIN)
    assert counter.agrees(new, SUCCESSOR) == 0


@pytest.mark.acceptance("S0-18")
def test_what_waits_is_listed_to_those_who_could_approve_it_and_to_nobody_next_door(counter):
    card, town = counter.funded(START_FEN), counter.town
    load_id = torn(counter, "load", card, 0)
    here = [str(asked(counter, load_id, Outcome.VOID)) for _ in range(3)]
    assert [row.reconciliation_id for row in open_reconciliations(town.supervisor, uuid4())] == here
    neighbour = neighbour_at(InstitutionKind.AUTHORITY)
    assert open_reconciliations(neighbour, uuid4()) == []
    for nowhere in (UUID(here[0]), uuid4()):
        with pytest.raises(NotFound, match=f"no reconciliation {nowhere} is on the books"):
            open_reconciliations(neighbour, uuid4(), after=nowhere)
    assert len(open_reconciliations(province("SSB", neighbour.institution), uuid4())) == 3
    for nobody in (town.teller, town.hotline, town.administrator):
        with pytest.raises(NotAllowed):
            open_reconciliations(nobody, uuid4())
    pages = [open_reconciliations(town.clerk, uuid4(), after=UUID(one), most=1) for one in here]
    assert [[row.reconciliation_id for row in page] for page in pages] == [[here[1]], [here[2]], []]
    Operator.objects.filter(code="clerk").update(holder=Card.objects.get(pk=CARD).holder)
    assert open_reconciliations(town.clerk, uuid4()) == []


def test_what_waits_is_listed_page_by_page_over_the_web(counter):
    card, town = counter.funded(START_FEN), counter.town
    load_id = torn(counter, "load", card, 0)
    wanted = [str(asked(counter, load_id, Outcome.VOID)) for _ in range(3)]
    clerk, found, cursor = machine(town, "clerk"), [], ""
    for _ in wanted:
        page = clerk.get(f"/reconciliations?limit=1&cursor={cursor}").json()
        found += [row["reconciliation_id"] for row in page["items"]]
        cursor = page["next"]
    assert (found, cursor) == (wanted, "")
    assert clerk.get("/reconciliations?cursor=AAAA").json()["code"] == "no_such_page"
    assert machine(town, "teller").get("/reconciliations").status_code == 403
