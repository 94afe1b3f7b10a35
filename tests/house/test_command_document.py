"""docs/commands.md says what the commands do, and every command says how it refuses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from card.manual import GET_RESPONSE, before_any_handler, refusals
from house.tree import ROOT
from kaguan.apdu.forms import FORMS
from kaguan.apdu.instruction import INSTRUCTIONS
from kaguan.apdu.status import MEANINGS

NAMES = [row.name for row in INSTRUCTIONS] + [GET_RESPONSE]


def test_the_page_is_what_the_chip_does():
    check = subprocess.run([sys.executable, ROOT / "scripts" / "command-docs", "--check"], check=False)
    assert check.returncode == 0, "run scripts/command-docs"


@pytest.mark.parametrize("name", NAMES)
def test_every_handler_says_in_which_order_it_refuses(name):
    for refusal in (*before_any_handler(), *refusals(name)):
        assert refusal.condition
        for word in refusal.words:
            assert word == "6Cxx" or int(word, 16) in MEANINGS


def test_every_command_has_a_form():
    assert list(FORMS) == NAMES
