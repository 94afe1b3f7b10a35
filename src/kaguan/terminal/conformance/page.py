"""The report as one page of HTML: nothing else is loaded, and it is read on a telephone and on paper as well."""

from __future__ import annotations

from html import escape

from kaguan.terminal.conformance.report import ChapterReport, Check, Report, Verdict

_CLASS = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.NOT_COVERED: "open"}
_SIGN = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.NOT_COVERED: "–"}

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8881; --good: #17803d; --bad: #c0232c; --open: #6d6d6d; }
@media (prefers-color-scheme: dark) { :root { --good: #5bd18a; --bad: #ff8080; --open: #a8a8a8; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; overflow-wrap: anywhere; }
body { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; font-weight: 600; }
h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.verdict { border-left: .3rem solid; padding: .5rem .9rem; background: var(--soft); margin: 0 0 1rem; }
.verdict b { display: block; font-size: 1.25rem; }
.verdict span { color: CanvasText; }
.passed { color: var(--good); } .failed { color: var(--bad); } .open { color: var(--open); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--open); } dd { margin: 0; }
details { border-bottom: 1px solid var(--line); }
h2 + details { border-top: 1px solid var(--line); }
summary { padding: .45rem .2rem; cursor: pointer; }
summary { display: grid; grid-template-columns: 1.2rem 11rem 1fr auto; gap: 0 .6rem; }
details.rest { border: 0; margin: 0 0 .6rem 2rem; font-size: .93rem; }
.rest > summary { display: list-item; list-style: disclosure-closed inside; padding: .2rem 0; color: var(--open); }
.rest[open] > summary { list-style-type: disclosure-open; } .rest ol { margin: 0; font-size: 1em; }
summary::-webkit-details-marker { display: none; }
summary:hover { background: var(--soft); }
summary b { font-weight: 600; } summary .count { text-align: right; color: var(--open); }
summary .count .failed { font-weight: 600; }
ol { list-style: none; margin: 0 0 .8rem 2rem; padding: 0; font-size: .93rem; }
li { padding: .2rem 0 .2rem 1.4rem; text-indent: -1.4rem; }
li > span:first-child { display: inline-block; width: 1.4rem; text-indent: 0; }
li div { text-indent: 0; }
li.failed { color: inherit; border-left: .2rem solid var(--bad); padding-left: 1.9rem; margin: .4rem 0; }
code { font: .88em ui-monospace, monospace; }
.note { color: var(--open); }
@media (max-width: 40rem) {
  summary { grid-template-columns: 1.2rem 1fr; } summary .title, summary .count { grid-column: 2; text-align: left; }
  ol, details.rest { margin-left: .4rem; }
}
@media print {
  body { font-size: 10pt; max-width: none; padding: 0; }
  summary, li { break-inside: avoid; }
}
"""


def page(report: Report) -> str:
    """The whole page. Chapters that failed are open."""
    verdict = Verdict.PASSED if report.passed else Verdict.FAILED
    failed = report.failed()
    where = (
        f"Look at {', '.join(failed)}" if failed else "No check failed" if report.passed else "No check could be made"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(report.profile)}: {verdict}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Conformance of a card to {escape(report.profile)}</h1>
<p class="verdict {_CLASS[verdict]}"><b>{_SIGN[verdict]} {str(verdict).capitalize()}</b><span>{escape(where)}</span></p>
<dl>
<dt>Profile</dt><dd>{escape(report.profile)}, {escape(report.profile_title)}</dd>
<dt>Answer to reset</dt><dd><code>{report.atr.hex().upper()}</code></dd>
<dt>Checks</dt><dd>{", ".join(f"{report.count(one)} {one}" for one in Verdict)}</dd>
</dl>
<h2>Chapters of LD/T 6001.3-2023</h2>
{chr(10).join(_chapter(chapter) for chapter in report.chapters)}
</body>
</html>
"""


def _chapter(chapter: ChapterReport) -> str:
    """The chapter, folded unless it failed; what passed is folded once more."""
    opened = " open" if chapter.verdict is Verdict.FAILED else ""
    kind, sign = _CLASS[chapter.verdict], _SIGN[chapter.verdict]
    return f"""<details{opened}>
<summary><span class="{kind}">{sign}</span><b>{escape(chapter.name)}</b>
<span class="title">{escape(chapter.title)}</span><span class="count">{_counted(chapter)}</span></summary>
{_checks(chapter, Verdict.FAILED, Verdict.NOT_COVERED)}
{_passed(chapter)}
</details>"""


def _passed(chapter: ChapterReport) -> str:
    count = chapter.count(Verdict.PASSED)
    if not count:
        return ""
    title = "1 check passed" if count == 1 else f"{count} checks passed"
    return f'<details class="rest"><summary>{title}</summary>{_checks(chapter, Verdict.PASSED)}</details>'


def _checks(chapter: ChapterReport, *verdicts: Verdict) -> str:
    """The checks that ended so, in the order of the verdicts."""
    found = [_check(check) for verdict in verdicts for check in chapter.checks if check.verdict is verdict]
    return "\n".join(("<ol>", *found, "</ol>")) if found else ""


def _check(check: Check) -> str:
    kind = _CLASS[check.verdict]
    head = f'<span class="{kind}">{_SIGN[check.verdict]}</span>{escape(check.title)}'
    command = f"<code>{escape(check.command)}</code>" if check.command else ""
    if check.verdict is Verdict.FAILED:
        evidence = f" (evidence of the profile: {escape(check.evidence)})" if check.evidence else ""
        story = (
            f"expected {escape(check.expected)}, received {escape(check.received)}: {escape(check.meaning)}{evidence}"
        )
        return f'<li class="failed">{head}<div>{command}</div><div>{story}</div></li>'
    rest = escape(check.meaning) if check.verdict is Verdict.NOT_COVERED else escape(check.received)
    return f'<li>{head} <span class="note">{command} {rest}</span></li>'


def _counted(chapter: ChapterReport) -> str:
    """How many checks ended how; nothing but that it is open where none was made."""
    counts = ((verdict, chapter.count(verdict)) for verdict in Verdict)
    return ", ".join(f'<span class="{_CLASS[verdict]}">{count} {verdict}</span>' for verdict, count in counts if count)
