"""The report as JUnit XML, which every continuous integration server shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from kaguan.terminal.conformance.report import ChapterReport, Check, Report, Verdict

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """One test suite a chapter, one test case a check; what is not covered counts as skipped."""
    seconds = sum(chapter.seconds for chapter in report.chapters)
    counts = f'{_counts(report)} errors="0" time="{seconds:.3f}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="{_text(report.profile)}" {counts}>']
    for chapter in report.chapters:
        lines += _suite(report.profile, chapter)
    return "\n".join((*lines, "</testsuites>", ""))


def _suite(profile: str, chapter: ChapterReport) -> Iterator[str]:
    counts = (
        f'{_counts(chapter)} skipped="{chapter.count(Verdict.NOT_COVERED)}" errors="0" time="{chapter.seconds:.3f}"'
    )
    yield f'  <testsuite name="{_text(chapter.name)}" {counts}>'
    for check in chapter.checks:
        case = f'    <testcase classname="{_text(f"{profile}.{chapter.name}")}" name="{_text(check.title)}" time="0"'
        outcome = _outcome(check)
        yield f"{case}>{outcome}</testcase>" if outcome else f"{case}/>"
    yield "  </testsuite>"


def _outcome(check: Check) -> str:
    if check.verdict is Verdict.NOT_COVERED:
        return f'<skipped message="{_text(check.meaning)}"/>'
    if check.verdict is Verdict.PASSED:
        return ""
    story = f"{check.command}\nexpected: {check.expected}\nreceived: {check.received}\nmeaning: {check.meaning}"
    if check.evidence:
        story += f"\nevidence of the profile: {check.evidence}"
    return f'<failure message="{_text(check.meaning)}" type="card">{_text(story)}</failure>'


def _counts(part: Report | ChapterReport) -> str:
    every = sum(part.count(verdict) for verdict in Verdict)
    return f'tests="{every}" failures="{part.count(Verdict.FAILED)}"'


def _text(text: str) -> str:
    """The text as XML can hold it: characters that XML has no way to write become question marks."""
    return escape(_NO_XML.sub("?", text))
