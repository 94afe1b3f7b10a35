"""What lies on the counter beside the person, and what the region wants to see there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document


def missing_papers(wanted: Sequence[Paper], document: Document | None, papers: Collection[Paper]) -> tuple[Paper, ...]:
    """Return what the region wants to see and nobody showed; the identity document counts by what it is."""
    shown = set(papers)
    if document is not None:
        shown.add(Paper.IDENTITY_ORIGINAL if document.original else Paper.IDENTITY_COPY)
    return tuple(paper for paper in wanted if paper not in shown)
