"""Judges what a bureau has left, by what lies on its disk, stands on its cards and in its tables.

Law 1. Every holder has exactly one good card, the one of the return file, or a reason by name.
Law 2. No chip is two cards; whatever died or failed is not among the finished ones.
Law 3. Every chip is accounted for, the job is closed, and the trail is whole.
Law 4. No key worked more often than it may.
Law 5. Nothing is left over: no file, no process, no connection.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, create_engine, text
from sqlalchemy.pool import NullPool

from chaos.bureau import Finding, House, Place, state_of
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.job.audit import verify_trail
from kaguan.personalization.keys.storefile import StoreFile
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.order.returnfile import read_rejects, read_return
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from personalization.orders import holder

LOCKS = {".line.lock", ".stations.lock"}
_GONE_SECONDS = 30.0


def judge(house: House, *, stopped: str = "") -> None:
    """Nothing is wrong. `stopped` says why the job could not go on; its open rows are then no fault.

    Raises:
        Finding: with the first law that was broken.
    """
    _judge_processes(house)
    _judge_words(house)
    _judge_keys(house)
    if not house.address and not (house.first.out / "job.sqlite").exists():
        _require(bool(stopped), "there is no job")
        return
    rows = {row.number: row for row in _query(house, "SELECT * FROM card")}
    if not rows:
        _require(bool(stopped), "the job has no rows")
        return
    cards = _finished(house)
    if stopped:  # a run takes the images of dead cards away at its end, which this one has not reached
        dead = {row.serial for row in _query(house, "SELECT serial FROM chip WHERE fate IN ('scrap', 'sample')")}
        cards = {card_no: serial for card_no, serial in cards.items() if serial not in dead}
    _judge_rows(house, rows, cards, stopped)
    _judge_chips(house, rows, cards, stopped)
    _judge_folders(house)
    if not stopped:
        for place in house.places:
            _judge_returns(house, place, rows)
        _require(is_closed(house), "the job is not closed")
    with house.bureau() as bureau:
        verify_trail(bureau)
    if house.server:
        _judge_connections(house)


def _query(house: House, words: str) -> list[Row[Any]]:
    address = house.address.replace("postgresql:", "postgresql+psycopg:") or f"sqlite:///{house.database}"
    engine = create_engine(address, poolclass=NullPool)
    with engine.begin() as connection:
        return list(connection.execute(text(words)))


def _require(fact: bool, complaint: str) -> None:
    if not fact:
        raise Finding(complaint)


def _finished(house: House) -> dict[str, str]:
    """Card number and answer to reset of every finished card, read from the cards."""
    profile = load_profile("ssc-v2")
    people = {row["ssseef0507"]: row["cert_no"] for row in map(holder, range(1, house.plan.rows + 1))}
    found: dict[str, str] = {}
    for place in house.places:
        for path in sorted((place.out / "cards").glob("*")):
            _require(path.suffix == ".card" and not path.name.startswith("."), f"{path.name} lies among the cards")
            card = EmulatedCard(load_image(path))
            identity = converse(card, read_identity(profile))
            _require(path.stem == identity.card_no, f"{path.name} is card {identity.card_no}")
            _require(people.get(identity.card_no) == identity.id_no, f"{path.name} is of somebody else")
            _require(identity.card_no not in found, f"{path.name} is there twice")
            found[identity.card_no] = card.atr.hex().upper()
    _require(len(set(found.values())) == len(found), "a chip is two cards")
    return found


def _judge_rows(house: House, rows: dict[int, Row[Any]], cards: dict[str, str], stopped: str) -> None:
    plan = house.plan
    _require(sorted(rows) == list(range(1, plan.rows + 1)), f"rows {sorted(rows)} of {plan.rows} are in")
    good = {holder(row.number)["ssseef0507"]: row.serial for row in rows.values() if row.state == "good"}
    missing, too_many = good.keys() - cards.keys(), cards.keys() - good.keys()
    _require(not missing and not too_many, f"good without a card: {missing}; finished and not good: {too_many}")
    _require(good == cards, "the job has other chips for its good rows than lie among the finished ones")
    for row in rows.values():
        if row.number in plan.bad:
            _require(row.state == "refused" and bool(row.reason), f"bad row {row.number} is {row.state}")
        elif not stopped:
            _require(row.state in ("good", "rejected"), f"row {row.number} is {row.state}")
        _require(row.state != "rejected" or bool(row.reason), f"row {row.number} is rejected without a reason")


def _judge_chips(house: House, rows: dict[int, Row[Any]], cards: dict[str, str], stopped: str) -> None:
    chips = _query(house, "SELECT * FROM chip")
    good = sorted(chip.serial for chip in chips if chip.fate == "good")
    _require(good == sorted(cards.values()), "the good chips are not those of the finished cards")
    for chip in chips:
        if chip.fate == "good":
            _require(rows[chip.number].serial == chip.serial, f"chip {chip.serial} is good for another row")
        elif chip.fate != "at work":
            _require(bool(chip.reason), f"chip {chip.serial} is {chip.fate} without a reason")
    for (serial, job), count in Counter((chip.serial, chip.job) for chip in chips).items():
        _require(count == 1, f"chip {serial} of job {job} is counted {count} times")
    if stopped:
        return
    fates = Counter((chip.shift, chip.fate) for chip in chips)
    for shift in _query(house, "SELECT * FROM shift"):
        parts = [fates[shift.id, fate] for fate in ("good", "rejected", "sample", "scrap", "at work")]
        _require(shift.closed_at is not None, f"shift {shift.id} of {shift.machine} is open")
        _require(not parts[-1], f"{parts[-1]} chips of shift {shift.id} are still in work")
        used = sum(parts) + shift.returned + shift.lost
        _require(shift.opening == used, f"shift {shift.id}: {shift.opening} chips handed out, {used} accounted for")


def _judge_folders(house: House) -> None:
    for place in house.places:
        if place.out.exists():
            hidden = {path.name for path in place.out.rglob("*") if path.name.startswith((".", "tmp"))} - LOCKS
            _require(not hidden, f"left over in {place.out.parent.name}: {sorted(hidden)}")


def _judge_returns(house: House, place: Place, rows: dict[int, Row[Any]]) -> None:
    with (place.out / "return-good.txt").open("rb") as file:
        returned = {row.card_no: row for row in read_return(file)}
    with (place.out / "return-bad.txt").open("rb") as file:
        rejected = {int(row.data_seq): row.reason for row in read_rejects(file)}
    for number, row in rows.items():
        person = holder(number)
        found = returned.get(person["ssseef0507"])
        if row.state == "good":
            _require(found is not None and found.atr == row.serial, f"row {number} is returned with another chip")
            _require(found is not None and found.cert_no == person["cert_no"], f"row {number} is somebody else's")
            _require(number not in rejected, f"row {number} is returned as good and bad")
        else:
            _require(found is None and bool(rejected.get(number)), f"row {number} has neither card nor reason")
    with open_order(house.order) as order:
        ordered = {person.card_no for person in order.holders()}
    _require(returned.keys() <= ordered, "a card was returned that nobody has ordered")


def _judge_keys(house: House) -> None:
    if not house.store.exists():
        return
    with StoreFile(house.store) as file:
        register = file.rows()
    made = sum(place.cards for place in house.places)
    for row in register:
        _require(row.most is None or row.used <= row.most, f"key {row.info.label} was used beyond its counter")
        if row.info.levels:
            _require(row.used >= made, f"key {row.info.label} was used {row.used} times for {made} cards")


def _judge_words(house: House) -> None:
    said = house.complaints()
    for mark in ("Traceback", "Exception ignored", "AssertionError"):
        _require(mark not in said, f"a program broke down: {said[max(said.find(mark) - 300, 0) :][:3000]}")
    for number in range(1, house.plan.rows + 1):
        person = holder(number)
        _require(person["cert_no"] not in said, f"somebody's number was logged (row {number})")


def _judge_processes(house: House) -> None:
    until = time.monotonic() + _GONE_SECONDS
    while (left := house.processes()) and time.monotonic() < until:
        time.sleep(0.1)
    _require(not left, f"processes are left: {[state_of(pid) for pid in left]}")


def _judge_connections(house: House) -> None:
    others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for _ in _tenths(_GONE_SECONDS):
        if not (count := _query(house, others)[0].n):
            return
        time.sleep(0.1)
    raise Finding(f"{count} connections to the database are left")


def _tenths(seconds: float) -> Iterator[int]:
    return iter(range(int(seconds * 10)))


def is_closed(house: House) -> bool:
    """Whether the job is over."""
    return [row.state for row in _query(house, "SELECT state FROM job")] == ["closed"]


def is_used_up(house: House) -> bool:
    """Whether the last that was said is that a key may work no more."""
    return all(word in house.complaints()[-2000:] for word in ("has been used", "all it may"))
