"""Tapes and single APDUs played on cards for a person who watches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kaguan.apdu.errors import KaguanError, TapeError
from kaguan.apdu.link import Link
from kaguan.apdu.tape import Exchange, Functions, Tape, Verdict, parse, run
from kaguan.apdu.tape.model import Pattern, Place, Reset, Send, Statuses
from kaguan.apdu.tape.run import NO_FUNCTIONS


class UnexpectedAnswer(KaguanError):
    """The card's answer is not the one that was expected; what the card did is known."""

    exit_code = 3


def one_apdu(text: str, *, file: str, line: int = 0) -> Tape:
    """The tape that this APDU alone is, at this place.

    It is written in hex, then perhaps `=` and the status word expected (`=` alone: 9000; X: any digit). `.reset`
    resets the card. Blanks and comments are no APDU, and an empty tape.

    Raises:
        TapeError: it is anything else.
    """
    try:
        tape = parse(text)
    except TapeError as error:
        raise TapeError(error.message, file=file, line=line, column=error.column) from None
    match tape.statements:
        case ():
            return tape
        case (Send(data=None, captures=()) as send,) if _plain(send):
            statuses = send.statuses and Statuses(send.statuses.patterns, Place(file, line, send.statuses.place.column))
            return Tape((Send(send.command, None, statuses, (), Place(file, line, send.place.column)),), file)
        case (Reset(data=None, captures=()) as reset,):
            return Tape((Reset(None, (), Place(file, line, reset.place.column)),), file)
    raise TapeError("expected one APDU in hex, then perhaps =SW; for more write a tape", file=file, line=line)


def play(tape: Tape, links: Sequence[Link], *, functions: Functions = NO_FUNCTIONS) -> Iterator[Exchange]:
    """Each exchange of the tape as it happens, the one that fails included; the tape may call these functions.

    Raises:
        UnexpectedAnswer: the last exchange is not as the tape says; with its place, what was expected and received.
        TapeError: a statement cannot be carried out.
        LinkError: a card did not answer.
    """
    verdict = Verdict.UNCHECKED
    try:
        for exchange in run(tape, links, functions=functions):
            verdict = exchange.verdict
            yield exchange
    except TapeError as error:
        if verdict is Verdict.MISMATCHED:
            raise UnexpectedAnswer(str(error)) from error
        raise


def _plain(send: Send) -> bool:
    """The command is bytes alone: no names, no calls, no wildcards."""
    return all(isinstance(part, Pattern) and part.exact is not None for part in send.command.parts)
