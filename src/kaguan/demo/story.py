"""The story: an order becomes cards, card management takes them in, and one of the cards lives its life."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from kaguan.apdu.codecs import real_date
from kaguan.apdu.errors import InputError, KaguanError, LinkError, RuleBroken
from kaguan.apdu.identifiers import card_number_check_character
from kaguan.card_os.profile import CardProfile
from kaguan.cms import audit
from kaguan.cms.ledger import accounts, proof
from kaguan.cms.models import Card
from kaguan.cms.notifying.delivery import deliver_due
from kaguan.cms.order_rows import read_order_rows
from kaguan.cms.outlet import Outlet
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.fees import FeeKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.services import contributions, fees, issue, load, loss, orders, stock
from kaguan.cms.services.approvals.asking import ask_new_card
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.case import Actor
from kaguan.cms.services.minors import facts_of, is_minor
from kaguan.demo import doors, pairs, screen, ways, web
from kaguan.demo import proof as proving
from kaguan.demo.bank import REFUSED, TAKEN, open_bank
from kaguan.demo.screen import fact, refused, yuan
from kaguan.demo.town import NEIGHBOUR, found_town
from kaguan.durable import whole_file
from kaguan.emulator.faults import tearing
from kaguan.emulator.imagefile import FileCard
from kaguan.personalization.job.job import Counts
from kaguan.personalization.keystore import open_store
from kaguan.personalization.line.line import run_line
from kaguan.personalization.line.places import opened_records, place_of
from kaguan.personalization.line.printing import can_print
from kaguan.personalization.line.supervisor import Progress
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.order.holder_rules import HolderRules
from kaguan.personalization.order.reading import Holder, OrderName, Task, open_order
from kaguan.personalization.order.returnfile import read_return
from kaguan.personalization.order.writing import OrderedCard, OrderedTask, write_order
from kaguan.personalization.station.process import CARDS
from kaguan.terminal.refusals import CardBlocked, PinBlocked, PinRefused
from kaguan.vault.secret import Pin

NEW_PIN, RESET_PIN, WRONG_PIN = Pin.of("246810"), Pin.of("135791"), Pin.of("999999")
BASE_FEN = 1_000_000
LOAD_FEN, TORN_LOAD_FEN, PURCHASE_FEN = 12_000, 3_000, 4_560
_LOOKED_AT = 40
"""Cards among which other holders are looked for."""
BEFORE_THE_MARK, AFTER_THE_MARK = 1, 3
"""Physical writes of CREDIT FOR LOAD until the cut: two are staged, the third marks, then they are applied."""


@dataclass
class Stage:
    """Where the demo plays: its order, its folder, its stations."""

    order: Path
    out: Path
    profile: CardProfile
    rules: HolderRules
    stations: int
    clock: Callable[[], datetime]

    def bureau(self, order: Path, folder: str, progress: Progress, store: Path | None = None) -> Counts:
        """The bureau makes the order's cards in this folder."""
        line = LineOrder(
            order, self.out / folder, self.profile, self.rules, store=store, stations=self.stations, reports=True
        )
        return run_line(line, progress, lambda _: None)

    @property
    def store(self) -> Path:
        """The key store that the bureau's test ceremony made."""
        return self.out / "bureau" / "keys" / "test.store"


@dataclass
class Player:
    """The holder whose card the demo follows, and the numbers of the card in hand."""

    holder: Holder
    task: Task
    name: OrderName
    photo: bytes

    @property
    def document(self) -> Document:
        """The holder's original identity card on the counter."""
        return Document(self.holder.columns["cert_type"], self.holder.id_no, original=True)


class Story:
    """One run of the demo."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.faces: Path | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def personalize(self, progress: Progress) -> Counts:
        """Step 1: the order is two hundred sealed cards."""
        counts = self.stage.bureau(self.stage.order, "bureau", progress)
        fact(f"order {self.stage.order.name}: every row judged, {counts.total} good, no faults")
        fact(f"test ceremony: {self.stage.store.with_name('ceremony.txt')}")
        fact(f"{counts.good} cards written, read back, compared and sealed; {counts.rejected} rejected")
        self.faces = self._preview()
        return counts

    def _preview(self) -> Path | None:
        """The first ten cards' faces on a sheet, where there are fonts for it."""
        if not can_print():
            return None
        from kaguan.personalization.outgoing.previews import Chosen, Design, write_previews  # noqa: PLC0415 - an extra

        folder = self.stage.out / "bureau"
        try:
            with place_of(folder, "", "").opened() as job, opened_records(job, None, None) as opened:
                at, design = self.stage.clock(), Design()
                sheets = write_previews(
                    job, opened.records, folder / "faces-0001.pdf", Chosen(first=10), design, written_at=at
                )
                return next(iter(sheets))
        except InputError:  # no fonts
            return None

    def open_office(self) -> None:
        """Step 2: card management is open, in two cities, and whoever works there can sign in."""
        with open_order(self.stage.order) as order:
            entries = iter(order)
            task = next(entry for entry in entries if isinstance(entry, Task))
            holder = next(entry for entry in entries if isinstance(entry, Holder))
            assert order.name is not None  # noqa: S101 - the line has refused it otherwise
            self.player = Player(holder, task, order.name, order.photo(holder))
        self.town = found_town(self.player.name.city, self.player.name.bank)
        self.vault = open_store(self.stage.store)
        fact(f"city {self.player.name.city} and its neighbour {NEIGHBOUR} are open in one database, each by its rules")
        doors.sign_in_approver(self.town)

    def receive(self) -> None:
        """Step 3: the return files are written, and card management has the cards in stock."""
        batch, rows = read_order_rows(self.stage.order)
        ordered = orders.order_cards(self.town.clerk, uuid4(), order_no=batch, rows=rows)
        fact(f"order {ordered.order_no} with {ordered.card_count} cards is on the books")
        self._take_into_stock("bureau")
        doors.look_across(self.town, self.player.holder.card_no)

    def activate(self) -> None:
        """Step 4: handed over, activated at the card's own bank, and its PIN lived through."""
        town, player = self.town, self.player
        card_no = player.holder.card_no
        self.card = self._insert("bureau", card_no)
        self._hand_over(card_no, player.document)
        with refused("activation at another bank's outlet", RuleBroken):
            self._at(town.other_bank_teller).activate(self.card, uuid4(), player.document)
        counter = self._at(town.teller)
        state = counter.activate(self.card, uuid4(), player.document)
        fact(f"activated at its own bank: application state {state.application}")
        initial = Pin.of(self.stage.profile.defaults["initial_pin"])
        counter.change_pin(self.card, uuid4(), initial, NEW_PIN)
        fact("the initial PIN is changed")
        for number in (1, 2, 3):
            with refused(f"wrong PIN, {number}", PinRefused, PinBlocked):
                counter.verify_pin(self.card, uuid4(), WRONG_PIN)
        with refused("the right PIN now", PinBlocked):
            counter.verify_pin(self.card, uuid4(), NEW_PIN)
        counter.unblock_pin(self.card, uuid4(), player.document, RESET_PIN)
        counter.verify_pin(self.card, uuid4(), RESET_PIN)
        fact("the outlet has unblocked it: a new PIN, through secure messages to the chip, and it is accepted")

    def enable_others(self) -> None:
        """Step 5: other holders' cards come into use in the other ways, as far as the order has people for them."""
        town, day = self.town, self.stage.clock().date()
        waiting = Card.objects.filter(application=Application.NOT_ENABLED).select_related("holder").order_by("card_no")
        others = list(waiting[:_LOOKED_AT])
        adults = [card for card in others if not is_minor(card.holder, day, facts_of(card.holder))]
        for (who, show), card in zip(ways.WAYS, adults, strict=False):
            self._hand_over(card.card_no, Document(card.holder.cert_type, card.holder.cert_no, original=True))
            show(self._newcomer(card, getattr(town, who)))
        for card in [card for card in others if card not in adults][:1]:
            ways.for_child(self._newcomer(card, town.teller))

    def _newcomer(self, card: Card, reader_of: Actor) -> ways.Newcomer:
        return ways.Newcomer(self.town, card, self._insert("bureau", card.card_no), lambda _: self._at(reader_of))

    def pay(self) -> None:
        """Step 6: the month's premium, the load, the pharmacy."""
        player, counter = self.player, self._at(self.town.teller)
        document = player.document
        credited = contributions.credit_contribution(
            self.town.clerk,
            uuid4(),
            cert_type=document.cert_type,
            cert_no=document.cert_no,
            month=self.stage.clock().date(),
            base_fen=BASE_FEN,
        )
        fact(f"contribution of {credited.month}: {yuan(credited.balance_fen)} on the medical account")
        card_no = player.holder.card_no
        with refused("cash onto the medical card", RuleBroken):
            load.refuse_cash_top_up(self.town.teller, uuid4(), card_no=card_no, amount_fen=LOAD_FEN)
        counter.load(self.card, uuid4(), LOAD_FEN, RESET_PIN)
        fact(f"load of {yuan(LOAD_FEN)}: MAC1, MAC2 and TAC right; {self._money()}")
        pharmacy = self._at(self.town.pharmacist)
        with refused("daily goods from the wallet", RuleBroken):
            pharmacy.purchase(self.card, uuid4(), [Item(ItemCategory.DAILY_GOODS, PURCHASE_FEN)], RESET_PIN)
        pharmacy.purchase(self.card, uuid4(), [Item(ItemCategory.DRUG, PURCHASE_FEN)], RESET_PIN)
        fact(f"drugs for {yuan(PURCHASE_FEN)} with PIN: MAC1, TAC and MAC2 right; {self._money()}")

    def tear(self) -> None:
        """Step 7: the power goes in the middle of a load, once before the card has it and once after."""
        counter = self._at(self.town.teller)
        for where, after_writes in (("before", BEFORE_THE_MARK), ("after", AFTER_THE_MARK)):
            load_id = uuid4()
            torn = tearing(self.card, during="CREDIT FOR LOAD", after_writes=after_writes)
            try:
                counter.load(torn, load_id, TORN_LOAD_FEN, RESET_PIN)
            except LinkError as error:
                fact(f"load of {yuan(TORN_LOAD_FEN)}, power cut {where} the chip's commit: {error}")
            else:
                raise AssertionError("the power did not go")
            outcome = counter.recover_load(self.card, load_id, RESET_PIN)
            fact(f"   GET TRANSACTION PROVE: the load is {outcome.phase}; {self._money()}")
        books = proof.verify_books()
        fact(f"no fen lost, none doubled: {books.entries} entries replayed, the books add up to {proof.total()} fen")

    def pair(self) -> None:
        """Step 8: what two people answer for."""
        card = Card.objects.select_related("holder").get(pk=self.player.holder.card_no)
        pairs.correct_name(self.town, card)
        pairs.release_found(self.town, card.card_no, self.player.document)

    def lose(self) -> None:
        """Step 9, first half: lost, formally lost, blocked, and refused everywhere; the bank is told."""
        card_no, document = self.player.holder.card_no, self.player.document
        counter, pharmacy = self._at(self.town.teller), self._at(self.town.pharmacist)
        bank = self._stack.enter_context(open_bank(self.town, self.player.name.bank))
        loss.report_temporary_loss(self.town.teller, uuid4(), card_no=card_no)
        told = deliver_due(self.town.teller)
        fact(f"card {card_no} is reported lost; its bank is told, signed: {told.delivered} notice delivered")
        drugs = [Item(ItemCategory.DRUG, PURCHASE_FEN)]
        with refused("a finder at the pharmacy", KaguanError):
            pharmacy.purchase(self.card, uuid4(), drugs, RESET_PIN)
        for bank.answer in (REFUSED, TAKEN):
            loss.report_formal_loss(self.town.teller, uuid4(), card_no=card_no, document=document)
            told = deliver_due(self.town.teller)
            state = Application(Card.objects.get(pk=card_no).application).name
            answer = "refuses, and the report is taken back" if told.refused else "takes it"
            fact(f"formally lost, in writing; the bank {answer}: application {state}")
        counter.block_card(self.card, uuid4())
        fact("it turns up in a reader: the chip is blocked")
        with refused("the old card at the outlet", CardBlocked):
            counter.load(self.card, uuid4(), LOAD_FEN, RESET_PIN)
        with refused("the old card at the pharmacy", CardBlocked):
            pharmacy.purchase(self.card, uuid4(), drugs, RESET_PIN)
        self.card.close()

    def replace(self, progress: Progress) -> None:
        """Step 9, second half: a new card, and the balance follows."""
        old_no, new_no = self.player.holder.card_no, self._free_card_no()
        columns = {**self.player.holder.columns, "ssseef0507": new_no, "data_seq": "000001"}
        name = self.player.name._replace(batch=f"R{self.player.name.batch[1:]}")
        days = _day(columns["ssseef0505"]), _day(columns["ssseef0506"])
        self._pay_for_another()
        self._agree_on(old_no, orders.NewCard(new_no, name.batch, *days, columns["bank_card_no"]))
        fact(f"replacement {new_no} is ordered; the old card is cancelled before the new one lives")
        order = self.stage.out / "replacement.zip"
        with whole_file(order) as file:
            card = OrderedCard(columns, self.player.photo)
            write_order(file, name, [OrderedTask(self.player.task.columns, (card,))])
        self.stage.bureau(order, "replacement", progress, self.stage.store)
        self._take_into_stock("replacement")
        self.card = self._insert("replacement", new_no)
        self._hand_over(new_no, self.player.document)
        counter = self._at(self.town.teller)
        counter.activate(self.card, uuid4(), self.player.document)
        initial = Pin.of(self.stage.profile.defaults["initial_pin"])
        counter.change_pin(self.card, uuid4(), initial, NEW_PIN)
        moved = counter.carry_over(self.card, uuid4(), NEW_PIN)
        left = accounts.balance(accounts.purse_account(old_no))
        self.new_card_no = new_no
        fact(f"activated; {yuan(moved.amount_fen)} have followed onto {new_no}, {yuan(left)} are left on {old_no}")

    def _pay_for_another(self) -> None:
        """The fee for a card in place of a lost one is registered, and paid."""
        fee_id, shown = uuid4(), self.player.document
        person = {"cert_type": shown.cert_type, "cert_no": shown.cert_no}
        due = fees.register_fee(self.town.clerk, fee_id, kind=FeeKind.LOST, **person)
        fees.pay_fee(self.town.clerk, uuid4(), fee_id=fee_id, receipt_no="R-1")
        fact(f"the fee of {yuan(due.amount_fen)} is paid")

    def _agree_on(self, old_no: str, new: orders.NewCard) -> None:
        """Two people have agreed that the card is made again: one asked, the other approved."""
        asked_id, reason = uuid4(), "lost, and the fee is paid"
        ask_new_card(self.town.clerk, asked_id, card_no=old_no, ending=orders.Ending.REPLACE, new=new, reason=reason)
        approve(self.town.supervisor, uuid4(), approval_id=asked_id)
        fact("asked for by one, approved by another")

    def ask_over_the_web(self) -> None:
        """Step 10: a program asks."""
        web.ask_over_the_web(self.town, self.new_card_no)

    def prove(self) -> None:
        """Step 11: time passes, the day is closed, and the books are proved, backed up and restored."""
        proving.let_time_pass(self.town, self.new_card_no, self.stage.clock().date())
        proving.close_the_day(self.town)
        proving.prove(self.stage.out / "cms.sqlite", self.vault)

    @property
    def card_path(self) -> Path:
        """The image of the card that the story followed first."""
        return self.stage.out / "bureau" / CARDS / f"{self.player.holder.card_no}.card"

    def sum_up(self, counts: Counts, seconds: float) -> None:
        """Step 12: the figures, the books and the audit chain."""
        books, chain = proof.verify_books(), audit.verify_chain()
        screen.table(
            {
                "cards made": counts.good,
                "cards per second": f"{counts.good / seconds:.0f}, {self.stage.stations} stations, start-up included",
                "APDUs": counts.apdus,
                "ledger": f"total {proof.total()} fen over {books.accounts} accounts, {books.transfers} transfers",
                "audit chain": f"{chain.entries} entries verified, head {chain.head[:16]}",
            }
        )

    def _insert(self, folder: str, card_no: str) -> FileCard:
        return self._stack.enter_context(FileCard(self.stage.out / folder / CARDS / f"{card_no}.card"))

    def _take_into_stock(self, folder: str) -> None:
        path = self.stage.out / folder / "return-good.txt"
        with path.open("rb") as file:
            rows = list(read_return(file, file=path.name))
        received = stock.receive_stock(self.town.teller, uuid4(), rows=rows)
        fact(f"{path}: {received.card_count} cards received as stock by {received.institution}")

    def _hand_over(self, card_no: str, document: Document) -> None:
        issue.hand_over(self.town.teller, uuid4(), card_no=card_no, document=document, verdict=Verdict.SAME_PERSON)
        fact(f"card {card_no} is handed to its holder, document seen, same person")

    def _at(self, actor: Actor) -> Outlet:
        terminal = bytes(4) + bytes((1, len(actor.institution)))
        return Outlet(actor, self.vault, self.stage.profile, terminal, self.stage.clock, secrets.token_bytes)

    def _money(self) -> str:
        card = Card.objects.get(pk=self.player.holder.card_no)
        on_account = accounts.balance(accounts.personal_account(card.holder_id))
        on_books = accounts.balance(accounts.purse_account(card.card_no))
        on_chip = self._at(self.town.teller).balance_fen(self.card)
        return f"account {yuan(on_account)}, wallet {yuan(on_books)} in the books, {yuan(on_chip)} on the chip"

    @staticmethod
    def _free_card_no() -> str:
        for number in range(10_000_000):
            body = f"R{number:07d}"
            card_no = body + card_number_check_character(body)
            if not Card.objects.filter(pk=card_no).exists():
                return card_no
        raise AssertionError("ten million replacement numbers are used up")


def _day(text: str) -> date:
    day = real_date(text)
    assert day is not None  # noqa: S101 - the order was checked
    return day
