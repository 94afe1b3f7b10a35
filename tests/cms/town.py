"""A made-up town: who works where, and the way of a card there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID, uuid4

from cms.timing import the_clock
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import Actor
from kaguan.cms.services.contributions import credit_contribution
from kaguan.cms.services.issue import activate, hand_over
from kaguan.cms.services.load import begin_load, confirm_load
from kaguan.cms.services.orders import OrderRow, order_cards
from kaguan.cms.services.set_up import found, register_institution, register_operator
from kaguan.cms.services.stock import receive_stock
from kaguan.personalization.order.returnfile import ReturnRow

REGION = "990100"
BANK = "95588"
OTHER_BANK = "95599"
CERT_NO = "990101199003070017"
NAME = "测试人甲"
ISSUED = date(2026, 1, 5)
EXPIRES = date(2036, 1, 5)
AT_TILL = {
    "offline_sequence": 0,
    "terminal_no": "990100000101",
    "terminal_time": datetime(2026, 2, 3, 9, 40),
}
AT_OTHER_TILL = {**AT_TILL, "terminal_no": "990100000201"}
TERMINAL = {"terminal_no": "990100000001", "terminal_time": datetime(2026, 2, 3, 9, 30)}


@dataclass(frozen=True)
class Town:
    """The actors of the town."""

    administrator: object
    clerk: object
    supervisor: object
    teller: object
    second_teller: object
    other_bank_teller: object
    cashier: object
    pharmacist: object
    hotline: object

    @property
    def clock(self) -> Actor:
        """The operator that the clock runs as."""
        return the_clock()

    def order(self, card_no: str = "990100001", cert_no: str = CERT_NO, name: str = NAME) -> str:
        """Leave a card ordered."""
        row = OrderRow(card_no, "01", cert_no, name, BANK, "6229999900000001", ISSUED, EXPIRES)
        order_cards(self.clerk, uuid4(), order_no=f"B{card_no}", rows=[row])
        return card_no

    def receive(self, card_no: str, cert_no: str = CERT_NO, name: str = NAME) -> None:
        """Leave the ordered card in the outlet's stock."""
        receive_stock(self.teller, uuid4(), rows=[return_row(card_no, cert_no, name)])

    def hand_over(self, card_no: str, cert_no: str = CERT_NO) -> None:
        """Leave the stored card with its holder."""
        hand_over(self.teller, uuid4(), card_no=card_no, document=shown(cert_no), verdict=Verdict.SAME_PERSON)

    def active_card(self, card_no: str = "990100001", cert_no: str = CERT_NO, name: str = NAME) -> str:
        """Leave a card in normal use."""
        self.order(card_no, cert_no, name)
        self.receive(card_no, cert_no, name)
        self.hand_over(card_no, cert_no)
        activate(self.teller, uuid4(), card_no=card_no, document=shown(cert_no))
        return card_no

    def credit(self, base_fen: int = 1_000_000, month: date = date(2026, 1, 1), cert_no: str = CERT_NO) -> None:
        """Leave two percent of the base on the holder's personal account."""
        credit_contribution(self.clerk, uuid4(), cert_type="01", cert_no=cert_no, month=month, base_fen=base_fen)

    def load(self, card_no: str, amount_fen: int, purse_before_fen: int = 0) -> UUID:
        """Leave the amount confirmed on the purse."""
        load_id = uuid4()
        begin_load(
            self.teller,
            load_id,
            card_no=card_no,
            amount_fen=amount_fen,
            purse_before_fen=purse_before_fen,
            online_sequence=0,
            **TERMINAL,
        )
        confirm_load(self.teller, load_id, tac="A1B2C3D4")
        return load_id


def shown(cert_no: str = CERT_NO) -> Document:
    """An original resident identity card on the counter."""
    return Document("01", cert_no, original=True)


def copied(cert_no: str = CERT_NO) -> Document:
    """A photocopy of it."""
    return replace(shown(cert_no), original=False)


def return_row(card_no: str, cert_no: str = CERT_NO, name: str = NAME) -> ReturnRow:
    """A row of the bureau's good return file; every card has a chip of its own."""
    serial = (int(card_no, 36) % 2**32).to_bytes(4, "big").hex().upper()
    return ReturnRow(
        task_id="T1",
        data_seq="1",
        customer_id="C1",
        name=name,
        cert_no=cert_no,
        card_no=card_no,
        card_ident_code=f"990100D156000005{serial}00000000",
        atr=f"3B6D0000008154310086602001{serial}",
        bank_card_no="6229999900000001",
    )


def found_town() -> Town:
    """Leave the town on the books."""
    administrator = found(uuid4(), region_code=REGION, authority="SSB", administrator="admin")

    def open_site(code, kind, bank_code=""):
        medical = kind in {InstitutionKind.CLINIC, InstitutionKind.PHARMACY}
        register_institution(
            administrator, uuid4(), code=code, name=code, kind=kind, bank_code=bank_code, designated=medical
        )

    open_site("ICBC-1", InstitutionKind.OUTLET, BANK)
    open_site("ABC-1", InstitutionKind.OUTLET, OTHER_BANK)
    open_site("CLINIC-1", InstitutionKind.CLINIC)
    open_site("PHARMACY-1", InstitutionKind.PHARMACY)

    def employ(code, institution, role):
        register_operator(administrator, uuid4(), code=code, name=code, institution=institution, roles=[role])

    employ("clerk", "SSB", Role.AUTHORITY_CLERK)
    employ("supervisor", "SSB", Role.AUTHORITY_SUPERVISOR)
    employ("teller", "ICBC-1", Role.OUTLET_TELLER)
    employ("teller2", "ICBC-1", Role.OUTLET_TELLER)
    employ("abc", "ABC-1", Role.OUTLET_TELLER)
    employ("cashier", "CLINIC-1", Role.CASHIER)
    employ("pharmacist", "PHARMACY-1", Role.CASHIER)
    employ("hotline", "SSB", Role.HOTLINE)
    return town_again()


def town_again() -> Town:
    """The town that is on the books already."""
    return Town(
        administrator=Actor("admin", "SSB"),
        clerk=Actor("clerk", "SSB"),
        supervisor=Actor("supervisor", "SSB"),
        teller=Actor("teller", "ICBC-1"),
        second_teller=Actor("teller2", "ICBC-1"),
        other_bank_teller=Actor("abc", "ABC-1"),
        cashier=Actor("cashier", "CLINIC-1"),
        pharmacist=Actor("pharmacist", "PHARMACY-1"),
        hotline=Actor("hotline", "SSB"),
    )
