"""One card of a job, read back for its report, with what is personal starred out.

An emulated card is read by ordinary commands. A real one is in its box: of it the report shows what the station's check
has compared with the chip.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import KaguanError
from kaguan.apdu.textcodec import normalise
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FileKind, FileSpec
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.job.job import Job, Settled
from kaguan.personalization.job.schema import State
from kaguan.personalization.order.reading import FieldKey, Holder
from kaguan.personalization.paper.qcreport import FieldRow, masked
from kaguan.personalization.preparation.record import IDENT_CODE, default_text, gets_records
from kaguan.personalization.station.process import CARDS
from kaguan.personalization.station.records import JobRecords
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate_as
from kaguan.terminal.conversations.files import read_all_records, select_dedicated
from kaguan.terminal.refusals import NotAuthorised
from kaguan.terminal.script import Script, converse
from kaguan.vault.vault import KeyVault, Usage

_IMPERSONAL = frozenset(("SSSE", "EF05", tag) for tag in (0x02, 0x03, 0x04, 0x05, 0x06))
_LONG = 8
_CHIP = 16  # characters of the identification code that tell city, issuer and maker


class Sample(NamedTuple):
    """A card of the job as the report shows it: which row's, its fields, and how they were read."""

    row: int
    fields: tuple[FieldRow, ...]
    remark: str


def sample_card(job: Job, records: JobRecords, vault: KeyVault, folder: Path | None, number: int) -> Sample | None:
    """The good card of this row, read back if it is an emulated one in the folder; None when there is none."""
    row = next(job.settled(State.GOOD, number=number), None)
    if row is None:
        return None
    holder, _ = records.open_any(row.number, row.sealed)
    profile = records.plan.profile
    expected = dict(_expected(profile, holder, row))
    path = folder / CARDS / f"{holder.card_no}.card" if folder is not None else None
    if path is None or not path.exists():
        fields = tuple(_row(profile, key, text, ok=True) for key, text in expected.items() if text)
        return Sample(
            row.row, fields, "样卡内容为工位读回检查时比对相符的数据。 Fields as the station's check compared them."
        )
    try:
        card = EmulatedCard(load_image(path))
        keys = CardKeys(vault, profile, job.terms.region, card.atr)
        found, closed = converse(card, read_card(keys, holder))
    except KaguanError as error:
        return Sample(row.row, (), f"样卡未能读回。 The sample card was not read back: {type(error).__name__}.")
    fields = tuple(
        _row(profile, key, found.get(key, ""), ok=found.get(key) == text)
        for key, text in expected.items()
        if (text or found.get(key)) and (key.dedicated, key.file) not in closed
    )
    files = ", ".join(f"{dedicated} {file}" for dedicated, file in closed)
    remark = f"样卡以下文件凭密码读取，未列出。 Files of the sample card that open with its PIN alone: {files}."
    return Sample(row.row, fields, remark if closed else "")


def read_card(keys: CardKeys, holder: Holder) -> Script[tuple[dict[FieldKey, str], list[tuple[str, str]]]]:
    """Every field that the recipe wrote for this holder, as it stands on the card, and the files that opened not: no
    PIN is entered."""
    found: dict[FieldKey, str] = {}
    closed = []
    for spec, files in _written(keys.profile, holder):
        yield from select_dedicated(spec)
        for key in spec.keys:
            if key.usage is Usage.EXTERNAL_AUTHENTICATION:
                yield from authenticate_as(keys, key.master_label, key.version)
        for file in files:
            try:
                texts = yield from read_all_records(file, by_sfi=True)
            except NotAuthorised:
                closed.append((file.dedicated, file.name))
                continue
            found.update((FieldKey(file.dedicated, file.name, tag), text) for tag, text in texts.items())
    return found, closed


def _written(profile: CardProfile, holder: Holder) -> Iterator[tuple[DedicatedSpec, list[FileSpec]]]:
    for spec in profile.dedicated:
        files = [
            file
            for file in spec.files
            if file.kind is FileKind.LINEAR_VARIABLE and file.fields and gets_records(profile, holder, file)
        ]
        if files:
            yield spec, files


def _expected(profile: CardProfile, holder: Holder, row: Settled) -> Iterator[tuple[FieldKey, str]]:
    for _, files in _written(profile, holder):
        for file in files:
            for field in file.fields:
                key = FieldKey(file.dedicated, file.name, field.tag)
                text = holder.columns.get(key.column, default_text(profile, key))
                yield key, normalise(row.ident_code.hex().upper() if key == IDENT_CODE else text)


def _row(profile: CardProfile, key: FieldKey, text: str, *, ok: bool) -> FieldRow:
    spec = next(field for field in profile.file(key.dedicated, key.file).fields if field.tag == key.tag)
    return FieldRow(spec.title or spec.name, f"{key.dedicated} {key.file} {key.tag:02X}", _shown(key, text), ok)


def _shown(key: FieldKey, text: str) -> str:
    if key in _IMPERSONAL:
        return text
    if key == IDENT_CODE:
        return masked(text, head=_CHIP)
    return masked(text, head=3, tail=2) if len(text) > _LONG else masked(text)
