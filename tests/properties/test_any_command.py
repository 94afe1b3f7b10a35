"""Whatever is sent, in whatever state, is answered: with a response, not with an exception, and not with a secret."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from card.cards import PURSE_ADDRESS, Terminal, counted, funded
from kaguan.card_os.image import Lifecycle
from kaguan.card_os.profile import FileKind
from kaguan.emulator.imagefile import FileCard, load_image, save_image
from properties.commands import PIN, STATES, likely_commands, random_command, well_formed
from properties.laws import a_refusal_changes_nothing

DRIVERS = [
    bytes.fromhex(command)
    for command in (
        "00A4000002DDF1",
        "00A4000002DF04",
        "00A4000002EF05",
        "0020000003123456",
        "0020000003654321",
        "805E010007123456FF654321",
        "805E010007654321FF123456",
        "0084000008",
        "00B2010500",
        "805C000104",
    )
]

ALL_STATES = pytest.mark.parametrize("state", STATES.values(), ids=list(STATES))


@ALL_STATES
@given(commands=st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_any_bytes(state: Callable[[], Terminal], commands: list[bytes]) -> None:
    card = state().card
    for command in commands:
        well_formed(command, card.transceive(command))


@pytest.mark.slow
@ALL_STATES
@given(commands=st.lists(likely_commands(), min_size=1, max_size=6))
def test_any_likely_commands(state: Callable[[], Terminal], commands: list[bytes]) -> None:
    card = state().card
    for command in commands:
        well_formed(command, card.transceive(command))


@ALL_STATES
def test_bytes_of_any_length(state: Callable[[], Terminal]) -> None:
    for size in (0, 1, 4, 5, 6, 7, 260, 261, 262, 263, 4_096, 65_535, 65_544, 70_000):
        for filling in (b"\x00", b"\xff", b"\x84"):
            command = (b"\x00\xa4\x04\x00" + filling * size)[:size]
            well_formed(command, state().card.transceive(command))


@pytest.mark.parametrize("ins", ["D6", "DC", "E2", "A4", "20", "5E", "E0", "82"])
def test_the_longest_command_there_is(ins: str) -> None:
    body = b"\x00\xff\xff" + bytes(65_535) + b"\x00\x00"
    for cla in ("00", "80", "84"):
        for state in STATES.values():
            command = bytes.fromhex(cla + ins + "0000") + body
            well_formed(command, state().card.transceive(command))


@given(st.lists(likely_commands() | st.sampled_from(DRIVERS), max_size=20))
def test_the_short_way_and_the_long_way_answer_alike(commands: list[bytes]) -> None:
    steady, watched = (Terminal(funded(), random=counted()).card for _ in range(2))
    watched.power.cut_after(100_000)
    for command in commands:
        assert steady.transceive(command) == watched.transceive(command)
    assert steady.image == watched.image


@pytest.mark.slow
@given(st.lists(likely_commands() | st.sampled_from(DRIVERS), max_size=20))
def test_the_file_holds_what_the_memory_holds(tmp_path_factory: pytest.TempPathFactory, commands: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "held"
    save_image(path, funded())
    with FileCard(path, sync=False) as card:
        for command in commands:
            card.transceive(command)
            assert load_image(path) == card.image


@pytest.mark.slow
def test_two_hundred_thousand_commands() -> None:
    random = Random(20_240_101)
    makers = list(STATES.values())
    card = makers[0]().card
    for number in range(200_000):
        if number % 40 == 0:
            card = makers[number // 40 % len(makers)]().card
        command = random_command(random)
        well_formed(command, card.transceive(command))


class AnyConversation(RuleBasedStateMachine):
    """A terminal that does what it likes with a card; the laws are looked at after every step."""

    @initialize(state=st.sampled_from(sorted(STATES)))
    def begin(self, state: str) -> None:
        self.terminal = STATES[state]()

    @rule(command=likely_commands())
    def send(self, command: bytes) -> None:
        a_refusal_changes_nothing(self.terminal, command)

    @rule(fid=st.sampled_from(["3F00", "DDF1", "DF01", "DF04", "EF05", "EF06", "EF08"]))
    def select(self, fid: str) -> None:
        self.terminal.send("00A4000002" + fid)

    @rule(wrong=st.booleans())
    def verify(self, wrong: bool) -> None:
        a_refusal_changes_nothing(self.terminal, b"\x00\x20\x00\x00\x06" + (bytes(6) if wrong else PIN))

    @precondition(lambda self: self.terminal.card.image.lifecycle is Lifecycle.ACTIVATED)
    @rule(reference=st.sampled_from([0x04, 0x05, 0x06, 0x83, 0x84, 0x85, 0x86]))
    def authenticate(self, reference: int) -> None:
        answer = self.terminal.external_authenticate(reference)
        assert answer in ("9000", "6A88", "6A81", "6983")

    @rule()
    def reset(self) -> None:
        before = self.terminal.card.image
        self.terminal.card.reset()
        assert self.terminal.card.image == before

    @invariant()
    def counters_stay_in_their_bounds(self) -> None:
        image = self.terminal.card.image
        for pin in image.pins.values():
            assert 0 <= pin.tries_left <= pin.tries
        for versions in image.keys.values():
            assert all(0 <= key.tries_left <= key.tries for key in versions)
        for purse in image.purses.values():
            assert 0 <= purse.balance_fen <= purse.rules.max_balance_fen
        for file in image.files.values():
            if file.kind is FileKind.TRANSPARENT:
                assert len(file.content) == file.size
            elif file.kind is not FileKind.LINEAR_VARIABLE:
                assert len(file.records) <= file.size
                assert {len(record) for record in file.records} <= {file.record_size}

    @invariant()
    def money_does_not_come_from_nowhere(self) -> None:
        purse = self.terminal.card.image.purses.get(PURSE_ADDRESS)
        assert purse is None or purse.balance_fen in (0, 10_000), "no load and no purchase had a right MAC"


TestAnyConversation = AnyConversation.TestCase
TestAnyConversation.settings = settings(max_examples=60, stateful_step_count=40)
