"""Jobs that the program itself has made, the people in them, and where bytes of theirs are looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kaguan.personalization.order.reading import Holder, open_order
from personalization.orders import Order

NAMES = ("王䶮测", "欧阳测试", "赵测试", "钱测试·买买提", "孙测试")
_PROGRAM = """
from kaguan.cli import main
from kaguan.personalization.care.cli import audit, purge, seal
from kaguan.personalization.cli import perso
for door in (audit, purge, seal):
    perso.add_command(door)
main()
"""
COMMAND = (sys.executable, "-c", _PROGRAM)


def kaguan(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """The program, run to its end."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


def done(*arguments: object, **options: object) -> str:
    """What the program said; it ended well."""
    ended = kaguan(*arguments, **options)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def order_of_five(folder: Path) -> Path:
    """Five people with names of their own; the second of no sex that the standard knows."""
    order = Order()
    for number, name in enumerate(NAMES, 1):
        order.row(number)["ssseef0609"] = name
    order.row(2)["ssseef060a"] = "7"
    return order.write(folder / "order.zip")


def made_job(order: Path, out: Path, database: str, *more: object) -> str:
    """A job of the order in the folder, in that database; what the program said."""
    return done("perso", "run", order, "--out", out, "--database", database, "--skip-bad", *more)


def holders(order: Path) -> list[Holder]:
    """The people of the order."""
    with open_order(order) as opened:
        return list(opened.holders())


def traces_of(people: Iterable[Holder]) -> list[bytes]:
    """What would tell of them, in every form in which it may lie about; long enough not to be there by chance."""
    found = set()
    for holder in people:
        for text in (holder.name, holder.id_no, holder.card_no, holder.bank_card_no):
            found |= {text.encode(), text.encode("gb18030"), text.encode("utf-16-le")}
            if text.isdecimal():
                found.add(bytes.fromhex(text.ljust(len(text) + len(text) % 2, "F")))
    raw = {trace for trace in found if len(trace) >= 6}
    return sorted(raw | {trace.hex().encode() for trace in raw} | {trace.hex().upper().encode() for trace in raw})


def files_that_tell(folder: Path, traces: Iterable[bytes]) -> list[str]:
    """Files of the folder that hold one of them, or whose names do."""
    wanted = list(traces)
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if any(trace in path.name.encode() for trace in wanted)
        or (path.is_file() and any(trace in path.read_bytes() for trace in wanted))
    ]


def dump(database: str, to: Path) -> Path:
    """The folder, where the database lies as its own tools and its files show it."""
    to.mkdir()
    if "://" in database:
        subprocess.run(["pg_dump", "--file", str(to / "dump.sql"), database], check=True)
    else:
        for path in Path(database).parent.glob(f"{Path(database).name}*"):
            (to / path.name).write_bytes(path.read_bytes())
    return to


def every_text(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file that is text, with it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                yield path, path.read_bytes().decode()
            except UnicodeDecodeError:
                continue


def in_child(work: Callable[[], object]) -> int:
    """The exit status of a process that does this and ends; of one that a signal ended, less than 0."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
