"""The doors: mailers from a sealed file, a voided number, a counted pile, a checked pair."""

from __future__ import annotations

import secrets

import pytest
from click.testing import CliRunner

from kaguan.apdu.errors import NeedsSecondPerson, RuleBroken
from kaguan.personalization.keys.secretfile import FileTooOpen
from kaguan.personalization.paper.cli import count_mailers_door, mailers, pair_door, void_mailer
from kaguan.personalization.paper.pairing import Kind, PairingRefused, pairing_code
from kaguan.personalization.paper.pinfile import PinRecord, write_pins
from kaguan.vault.secret import Pin, Secret
from personalization.paper.printed import lettering_for, page_count, text_of

pytestmark = pytest.mark.slow


@pytest.fixture
def room(tmp_path):
    """A PIN file, its key, and the key of the pairing codes."""
    for name in ("pin.key", "pair.key"):
        (tmp_path / name).write_text(secrets.token_hex(32))
        (tmp_path / name).chmod(0o600)
    key = Secret(bytes.fromhex((tmp_path / "pin.key").read_text()))
    rows = [PinRecord(f"0123456789A{i}", "张𠮷", f"样例路{i}号", "990100", Pin.of("741903")) for i in range(3)]
    with (tmp_path / "pins").open("wb") as file:
        write_pins(file, rows, key, secrets.token_bytes)
    return tmp_path


def call(command, *arguments):
    """What the door says; what it raises is raised here."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.output


def book(room, by="wang"):
    """The options that name register and keys."""
    return ("--key-file", room / "pin.key", "--series", "A7", "--register", room / "register", "--by", by)


def print_all(room):
    """The mailers' file, and what the door said."""
    lettering_for([])
    said = call(
        mailers, room / "pins", "--out", room, "--sender", "样例市", "--sender-address", "样例路 1 号",
        "--pairing-key-file", room / "pair.key", *book(room),
    )  # fmt: skip
    (pdf,) = room.glob("mailers-*.pdf")
    return pdf, said


def test_mailers_are_printed_voided_and_counted(room):
    pdf, said = print_all(room)
    assert page_count(pdf) == 3
    numbers = [word for word in text_of(pdf).split() if word.startswith("A7-")]
    assert numbers[0] in said
    assert "741903" not in said
    pile = room / "pile.txt"
    pile.write_text("\n".join(numbers))
    assert "3 mailers, all there" in call(count_mailers_door, pile, *book(room)[:-2])
    with pytest.raises(NeedsSecondPerson):
        call(void_mailer, numbers[1], "--reason", "torn", "--approved-by", "wang", *book(room))
    assert "is void" in call(void_mailer, numbers[1], "--reason", "torn", "--approved-by", "li", *book(room))
    with pytest.raises(RuleBroken, match="the pile"):
        call(count_mailers_door, pile, *book(room)[:-2])


def test_a_key_that_others_may_read_is_refused(room):
    (room / "pin.key").chmod(0o644)
    with pytest.raises(FileTooOpen):
        print_all(room)
    assert not list(room.glob("mailers-*"))


def test_a_pair_is_checked(room):
    key = Secret(bytes.fromhex((room / "pair.key").read_text()))
    card, letter = (pairing_code(key, kind, "0123456789AB") for kind in (Kind.CARD, Kind.LETTER))
    assert "belong together" in call(pair_door, card, letter, "--pairing-key-file", room / "pair.key")
    other = pairing_code(key, Kind.LETTER, "0123456789AC")
    with pytest.raises(PairingRefused):
        call(pair_door, card, other, "--pairing-key-file", room / "pair.key")
