"""`kaguan` called as a user calls it, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from card.cards import specimen
from kaguan.apdu.errors import KaguanError
from kaguan.cli import kaguan
from kaguan.emulator.imagefile import save_image


class Ended(NamedTuple):
    """How a command ended: exit code, what it printed, what it complained of."""

    code: int
    lines: list[str]
    complaint: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What it printed, as JSON lines."""
        return [json.loads(line) for line in self.lines]


def call(*words: str | Path, typed: str = "") -> Ended:
    """How `kaguan` with these words ends; a refusal's exit code is the error's own."""
    result = CliRunner().invoke(kaguan, [str(word) for word in words], input=typed)
    lines = result.stdout.splitlines()
    match result.exception:
        case KaguanError() as error:
            return Ended(error.exit_code, lines, str(error))
        case SystemExit() | None:
            return Ended(result.exit_code, lines, result.stderr)
        case error:
            raise error


def card_file(folder: Path, name: str = "user.card") -> Path:
    """A specimen in a file."""
    path = folder / name
    save_image(path, specimen())
    return path
