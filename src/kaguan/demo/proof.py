"""Time, the end of the day, and the proof that nobody touched the books."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

from kaguan.cms.auditing.checkpoints import make_checkpoint, read_checkpoints, verify_log
from kaguan.cms.safekeeping.backup import back_up, restore
from kaguan.cms.services.access.day import close_day
from kaguan.cms.services.clock_run import Refused, due_on, run_day
from kaguan.cms.services.loss import report_temporary_loss
from kaguan.cms.signing import make_key, read_key, read_public_key
from kaguan.cms.store import open_store
from kaguan.demo.screen import fact
from kaguan.demo.town import Town
from kaguan.vault.vault import KeyVault


def let_time_pass(town: Town, card_no: str, today: date) -> None:
    """Today's rules of time have run, and those of days ahead are shown."""
    report_temporary_loss(town.teller, uuid4(), card_no=card_no)
    done = [step for step in run_day(town.clock, today) if not isinstance(step, Refused)]
    fact(f"the clock for {today}: {_counted(step.rule.value for step in done)}")
    for days in (11, 400):
        due = _counted(step.rule.value for step in due_on(town.clock, today + timedelta(days=days)))
        fact(f"due in {days} days: {due}")


def close_the_day(town: Town) -> None:
    """The outlet is closed until tomorrow."""
    closed = close_day(town.head, uuid4(), institution=town.head.institution)
    fact(f"{closed.institution} has closed {closed.day}: its operators are signed out until tomorrow")


def prove(books: Path, vault: KeyVault) -> None:
    """The audit log is signed, verified, and refuses to be changed; a sealed backup is restored beside the books."""
    folder = books.parent
    key_file, checkpoints = folder / "audit.key", folder / "checkpoints.jsonl"
    public_key = read_public_key(make_key(key_file))
    made = make_checkpoint(read_key(key_file), checkpoints)
    fact(f"checkpoint {made.number} signs {made.entries} lines of the audit log")
    _try_to_rewrite(books)
    kept = back_up(folder / "books.backup", vault)
    fact(f"backup of {kept.rows} rows, sealed: SHA-256 {kept.sha256[:16]}")
    open_store(str(folder / "restored.sqlite"))
    again = restore(folder / "books.backup", vault)
    verified = verify_log(read_checkpoints(checkpoints, public_key))
    same = "the same rows, ledger and audit log" if again == kept else "something else"
    fact(f"restored into an empty database: {same}; {verified.entries} lines fit the checkpoint there")
    open_store(str(books))


def _try_to_rewrite(books: Path) -> None:
    try:
        with closing(sqlite3.connect(books)) as somebody_else:
            somebody_else.execute("UPDATE cms_auditentry SET operator = 'nobody'")
    except sqlite3.DatabaseError as error:
        fact(f"an UPDATE of the audit log behind our back: the database refuses, {error}")
    else:
        raise AssertionError("the audit log was rewritten")


def _counted(rules: Iterable[str]) -> str:
    counts = Counter(rules)
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing is due"
