"""One person's cards among operators who act all at once: whatever was answered fits into one story.

Law. What was answered "done" is told by the events of the cards, in one order; the answers are the states along it.
Law. Whoever was refused changed nothing, and of several who ask one is done, unless alone they were refused as well.
Law. A request sent twice at once is done once, and answered twice.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID, uuid4

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from cms.test_lives_machine import ON_CARD, WITH_DOCUMENT, Lives
from cms.threads import at_once
from cms.town import AT_TILL, TERMINAL, return_row, shown
from kaguan.apdu.errors import RuleBroken
from kaguan.cms import audit
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import AuditEntry, Card, CardEvent, Receipt
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import AXES, ExchangeReason
from kaguan.cms.rules.production import Report
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.services.case import COLUMN_OF, CardState
from kaguan.cms.services.contributions import credit_contribution
from kaguan.cms.services.issue import give_back, hand_over
from kaguan.cms.services.load import begin_load
from kaguan.cms.services.orders import NewCard, order_exchange
from kaguan.cms.services.production import report_stage
from kaguan.cms.services.purchase import authorise_purchase
from kaguan.cms.services.stock import receive_stock

MOST_AT_ONCE = 4


class Rush(Lives):
    """The same person; now several operators ask at the same moment, each over a connection of their own."""

    def time_passes(self, *_):
        """No rule here: the tests let time pass by telling an event twice, which is no story."""

    @rule(month=st.dates(date(2020, 1, 1), date(2025, 1, 1)))
    def pay_in(self, month):
        self.attempt(
            credit_contribution,
            "clerk",
            cert_type="01",
            cert_no=self.person.cert_no,
            month=month.replace(day=1),
            base_fen=1_000_000,
        )

    @rule(
        data=st.data(),
        drawn=st.lists(st.integers(0, 99), min_size=2, max_size=MOST_AT_ONCE),
        twins=st.booleans(),
    )
    def rush(self, data, drawn, twins):
        """Several at once, on the newest cards; the first of them perhaps twice, under one id."""
        wishes = self.wishes(self.card(data), self.card(data))
        acts = [(uuid4(), *wishes[number % len(wishes)]) for number in drawn]
        acts += acts[:1] if twins else []
        before = self.states()
        outcomes = at_once(
            *(
                lambda request_id=request_id, use=use, who=who, asked=asked: use(
                    getattr(self.town, who), request_id, **asked
                )
                for request_id, use, who, asked in acts
            )
        )
        self.check_answers(acts, outcomes)
        if twins:
            self.check_twins(acts[0], outcomes[0], outcomes[-1])
        if all(isinstance(outcome, RuleBroken) for outcome in outcomes):
            assert self.states() == before
            _, use, who, asked = acts[0]
            assert self.attempt(use, who, **asked) is None, f"{use.__name__} was refused without cause"

    def wishes(self, card_no, other):
        """All that somebody may want of these cards."""
        document = shown(self.person.cert_no)
        number = self.next_number()
        days = date(2026, 3, 1), date(2036, 3, 1)
        made = return_row(card_no, self.person.cert_no, self.person.name)
        money = {"card_no": card_no, "amount_fen": 7, "purse_before_fen": 0, "online_sequence": 0, **TERMINAL}
        bill = {"card_no": card_no, "items": [Item(ItemCategory.DRUG, 3)], **AT_TILL}
        till_time = datetime(2026, 2, 3, 9, 40)
        face_to_face = {"card_no": card_no, "document": document, "verdict": Verdict.SAME_PERSON}
        successor = {"new": NewCard(number, f"S{number}", *days), "reason": ExchangeReason.DAMAGE}
        return [
            *((use, who, {"card_no": card_no, **more}) for use, who, more in ON_CARD),
            *((use, who, {"card_no": other, **more}) for use, who, more in ON_CARD),
            *((use, "second_teller", {"card_no": card_no, "document": document}) for use in WITH_DOCUMENT),
            *((use, "teller", face_to_face) for use in (hand_over, give_back)),
            *((report_stage, "clerk", {"card_nos": [card_no], "report": report, "why": "told"}) for report in Report),
            (receive_stock, "teller", {"rows": [made]}),
            (order_exchange, "clerk", {"card_no": card_no, **successor}),
            (begin_load, "teller", money),
            (authorise_purchase, "cashier", {**bill, "terminal_time": till_time}),
        ]

    def check_answers(self, acts, outcomes):
        """What was answered stands along the story of the card, and what was refused does not."""
        for (request_id, use, *_), outcome in zip(acts, outcomes, strict=True):
            done = not isinstance(outcome, RuleBroken)
            assert Receipt.objects.filter(request_id=request_id).exists() == done
            assert AuditEntry.objects.filter(request_id=request_id, outcome="done").exists() == done
            if not done:
                assert not CardEvent.objects.filter(request_id=request_id).exists()
            if isinstance(outcome, CardState):
                assert outcome == state_after(request_id, outcome.card_no), use.__name__

    def check_twins(self, act, first, second):
        """Two of one id got one answer, and there is one effect."""
        if isinstance(first, RuleBroken) or isinstance(second, RuleBroken):
            assert type(first) is type(second)
            return
        assert first == second
        assert Receipt.objects.filter(request_id=act[0]).count() == 1

    @invariant()
    def every_card_is_where_its_story_ends(self):
        for card in Card.objects.filter(holder=self.holder):
            *_, (_, last) = story_of(card.card_no)
            assert last == {axis.name: getattr(card, COLUMN_OF[axis.name]) for axis in AXES}


def story_of(card_no):
    """Where the card stood on its axes after each of its events, by the request that the event is of."""
    by_name = {axis.name: axis for axis in AXES}
    state, begun = {axis.name: axis.initial.value for axis in AXES}, set()
    for told in CardEvent.objects.filter(card=card_no, axis__in=by_name).order_by("id"):
        if told.axis in begun:
            assert told.from_state == state[told.axis], f"{told.event} began where the card was not"
            assert by_name[told.axis].find(told.from_state, told.event).target == told.to_state
        begun.add(told.axis)  # a card comes to be at the stage that its request had reached
        state[told.axis] = told.to_state
        yield told.request_id, dict(state)


def state_after(request_id: UUID, card_no: str) -> CardState:
    """Where the card stood when the request was done, as its story tells."""
    state = [after for told_by, after in story_of(card_no) if told_by == request_id][-1]
    return CardState(card_no, **{COLUMN_OF[name]: value for name, value in state.items()})


def rush(town, *, examples: int, steps: int) -> None:
    """So many people's cards have lived so many rounds, and all books hold."""
    Rush.town = town
    # what threads do at once is never done again the same, so there is nothing to shrink
    bounds = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, phases=[Phase.generate]
    )
    run_state_machine_as_test(Rush, settings=bounds)
    audit.verify_chain()
    verify_books()
    done = AuditEntry.objects.filter(outcome="done")
    assert set(Receipt.objects.values_list("request_id", "action")) <= set(done.values_list("request_id", "action"))
