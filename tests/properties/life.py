"""The life of one card among terminals that mean it well, err, or mean it ill; the same for the same seed.

Everything it is sent goes through a `Judge`. Half of the lives speak the tapes of `tests/conversations`, spoiled; in
the other half nobody but the insider knows the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from card.banks import said_by
from card.oracle import fold, mac, retail, tdes
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import KaguanError
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS
from kaguan.apdu.tape import Tape, parse, run
from kaguan.apdu.tape.model import Reset, Send
from kaguan.card_os.profile import load_profile
from properties.builder import Builder, make_whole
from properties.changes import MAY_WRITE
from properties.commands import random_command
from properties.judge import Judge
from properties.population import cards, changed, families

COMMANDS = 250
CONVERSATIONS = Path(__file__).parents[1] / "conversations"
PUBLISHED = CONVERSATIONS / "published"
TAPES = {"ssc": "", "pboc": "bank", "cjt": "city", "fmcos": "native", "psam": "module"}
FUNCTIONS = {"tdes": tdes, "mac": mac, "retail": retail, "fold": fold}
BLANK = ", blank"
WRITING = {bytes((row.ins,)) for row in INSTRUCTIONS if row.name in MAY_WRITE}
LONG = (4_096, 32_768, 65_535, 65_536, 65_544)


ACTS = {
    "wander": 6,
    "enter": 4,
    "verify": 3,
    "change_pin": 1,
    "authenticate": 5,
    "prove_genuine": 2,
    "read_and_write": 6,
    "maintain": 2,
    "reload_pin": 1,
    "transact": 6,
    "use_module": 8,
    "build": 8,
    "noise": 6,
    "likely": 4,
    "reset": 1,
}
"""What happens to a card, and how often."""


class Life:
    """One card, from its seed. `judge` has what was said."""

    def __init__(
        self,
        random: Random,
        kind: str,
        *,
        luck: Callable[[int], bytes],
        commands: int = COMMANDS,
        as_delivered: bool = False,
    ) -> None:
        self.random = random
        self.kind = kind
        self.commands = commands
        self._mischief = random.choice((0.0, 0.02, 0.02, 0.1, 0.3))
        self._tearing = random.choice((0.0, 0.0, 0.1, 0.3))
        self._previous = b"\x00\x84\x00\x00\x08"
        self._tape = self._chosen_tape()
        image = cards()[kind]()
        if self._tape and PUBLISHED.name in self._tape.file and not as_delivered:
            image, _ = said_by(Path(self._tape.file))
        self._own = self._tape is None and random.random() < 0.8 and not as_delivered
        self.judge = Judge(changed(image, random) if self._own else image, luck)
        self._builder = Builder(self.judge, self.transceive, random)

    @classmethod
    def of(cls, seed: int, number: int) -> Life:
        """The life with this number among those of the seed: one family of cards after the other."""
        random = Random(f"{seed}/{number}")
        kind = random.choice(families()[number % len(families())])
        return cls(random, kind, luck=Random(f"{seed}/{number}/card").randbytes)

    def _chosen_tape(self) -> Tape | None:
        start = next(start for family, start in TAPES.items() if self.kind.startswith(family))
        files = _tapes(start, blank=self.kind.endswith(BLANK))
        return _loosened(self.random.choice(files)) if files and self.random.random() < 0.4 else None

    def live(self) -> None:
        """Every command has been judged.

        Raises:
            Finding: a law is broken; `judge.told` is the tape.
        """
        self.judge.inspect()
        if self.kind.endswith(BLANK) and not self._own and self.random.random() < 0.7:
            make_whole(self, self.judge.image.profile)
        while self.judge.count < self.commands:
            if self._tape is not None and self.random.random() < 0.3:
                self._play(self._tape)
            self._act()
        self.judge.inspect()

    def _play(self, tape: Tape) -> None:
        self.reset()
        try:
            for _ in run(tape, [self, self], functions=FUNCTIONS):
                if self.judge.count >= self.commands:
                    return
        except KaguanError:
            return  # what the tape wanted to keep of an answer was not there
        except ValueError:
            return  # the sums do not take what was there

    def act(self, name: str) -> None:
        """One conversation of that name."""
        {"noise": self._noise, "likely": self._likely, "reset": self.reset}.get(
            name, getattr(self._builder, name, None)
        )()

    def _act(self) -> None:
        banned = set() if self.judge.image.purses else {"transact"}
        banned |= set() if self.kind.startswith("psam") else {"use_module"}
        banned |= set() if self.kind.startswith("fmcos") or self.kind.endswith(BLANK) else {"build"}
        acts = [name for name in ACTS if name not in banned]
        (name,) = self.random.choices(acts, [ACTS[name] for name in acts])
        self.act(name)

    def _noise(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            self.judge.transceive(random_command(self.random))
        size = self.random.choice((0, 1, 3, 4, 5, 6, 7, 20, 255, 260, 261, 300))
        self.judge.transceive(self.random.randbytes(size))
        if self.random.random() < 0.01:
            size = self.random.choice(LONG)
            header = self.random.choice((b"", bytes.fromhex("00D6000000"), b"\x00\x88\x00\x00\x00\xff\xf8"))
            self.judge.transceive((header + self.random.randbytes(size))[:size])

    def _likely(self) -> None:
        """A command that the card knows, with data that it may like."""
        random = self.random
        for _ in range(random.randrange(1, 4)):
            row = random.choice(_rows(self.judge.image.profile))
            p1 = random.choice((0, 0, 1, 1, 4, 9, 0x85, 0x95, random.randrange(256))) if row[2] is None else row[2]
            p2 = random.choice((0, 0, 1, 2, 4, 0x2C, 0x34, 0x44, 0xBC, random.randrange(256)))
            size = random.choice((0, 0, 2, 4, 7, 8, 11, 12, 14, 15, 16, 19, 48, random.randrange(256)))
            data = random.choice((random.randbytes(size), bytes(size), b"\x3f\x00"))
            ne = random.choice((None, 4, 8, 15, 16, 256, 65_536))
            self.judge.transceive(bytes(CommandApdu(row[0], row[1], p1, p2, data, ne)))

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self.judge.atr

    def close(self) -> None:
        """The power is off."""
        self.judge.close()

    def reset(self) -> bytes:
        """The answer to reset."""
        return self.judge.reset()

    def transceive(self, command: bytes) -> bytes:
        """The answer to the command, or to what became of it on the way."""
        random = self.random
        previous, self._previous = self._previous, command
        judge = self.judge
        if random.random() < self._tearing and command[1:2] in WRITING:
            return judge.torn(command, random.randrange(8)) or b"\x90\x00"
        if random.random() >= self._mischief:
            return judge.transceive(command)
        match random.randrange(9):
            case 0:
                judge.reset()
            case 1:
                judge.transceive(previous)
            case 2:
                judge.transceive(command)
            case 3:
                judge.transceive(
                    random.choice((b"\x00\xc0\x00\x00\x00", b"\x00\xc0\x01\x00\x08", b"\x00", b"\x00\xa4\x00\x00"))
                )
            case 4:
                return b"\x90\x00"
            case 5:
                judge.transceive(random_command(random))
            case _:
                return judge.transceive(_spoiled(command, random))
        return judge.transceive(command)


def _spoiled(command: bytes, random: Random) -> bytes:
    """The command with a bit turned, its end gone, more behind it, another Lc, another Le, or other data."""
    raw = bytearray(command)
    place = random.randrange(len(raw))
    match random.randrange(7):
        case 0 | 1:
            raw[place] ^= 1 << random.randrange(8)
        case 2:
            raw[-1] ^= 1
        case 3:
            del raw[place:]
        case 4:
            raw += random.randbytes(random.choice((1, 2, 8)))
        case 5 if len(raw) > 5:
            raw[4] = random.randrange(256)
        case _ if len(raw) > 6:
            raw[5:] = random.randbytes(len(raw) - 5)
    return bytes(raw)


@cache
def _rows(profile: str) -> list[tuple[int, int, int | None]]:
    commands = load_profile(profile).behaviour.commands
    return [(row.cla, row.ins, row.p1) for row in (*INSTRUCTIONS, GET_RESPONSE) if row.sets & commands]


@cache
def _tapes(start: str, *, blank: bool) -> tuple[Path, ...]:
    if blank:
        return tuple(sorted(CONVERSATIONS.glob("blank*.apdu")))
    files = sorted(CONVERSATIONS.glob(f"{start}*.apdu"))
    if start == TAPES["pboc"]:
        return (*files, *(file for file in sorted(PUBLISHED.glob("*.apdu")) if "# card:" in file.read_text("utf-8")))
    others = ("blank", *filter(None, TAPES.values()))
    return tuple(file for file in files if start or not file.stem.startswith(others))


@cache
def _loosened(file: Path) -> Tape:
    """The tape without what it expects, so that it goes on after any answer."""
    steps = []
    for step in parse(file.read_text(encoding="utf-8"), file=str(file)).steps():
        if isinstance(step, Send):
            steps.append(Send(step.command, None, None, step.captures, step.place))
        else:
            steps.append(Reset(None, step.captures, step.place) if isinstance(step, Reset) else step)
    return Tape(tuple(steps), str(file))
