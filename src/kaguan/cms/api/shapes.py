"""What bodies are made of; each shape refuses names that it does not know, and values of another JSON type."""

from __future__ import annotations

from base64 import b64decode
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StrictBool, WithJsonSchema

from kaguan.cms.rules.applying import Agent, AgentRelation
from kaguan.cms.rules.choices import Demand, Paper
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.terms import Channel
from kaguan.vault.secret import Secret

_KEPT: Final = r"^[^\u0000]*$"
"""What the body's parser has seen to already; it stands in the description for whoever makes bodies by it."""


def text(longest: int | None, *, shortest: int = 1) -> Any:
    """Return the field of a text with so many characters, none of them NUL; None leaves it to the body's own bound."""
    return Field(min_length=shortest, max_length=longest, json_schema_extra={"pattern": _KEPT})


Code = Annotated[str, text(20)]
OptionalCode = Annotated[str, text(20, shortest=0)]
Words = Annotated[str, text(200)]
CardNo = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,20}$")]
CertType = Annotated[str, Field(pattern=r"^[0-9]{2}$", description="Kind of the document; 01 is the identity card.")]
CertNo = Annotated[str, text(30)]
PersonName = Annotated[str, text(100)]
Password = Annotated[SecretStr, text(128)]


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is written without quotes")
    return value


Number = BeforeValidator(_number)
"""After the bounds of the number, or its description loses them."""

HolderId = Annotated[int, Field(ge=1, lt=2**63), Number]


def _day(value: object) -> object:
    if not (isinstance(value, str) and len(value) == 10):
        raise ValueError("a day is written YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a moment is written as in RFC 3339")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Bytes = Annotated[
    str, Field(pattern=r"^([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?$", description="In base64.")
]
Fen = Annotated[int, Field(ge=1, le=10**11, description="In fen."), Number]
ChipFen = Annotated[int, Field(ge=0, lt=2**32, description="What the chip shows, in fen."), Number]
ChipSequence = Annotated[int, Field(ge=0, lt=2**16, description="What the chip counts."), Number]
TerminalNo = Annotated[str, Field(pattern=r"^[0-9A-F]{12}$", description="The terminal's number, in hex.")]


class Strict(BaseModel):
    """A body that has the names it is asked for, and no others."""

    model_config = ConfigDict(extra="forbid")


class Why(Strict):
    """Why it is so: the words stay on record."""

    why: Words


class PersonNamed(Strict):
    """A person by their document."""

    cert_type: CertType = "01"
    cert_no: CertNo


class DocumentShown(Strict):
    """An identity document on the counter; kind SC is a social security card, where the region takes it as one."""

    cert_type: Annotated[str, Field(pattern=r"^([0-9]{2}|SC)$")] = "01"
    cert_no: CertNo
    original: StrictBool

    def document(self) -> Document:
        """Return it as use cases take it."""
        return Document(self.cert_type, self.cert_no, self.original)


class AgentShown(Strict):
    """Who comes for the holder, with their document."""

    name: PersonName
    document: DocumentShown
    relation: AgentRelation

    def agent(self) -> Agent:
        """Return them as use cases take them."""
        return Agent(self.name, self.document.document(), self.relation)


class MetDemand(Strict):
    """A demand of the region that is met, and where that can be looked up."""

    demand: Demand
    evidence: Words

    def met(self) -> Met:
        """Return it as use cases take it."""
        return Met(self.demand, self.evidence)


class OnCounter(Strict):
    """What lies on the counter: the document, and what else the region asks to see."""

    document: DocumentShown
    papers: Annotated[tuple[Paper, ...], Field(max_length=len(Paper))] = ()


class AskedAtCounter(OnCounter):
    """What lies on the counter, and how it was asked, if not there."""

    channel: Channel | None = None


MetDemands = Annotated[tuple[MetDemand, ...], Field(max_length=len(Demand))]


def secret(shown: SecretStr) -> Secret:
    """Return what must not show, as use cases take it."""
    return Secret(shown.get_secret_value().encode())


def bytes_of(text: str) -> bytes:
    """Return the bytes that the base64 text stands for."""
    return b64decode(text)
