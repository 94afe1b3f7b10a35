"""A judge over everything that a card answers: whatever is sent, in whatever state, the laws of the chip hold.

It sits on the wire like a reader and sees the memory and the session before and after each command. Where a law is
broken it raises `Finding`; `told` is then the tape that leads there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import ApduSyntaxError, CardLost
from kaguan.apdu.instruction import Instruction, instruction_of
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.status import MEANINGS
from kaguan.apdu.trace import TapeWriter, traced
from kaguan.card_os.access import PROTECTED
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile
from kaguan.card_os.profile.model import Behaviour, Unasked
from kaguan.card_os.session import Session, settled
from kaguan.card_os.writes import Group, apply
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.emulator.soundness import require_sound
from properties import changes
from properties.secrets import Secrets

LONGEST_RESPONSE = 65_538
STEPS_BETWEEN_INSPECTIONS = 100


class Finding(AssertionError):
    """A law of the chip is broken."""


class Step:
    """One command, and what stood before and after it. `row` is None where the card knows no such command."""

    def __init__(
        self, raw: bytes, row: Instruction | None, before: CardImage, session: Session, behaviour: Behaviour
    ) -> None:
        self.raw = raw
        self.behaviour = behaviour
        self.row = row
        self.name = row.name if row else ""
        self.before = before
        self.session = session
        self.sw = 0
        self.data = b""
        self.after = before
        self.session_after = session

    @property
    def done(self) -> bool:
        """The card did it, or has done it and keeps its answer."""
        return self.sw == 0x9000 or self.sw >> 8 == 0x61


class _Storage:
    """What the card's storage would hold."""

    def __init__(self, image: CardImage) -> None:
        self.image = image

    def append(self, group: Group) -> None:
        """The group is part of the stored image."""
        self.image = apply(self.image, group)


class Judge:
    """A link to a new card with this memory. `random` is the card's luck."""

    def __init__(self, image: CardImage, random: Callable[[int], bytes]) -> None:
        self.first = image
        self.dealt: list[bytes] = []
        self.told: list[str] = []
        self.count = 0
        self.done = 0
        self.tears = 0
        self._luck = random
        self._storage = _Storage(image)
        self.card = EmulatedCard(image, storage=self._storage, random=self._dealing)
        self.behaviour = load_profile(image.profile).behaviour
        self.secrets = Secrets(image)
        self._trace: list[str] = []
        (self._watched,) = traced([self.card], TapeWriter(self._trace.append), int)

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self.card.atr

    @property
    def image(self) -> CardImage:
        """The card's memory."""
        return self.card.image

    @property
    def session(self) -> Session:
        """The card's session."""
        return self.card._session

    def transceive(self, command: bytes) -> bytes:
        """The card's answer, once it has been judged.

        Raises:
            Finding: a law is broken.
        """
        self.told.append(command.hex().upper())
        step = self._begun(command)
        try:
            response = self._watched.transceive(command)
        except Exception as error:
            raise Finding(f"{type(error).__name__} escaped: {error}") from error
        self._judged(step, response)
        self.told[-1] += f" [{step.data.hex().upper()}] ({step.sw:04X})"
        if self.count % STEPS_BETWEEN_INSPECTIONS == 0:
            self.inspect()
        return response

    def torn(self, command: bytes, writes: int) -> bytes | None:
        """The answer to a command during which the power fails after so many writes, None when it did.

        The card is powered again afterwards, its session new, its memory whole.
        """
        self.told.append(f"# power cut after {writes} writes: {command.hex().upper()}")
        step = self._begun(command)
        self.card.power.cut_after(writes)
        try:
            response = self.card.transceive(command)
        except CardLost:
            self.tears += 1
            if writes % 3 == 0:
                self._recovery_torn(writes)
            self.card.power.restore()
            self.reset()
            self._take_in(step)
            self.inspect()
            return None
        except Exception as error:
            raise Finding(f"{type(error).__name__} escaped a tear: {error}") from error
        self.card.power.restore()
        self._judged(step, response)
        return response

    def reset(self) -> bytes:
        """The answer to reset; memory as it was, session gone."""
        self.told.append(".reset")
        atr = self._watched.reset()
        _require(self.card.image == self._storage.image, "memory and storage differ after reset")
        _require(self.session == self.card._start, "a session survives reset")
        self._trace.clear()
        return atr

    def close(self) -> None:
        """The power is off."""
        self.card.close()

    def inspect(self) -> None:
        """The memory is one that a chip could have, comes back from a file, and says nothing that is secret."""
        image = self.card.image
        _require_sound(image)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "card"
            save_image(path, image)
            try:
                loaded = load_image(path)
            except Exception as error:
                raise Finding(f"the image file cannot be read: {error}") from error
            _require(loaded == image, "the image file does not hold the image")
        shown = " ".join(map(repr, (image, self.session, image.pins, image.keys, self.card, self.card._chip)))
        _require(not self.secrets.shown_in(shown), "a secret is in a repr")

    def _dealing(self, size: int) -> bytes:
        number = self._luck(size)
        self.dealt.append(number)
        return number

    def _begun(self, command: bytes) -> Step:
        row = None
        extended = len(command) > 5 and not command[4]
        if _parses(command) and (self.behaviour.wire.extended_length or not extended):
            row = instruction_of(*command[:3], commands=self.behaviour.commands)
        if row is None or not row.secret:
            self.secrets.forget_told(command)
        self.count += 1
        return Step(command, row, self.card.image, self.session, self.behaviour)

    def _recovery_torn(self, writes: int) -> None:
        self.card.power.cut_after(writes % 2)
        try:
            self.card.reset()
        except CardLost:
            return

    def _take_in(self, step: Step) -> None:
        """What the command changed is known, whether or not it was answered."""
        step.after, step.session_after = self.card.image, self.session
        if step.after is not step.before:
            self.secrets.follow(step.after)

    def _judged(self, step: Step, response: bytes) -> None:
        self._take_in(step)
        _require(2 <= len(response) <= LONGEST_RESPONSE, f"{len(response)} bytes of response")
        parsed = ResponseApdu.parse(response)
        step.sw, step.data = int(parsed.sw), parsed.data
        self.done += step.done
        self._judge_form(step)
        fault = changes.of_memory(step) or changes.of_session(step)
        _require(not fault, f"{step.name or 'no command'}: {step.sw:04X}, {fault}")
        if step.after is not step.before:
            _require(step.after == self._storage.image, "memory and storage differ")
            if step.after.files is not step.before.files or step.after.dedicated is not step.before.dedicated:
                _require_sound(step.after)
        _require(not self.secrets.told_in(step.data), f"{step.name}: a secret is answered")
        if step.row is not None and step.row.secret and self._trace:
            _require(not self.secrets.shown_in(self._trace[-1]), f"{step.name}: a secret is in the trace")
        self._trace.clear()

    def _judge_form(self, step: Step) -> None:
        sw = step.sw
        known = sw in MEANINGS or sw >> 8 in (0x61, 0x6C) or sw & 0xFFF0 == 0x63C0
        _require(known, f"{sw:04X} is no status word of the tables")
        if not _parses(step.raw):
            _require(sw == 0x6700 and not step.data, f"{sw:04X} for what is no command")
            _require(step.after is step.before, "what is no command was obeyed")
            _require(step.session_after == settled(step.session), "what is no command changed the session")
            return
        command = CommandApdu.parse(step.raw)
        given = self.behaviour.unasked is Unasked.GIVEN and command.ne is None
        guarded = command.cla & PROTECTED and command.ne is not None
        if not given and not guarded:
            _require(len(step.data) <= (command.ne or 0), f"{len(step.data)} bytes answered, {command.ne} asked for")


def _parses(command: bytes) -> bool:
    try:
        CommandApdu.parse(command)
    except ApduSyntaxError:
        return False
    return True


def _require_sound(image: CardImage) -> None:
    try:
        require_sound(image)
    except Exception as error:
        raise Finding(f"the memory is not sound: {error}") from error


def _require(fact: object, otherwise: str) -> None:
    if not fact:
        raise Finding(otherwise)
