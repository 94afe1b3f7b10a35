"""The conformance suite's reports: JUnit XML that servers read, and a page that stands alone."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import specimen
from kaguan.terminal.conformance.junit import junit
from kaguan.terminal.conformance.page import page
from kaguan.terminal.conformance.report import ChapterReport, Check, Report, Verdict
from terminal.conforming import judge_image
from terminal.spoiled_cards import SPOILED

COUNTS = {"tests", "failures", "errors"}
ALLOWED = {
    "testsuites": COUNTS | {"name", "time"},
    "testsuite": COUNTS | {"name", "time", "skipped"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "skipped": {"message"},
}
"""The attributes that continuous integration servers know, by element."""

INSIDE = {"testsuites": {"testsuite"}, "testsuite": {"testcase"}, "testcase": {"failure", "skipped"}}
VOID = {"meta", "br"}
EVIL = '</pre></script><script>alert(1)</script> <b onmouseover="x"> & \' ]]> --> 卡\x00\x1b'


@cache
def spoiled_report() -> Report:
    image = next(one for one in SPOILED if one.name == "update with the PIN").image
    return judge_image(image)


@cache
def good_report() -> Report:
    return judge_image(specimen())


def evil_report() -> Report:
    check = Check(EVIL, Verdict.FAILED, EVIL, EVIL, EVIL, EVIL, EVIL)
    skipped = Check(EVIL, Verdict.NOT_COVERED, meaning=EVIL)
    return Report(EVIL, EVIL, b"\x3b", (ChapterReport(EVIL, EVIL, (check, skipped)),))


reports = pytest.mark.parametrize("report", [good_report, spoiled_report, evil_report], ids=lambda made: made.__name__)


def suites(text: str) -> list[ElementTree.Element]:
    """The suites of a JUnit file that has the shape that servers know."""
    root = ElementTree.fromstring(text.encode())  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == ALLOWED[element.tag]
        assert {child.tag for child in element} <= INSIDE.get(element.tag, set())
        for name in COUNTS | {"skipped"}:
            assert int(element.get(name, "0")) >= 0
        assert float(element.get("time", "0")) >= 0
    return list(root)


@reports
def test_junit_counts_what_it_holds(report) -> None:  # type: ignore[no-untyped-def]
    made = report()
    root = ElementTree.fromstring(junit(made).encode())  # noqa: S314
    found = suites(junit(made))
    assert len(found) == len(made.chapters)
    for suite, chapter in zip(found, made.chapters, strict=True):
        cases = list(suite)
        assert suite.get("tests") == str(len(cases)) == str(len(chapter.checks))
        assert (
            suite.get("failures") == str(len(suite.findall("testcase/failure"))) == str(chapter.count(Verdict.FAILED))
        )
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    for name in ("tests", "failures"):
        assert root.get(name) == str(sum(int(suite.get(name, "")) for suite in found))


def test_junit_tells_what_was_wrong_and_where() -> None:
    failures = [
        (suite.get("name"), case.get("name"), case[0].get("message"), case[0].text)
        for suite in suites(junit(spoiled_report()))
        for case in suite
        if case.find("failure") is not None
    ]
    refused = ("DF01_SAFETY", "DF01/EF06 is updated with DF01.UK4", "security status not satisfied")
    allowed = ("DF01_SAFETY", "DF01/EF06 is not updated with PIN", "the card does it all the same")
    assert sorted(failure[:3] for failure in failures) == sorted([refused, allowed])
    text = next(str(text) for _, _, message, text in failures if message == allowed[2])
    assert text.splitlines()[0].startswith("UPDATE RECORD 00DC0134 with ")
    assert text.splitlines()[1:3] == ["expected: 6982", "received: 9000"]


class Page(HTMLParser):
    """Reads a page, and complains of a tag that is not closed or comes from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert {name for name, _ in attrs} <= {"lang", "charset", "name", "content", "class", "open", "id", "href"}
        assert all(value is None or not re.match(r"\s*(\w+:|//)", value) for name, value in attrs if name == "href")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Page:
    made = Page()
    made.feed(text)
    made.close()
    assert made.open == []
    return made


@reports
def test_the_page_is_whole_and_stands_alone(report) -> None:  # type: ignore[no-untyped-def]
    made = report()
    text = page(made)
    found = read(text)
    assert {"script", "link", "img", "iframe", "b onmouseover"}.isdisjoint(found.seen)
    assert "@import" not in text
    assert "url(" not in text
    for chapter in made.chapters:
        assert chapter.name.replace("\x00", "�") in found.text.replace("\x00", "�")
        for check in chapter.checks:
            assert check.title.replace("\x00", "�") in found.text.replace("\x00", "�")


def test_the_page_opens_the_chapters_that_failed() -> None:
    assert page(good_report()).count("<details open>") == 0
    text = page(spoiled_report())
    assert text.count("<details open>") == 1
    assert "DF01_SAFETY" in text[text.index("<details open>") :][:200]


@examples(st.text(), st.text(), st.sampled_from(Verdict))
def test_any_text_makes_whole_reports(title: str, meaning: str, verdict: Verdict) -> None:
    made = Report(title, meaning, b"", (ChapterReport(title, meaning, (Check(title, verdict, meaning=meaning),)),))
    assert len(suites(junit(made))) == 1
    read(page(made))


def test_nothing_checked_is_not_passed() -> None:
    report = Report("p", "t", b"", (ChapterReport("ATR", "", (Check("x", Verdict.NOT_COVERED),)),))
    assert not report.passed
    assert not Report("p", "t", b"", ()).passed
