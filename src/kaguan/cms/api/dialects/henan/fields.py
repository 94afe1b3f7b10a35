"""Fields of messages, and what an operation is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kaguan.cms.rules.documents import Document
from kaguan.cms.services.case import Actor

CARD_NO, IDENT_CODE, STATE, ATR = "AAZ500", "AAZ501", "AAZ502", "AAZ507"
CERT_TYPE, CERT_NO, NAME = "AAC058", "AAC147", "AAC003"
BANK, BANK_CARD_NO, UNIT_NAME = "AAE008", "AAE053", "AAB004"
BATCH, KIND, PROGRESS, ARRIVED = "BATCHNO", "TRANSACTTYPE", "ZKZT", "CITYTIME"
PLACE, PLACE_OF_CARD = "ORGANID", "ZXWZ"
PERSON: Final = (CERT_NO, NAME)
_IDENTITY_CARD: Final = "01"

Fields = Mapping[str, str]


class AlreadySo(Exception):
    """What is asked for is so already; `fields` go with the answer."""

    def __init__(self, fields: Fields | None = None) -> None:
        """Hold the fields."""
        super().__init__()
        self.fields = fields or {}


@dataclass(frozen=True, slots=True)
class Operation:
    """The fields that an operation cannot do without, and what answers it; it raises AlreadySo for 01."""

    needs: tuple[str, ...]
    answer: Callable[[Actor, Fields], Fields]


def cert_type_of(fields: Fields) -> str:
    """Return the kind of the document; a message that does not say means the identity card."""
    return fields.get(CERT_TYPE) or _IDENTITY_CARD


def document_of(fields: Fields) -> Document:
    """Return the document that lay on the sender's counter."""
    return Document(cert_type_of(fields), fields[CERT_NO], original=True)
