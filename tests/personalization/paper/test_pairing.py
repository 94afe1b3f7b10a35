"""Pairing: what belongs together goes together, by codes that an outside reader reads from the paper."""

from __future__ import annotations

import secrets
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import InputError
from kaguan.personalization.paper.pairing import (
    Kind,
    PairingRefused,
    PairingRow,
    draw_link,
    pair,
    pairing_code,
    pairing_sheet,
    pairing_texts,
)
from kaguan.vault.secret import Secret
from personalization.paper.printed import WRITTEN_AT, code_at, lettering_for, page_count, picture_of, text_of

KEY = Secret(b"p" * 32)
KINDS = st.sampled_from(list(permutations(Kind, 2)))


@given(KINDS, st.integers())
def test_what_has_one_link_belongs_together(kinds, seed):
    link = draw_link(Random(seed).randbytes)
    first, second = (pairing_code(KEY, kind, link) for kind in kinds)
    assert pair(KEY, first, second) == link


@given(KINDS, st.integers())
def test_other_links_do_not(kinds, seed):
    random = Random(seed)
    first, second = (pairing_code(KEY, kind, draw_link(random.randbytes)) for kind in kinds)
    with pytest.raises(PairingRefused, match="different holders"):
        pair(KEY, first, second)


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ "))
def test_a_misread_code_is_refused(place, character):
    code = pairing_code(KEY, Kind.CARD, "0123456789AB")
    letter = pairing_code(KEY, Kind.LETTER, "0123456789AB")
    misread = code[:place] + character + code[place + 1 :]
    if misread != code:
        with pytest.raises(PairingRefused):
            pair(KEY, misread, letter)


def test_two_of_a_kind_and_strange_keys_are_refused():
    card = pairing_code(KEY, Kind.CARD, "0123456789AB")
    with pytest.raises(PairingRefused, match="one of each"):
        pair(KEY, card, card)
    with pytest.raises(PairingRefused, match="not printed here"):
        pair(Secret(b"q" * 32), card, pairing_code(KEY, Kind.LETTER, "0123456789AB"))


@pytest.mark.parametrize("link", ["", "990101199003", "0123456789AI", "0123456789ABC"])
def test_a_link_is_no_number_of_somebody(link):
    if link == "990101199003":  # in form: that it was drawn at random is the caller's word
        assert pairing_code(KEY, Kind.CARD, link).startswith("C")
        return
    with pytest.raises(InputError):
        pairing_code(KEY, Kind.CARD, link)


@pytest.mark.slow
def test_the_sheet_is_read_back_from_paper(tmp_path):
    links = [draw_link(secrets.token_bytes) for _ in range(11)]
    rows = [
        PairingRow(i, f"箱 1 / {i}", pairing_code(KEY, Kind.CARD, link), pairing_code(KEY, Kind.LETTER, link))
        for i, link in enumerate(links, 1)
    ]
    lettering = lettering_for(pairing_texts("job-1", rows))
    pdf = tmp_path / "pairing.pdf"
    pdf.write_bytes(pairing_sheet("job-1", rows, lettering, written_at=WRITTEN_AT))
    assert page_count(pdf) == 2
    for index, row in enumerate(rows):
        page, place = divmod(index, 8)
        picture = tmp_path / "page.png" if place else picture_of(pdf, page + 1, tmp_path)
        assert code_at(picture, 66.5, 36.5 + 30 * place, 28) == row.card_code
        assert code_at(picture, 132.5, 36.5 + 30 * place, 28) == row.letter_code
    assert "箱 1 / 11" in text_of(pdf)
    assert pairing_sheet("job-1", rows, lettering, written_at=WRITTEN_AT) == pdf.read_bytes()
