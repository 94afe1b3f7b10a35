"""Cards that are dead: their images are not among the finished ones any more."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from kaguan.apdu.errors import InputError
from kaguan.durable import sync_folder
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.job.decisions import dead_cards
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import card
from kaguan.personalization.station.records import JobRecords


def remove_dead_images(job: Job, records: JobRecords, cards: Path) -> int:
    """No `<card_no>.card` in the folder is of a dead card; how many there were."""
    dead = dead_cards(job)
    serials = {found.serial for found in dead}
    removed = 0
    for number in sorted({found.number for found in dead}):
        query = select(card.c.sealed).where(card.c.job == job.key, card.c.number == number)
        with job.bureau.transaction() as connection:
            sealed = bytes(connection.execute(query).scalar_one())
        holder, _ = records.open_any(number, sealed)
        path = cards / f"{holder.card_no}.card"
        try:
            is_dead = path.exists() and EmulatedCard(load_image(path)).atr.hex().upper() in serials
        except InputError:
            continue  # damaged: it is not ours to judge
        if is_dead:
            path.unlink()
            removed += 1
    if removed:
        sync_folder(cards)
    return removed


def dead_list(job: Job) -> list[dict[str, object]]:
    """The job's dead cards, for its report: whoever meets one must refuse it."""
    return [
        {
            "row": found.number,
            "atr": found.serial,
            "card_ident_code": found.ident_code.hex().upper(),
            "fate": found.fate,
            "reason": found.reason,
        }
        for found in dead_cards(job)
    ]
