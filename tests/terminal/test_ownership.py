"""Cards that may be somebody's are read, and nothing that could change them is sent."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import SELECT_SSSE, Terminal, blank, specimen
from kaguan.apdu.chaining import Layer
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS, may_change
from kaguan.card_os.profile import load_profile
from kaguan.cli import DOORS, kaguan
from kaguan.emulator.card import EmulatedCard
from kaguan.personalization.specimen import specimen_card
from kaguan.terminal.consent import CONSENT
from kaguan.terminal.options.cli import READER_HELP
from kaguan.terminal.ownership import NotOurs, OnlyRead, of_test_region
from properties.commands import STATES, likely_commands

pytestmark = pytest.mark.slow

PROFILE = load_profile("ssc-v2")
HARMLESS = sorted({(row.cla, row.ins) for row in (*INSTRUCTIONS, GET_RESPONSE) if not row.changes})

WITHOUT_CONSENT = {"perso run", "perso station", "perso instant"}
"""And all of `cms`: docs/decisions says why."""


@pytest.mark.parametrize("state", STATES.values(), ids=list(STATES))
@given(commands=st.lists(likely_commands(), min_size=1, max_size=6), data=st.data())
def test_what_passes_changes_nothing(state: Callable[[], Terminal], commands: list[bytes], data: st.DataObject) -> None:
    card = state().card
    before = card.image
    link = OnlyRead(card, "a reader")
    for command in commands:
        cla, ins = data.draw(st.sampled_from(HARMLESS))
        for sent in (command, bytes((cla, ins)) + command[2:]):
            try:
                link.transceive(sent)
            except NotOurs:
                continue
    assert card.image == before


@pytest.mark.parametrize("apdu", ["0020000003123456", "00D6000001FF", "0082000008", "80500002", "", "00", "FFCA000000"])
def test_what_could_change_a_card_is_not_sent(apdu: str) -> None:
    sent: list[bytes] = []

    class Noting(Layer):
        def transceive(self, command: bytes) -> bytes:
            sent.append(command)
            return self.link.transceive(command)

    link = OnlyRead(Noting(EmulatedCard(specimen())), "ACS ACR39U")
    link.transceive(bytes.fromhex(SELECT_SSSE))
    with pytest.raises(NotOurs, match=f"was not sent.*ACS ACR39U.*{CONSENT}") as refused:
        link.transceive(bytes.fromhex(apdu))
    assert refused.value.exit_code == 5
    assert "123456" not in str(refused.value)
    assert sent == [bytes.fromhex(SELECT_SSSE)]


def test_every_command_that_spends_a_try_counts_as_a_change() -> None:
    spending = [row for row in INSTRUCTIONS if row.secret or "EXTERNAL" in row.name or "protected" in row.name]
    assert len(spending) > 8
    assert all(row.changes for row in spending)
    assert may_change(bytes.fromhex("0020000000"))


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_a_specimen_shows_that_it_is_nobodys(profile: str) -> None:
    card = EmulatedCard(specimen_card(load_profile(profile)).image)
    before = card.image
    assert of_test_region(card, PROFILE)
    assert card.image == before


def test_a_blank_chip_and_another_region_do_not() -> None:
    assert not of_test_region(EmulatedCard(blank()), PROFILE)
    assert not of_test_region(Region(EmulatedCard(specimen())), PROFILE)


class Region(Layer):
    """The same card with an identification code of Hangzhou."""

    def transceive(self, command: bytes) -> bytes:
        return self.link.transceive(command).replace(b"\x99\x01\x00", b"\x33\x01\x00")


def commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []

    def walk(name: str, command: click.Command) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                inner = command.get_command(context, child)
                assert inner is not None
                walk(f"{name} {child}".strip(), inner)
        else:
            found.append((name, command))

    for door in DOORS:
        inner = kaguan.get_command(click.Context(kaguan), door)
        assert inner is not None
        walk(door, inner)
    return found


def test_every_command_that_takes_a_card_takes_a_reader_in_the_same_words() -> None:
    checked = 0
    for name, command in commands():
        options = {word: option for option in command.params for word in option.opts}
        if "--card" in options:
            checked += 1
            assert "--reader" in options, name
            reader = options["--reader"]
            assert isinstance(reader, click.Option)
            assert (reader.help, reader.metavar) == (READER_HELP, "NAME"), name
        if "--reader" in options and name not in WITHOUT_CONSENT and not name.startswith("cms "):
            assert CONSENT in options, name
    assert checked > 10
