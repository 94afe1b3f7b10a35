"""The bench a card lies on: what is known of it, what it has shown, and the findings of the chapter that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.instruction import instruction_of
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.status import StatusWord
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FileKind, FileSpec, PinSpec
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conformance.report import Check, Verdict
from kaguan.terminal.script import Script
from kaguan.vault.secret import Pin

SELECT = 0xA4
ABSENT = 0x6A82
GOOD = ""

Complaint = Callable[[bytes], str]
"""What is wrong with a response's data; the empty text when nothing is."""


@dataclass
class Bench:
    """One card under test. `keys` are its keys once it has shown that it holds them, `pin` its PIN while it is right.

    `no_keys` and `no_pin` say why there are none. `pin_known`: somebody who knows the PIN has said it; otherwise it is
    a guess. `risk_tries`: a PIN or key may be shown though the card does not tell its tries.

    What the card has shown: `pin_tries` at the beginning, None when it does not tell; whether `asking_costs` one of
    them; the status word with which it refused the PIN; of each key the tries that it told of, None when it does not
    tell (`asked`), why it must not be tried again (`distrusted`), and whether the card has `refused` it; its answer to
    the reset before the part that runs; the files that are absent, and what the others hold first.
    """

    profile: CardProfile
    atr: bytes
    keys: CardKeys | None = None
    pin: Pin | None = None
    pin_known: bool = False
    risk_tries: bool = False
    no_keys: str = "no keys were given: --keys STORE --region CITY"
    no_pin: str = "no PIN was given: --ask-pin"
    pin_tries: int | None = None
    asking_costs: bool = False
    pin_refused: str = ""
    reset_answer: bytes = b""
    checks: list[Check] = field(default_factory=list)
    distrusted: dict[tuple[str, int], str] = field(default_factory=dict)
    refused: set[tuple[str, int]] = field(default_factory=set)
    asked: dict[tuple[str, int], int | None] = field(default_factory=dict)
    absent: set[tuple[str, str]] = field(default_factory=set)
    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.offered_keys = self.keys
        self.offered_pin = self.pin

    @property
    def pin_spec(self) -> PinSpec | None:
        """The cardholder's PIN in the profile."""
        return next((pin for spec in self.profile.dedicated for pin in spec.pins), None)

    def passed(self, title: str, *, received: str = "", evidence: str = "") -> None:
        """A check that needed no command of its own is good."""
        self.checks.append(Check(title, Verdict.PASSED, received=received, evidence=evidence))

    def failed(
        self, title: str, expected: str, received: str, meaning: str, *, command: str = "", evidence: str = ""
    ) -> None:
        """A check is not good, and this is why."""
        self.checks.append(Check(title, Verdict.FAILED, command, expected, received, meaning, evidence))

    def not_covered(self, title: str, reason: str) -> None:
        """A check could not be made."""
        self.checks.append(Check(title, Verdict.NOT_COVERED, meaning=reason))

    def judge(self, title: str, received: str, *, expected: str, meaning: str, good: bool, command: str = "") -> None:
        """A check is good or not."""
        if good:
            self.checks.append(Check(title, Verdict.PASSED, command, expected, received))
        else:
            self.failed(title, expected, received, meaning, command=command)

    def expect(
        self,
        title: str,
        command: CommandApdu,
        *words: str,
        data: Complaint | None = None,
        data_expected: str = "",
        evidence: str = "",
    ) -> Script[ResponseApdu]:
        """The card's response, and a check on it: one of these status words (X is any digit), and good data with 9000.

        `data` is asked only when the card answered 9000.
        """
        response = yield command
        expected = " or ".join(words) + (f", {data_expected}" if data_expected else "")
        received = str(response.sw) + (f", {len(response.data)} bytes" if response.data else "")
        complaint = GOOD if _any_fits(response.sw, words) else _meaning(response.sw)
        if not complaint and data is not None and response.sw.ok:
            complaint = data(response.data)
        verdict = Verdict.FAILED if complaint else Verdict.PASSED
        self.checks.append(Check(title, verdict, shown(command), expected, received, complaint, evidence))
        return response


def shown(command: CommandApdu) -> str:
    """The command with its name and header. Data is shown of SELECT alone: elsewhere it may be personal, or secret."""
    row = instruction_of(command.cla, command.ins, command.p1)
    name = row.name if row else "unknown command"
    text = f"{name} {command.header.hex().upper()}"
    if command.data:
        text += f" {command.data.hex().upper()}" if command.ins == SELECT else f" with {len(command.data)} bytes"
    return text


def nothing(data: bytes) -> str:
    """The complaint when there is data where there should be none."""
    return "data comes with it" if data else GOOD


def exactly(size: int) -> Complaint:
    """The complaint when there are more or fewer bytes."""
    return lambda data: GOOD if len(data) == size else f"{len(data)} bytes came, not {size}"


def select_name(spec: DedicatedSpec) -> CommandApdu:
    """SELECT by name."""
    return CommandApdu.of("00A40400", spec.df_name, 256)


def select_identifier(spec: DedicatedSpec) -> CommandApdu:
    """SELECT by file identifier."""
    return CommandApdu.of("00A40000", spec.fid.to_bytes(2, "big"), 256)


def select_elementary(file: FileSpec) -> CommandApdu:
    """SELECT of an elementary file, as drivers send it."""
    return CommandApdu.of("00A40000", file.fid.to_bytes(2, "big"))


def read_record(number: int, sfi: int = 0) -> CommandApdu:
    """READ RECORD by number, of the current file or of the one with this short identifier."""
    return CommandApdu(0x00, 0xB2, number, sfi << 3 | 0x04, b"", 256)


def read_binary(offset: int, sfi: int = 0) -> CommandApdu:
    """READ BINARY of one byte; by short identifier the offset is below 256."""
    p1, p2 = (0x80 | sfi, offset) if sfi else divmod(offset, 256)
    return CommandApdu(0x00, 0xB0, p1, p2, b"", 1)


def read_first(file: FileSpec) -> CommandApdu:
    """READ of the first record or byte, by short identifier. It looks in the current dedicated file alone, whereas
    SELECT by file identifier also finds a file of that number further up."""
    return read_binary(0, file.sfi) if file.kind is FileKind.TRANSPARENT else read_record(1, file.sfi)


def enter(bench: Bench, spec: DedicatedSpec) -> Script[bool]:
    """The card stands in this dedicated file, come to from above; False when it does not."""
    way = [spec]
    while way[0].parent and len(bench.profile.path(way[0].name)) > 4:
        way.insert(0, bench.profile.by_name[way[0].parent])
    for step in way:
        response = yield select_name(step)
        if not response.sw.ok:
            return False
    return True


def _meaning(sw: StatusWord) -> str:
    return "the card does it all the same" if sw.ok else sw.meaning


def _any_fits(sw: StatusWord, words: Iterable[str]) -> bool:
    return any(all(wanted in ("X", digit) for wanted, digit in zip(word, str(sw), strict=True)) for word in words)
