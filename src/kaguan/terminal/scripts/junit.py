"""Results of scripts in the form that CI systems read: JUnit's XML, a suite a script, a case an exchange."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

from kaguan.terminal.scripts.play import Played

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Report:
    """Suites and cases so far. `write` may be called at any time, and again."""

    def __init__(self) -> None:
        self._suites: list[_Suite] = []

    def begin(self, file: str) -> None:
        """What comes is of this script."""
        self._suites.append(_Suite(file))

    def passed(self, played: Played, seconds: float, label: str = "") -> None:
        """An exchange that is as the script says, or of which it says nothing."""
        self._suites[-1].case(_name(played, label), seconds)

    def failed(self, played: Played, seconds: float, message: str, label: str = "") -> None:
        """An exchange that is not as the script says."""
        case = self._suites[-1].case(_name(played, label), seconds)
        failure = Xml.SubElement(case, "failure", message=_clean(message), type="UnexpectedAnswer")
        failure.text = f"> {played.command}\n< {played.response}  {_clean(played.meaning)}"
        self._suites[-1].failures += 1

    def broken(self, message: str, kind: str) -> None:
        """The script could not go on."""
        case = self._suites[-1].case("the script goes on", 0)
        Xml.SubElement(case, "error", message=_clean(message), type=kind)
        self._suites[-1].errors += 1

    def write(self, path: Path) -> None:
        """The file has all suites."""
        root = Xml.Element("testsuites")
        root.extend(suite.element() for suite in self._suites)
        Xml.indent(root)
        Xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


class _Suite:
    def __init__(self, file: str) -> None:
        self._file = file
        self._cases: list[Xml.Element] = []
        self._seconds = 0.0
        self.failures = 0
        self.errors = 0

    def case(self, name: str, seconds: float) -> Xml.Element:
        self._seconds += seconds
        case = Xml.Element("testcase", name=_clean(name), classname=_clean(self._file), time=f"{seconds:.6f}")
        self._cases.append(case)
        return case

    def element(self) -> Xml.Element:
        counts = {"tests": len(self._cases), "failures": self.failures, "errors": self.errors, "skipped": 0}
        suite = Xml.Element("testsuite", name=_clean(self._file), time=f"{self._seconds:.6f}")
        for name, count in counts.items():
            suite.set(name, str(count))
        suite.extend(self._cases)
        return suite


def _name(played: Played, label: str) -> str:
    where = f"{played.file}:" if played.file else ""
    card = f"card {played.card}: " if played.card else ""
    return f"{where}{played.line} {card}{label and f'{label}: '}{played.title}"


def _clean(text: str) -> str:
    """Without characters that XML cannot hold."""
    return _NO_XML.sub("\ufffd", text)
