"""What bodies are made of; each shape refuses names that it does not know, and values of another JSON type."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StrictBool, WithJsonSchema

from kaguan.cms.rules.documents import Document
from kaguan.vault.secret import Secret

Code = Annotated[str, Field(min_length=1, max_length=20)]
Words = Annotated[str, Field(min_length=1, max_length=200)]
CertType = Annotated[str, Field(pattern=r"^[0-9]{2}$", description="Kind of the document; 01 is the identity card.")]
CertNo = Annotated[str, Field(min_length=1, max_length=30)]
PersonName = Annotated[str, Field(min_length=1, max_length=100)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=128)]
HolderId = Annotated[int, Field(strict=True, ge=1, lt=2**63)]


def _day(value: object) -> object:
    if not (isinstance(value, str) and len(value) == 10):
        raise ValueError("a day is written YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class Strict(BaseModel):
    """A body that has the names it is asked for, and no others."""

    model_config = ConfigDict(extra="forbid")


class DocumentShown(Strict):
    """An identity document on the counter."""

    cert_type: CertType = "01"
    cert_no: CertNo
    original: StrictBool

    def document(self) -> Document:
        """Return it as use cases take it."""
        return Document(self.cert_type, self.cert_no, self.original)


def secret(text: SecretStr) -> Secret:
    """Return what must not show, as use cases take it."""
    return Secret(text.get_secret_value().encode())
