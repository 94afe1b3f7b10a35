"""Henan and Jilin: the answers of the operations that both provinces call by the same names, and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.adapters.table import CodeTable, Row, missing
from kaguan.cms.rules.applying import RequestKind
from kaguan.cms.rules.personal import Fact
from kaguan.cms.rules.terms import Answer

DIALECT: Final = "Henan and Jilin"

ERR: Final = CodeTable(
    DIALECT,
    "ERR",
    "answer; whatever is neither 00 nor 01 is a text that says why not",
    tuple(Answer),
    (
        Row("00", "done", Answer.DONE),
        Row("01", "in that state already", Answer.ALREADY_SO),
    ),
    missing(
        (Answer.UNKNOWN_PERSON, Answer.OTHER_NAME, Answer.DUPLICATE, Answer.NOT_ALLOWED, Answer.FAILED),
        "it is told in words: use `err_of` and `answer_of`",
    ),
)

TRANSACTTYPE: Final = CodeTable(
    DIALECT,
    "TRANSACTTYPE",
    "what is applied for",
    tuple(RequestKind),
    (
        Row("1", "new card", RequestKind.NEW),
        Row("5", "replacement of a lost card", RequestKind.REPLACEMENT),
    ),
    missing((RequestKind.EXCHANGE, RequestKind.RENEWAL), "the operations know a new card and a replacement alone"),
)

TABLES: Final = (ERR, TRANSACTTYPE)

FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "AAC004": Fact.SEX,
        "AAC005": Fact.NATION,
        "AAC161": Fact.NATIONALITY,
        "AAE005": Fact.PHONE,
        "AAE006": Fact.ADDRESS,
        "AAE007": Fact.POSTCODE,
        "AAB004": Fact.EMPLOYER,
    }
)
"""Facts about a person by their indicators, as far as both sides write them alike."""


def err_of(answer: Answer, text: str = "") -> str:
    """Return what stands in ERR: the code, or for a refusal its text.

    Refuses with Inexpressible when a refusal comes without a text, or with one that reads as a code.
    """
    if answer not in ERR.inexpressible:
        return ERR.encode(answer)
    if not text.strip() or text.strip() in {row.code for row in ERR.rows}:
        return ERR.encode(answer)
    return text


def answer_of(err: str) -> Answer:
    """Return what an ERR says: done, already so, or failed when it is a text."""
    return ERR.decode(err) if err in {row.code for row in ERR.rows} else Answer.FAILED
