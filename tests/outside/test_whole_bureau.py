"""A whole bureau: keys in a SoftHSM token, the job in PostgreSQL, rows prepared by a Dask cluster, chips in four
readers of a real pcscd, and somebody who changes them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from card.cards import PROFILE
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.order.returnfile import read_return
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from outside.bureau_people import Operator, run_line
from outside.programs import need, need_pyscard
from outside.readers import private_readers
from postgres import server
from vault.tokens import LABEL, PIN, SoftToken, token_in

pytestmark = [pytest.mark.slow, pytest.mark.longest]
ORDER = Path(__file__).parents[2] / "examples" / "order-200.zip"
PROGRAM = [sys.executable, "-m", "kaguan"]


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token store, as an address, with every key that cards of the order need."""
    folder = tmp_path / "token"
    folder.mkdir()
    token: SoftToken = token_in(folder)
    pin = folder / "pin"
    pin.touch(mode=0o600)
    pin.write_bytes(PIN.reveal() + b"\n")
    monkeypatch.setenv("SOFTHSM2_CONF", token.environment["SOFTHSM2_CONF"])
    name = f"pkcs11:token={LABEL.replace(' ', '%20')}?module-path={token.module}&pin-source={pin}"
    subprocess.run([*PROGRAM, "keys", "token", "make", name, "--kind", "test"], check=True, capture_output=True)
    return name


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[list[str]]:
    """A Dask cluster, as arguments for the line."""
    folder = str(tmp_path / "engine")
    up = [*PROGRAM, "perso", "engine", "up", "--folder", folder, "--workers", "2", "--port", "0"]
    said = subprocess.run(up, check=True, capture_output=True, text=True, timeout=120).stdout
    yield ["--engine", said.split()[0], "--folder", folder]
    subprocess.run([*PROGRAM, "perso", "engine", "down", "--folder", folder], check=True, timeout=60)


def test_two_hundred_cards_with_all_that_a_bureau_has(keys: str, engine: list[str], tmp_path: Path) -> None:
    need("pcscd")
    need_pyscard()
    address, out = server().new_database(), tmp_path / "job"
    (tmp_path / "pcsc").mkdir()
    chips = (EmulatedCard(blank_chip(PROFILE, bytes((38, 17, 1, *n.to_bytes(3, "big"))))) for n in count(1))
    with private_readers(tmp_path / "pcsc", 4) as readers:
        operator = Operator.at(readers, [next(chips) for _ in range(210)])
        words = ["--out", out, "--database", address, "--keys", keys, *engine, "--chips", 210]
        assert run_line(readers, operator, ORDER, *words) == 0, operator.heard[-20:]
    with open_order(ORDER) as order:
        ordered = Counter((holder.card_no, holder.id_no) for holder in order.holders())
    for card in operator.finished:
        card.reset()
    made = Counter((who.card_no, who.id_no) for who in (converse(c, read_identity(PROFILE)) for c in operator.finished))
    assert made == ordered
    with (out / "return-good.txt").open("rb") as file:
        returned = list(read_return(file))
    assert {row.atr for row in returned} == {card.atr.hex().upper() for card in operator.finished}
    assert Counter((row.card_no, row.cert_no) for row in returned) == ordered
    report = json.loads((out / "report.json").read_text())
    (balance,) = report["balance"]
    assert (balance["opening"], balance["good"], balance["returned"]) == (210, 200, None), "the rest is to be counted"
    back = [*PROGRAM, "perso", "shift", "close", "--database", address, "--returned", str(len(operator.heap))]
    assert subprocess.run(back, check=True, capture_output=True, text=True).returncode == 0
    assert subprocess.run([*PROGRAM, "perso", "close", "--database", address], check=True).returncode == 0
