"""Henan and Jilin: the answers of the operations that both provinces call by the same names."""

from __future__ import annotations

from typing import Final

from kaguan.cms.rules.adapters.table import CodeTable, Row, missing
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

TABLES: Final = (ERR,)


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
