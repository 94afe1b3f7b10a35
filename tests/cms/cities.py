"""Two cities in one database: the town of the tests, where little is asked for, and the one beside it, which asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from uuid import uuid4

from cms.town import BANK, CERT_NO, NAME, Town, return_row, shown
from kaguan.cms.models import Holder
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import Actor, CardState
from kaguan.cms.services.issue import activate, hand_over
from kaguan.cms.services.loss import report_formal_loss
from kaguan.cms.services.orders import NewCard, OrderRow, order_cards, order_replacement
from kaguan.cms.services.regions import open_region
from kaguan.cms.services.set_up import register_institution, register_operator, set_region
from kaguan.cms.services.stock import receive_stock

STRICT = "990200"
ISSUED, EXPIRES = date(2026, 1, 5), date(2034, 1, 5)


@dataclass(frozen=True)
class City:
    """Who works in a city, and the cards that its holder gets there."""

    administrator: Actor
    clerk: Actor
    supervisor: Actor
    teller: Actor
    hotline: Actor
    first_card: str
    cert_no: str

    @property
    def document(self) -> Document:
        """The holder's identity card."""
        return shown(self.cert_no)

    @property
    def successor(self) -> NewCard:
        """The card that takes the first one's place."""
        return NewCard(f"{self.first_card}9", f"S{self.first_card}", ISSUED, EXPIRES)

    @property
    def person(self) -> dict[str, str]:
        """The holder, as use cases name somebody."""
        return {"cert_type": "01", "cert_no": self.cert_no}

    def ordered(self, card_no: str = "", **asked: object) -> str:
        """Leave the holder's card ordered."""
        card_no = card_no or self.first_card
        row = OrderRow(card_no, "01", self.cert_no, NAME, BANK, "6229999900000001", ISSUED, EXPIRES)
        order_cards(self.clerk, uuid4(), order_no=f"B{card_no}", rows=[row], **asked)
        return card_no

    def in_stock(self) -> str:
        """Leave it at the outlet."""
        card_no = self.ordered()
        receive_stock(self.teller, uuid4(), rows=[return_row(card_no, self.cert_no)])
        return card_no

    def deliver(self, card_no: str) -> None:
        """Leave it with its holder."""
        hand_over(self.teller, uuid4(), card_no=card_no, document=self.document, verdict=Verdict.SAME_PERSON)

    def active(self) -> str:
        """Leave it in use."""
        card_no = self.in_stock()
        self.deliver(card_no)
        activate(self.teller, uuid4(), card_no=card_no, document=self.document)
        return card_no

    def says(self, **settings: object) -> None:
        """Leave the city with other rules from today on."""
        set_region(self.administrator, uuid4(), settings=settings)

    def holder(self) -> Holder:
        """The person with the card."""
        return Holder.objects.get(cert_no=self.cert_no)


def easy_city(town: Town) -> City:
    """The town that is there already."""
    people = (town.administrator, town.clerk, town.supervisor, town.teller, town.hotline)
    return City(*people, first_card="990100001", cert_no=CERT_NO)


def strict_city(town: Town) -> City:
    """The city beside it, opened by whoever founded the system."""
    open_region(town.administrator, uuid4(), code=STRICT, authority="HZ", administrator="hz")
    administrator = Actor("hz", "HZ")
    site = {"code": "HZ-1", "name": "outlet", "kind": InstitutionKind.OUTLET, "bank_code": BANK}
    register_institution(administrator, uuid4(), **site)

    def employ(code: str, institution: str, role: Role) -> Actor:
        register_operator(administrator, uuid4(), code=code, name=code, institution=institution, roles=[role])
        return Actor(code, institution)

    return City(
        administrator,
        employ("hz-clerk", "HZ", Role.AUTHORITY_CLERK),
        employ("hz-supervisor", "HZ", Role.AUTHORITY_SUPERVISOR),
        employ("hz-teller", "HZ-1", Role.OUTLET_TELLER),
        employ("hz-hotline", "HZ", Role.HOTLINE),
        first_card="990200001",
        cert_no="990101199003070025",
    )


def lost(city: City) -> str:
    """Leave the city's card formally lost."""
    card_no = city.active()
    report_formal_loss(city.teller, uuid4(), card_no=card_no, document=city.document)
    return card_no


def replaced(city: City, **asked: object) -> CardState:
    """The clerk orders another card in the place of the lost one, at once."""
    return order_replacement(city.clerk, uuid4(), card_no=city.first_card, new=replace(city.successor, **asked))
