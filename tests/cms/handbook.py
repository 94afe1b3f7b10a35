"""The handbook as a play: who types what in which window, what is seen, and whether it is still seen so.

A line `teller$ COMMAND` is typed in the teller's window; what it exports stays there. `all$` is typed in every window,
and what is typed in the window `server` goes on running. Under a command stands what is seen. There `…` is any text, a
line `...` any lines; ids, tokens, digests, days and moments may be others than in the page, and what the page calls
by an id later on is then called by the one that was seen.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyotp

from house.tree import ROOT

PAGE = ROOT / "docs" / "outlet-handbook.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"([a-z]+[0-9]?)\$ (.*)")
_HERE_DOCUMENT = re.compile(r"<<'?([A-Z]+)'?")
_REFUSED = "kaguan: "
"""How a refusal begins: what the page leaves out is none."""
_BOUND = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|kgm_[\w-]{20,}"
_FREE = (
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[+-]\d\d:\d\d|Z)?",
    r"\d{4}-\d\d-\d\d",
    r"[0-9]{14}",
    r"(?<!\d)20\d{6}(?!\d)",
    r"[A-Z2-7]{32}",
    r"[0-9a-f]{16,}|[0-9A-F]{16,}",
)
_VALUE = re.compile("|".join((f"(?P<bound>{_BOUND})", *_FREE, "…")))
_SECOND_FACTOR = re.compile(r"access sign-in (\w+) --second-factor (\d{6})")
_PORT, _ADDRESS = "--port 8443", "127.0.0.1:8443"
"""Where the page serves; a test serves where there is room."""
_ENVIRONMENT = "\n---- what the window knows from now on ----\n"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the page: its window, its text, what is seen then, and where that stands in the page."""

    window: str
    command: str
    seen: str
    begin: int
    end: int


def steps(page: str) -> Iterator[Step]:
    """Every command of the page, in order."""
    for block in _BLOCK.finditer(page):
        yield from _steps_of(block[1], block.start(1))


def _steps_of(text: str, at: int) -> Iterator[Step]:
    lines = text.splitlines(keepends=True)
    while lines:
        prompt = _PROMPT.fullmatch(lines[0].rstrip("\n"))
        assert prompt, f"no prompt: {lines[0]!r}"
        taken = [lines.pop(0)]
        while taken[-1].endswith("\\\n"):
            taken.append(lines.pop(0))
        if ending := _HERE_DOCUMENT.search("".join(taken)):
            while taken[-1] != f"{ending[1]}\n":
                taken.append(lines.pop(0))
        at += sum(map(len, taken))
        begin, seen = at, ""
        while lines and not _PROMPT.fullmatch(lines[0].rstrip("\n")):
            seen += lines.pop(0)
        at += len(seen)
        yield Step(prompt[1], "".join(taken)[len(prompt[1]) + 2 :], seen, begin, at)


@dataclass
class Office:
    """A folder where the page is played, with the addresses that stand for the files of its books."""

    folder: Path
    books: Mapping[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home = self.folder / "home"
        home.mkdir()
        (home / "kaguan").symlink_to(ROOT)
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._all = {**kept, "PATH": path, "HOME": str(home), "PYTHONUTF8": "1", "TZ": "Asia/Shanghai"}
        self._windows: dict[str, dict[str, str]] = {}
        self._factors: dict[str, str] = {}
        self._servers: list[subprocess.Popen[str]] = []

    def play(self, step: Step) -> str:
        """What is seen when the command is typed, in the words of the page."""
        command = self._in_the_words_of_now(step.command)
        if step.window == "server":
            return self._in_the_words_of_the_page(self._serve(command))
        known = self._windows.get(step.window, self._all)
        script = f"{command}\nprintf %s {_quoted(_ENVIRONMENT)}; env -0"
        run = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self.folder,
            env=known,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seen, _, environment = run.stdout.decode().partition(_ENVIRONMENT)
        seen += "" if not seen or seen.endswith("\n") else "\n"
        now = dict(line.split("=", 1) for line in environment.split("\0") if line)
        if step.window == "all":
            self._all = now
            self._windows = {name: {**window, **now} for name, window in self._windows.items()}
        else:
            self._windows[step.window] = now
        self._keep_factor(command, seen)
        return self._in_the_words_of_the_page(seen)

    def is_as_shown(self, step: Step, seen: str) -> bool:
        """Whether the page shows this; the ids in it are known from now on."""
        found = _pattern(step.seen).fullmatch(seen)
        if found and (_REFUSED in seen) == (_REFUSED in step.seen):
            shown = _ids_in(step.seen)
            # an id that is known already keeps its meaning: the page would lie if another one stood there now
            return all(self.ids.setdefault(one, now) == now for one, now in zip(shown, found.groups(), strict=True))
        return False

    def learn(self, step: Step, seen: str) -> str:
        """What the page has to show instead; ids that it showed stand for those that were seen in their places."""
        for one, other in zip(_ids_in(step.seen), _ids_in(seen), strict=False):
            self.ids.setdefault(one, other)
        for one, other in self.ids.items():
            seen = seen.replace(other, one)
        return seen

    def close(self) -> None:
        """No program that the page started runs any more."""
        for server in self._servers:
            server.terminate()
            server.communicate(timeout=20)

    def _serve(self, command: str) -> str:
        server = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {command.replace(_PORT, '--port 0')}"],
            cwd=self.folder,
            env=self._all,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._servers.append(server)
        assert server.stdout is not None
        seen = server.stdout.readline()
        address = re.search(r"127\.0\.0\.1:\d+", seen)
        assert address, seen
        self.ids[_ADDRESS] = address[0]
        return seen.replace(address[0], _ADDRESS)

    def _in_the_words_of_now(self, command: str) -> str:
        for shown, now in (*self.ids.items(), *self.books.items()):
            command = command.replace(shown, now)
        if signing_in := _SECOND_FACTOR.search(command):
            code = pyotp.TOTP(self._factors[signing_in[1]]).now()
            command = command.replace(signing_in[2], code)
        return command

    def _in_the_words_of_the_page(self, seen: str) -> str:
        for shown, now in self.books.items():
            seen = seen.replace(now, shown)
        return seen.replace(str(self.folder), "").replace(str(ROOT), "~/kaguan")

    def _keep_factor(self, command: str, seen: str) -> None:
        asked = re.search(r"access second-factor (\w+)", command)
        secret = re.search(r"\b[A-Z2-7]{32}\b", seen)
        if asked and secret:
            self._factors[asked[1]] = secret[0]


def _ids_in(text: str) -> list[str]:
    return [value["bound"] for value in _VALUE.finditer(text) if value["bound"]]


def _pattern(shown: str) -> re.Pattern[str]:
    """What the page shows, as what may be seen."""
    return re.compile("".join(_any_lines(line) for line in shown.splitlines(keepends=True)))


def _any_lines(line: str) -> str:
    if line == "...\n":
        return r"(?:.*\n)*?"
    parts, at = [], 0
    for value in _VALUE.finditer(line):
        parts.append(re.escape(line[at : value.start()]))
        parts.append(_any_of(value))
        at = value.end()
    return "".join((*parts, re.escape(line[at:])))


def _any_of(value: re.Match[str]) -> str:
    if value["bound"]:
        return f"({_BOUND})"
    if value[0] == "…":
        return ".*"
    return next(f"(?:{kind})" for kind in _FREE if re.fullmatch(kind, value[0]))


def _quoted(text: str) -> str:
    return "$'" + text.replace("\n", "\\n") + "'"
