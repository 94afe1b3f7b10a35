"""Who may apply for a card or for another one, in which way, and with what in hand.

The answers 1 to 4 are those of the portable issuance interface; a 4 always tells which case it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.documents import SOCIAL_SECURITY_CARD, Document, mask_name
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import ExchangeReason
from kaguan.cms.rules.refusals import MayNotHaveCard, NotEligible
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.terms import Channel


class EligibilityCode(StrEnum):
    """What the may-apply and may-replace questions answer."""

    MAY = "0"
    UNKNOWN = "1"
    NAME_DIFFERS = "2"
    DUPLICATE = "3"
    NOT_ALLOWED = "4"


class Obstacle(StrEnum):
    """Which case an answer 4 is."""

    NONE = ""
    DEAD = "dead"
    LEFT = "left"
    REQUEST_OPEN = "request open"
    HAS_CARD = "has a card here"
    HAS_CARD_ELSEWHERE = "has a card elsewhere"
    HAS_NO_CARD = "has no card"


class RequestKind(StrEnum):
    """What a card is applied for; the codes are those of the business kinds."""

    NEW = "01"
    REPLACEMENT = "05"
    EXCHANGE = "06"
    RENEWAL = "07"


class ApplicationWay(StrEnum):
    """Who applies, and where."""

    PERSON = "person"
    PROXY = "proxy"
    UNIT = "unit"
    BANK = "bank"
    ONLINE = "online"


class AgentRelation(StrEnum):
    """What a proxy or guardian is to the holder; the first four are the codes for guardians of minors."""

    FATHER_OF_SON = "1"
    FATHER_OF_DAUGHTER = "2"
    MOTHER_OF_SON = "3"
    MOTHER_OF_DAUGHTER = "4"
    APPOINTED_GUARDIAN = "5"
    PROXY = "9"


GUARDIANS: Final = frozenset(AgentRelation) - {AgentRelation.PROXY}


@dataclass(frozen=True, slots=True)
class Agent:
    """Who comes for the holder: name, document on the counter, and what they are to the holder."""

    name: str
    document: Document
    relation: AgentRelation

    def __repr__(self) -> str:
        """Show the name masked; the document masks itself."""
        return f"Agent({mask_name(self.name)}, {self.document!r}, {self.relation.name})"


@dataclass(frozen=True, slots=True)
class PersonStanding:
    """What the books know of somebody who asks for a card."""

    known: bool = False
    name_agrees: bool = False
    on_books_twice: bool = False
    dead: bool = False
    left: bool = False
    request_open: bool = False
    card_here: bool = False
    card_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether somebody may have it; `which` tells an answer 4 from another."""

    code: str
    which: str
    text: str

    def require(self) -> None:
        """Return when the answer is 0; refuse with MayNotHaveCard otherwise."""
        if self.code != EligibilityCode.MAY:
            raise MayNotHaveCard(f"{self.code}: {self.text}", code=self.code, which=self.which)


def _not_allowed(which: Obstacle, text: str) -> Eligibility:
    return Eligibility(EligibilityCode.NOT_ALLOWED, which, text)


_MAY: Final = Eligibility(EligibilityCode.MAY, Obstacle.NONE, "may have it")


def may_apply(standing: PersonStanding) -> Eligibility:
    """Return whether the person may apply for a first card; a sealed card counts as none.

    Asked in this order: unknown, name, twice on the books, dead, left, request open, card here, card elsewhere.
    """
    barred = _barred(standing)
    if barred is not None:
        return barred
    if standing.card_here:
        return _not_allowed(Obstacle.HAS_CARD, "the person has a card: replace it")
    if standing.card_elsewhere:
        return _not_allowed(Obstacle.HAS_CARD_ELSEWHERE, "the person has a card of another region: transfer it first")
    return _MAY


def may_replace(standing: PersonStanding) -> Eligibility:
    """Return whether the person may have another card in place of theirs.

    Asked in this order: unknown, name, twice on the books, dead, left, request open, no card.
    """
    barred = _barred(standing)
    if barred is not None:
        return barred
    if not standing.card_here:
        return _not_allowed(Obstacle.HAS_NO_CARD, "the person has no card that could be replaced: apply for one")
    return _MAY


def _barred(standing: PersonStanding) -> Eligibility | None:
    if not standing.known:
        return Eligibility(
            EligibilityCode.UNKNOWN, Obstacle.NONE, "nobody with this document is on the books: enrol them"
        )
    if not standing.name_agrees:
        return Eligibility(EligibilityCode.NAME_DIFFERS, Obstacle.NONE, "the name is not the one that the books have")
    if standing.on_books_twice:
        return Eligibility(
            EligibilityCode.DUPLICATE, Obstacle.NONE, "the person is on the books twice: have them merged"
        )
    if standing.dead:
        return _not_allowed(Obstacle.DEAD, "the person is registered as dead")
    if standing.left:
        return _not_allowed(Obstacle.LEFT, "the person is registered as having left")
    if standing.request_open:
        return _not_allowed(Obstacle.REQUEST_OPEN, "a request for a card is open already")
    return None


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one way of applying asks for."""

    own_document: bool = False
    agent: bool = False
    verdict: bool = False
    unit: bool = False
    kinds: frozenset[InstitutionKind] = frozenset(InstitutionKind)


_OFFICES: Final = frozenset(
    {InstitutionKind.AUTHORITY, InstitutionKind.CENTRE, InstitutionKind.BANK, InstitutionKind.OUTLET}
)
_BANKS: Final = frozenset({InstitutionKind.BANK, InstitutionKind.OUTLET})

REQUIREMENTS: Final[Mapping[ApplicationWay, Requirements]] = MappingProxyType(
    {
        ApplicationWay.PERSON: Requirements(own_document=True, verdict=True, kinds=_OFFICES),
        ApplicationWay.PROXY: Requirements(agent=True, verdict=True, kinds=_OFFICES),
        ApplicationWay.UNIT: Requirements(unit=True, kinds=frozenset({InstitutionKind.AUTHORITY})),
        ApplicationWay.BANK: Requirements(own_document=True, verdict=True, kinds=_BANKS),
        ApplicationWay.ONLINE: Requirements(verdict=True, kinds=frozenset({InstitutionKind.AUTHORITY})),
    }
)


@dataclass(frozen=True, slots=True)
class Presence:
    """Who and what is there when somebody applies."""

    way: ApplicationWay
    document: Document | None = None
    agent: Agent | None = None
    verdict: Verdict | None = None
    unit_no: str = ""
    channel: Channel | None = None

    def channel_said(self) -> Channel | None:
        """Return the channel by which it came: the one said, or the one that goes without saying."""
        return self.channel or _CHANNEL_OF.get(self.way)


_CHANNEL_OF: Final[Mapping[ApplicationWay, Channel]] = MappingProxyType(
    {ApplicationWay.UNIT: Channel.EMPLOYER, ApplicationWay.ONLINE: Channel.WEBSITE}
)


def check_presence(
    presence: Presence, holder: Document, *, kind: str, minor: bool, proving_cards: Collection[str] = ()
) -> None:
    """Return when all that the way of applying asks for is there; `holder` is the document on the books.

    `proving_cards` are the numbers of the holder's cards that stand for it; none where the region does not take them.
    Refuses with NotEligible, in this order: wrong kind of place, no unit, document, agent, a minor without guardian,
    another person.
    """
    required, way = REQUIREMENTS[presence.way], presence.way.value
    if kind not in required.kinds:
        raise NotEligible(f"an application by {way} is not taken at a place of kind {kind}")
    if required.unit and not presence.unit_no:
        raise NotEligible(f"an application by {way} needs the unit's number")
    if required.own_document and not _shows(presence.document, holder, proving_cards):
        raise NotEligible(f"an application by {way} needs the person's own original document")
    if required.agent and (presence.agent is None or not presence.agent.document.original):
        raise NotEligible(f"an application by {way} needs the agent's original document")
    if minor and not is_guardian(presence.agent):
        raise NotEligible("for a minor a guardian applies, with an original document")
    if required.verdict and presence.verdict is not Verdict.SAME_PERSON:
        raise NotEligible("the person who applies is not the person on the document")


def is_guardian(agent: Agent | None) -> bool:
    """Return whether somebody with an original document is there who may act for a minor."""
    return agent is not None and agent.document.original and agent.relation in GUARDIANS


def _shows(shown: Document | None, holder: Document, proving_cards: Collection[str]) -> bool:
    if shown is None or not shown.original:
        return False
    by_card = shown.cert_type == SOCIAL_SECURITY_CARD and shown.cert_no in proving_cards
    return by_card or shown.belongs_to(holder.cert_type, holder.cert_no)


class Damage(StrEnum):
    """What a holder may bring a damaged card with."""

    CHIP_UNREADABLE = "chip unreadable"
    STRIPE_UNREADABLE = "stripe unreadable"
    FACE_WORN = "face worn"
    MADE_BADLY = "made badly"


EXCHANGE_REASON_OF: Final[Mapping[Damage, ExchangeReason]] = MappingProxyType(
    {
        Damage.CHIP_UNREADABLE: ExchangeReason.DAMAGE,
        Damage.STRIPE_UNREADABLE: ExchangeReason.DAMAGE,
        Damage.FACE_WORN: ExchangeReason.DAMAGE,
        Damage.MADE_BADLY: ExchangeReason.QUALITY,
    }
)
