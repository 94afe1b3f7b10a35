"""What lies on the counter beside the person, and what the region wants to see there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kaguan.cms.rules.choices import DocumentCopy
from kaguan.cms.rules.documents import Document


def missing_papers(
    wanted: Sequence[DocumentCopy], document: Document | None, papers: Collection[DocumentCopy]
) -> tuple[DocumentCopy, ...]:
    """Return what the region wants to see and nobody showed; the identity document counts by what it is."""
    shown = set(papers)
    if document is not None:
        shown.add(DocumentCopy.IDENTITY_ORIGINAL if document.original else DocumentCopy.IDENTITY_COPY)
    return tuple(paper for paper in wanted if paper not in shown)
