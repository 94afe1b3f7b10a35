"""The bureau's line at real PC/SC readers, with somebody who changes the cards as the stations ask for it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from card.cards import PROFILE, specimen
from kaguan.apdu.link import Link
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Faults
from kaguan.emulator.purse_stock import purse_card
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.order.returnfile import read_return
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from outside.bureau_people import Operator, job_report, run_line
from outside.programs import need, need_pyscard
from outside.readers import Readers, private_readers
from personalization.station.benches import order_of

pytestmark = pytest.mark.slow
ORDER = Path(__file__).parents[2] / "examples" / "order-3.zip"


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Readers]:
    """Four empty virtual readers of a service of their own, which only the programs of the test see."""
    need("pcscd")
    need_pyscard()
    folder = tmp_path / "pcsc"
    folder.mkdir()
    with private_readers(folder, 4) as found:
        yield found


def blanks() -> Iterator[EmulatedCard]:
    """Blank chips, one after another."""
    return (EmulatedCard(blank(number)) for number in count(1))


def blank(number: int) -> CardImage:
    """A blank chip of the factory."""
    return blank_chip(PROFILE, bytes((38, 17, 1, 1, *number.to_bytes(2, "big"))))


def chip_of(link: Link) -> EmulatedCard:
    """The chip behind whatever is laid over it, with power on it."""
    chip = link if isinstance(link, EmulatedCard) else link.link
    assert isinstance(chip, EmulatedCard)
    chip.reset()
    return chip


def assert_every_row_has_one_card(out: Path, operator: Operator, rows: int) -> None:
    """Return file, finished cards and report tell the same."""
    with (out / "return-good.txt").open("rb") as file:
        returned = list(read_return(file))
    cards = [chip_of(link) for link in operator.finished]
    on_cards = Counter(converse(card, read_identity(PROFILE)).card_no for card in cards)
    assert on_cards == Counter(row.card_no for row in returned)
    assert set(on_cards.values()) == {1}
    assert len(returned) == rows
    assert {row.atr for row in returned} == {card.atr.hex().upper() for card in cards}
    (balance,) = job_report(out)["balance"]
    assert (balance["good"], balance["missing"], balance["at_work"]) == (rows, 0, 0)
    assert job_report(out)["state"] == "closed"


def test_an_order_is_written_onto_chips_in_a_reader(four: Readers, tmp_path: Path) -> None:
    """One of the chips is somebody's card, and stays as it is."""
    stock, somebodys = blanks(), EmulatedCard(specimen())
    operator = Operator.at(four, [next(stock), somebodys, next(stock), next(stock)])
    operator.slots = dict(list(operator.slots.items())[:1])
    assert run_line(four, operator, ORDER, "--out", tmp_path / "job") == 0, operator.heard
    assert_every_row_has_one_card(tmp_path / "job", operator, 3)
    assert any("may be somebody's card" in said for said in operator.heard)
    assert operator.binned == [somebodys]
    assert somebodys.image == specimen()


def test_four_readers_and_all_that_people_put_into_them(four: Readers, tmp_path: Path) -> None:
    """Cards pulled out in the middle and put into another reader, finished ones, foreign ones, another factory's."""
    stock = blanks()
    foreign_key = blank(900)._replace(keys={
        address: tuple(key._replace(value=secrets.token_bytes(16)) for key in found)
        for address, found in blank(900).keys.items()
    })  # fmt: skip
    strangers: list[Link] = [
        EmulatedCard(specimen()),
        EmulatedCard(purse_card(load_profile("pboc-purse"), bytes(6))),
        EmulatedCard(foreign_key),
    ]
    torn = [next(stock) for _ in range(4)]
    pulled = [
        Faults(f"remove@{where}").on(chip)
        for where, chip in zip(("CREATE FILE#5", "WRITE KEY", "UPDATE BINARY", "ACTIVATE FILE"), torn, strict=True)
    ]
    sealed = next(stock)
    untold = Faults("remove@INTERNAL AUTHENTICATE").on(sealed)
    heap: list[Link] = [pulled[0], strangers[0], untold, pulled[1], next(stock), strangers[1], pulled[2], sealed]
    heap += [
        torn[0],
        pulled[3],
        strangers[2],
        torn[1],
        torn[2],
        strangers[0],
        torn[3],
        *(next(stock) for _ in range(9)),
    ]
    operator = Operator.at(four, heap)
    order = order_of(tmp_path / "order.zip", 12)
    code = run_line(four, operator, order, "--out", tmp_path / "job", "--lease", 20)
    assert code == 0, operator.heard
    assert_every_row_has_one_card(tmp_path / "job", operator, 12)
    report = job_report(tmp_path / "job")
    used = {chip.atr for chip in map(chip_of, operator.finished)}
    assert {chip.atr for chip in torn} <= used, "every torn chip became somebody's card"
    # The sealed one is believed, unless another reader had made its row's card by then: it is dead in that case.
    dead = [] if sealed.atr in used else [sealed]
    assert report["balance"][0]["rejected"] == len([*strangers, *dead]), report["rejects"]
    assert len(report["rejects"]) == len([*strangers, *dead])
