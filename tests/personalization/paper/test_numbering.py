"""Mailer numbers: none invented, none skipped, none void without two people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import InputError, NeedsSecondPerson, RuleBroken
from kaguan.durable import InUse
from kaguan.personalization.paper.numbering import (
    MailerNumbers,
    MailerRegister,
    NumberInvented,
    RegisterBroken,
    count_mailers,
)
from kaguan.vault.secret import Secret

NUMBERS = MailerNumbers(Secret(b"n" * 32), "A7")
AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    """Where a register is."""
    return tmp_path / "mailers.register"


def test_a_number_says_what_it_is():
    assert all(NUMBERS.parse(NUMBERS.text(number)) == number for number in (1, 42, 99_999_999))
    assert NUMBERS.text(42).startswith("A7-00000042-")


@given(st.integers(0, 19), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ-"))
def test_no_other_number_is_ours(place, character):
    text = NUMBERS.text(42)
    other = text[:place] + character + text[place + 1 :]
    if other != text:
        with pytest.raises(NumberInvented):
            NUMBERS.parse(other)


@pytest.mark.parametrize("other", [MailerNumbers(Secret(b"m" * 32), "A7"), MailerNumbers(NUMBERS.key, "A8")])
def test_keys_and_series_do_not_mix(other):
    with pytest.raises(NumberInvented):
        NUMBERS.parse(other.text(42))


@pytest.mark.parametrize("series", ["", "a7", "A-7", "ABCDEFGHI"])
def test_a_series_has_a_form(series):
    with pytest.raises(InputError):
        MailerNumbers(NUMBERS.key, series)


def test_numbers_are_drawn_in_order_and_once(path):
    with MailerRegister(path, NUMBERS) as register:
        assert register.draw(5, by="wang", at=AT) == range(1, 6)
    with MailerRegister(path, NUMBERS) as register:
        assert register.draw(2, by="wang", at=AT) == range(6, 8)
        register.printed(range(1, 6), by="wang", at=AT)
        assert register.standing.open == (6, 7)
        with pytest.raises(RuleBroken):
            register.printed(range(5, 7), by="wang", at=AT)
        with pytest.raises(RuleBroken):
            register.printed(range(7, 9), by="wang", at=AT)
        with pytest.raises(RuleBroken):
            register.draw(0, by="wang", at=AT)
        assert register.standing.open == (6, 7)
    assert path.stat().st_mode & 0o077 == 0


def test_a_reprint_voids_the_old_number_by_two_people(path):
    with MailerRegister(path, NUMBERS) as register:
        register.printed(register.draw(3, by="wang", at=AT), by="wang", at=AT)
        for approved_by in ("wang", " WANG ", ""):
            with pytest.raises(NeedsSecondPerson):
                register.void(2, reason="torn", by="wang", approved_by=approved_by, at=AT, reprint=True)
        with pytest.raises(RuleBroken, match="reason"):
            register.void(2, reason=" ", by="wang", approved_by="li", at=AT, reprint=True)
        new = register.void(2, reason="torn", by="wang", approved_by="li", at=AT, reprint=True)
        assert new == 4
        assert register.standing.open == (4,)
        register.printed(range(4, 5), by="wang", at=AT)
        assert register.standing.valid == {1, 3, 4}
        with pytest.raises(RuleBroken):
            register.void(2, reason="torn", by="wang", approved_by="li", at=AT, reprint=False)
        with pytest.raises(RuleBroken):
            register.void(9, reason="torn", by="wang", approved_by="li", at=AT, reprint=False)


def test_a_pile_is_held_against_the_register(path):
    with MailerRegister(path, NUMBERS) as register:
        register.printed(register.draw(4, by="wang", at=AT), by="wang", at=AT)
        register.void(2, reason="torn", by="wang", approved_by="li", at=AT, reprint=True)
        text = NUMBERS.text
        assert count_mailers(register, [text(1), text(3), text(4)]).ok
        wrong = count_mailers(register, [text(1), text(1), text(2), text(5), text(77), "A7-00000003-AAAAAAAA"])
        assert wrong.missing == (3, 4)
        assert wrong.void == (2,)
        assert wrong.twice == (1,)
        assert set(wrong.unknown) == {text(5), text(77), "A7-00000003-AAAAAAAA"}


def filled(path) -> bytes:
    """The bytes of a register with five events."""
    with MailerRegister(path, NUMBERS) as register:
        for _ in range(2):
            register.printed(register.draw(3, by="wang", at=AT), by="wang", at=AT)
        register.void(1, reason="torn", by="wang", approved_by="li", at=AT, reprint=False)
    return path.read_bytes()


def test_the_past_cannot_be_changed(path):
    raw = filled(path)
    lines = raw.splitlines(keepends=True)
    forged = [
        raw.replace(b'"reason": "torn"', b'"reason": "lost"'),
        b"".join(lines[1:]),
        b"".join(lines[:2] + lines[3:]),
        b"".join([lines[0], *lines]),
        b"\n" + raw,
    ]
    for wrong in forged:
        path.write_bytes(wrong)
        with pytest.raises(RegisterBroken):
            MailerRegister(path, NUMBERS)
    path.write_bytes(raw)
    with pytest.raises(RegisterBroken):
        MailerRegister(path, MailerNumbers(Secret(b"m" * 32), "A7"))


def test_a_cut_tail_changes_the_head(path):
    raw = filled(path)
    with MailerRegister(path, NUMBERS) as register:
        head = register.head
    path.write_bytes(b"".join(raw.splitlines(keepends=True)[:-1]))
    with MailerRegister(path, NUMBERS) as register:
        assert register.head != head


def test_a_line_that_a_kill_left_half_written_is_dropped(path):
    raw = filled(path)
    last = len(raw.splitlines(keepends=True)[-1])
    for length in range(len(raw) - last + 1, len(raw)):
        path.write_bytes(raw[:length])
        with MailerRegister(path, NUMBERS) as register:
            assert register.standing.voided == ()
        assert path.read_bytes() == raw[:-last]


def test_one_process_at_a_time(path):
    with MailerRegister(path, NUMBERS), pytest.raises(InUse):
        MailerRegister(path, NUMBERS)
