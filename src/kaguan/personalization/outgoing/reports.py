"""What a run leaves for people who answer for its quality: a report as page and PDF, and a workbook of figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kaguan.apdu.errors import InputError
from kaguan.durable import write_whole
from kaguan.personalization.job.job import Job
from kaguan.personalization.keystore import OpenVault
from kaguan.personalization.outgoing.quality import moments, qc_data
from kaguan.personalization.paper.fonts import check_glyphs, find_fonts
from kaguan.personalization.paper.qcreport import qc_html, qc_pdf, qc_texts
from kaguan.personalization.paper.workbook import write_workbook
from kaguan.personalization.station.records import JobRecords

PAGE, DOCUMENT, WORKBOOK = "qc.html", "qc.pdf", "statistics.xlsx"
_OWNER_ONLY = 0o600


def write_reports(
    job: Job,
    records: JobRecords,
    vault: OpenVault,
    folder: Path,
    tell: Callable[[str], None],
    *,
    cards: Path | None = None,
) -> list[Path]:
    """The folder has the report and the workbook; which files. Where no font prints Chinese the PDF is left out, and
    `tell` is told how to get one. `cards` is the folder of the run, with its emulated cards.

    Memory does not grow with the job's rows.
    Raises:
        OSError: no room or no right.
    """
    counts = job.counts()
    data = qc_data(job, records, vault, kind=vault.kind, folder=cards, counts=counts)
    page, document, workbook = (folder / name for name in (PAGE, DOCUMENT, WORKBOOK))
    write_whole(page, qc_html(data).encode(), mode=_OWNER_ONLY)
    figures = {name: getattr(counts, name) for name in ("total", "good", "rejected", "refused", "open", "chips")}
    timeline = moments(job, counts)
    write_workbook(workbook, figures, data.stations, data.rejects_by_reason, timeline, written_at=data.ended_at)
    try:
        lettering = check_glyphs(find_fonts(), qc_texts(data))
    except InputError as error:
        document.unlink(missing_ok=True)  # that of an earlier run says something else
        tell(f"no {DOCUMENT}: {error}")
        return [page, workbook]
    write_whole(document, qc_pdf(data, lettering, written_at=data.ended_at), mode=_OWNER_ONLY)
    return [page, document, workbook]
