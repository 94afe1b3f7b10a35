"""Drawn PINs: each card has its own, nothing else has any, and they leave by two people in one sealed file."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from card.cards import PROFILE
from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.audit import verified_entries
from kaguan.personalization.job.decisions import remake
from kaguan.personalization.job.job import OtherOrder
from kaguan.personalization.job.operators import NotAuthenticated, TwoPeople
from kaguan.personalization.job.schema import State, card, pin
from kaguan.personalization.keystore import RECORDS
from kaguan.personalization.line.line import run_line
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.outgoing.links import card_link
from kaguan.personalization.outgoing.mailroom import task_addresses, write_pin_file
from kaguan.personalization.paper.pinfile import PinFileBroken, read_pins
from kaguan.personalization.paper.pins import check_pin
from kaguan.personalization.station.pins import DRAWN, first_pin, pin_place
from kaguan.personalization.station.sampling import Sampling
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.pin import pin_tries_left, verify_pin
from kaguan.terminal.refusals import PinRefused
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin, Secret
from personalization.care.jobs import dump
from personalization.job.bureaus import PEOPLE
from personalization.orders import holder
from personalization.outgoing.jobs import ROOM_KEY, Finished, finished
from personalization.station.benches import Drawer, chips, place
from personalization.station.test_station import Heard, fates, kill, work_off

pytestmark = pytest.mark.slow


def sent(made: Finished, folder: Path, **options: object) -> dict[str, Pin]:
    """The PINs that the mailer room finds in a new file, by link."""
    path = folder / f"pins-{secrets.token_hex(2)}"
    write_pin_file(made.job, made.opened.records, PEOPLE, path, ROOM_KEY, **options)
    with path.open("rb") as file:
        return {record.mailer_id: record.pin for record in read_pins(file, ROOM_KEY)}


def by_row(made: Finished, pins: dict[str, Pin]) -> dict[int, Pin]:
    """The same, by the row whose card has the link."""
    return {row.number: pins[card_link(made.opened.records, row.serial)] for row in made.settled()}


def takes(made: Finished, number: int, given: Pin) -> bool:
    """Whether the row's card accepts the PIN."""
    chip = made.card(number)
    converse(chip, select_dedicated(PROFILE.by_name["SSSE"]))
    try:
        converse(chip, verify_pin(given))
    except PinRefused:
        return False
    return True


def test_each_card_takes_its_own_pin_and_no_others(tmp_path: Path, database: str) -> None:
    with finished(tmp_path, database, pins=DRAWN) as made:
        pins = by_row(made, sent(made, tmp_path))
        assert sorted(pins) == [1, 2, 3]
        assert all(takes(made, number, own) for number, own in pins.items())
        for one, other in combinations(pins, 2):
            assert pins[one] != pins[other]
            assert not takes(made, one, pins[other])
            assert not takes(made, other, pins[one])
        for number in pins:
            chip = made.card(number)
            converse(chip, select_dedicated(PROFILE.by_name["SSSE"]))
            assert converse(chip, pin_tries_left()) == PROFILE.by_name["SSSE"].pins[0].tries, "the check spent a try"


def test_no_pin_and_no_pin_key_is_anywhere_but_in_its_chip(tmp_path: Path, database: str) -> None:
    with finished(tmp_path / "made", database, pins=DRAWN, reports=True) as made:
        (tmp_path / "room").mkdir()
        pins = by_row(made, sent(made, tmp_path / "room"))
        job = made.job
        key = made.opened.vault.open_secret(RECORDS, job.pin_key, pin_place(job.terms.name)).reveal()
        told = "\n".join(made.told)
        shown = repr((made.opened.records, made.opened.records.pins, list(pins.values())))
    dump(database, tmp_path / "dump")
    traces = [key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key)]
    for own in pins.values():
        digits = own.reveal_digits()
        traces += [digits.encode(), digits.encode("utf-16-le"), bytes.fromhex("16" + digits)]
        assert digits not in told + shown
    looked_at = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".card"]
    assert {"report.json", "return-good.txt", "qc.html"} <= {path.name for path in looked_at}
    assert [path.name for path in looked_at if any(trace in path.read_bytes() for trace in traces)] == []


def test_pins_are_sent_by_two_people_noted_and_destroyed(tmp_path: Path, database: str) -> None:
    with finished(tmp_path, database, pins=DRAWN) as made:
        job, records = made.job, made.opened.records
        with pytest.raises(NotAuthenticated):
            write_pin_file(job, records, TwoPeople("Wang Fang", "a stranger"), tmp_path / "p", ROOM_KEY)
        assert not (tmp_path / "p").exists()
        assert len(sent(made, tmp_path, rows=[2])) == 1
        first = sent(made, tmp_path, destroy=True)
        assert by_row(made, first).keys() == {1, 2, 3}
        assert records.pins.count() == 0
        with pytest.raises(RuleBroken, match="no PIN to send"):
            sent(made, tmp_path)
        noted = [(entry.action, dict(entry.details)) for entry in verified_entries(job.bureau)]
        by = {"approved_by": PEOPLE.approved}
        assert [row for row in noted if row[0].startswith("PINs")] == [
            ("PINs sent", {"pins": 1, **by}),
            ("PINs sent", {"pins": 3, **by}),
            ("PINs destroyed", {"pins": 3, **by}),
        ]


def test_a_card_made_again_has_another_pin_and_another_link(tmp_path: Path) -> None:
    with finished(tmp_path, str(tmp_path / "b.sqlite"), pins=DRAWN) as made:
        before = sent(made, tmp_path)
        old = by_row(made, before)[2]
        assert remake(made.job, PEOPLE, 2, "photo scratched")
        assert len(sent(made, tmp_path)) == 2, "a killed card's PIN goes nowhere"
        run_line(made.line, lambda *_: None, lambda _: None)
        after = sent(made, tmp_path)
        new = by_row(made, after)[2]
        assert new != old
        assert takes(made, 2, new)
        assert not takes(made, 2, old)
        assert len(before.keys() & after.keys()) == 2


def test_a_finished_chip_with_an_old_pin_is_found_whatever_the_sample_plan(tmp_path: Path) -> None:
    """Its station died before it told of it, and the row's PIN is another by now."""
    with place(tmp_path, str(tmp_path / "b.sqlite"), rows=1, pins=DRAWN) as at:
        (sealed,) = chips(1)
        lost, claims = at.station(Drawer(Heard(sealed, {0x88: kill})), name="m1/1", sampling=Sampling(0, 0))
        with pytest.raises(ZeroDivisionError):
            lost.work(claims.claim(1)[0])
        claims.release()
        with at.job.bureau.transaction() as connection:
            connection.execute(delete(pin))
        drawer = Drawer(sealed, *chips(2))
        work_off(*at.station(drawer, name="m2/1", sampling=Sampling(0, 0)))
        assert fates(at) == {"rejected": 1, "good": 1}
        assert [link.atr for link in drawer.finished] == [chips(2)[0].atr]


def test_a_pin_put_in_anothers_place_stops_its_row_and_no_chip_gets_it(tmp_path: Path) -> None:
    with place(tmp_path, str(tmp_path / "b.sqlite"), rows=2, pins=DRAWN) as at:
        with at.job.bureau.transaction() as connection:
            other = connection.execute(select(pin.c.sealed).where(pin.c.number == 2)).scalar_one()
            connection.execute(update(pin).where(pin.c.number == 1).values(sealed=other))
        station, claims = at.station(Drawer(*chips(1, 2)))
        found = claims.claim(2)
        station.prepare(found)
        assert [station.work(claim) for claim in found] == [False, True]
        with at.job.bureau.transaction() as connection:
            row = connection.execute(select(card.c.stage, card.c.state).where(card.c.number == 1)).one()
        assert row == ("record", State.PENDING)


def test_the_term_of_a_job_never_changes(tmp_path: Path) -> None:
    with finished(tmp_path, str(tmp_path / "b.sqlite"), rows=1) as made:
        with pytest.raises(OtherOrder, match="begun with pins profile"):
            run_line(replace(made.line, pins=DRAWN), lambda *_: None, lambda _: None)
        with pytest.raises(RuleBroken, match="the profile's PIN"):
            sent(made, tmp_path)
        assert takes(made, 1, Pin.of(PROFILE.defaults["initial_pin"]))


def test_mailers_go_to_the_task_when_it_is_said(tmp_path: Path) -> None:
    with finished(tmp_path, str(tmp_path / "b.sqlite"), rows=1, pins=DRAWN) as made:
        assert task_addresses(made.line.order, made.job) == {"T1": ""}
        path = tmp_path / "pins"
        write_pin_file(made.job, made.opened.records, PEOPLE, path, ROOM_KEY, task_addresses={"T1": "测试路 1 号"})
        (record,) = read_pins(BytesIO(path.read_bytes()), ROOM_KEY)
        assert (record.address, record.postcode) == ("测试路 1 号", "")
        plain = write_pin_file(made.job, made.opened.records, PEOPLE, path, ROOM_KEY)
        (record,) = read_pins(BytesIO(path.read_bytes()), ROOM_KEY)
        assert (record.name, record.address) == ("王䶮", "测试省测试市西城区幸福里52号楼")
        assert record.postcode == "990100"
        assert plain.without_address == 0
        with pytest.raises(PinFileBroken):
            list(read_pins(BytesIO(path.read_bytes()), Secret(bytes(32))))


@given(st.integers(1, 700), st.integers())
def test_a_first_pin_is_in_no_number_of_its_holder(number: int, seed: int) -> None:
    columns = holder(number)
    drawn = first_pin(Holder(1, 1, "T", columns), 6, Random(seed).randbytes)
    check_pin(drawn, avoid=[text for text in columns.values() if text.isdecimal()])
