"""Scripts played on cards.

Law 1. Nothing is sent after the first answer that is not as the script says.
Law 2. What is shown, kept or complained of hides what the table of commands calls secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import InputError, LinkError, RuleBroken, TapeError
from kaguan.apdu.instruction import GET_RESPONSE, Instruction, instruction_of
from kaguan.apdu.link import Link
from kaguan.apdu.redaction import Redaction
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.tape import Exchange, Pattern, Tape, Verdict, run
from kaguan.card_os.profile import CardProfile, FileSpec
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.playback import UnexpectedAnswer
from kaguan.terminal.scripts.script import CardScript, Say, Show, Wait
from kaguan.terminal.trace.layouts import LAYOUTS
from kaguan.terminal.trace.place import Whereabouts
from kaguan.terminal.trace.text import title

_MILLI = 1000
_HEADER_BYTES = 4


class ScriptFailed(UnexpectedAnswer):
    """An answer is not as the script says; `played` is the exchange."""

    def __init__(self, message: str, played: Played) -> None:
        super().__init__(message)
        self.played = played


class Played(NamedTuple):
    """One exchange of a script. Secret bytes are wildcards; a reset has no command, and the ATR for its response.

    `title` says what the command is and what it is about; `wanted` is false where the script asked for silence.
    """

    line: int
    card: int
    title: str
    command: Pattern
    response: Pattern
    verdict: Verdict
    file: str = ""
    wanted: bool = True

    @property
    def meaning(self) -> str:
        """What the status word means; nothing after a reset."""
        return ResponseApdu.parse(self.response.value).sw.meaning if self.command.value else ""


def play_script(
    script: CardScript, links: Sequence[Link], profiles: Sequence[CardProfile], wait: Callable[[float], object]
) -> Iterator[Played | Say]:
    """Each exchange as it happens, the one that fails included, and what the script says between them.

    `profiles` are those of the cards, `wait` lets so many seconds pass.

    Raises:
        ScriptSyntaxError: the script speaks to a card that is not there; nothing was sent.
        ScriptFailed: the last exchange is not as the script says.
        TapeError: a statement cannot be carried out.
        LinkError, RuleBroken: a card did not answer, or was not asked.
    """
    script.require_cards(len(links))
    session = [for_conversation(link) for link in links] if script.follows else links
    watchers = [_Watcher(profile) for profile in profiles]
    wanted = True
    for part in script.parts:
        match part:
            case Tape():
                for played in _tape(part, script, session, watchers):
                    yield played._replace(wanted=wanted)
            case Say():
                yield part
            case Wait(milliseconds):
                wait(milliseconds / _MILLI)
            case Show(wanted):
                pass


def _tape(tape: Tape, script: CardScript, links: Sequence[Link], watchers: Sequence[_Watcher]) -> Iterator[Played]:
    played = None
    try:
        for exchange in run(tape, links, functions=script.functions):
            played = watchers[exchange.card].played(exchange)
            yield played
    except TapeError as error:
        if played is None or played.verdict is not Verdict.MISMATCHED:
            raise watchers[error.card].explained(error) if error.unsent else error from None
        complaint = watchers[played.card].complaint(error, played)
        raise ScriptFailed(f"{error.file}:{error.line}:{error.column}: {complaint}", played) from None
    except LinkError as error:
        place = next(iter(getattr(error, "__notes__", ())), script.file)
        raise LinkError(f"{place}: {error}") from error
    except RuleBroken as error:
        place = next(iter(getattr(error, "__notes__", ())), script.file)
        raise RuleBroken(f"{place}: {error}") from error


class _Watcher:
    """Follows one card: what is selected on it, what of its wire may be shown, what was asked last."""

    def __init__(self, profile: CardProfile) -> None:
        self._place = Whereabouts(profile)
        self._place.reset()
        self._redaction = Redaction()
        self._row: Instruction | None = None
        self._about: FileSpec | None = None

    def played(self, exchange: Exchange) -> Played:
        """The exchange, named and redacted. To be called for every exchange, in their order."""
        if not exchange.command:
            self._place.reset()
            said = Pattern.exactly(exchange.response)
            return _played(exchange, "reset", Pattern.exactly(b""), said)
        command = self._redaction.command(exchange.command)
        response = self._redaction.response(exchange.response)
        return _played(exchange, self._followed(exchange), command, response)

    def _followed(self, exchange: Exchange) -> str:
        try:
            command = CommandApdu.parse(exchange.command)
        except InputError:
            return "bytes that are no command"
        row = instruction_of(command.cla, command.ins, command.p1)
        named = title(self._place, command, row)
        if row == GET_RESPONSE:
            named += f" of {self._row.name}" if self._row else ""
        else:
            meant = self._place.meant(command)
            self._row, self._about = row, meant if isinstance(meant, FileSpec) else None
            self._place.follow(command, ResponseApdu.parse(exchange.response).sw)
        return named

    def explained(self, error: TapeError) -> TapeError:
        """The error, with the name of the command that could not be made if that is known."""
        if len(error.unsent) < _HEADER_BYTES:
            return error
        command = CommandApdu(*error.unsent[:_HEADER_BYTES])
        name = title(self._place, command, instruction_of(command.cla, command.ins, command.p1))
        message = f"{name} was not sent: {error.message}"
        return TapeError(message, file=error.file, line=error.line, column=error.column)

    def complaint(self, error: TapeError, played: Played) -> str:
        """What was expected and received, of which command and field; no secret of the answer is told."""
        message = error.message
        if played.response.exact is None and error.differs_at is not None:
            size = len(played.response.value) - 2
            message = f"expected other data than the {size} secret bytes received ({played.meaning})"
        elif error.differs_at is not None and (field := self._field(error.differs_at)):
            message += f"; the difference begins in the {field}"
        return f"{played.title}: {message}"

    def _field(self, at: int) -> str:
        """The name of the part of the last answer that has the byte with this index."""
        layout = LAYOUTS.get(self._row.name) if self._row else None
        parts = [(part.name, part.size) for part in layout.answer] if layout else []
        if not parts and self._about is not None:
            parts = [(field.title or field.name, field.width) for field in self._about.layout]
        end = 0
        for name, size in parts:
            end += size
            if at < end:
                return name
        return ""


def _played(exchange: Exchange, name: str, command: Pattern, response: Pattern) -> Played:
    return Played(exchange.line, exchange.card, name, command, response, exchange.verdict, exchange.file)
