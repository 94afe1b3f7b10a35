"""What the suite found: checks, chapters, the whole; as JSON, and as the text of a screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check, a chapter or a card ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `evidence` is how sure the profile is of what it expects (A, B, C, INF)."""

    title: str
    verdict: Verdict
    command: str = ""
    expected: str = ""
    received: str = ""
    meaning: str = ""
    evidence: str = ""

    def as_json(self) -> dict[str, str]:
        """All that is not empty."""
        names = ("title", "verdict", "command", "expected", "received", "meaning", "evidence")
        return {name: text for name in names if (text := str(getattr(self, name)))}


@dataclass(frozen=True, slots=True)
class ChapterReport:
    """One chapter's checks, in the order in which they were made."""

    name: str
    title: str
    checks: tuple[Check, ...]
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Failed when one check is; not covered when none could be made."""
        verdicts = {check.verdict for check in self.checks}
        for verdict in (Verdict.FAILED, Verdict.PASSED):
            if verdict in verdicts:
                return verdict
        return Verdict.NOT_COVERED

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so."""
        return sum(check.verdict is verdict for check in self.checks)

    def lines(self) -> Iterator[str]:
        """The chapter for a screen: one line, and what failed."""
        yield f"{self.name:<16}{self.verdict:<13}{self.counted}"
        for check in self.checks:
            if check.verdict is Verdict.FAILED:
                yield f"    {check.title}"
                yield f"        {check.command or 'found'}: expected {check.expected}, received {check.received}"
                yield f"        {check.meaning}" + (f" (profile: {check.evidence})" if check.evidence else "")

    @property
    def counted(self) -> str:
        """How many checks ended how; or why none was made."""
        if self.verdict is Verdict.NOT_COVERED:
            return "; ".join(dict.fromkeys(check.meaning for check in self.checks))
        return ", ".join(f"{self.count(verdict)} {verdict}" for verdict in Verdict if self.count(verdict))


@dataclass(frozen=True, slots=True)
class Report:
    """What the suite found on one card."""

    profile: str
    profile_title: str
    atr: bytes
    chapters: tuple[ChapterReport, ...]

    @property
    def passed(self) -> bool:
        """No check failed, and at least one was made."""
        verdicts = {chapter.verdict for chapter in self.chapters}
        return Verdict.FAILED not in verdicts and Verdict.PASSED in verdicts

    def failed(self) -> tuple[str, ...]:
        """The names of the chapters that failed."""
        return tuple(chapter.name for chapter in self.chapters if chapter.verdict is Verdict.FAILED)

    def count(self, verdict: Verdict) -> int:
        """How many checks of all chapters ended so."""
        return sum(chapter.count(verdict) for chapter in self.chapters)

    def as_json(self) -> dict[str, object]:
        """The whole report."""
        return {
            "profile": self.profile,
            "atr": self.atr.hex().upper(),
            "passed": self.passed,
            "checks": {str(verdict): self.count(verdict) for verdict in Verdict},
            "chapters": [
                {
                    "name": chapter.name,
                    "title": chapter.title,
                    "verdict": str(chapter.verdict),
                    "checks": [check.as_json() for check in chapter.checks],
                }
                for chapter in self.chapters
            ],
        }

    def summary(self) -> Iterator[str]:
        """The last lines of a screen: why checks were not made, the commonest reason first, and how it all ended."""
        checks = (check for chapter in self.chapters for check in chapter.checks)
        reasons = Counter(check.meaning for check in checks if check.verdict is Verdict.NOT_COVERED)
        for reason, count in reasons.most_common():
            yield f"{count:>5} not covered: {reason}"
        yield (
            f"{'passed' if self.passed else 'FAILED'}: {self.count(Verdict.PASSED)} checks passed, "
            f"{self.count(Verdict.FAILED)} failed, {self.count(Verdict.NOT_COVERED)} not covered"
        )
