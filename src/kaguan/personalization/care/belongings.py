"""Which files in a job's folder are about people, by what Kaguan calls them or what they begin with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import RuleBroken
from kaguan.durable import sync_folder
from kaguan.personalization.order.reading import OrderName

DATABASE = "job.sqlite"
LINE_LOCK = ".line.lock"
REPORT = "report.json"
_CARDS = "cards"
_PATTERNS = (
    ("return-good.txt", "return file"),
    ("return-bad.txt", "report of rejected people"),
    ("return-row-*.txt", "return file"),
    ("*.cms", "sealed file"),
    ("mailers-*.pdf", "PIN mailers"),
    ("faces-*.pdf", "card previews"),
    (".*.part", "unfinished file"),
    (f"{_CARDS}/*.card", "emulated card"),
    (f"{_CARDS}/.*.stored", "emulated card"),
    (f"{_CARDS}/.*.part", "unfinished file"),
)
_PIN_FILE = b"KAGUANP1"
_ZIP = b"PK\x03\x04"


class Belonging(NamedTuple):
    """One file about people. `shown` is its name as far as that tells nothing of them."""

    path: Path
    what: str
    shown: str

    def described(self) -> dict[str, str | int]:
        """What a proof says of it."""
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"what": self.what, "name": self.shown, "bytes": self.path.stat().st_size, "sha256": digest}


def job_of_report(folder: Path) -> str:
    """The job whose report is in the folder.

    Raises:
        RuleBroken: there is none.
    """
    try:
        return str(json.loads((folder / REPORT).read_bytes())["job"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        raise RuleBroken(f"nothing in {folder} says which job's folder it is") from None


def require_folder_of(folder: Path, job: str) -> None:
    """Nothing happens when the folder is one that runs or stations of this job left.

    Raises:
        RuleBroken: it is another's, or nothing there says that it is a job's.
    """
    if (folder / REPORT).exists():
        if (name := job_of_report(folder)) != job:
            raise RuleBroken(f"{folder} is the folder of job {name}, not of {job}")
    elif not (folder / DATABASE).exists() and not (folder / _CARDS).is_dir():
        raise RuleBroken(f"nothing in {folder} says that it is a job's folder: nothing was removed")


def belongings(folder: Path, order_digest: str) -> list[Belonging]:
    """The files about people in the folder; none when the folder is gone. Links are the operator's, not the job's."""
    found: dict[Path, Belonging] = {}
    for pattern, what in _PATTERNS:
        for path in _files(folder, pattern):
            shown = pattern if path.parent.name == _CARDS or pattern.startswith(".") else path.name
            found[path] = Belonging(path, what, shown)
    for path in _files(folder, "*"):
        if path not in found and (what := _copy_of(path, order_digest)):
            found[path] = Belonging(path, what, f"*{path.suffix}")
    return [found[path] for path in sorted(found)]


def other_files(folder: Path, order_digest: str) -> list[Path]:
    """What else is in the folder; the database and the key store are left out."""
    own = {belonging.path for belonging in belongings(folder, order_digest)}
    return [
        path
        for path in _files(folder, "**/*")
        if path not in own and not path.name.startswith(DATABASE) and path.parent != folder / "keys"
    ]


def remove(folder: Path, order_digest: str) -> int:
    """None of the files about people is left in the folder; how many there were."""
    gone = belongings(folder, order_digest)
    for belonging in gone:
        belonging.path.unlink(missing_ok=True)
    for place in {belonging.path.parent for belonging in gone}:
        sync_folder(place)
    return len(gone)


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    return (path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.is_symlink())


def _copy_of(path: Path, order_digest: str) -> str:
    """What the file is by its name or its first bytes, if it is a copy of what the job came from."""
    if path.suffix == ".txt" and OrderName.parse(path.name) is not None:
        return "task list"
    with path.open("rb") as file:
        head = file.read(len(_PIN_FILE))
        if head == _PIN_FILE:
            return "PIN file"
        if head.startswith(_ZIP):
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() == order_digest:
                return "order"
    return ""
