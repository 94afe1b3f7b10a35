"""A station and its chips: what it writes to, what it turns away, what it seals, and what it takes up again."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from card.cards import PROFILE, specimen
from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import VaultError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import load_profile
from kaguan.durable import DiskFailed, InUse
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Faults
from kaguan.emulator.purse_stock import purse_card
from kaguan.personalization.job import database as database_of_jobs
from kaguan.personalization.job.claims import MOST_ATTEMPTS, Claims
from kaguan.personalization.job.schema import State, card, chip
from kaguan.personalization.job.shifts import balances
from kaguan.personalization.station.sampling import Sampling
from kaguan.personalization.station.station import MOST_STRANGERS, Station
from kaguan.personalization.station.stock import Leaving
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from personalization.station.benches import Drawer, Place, blank, chips, place

CREATE_FILE, SEAL = 0xE0, 0x44


@pytest.fixture
def at(database: str, tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path, database) as found:
        yield found


class Heard(Layer):
    """A link that remembers the instructions of its commands, and does something before one of them."""

    def __init__(self, link: Link, before: dict[int, Callable[[], object]] | None = None) -> None:
        super().__init__(link)
        self.instructions: list[int] = []
        self._before = before or {}

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below, unchanged."""
        self.instructions.append(command[1])
        if act := self._before.pop(command[1], None):
            act()
        return self.link.transceive(command)


def work_off(station: Station, claims: Claims) -> None:
    """All rows are worked off, as far as the chips reach."""
    try:
        while found := claims.claim(1):
            station.work(found[0])
    except Leaving:
        claims.release()


def fates(at: Place) -> dict[str, int]:
    """How many chips there are of each fate."""
    query = select(chip.c.fate, func.count()).where(chip.c.job == at.job.key).group_by(chip.c.fate)
    with at.job.bureau.transaction() as connection:
        return dict(connection.execute(query).all())


def failures(at: Place) -> int:
    """How many attempts all rows together have lost."""
    with at.job.bureau.transaction() as connection:
        return connection.execute(select(func.sum(card.c.failures))).scalar_one()


def taken_away(at: Place) -> None:
    """As if the time of every claim had run out and other stations had them."""
    with at.job.bureau.transaction() as connection:
        connection.execute(update(card).where(card.c.state == State.CLAIMED).values(attempt=card.c.attempt + 1))


def test_blank_chips_become_the_rows_cards(at: Place) -> None:
    drawer = Drawer(*chips(1, 2, 3, 4))
    work_off(*at.station(drawer))
    assert fates(at) == {"good": 3}
    shown = [converse(link, read_identity(PROFILE)) for link in drawer.finished if link.reset()]
    assert sorted(identity.card_no for identity in shown) == sorted({identity.card_no for identity in shown})
    assert len(shown) == 3
    assert len(drawer.chips) == 1


def test_what_is_no_blank_chip_of_ours_costs_no_row_anything(at: Place) -> None:
    """Somebody's card, a bank's card, another chip maker's, a chip of another factory key, and one seen before."""
    foreign_key = blank(9)._replace(keys={
        address: tuple(key._replace(value=secrets.token_bytes(16)) for key in found)
        for address, found in blank(9).keys.items()
    })  # fmt: skip
    strangers = [
        EmulatedCard(specimen()),
        EmulatedCard(purse_card(load_profile("pboc-purse"), bytes(6))),
        EmulatedCard(blank(7)._replace(atr=bytes.fromhex("3B6800000073C84013009000"))),
        EmulatedCard(foreign_key),
    ]
    heard = [Heard(stranger) for stranger in strangers]
    good = chips(1, 2, 3)
    drawer = Drawer(heard[0], heard[1], good[0], heard[2], good[1], heard[3], good[2])
    work_off(*at.station(drawer))
    assert fates(at) == {"good": 3, "rejected": 4}
    assert failures(at) == 0
    assert [link for link, _ in drawer.bin] == heard
    assert all(CREATE_FILE not in link.instructions for link in heard)
    reasons = set(at.job.rejects_by_reason())
    assert len(reasons) == 3
    assert all("not blank" in reason or "no chip of ours" in reason for reason in reasons)


def test_a_chip_in_the_bin_is_counted_once_however_often_it_comes(at: Place) -> None:
    stranger = EmulatedCard(specimen())
    drawer = Drawer(stranger, stranger, *chips(1), stranger)
    work_off(*at.station(drawer))
    assert fates(at) == {"good": 1, "rejected": 1}


def test_a_finished_card_of_the_job_is_turned_away_and_stays_good(at: Place) -> None:
    (first,) = chips(1)
    drawer = Drawer(first, first, *chips(2))
    work_off(*at.station(drawer))
    assert fates(at) == {"good": 2}
    assert [reason for _, reason in drawer.bin] == ["a finished card of this job"]


def test_many_chips_of_another_key_stop_the_station_and_not_the_rows(at: Place) -> None:
    wrong = [
        EmulatedCard(image._replace(keys={
            address: tuple(key._replace(value=bytes(16)) for key in found) for address, found in image.keys.items()
        }))
        for image in map(blank, range(20, 20 + MOST_STRANGERS))
    ]  # fmt: skip
    station, claims = at.station(Drawer(*wrong))
    with pytest.raises(VaultError, match="is this the store"):
        station.work(claims.claim(1)[0])
    assert failures(at) == 0


@pytest.mark.parametrize("where", ["CREATE FILE#1", "CREATE FILE#9", "WRITE KEY#3", "UPDATE BINARY#2", "ACTIVATE FILE"])
@pytest.mark.parametrize("kind", ["tear", "lose", "remove"])
def test_a_torn_chip_comes_again_and_is_one_chip(at: Place, where: str, kind: str) -> None:
    (torn,) = chips(1)
    drawer = Drawer(Faults(f"{kind}@{where}").on(torn), torn, *chips(2, 3))
    work_off(*at.station(drawer))
    assert fates(at) == {"good": 3}
    assert len({link.atr for link in drawer.finished}) == 3
    (balance,) = balances(at.job)
    assert (balance.good, balance.rejected) == (3, 0)


def test_a_chip_that_fails_for_good_is_not_tried_again(at: Place) -> None:
    (bad,) = chips(1)
    drawer = Drawer(Faults("sw@CREATE FILE:6581").on(bad), bad, *chips(2, 3, 4))
    work_off(*at.station(drawer))
    assert fates(at) == {"good": 3, "rejected": 1}
    assert failures(at) == 1
    assert drawer.bin[1][1].startswith("rejected before: write")


def test_a_station_whose_claim_is_taken_away_never_seals(at: Place) -> None:
    (card_,) = chips(1)
    chip_ = Heard(card_, {0xD6: lambda: taken_away(at)})
    station, claims = at.station(Drawer(chip_), lease_seconds=1e-9)
    (claim,) = claims.claim(1)
    assert not station.work(claim)
    assert 0xD6 in chip_.instructions
    assert SEAL not in chip_.instructions
    assert fates(at) == {"rejected": 1}
    with at.job.bureau.transaction() as connection:
        connection.execute(update(card).values(state=State.PENDING))
    drawer = Drawer(card_, *chips(2, 3))
    work_off(*at.station(drawer, name="m1/2"))
    assert fates(at) == {"good": 3}, "the chip was left open, and is good for another row"


def test_a_station_asks_only_when_its_time_is_a_third_over(at: Place) -> None:
    station, claims = at.station(Drawer(Heard(chips(1)[0], {0xD6: lambda: taken_away(at)})), lease_seconds=3600)
    assert not station.work(claims.claim(1)[0])
    assert fates(at) == {"rejected": 1}, "it sealed, but the job took the card for nobody's"


@pytest.mark.parametrize("own_row", [True, False])
def test_a_finished_card_that_nobody_was_told_of_is_its_rows_card(at: Place, own_row: bool) -> None:
    """The station died between the seal and telling; another one finds the card in its reader."""
    (sealed,) = chips(1)
    lost, claims = at.station(Drawer(Heard(sealed, {0x88: kill})), name="m1/1")
    with pytest.raises(ZeroDivisionError):
        lost.work(claims.claim(1)[0])
    claims.release()
    assert fates(at) == {"rejected": 1}
    with at.job.bureau.transaction() as connection:
        connection.execute(update(card).where(card.c.number == (1 if own_row else 2)).values(priority=9))
    drawer = Drawer(sealed, *chips(2, 3))
    work_off(*at.station(drawer, name="m2/1"))
    assert fates(at) == {"good": 3}
    assert len(drawer.finished) == 3
    assert failures(at) == 0


def test_a_finished_card_whose_row_got_another_is_rejected(at: Place) -> None:
    (sealed,) = chips(1)
    lost, claims = at.station(Drawer(Heard(sealed, {0x88: kill})))
    with pytest.raises(ZeroDivisionError):
        lost.work(claims.claim(1)[0])
    claims.release()
    drawer = Drawer(*chips(2), sealed, *chips(3, 4))
    work_off(*at.station(drawer, name="m2/1"))
    assert fates(at) == {"good": 3, "rejected": 1}
    assert list(at.job.rejects_by_reason()) == ["its row was settled without it"]


@pytest.mark.parametrize(
    ("plan", "deep"), [("all", [1, 2, 3]), ("first-1", [1]), ("1/2", [1, 3]), ("first-2,1/1", [1, 2, 3])]
)
def test_the_sample_plan_says_which_cards_are_checked_to_the_last_byte(at: Place, plan: str, deep: list[int]) -> None:
    heard = [Heard(link) for link in chips(1, 2, 3)]
    work_off(*at.station(Drawer(*heard), sampling=Sampling.parse(plan)))
    with at.job.bureau.transaction() as connection:
        rows = connection.execute(select(card.c.number, card.c.deep).order_by(card.c.number)).all()
    assert [number for number, checked in rows if checked] == deep
    for number, link in enumerate(heard, 1):
        assert link.instructions.count(0x88) == 1, "every card has shown that it is genuine"
        pins = link.instructions.count(0x20)
        assert pins == (2 if number in deep else 1), "how many tries are left is asked of every card"


@pytest.mark.parametrize("plan", ["all", "first-0"])
def test_a_card_that_is_not_as_ordered_is_found_whatever_the_plan(at: Place, plan: str) -> None:
    spoiled = [Spoiling(link) for link in chips(*range(1, 1 + MOST_ATTEMPTS))]
    work_off(*at.station(Drawer(*spoiled), sampling=Sampling.parse(plan)))
    assert [row.number for row in at.job.settled(State.REJECTED)] == [1]
    assert list(at.job.rejects_by_reason()) == ["check: the photo is not what was ordered"]


class Spoiling(Layer):
    """A chip that keeps another photo than it was given."""

    def transceive(self, command: bytes) -> bytes:
        """The answer to a command with one bit changed."""
        if command[1] == 0xD6:
            command = command[:-1] + bytes([command[-1] ^ 1])
        return self.link.transceive(command)


def kill() -> None:
    """The station is gone, without a word."""
    raise ZeroDivisionError


def test_no_pin_try_is_ever_spent(at: Place) -> None:
    drawer = Drawer(*chips(1, 2, 3))
    work_off(*at.station(drawer, sampling=Sampling.parse("first-1")))
    for link in drawer.finished:
        assert isinstance(link, EmulatedCard)
        (pin,) = link.image.pins.values()
        assert pin.tries_left == pin.tries


def test_a_locked_file_is_said_and_the_row_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program holds the SQLite file: the station says so; nothing of the row is lost."""
    monkeypatch.setattr(database_of_jobs, "_PATIENCE_SECONDS", 0.1)
    with place(tmp_path, "") as at:
        (card_,) = chips(1)
        station, claims = at.station(Drawer(card_, card_))
        (claim,) = claims.claim(1)
        other = sqlite3.connect(str(at.job.bureau.url.database))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InUse, match="in use by another process"):
            station.work(claim)
        other.rollback()
        other.close()
        assert station.work(claim), "the same claim, once the file is free"
        assert fates(at) == {"good": 1}


def test_a_full_disk_is_said_and_the_sealed_card_is_the_rows_card(tmp_path: Path) -> None:
    """The disk is full when the station wants to tell: the card comes again, and is what it says itself."""
    with place(tmp_path, "") as at:
        (sealed,) = chips(1)
        full, claims = at.station(Drawer(Heard(sealed, {SEAL: lambda: fill(at)})))
        with pytest.raises(DiskFailed, match="full"):
            full.work(claims.claim(1)[0])
        empty(at)
        claims.release()
        drawer = Drawer(sealed, *chips(2, 3))
        work_off(*at.station(drawer, name="m1/2"))
        assert fates(at) == {"good": 3}


def fill(at: Place) -> None:
    """The file has no room for another page, whichever are free now."""
    with at.job.bureau.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (x)")
    with at.job.bureau.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(100000))")
    with at.job.bureau.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.exec_driver_sql(
            "CREATE TRIGGER more AFTER UPDATE ON card BEGIN INSERT INTO filler VALUES (zeroblob(100000)); END"
        )


def empty(at: Place) -> None:
    """There is room again."""
    with at.job.bureau.transaction() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        connection.exec_driver_sql("DROP TRIGGER more")
        connection.exec_driver_sql("DROP TABLE filler")
