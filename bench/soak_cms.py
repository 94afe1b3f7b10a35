"""Card management under siege for as long as you like: `soak_cms.py [--seeds N] [--start S] [--database KIND]`.

A seed is three storms on a database of its own: operators all at once on the cards of many people; one use case of
the registry after the other killed before every statement, before and after its commit, and at moments that a clock
chooses; and each sent several times at once. What is left is judged as in the tests (`tests/cms/siege`). Each finding
is printed with its seed; the program then ends with 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import UUID

HOME = Path(__file__).parents[1]
sys.path[0] = str(HOME / "tests")  # in place of bench, whose cms.py would hide the package of that name

from kaguan.cms.store import open_store  # noqa: E402
from postgres import server  # noqa: E402

SEEDS = 3
MOST_FINDINGS = 10
KILLS_BY_CLOCK = 10
TWINS = 6


def prepare() -> None:
    """Django is ready, with quick hashes and a key that lasts."""
    os.environ["KAGUAN_SECRET_KEY"] = "a key that lasts"
    open_store(":memory:")
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["cms.hashing.QuickArgon2"]


class Stores:
    """Databases of one kind with every table and nothing in them; to migrate takes seconds, so it is done once."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Make the one that all others are like."""
        self._folder, self._kind = folder, kind
        self._first = str(folder / "first.sqlite") if kind == "sqlite" else server().new_database()
        self._open(self._first)

    def new_town(self):
        """A founded town, and nothing beside it, in the database that is open now."""
        from django.db import connection

        from cms.siege.emptying import emptied
        from cms.town import found_town

        connection.close()
        if self._kind == "sqlite":
            self._open(str(shutil.copy(self._first, self._folder / f"{time.monotonic_ns()}.sqlite")))
        else:
            emptied(self._first)
        return found_town()

    def _open(self, store: str) -> None:
        from django.db import connection

        open_store(store)
        connection.close()


def killed_everywhere(case, stores: Stores, dice: Random) -> None:
    """The case's use case is killed at every statement and at moments of chance; then it is done once."""
    from django.db import connection

    from cms.asked import books, effects, wish_of
    from cms.siege.dying import BEFORE_COMMIT, statements_of
    from cms.siege.processes import Running, all_gone, apart
    from cms.siege.test_killed import nothing_is_left_of_it, once_and_for_all

    wish = wish_of(case, stores.new_town(), UUID(int=dice.getrandbits(128)))
    nothing_is_left_of_it(wish, [*range(1, statements_of(wish) + 1), BEFORE_COMMIT])
    before, asked_before = books(), effects(wish.request_id)
    for _ in range(KILLS_BY_CLOCK):
        connection.close()
        running = Running(wish)
        time.sleep(dice.uniform(0, 0.05))
        running.kill()
        running.ended()
        all_gone()
        if effects(wish.request_id) != asked_before:
            assert apart(wish).refusal is None
            return
        assert books() == before, "killed by the clock, the books are neither as before nor as after"
    once_and_for_all(wish)


def sent_again_and_again(case, stores: Stores, dice: Random) -> None:
    """The case's use case is sent by many at once under one id, and done once."""
    from cms.asked import effects, wish_of
    from cms.siege.processes import side_by_side

    wish = wish_of(case, stores.new_town(), UUID(int=dice.getrandbits(128)))
    receipts, done = effects(wish.request_id)
    first, *others = side_by_side(*[wish] * TWINS)
    assert first.refusal is None, first.words
    assert all(other == first for other in others)
    assert effects(wish.request_id) == (receipts + 1, done + 1)


def storms(seed: int, stores: Stores) -> list[tuple[str, Callable[[], None]]]:
    """What happens under the seed, by name."""
    from cms.asked import CASES, NAMES
    from cms.siege.rush import rush

    dice = Random(seed)
    cases = list(zip(NAMES, CASES, strict=True))
    dice.shuffle(cases)
    return [
        ("rush", lambda: rush(stores.new_town(), examples=40, steps=40)),
        *((f"{name} killed", lambda case=case: killed_everywhere(case, stores, dice)) for name, case in cases),
        *((f"{name} sent again", lambda case=case: sent_again_and_again(case, stores, dice)) for name, case in cases),
    ]


def main() -> int:
    """0 when every law held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--only", default="", help="storms whose name has this in it")
    asked = parser.parse_args()
    prepare()
    findings, stormed, started = 0, 0, time.perf_counter()
    with TemporaryDirectory(prefix="soak-cms-") as folder:
        stores = Stores(Path(folder), asked.database)
        for seed in range(asked.start, asked.start + asked.seeds):
            for name, storm in storms(seed, stores):
                if asked.only not in name:
                    continue
                stormed += 1
                try:
                    storm()
                except Exception:
                    findings += 1
                    print(f"seed {seed}, {name}: FINDING\n{traceback.format_exc()}", flush=True)
                if findings >= MOST_FINDINGS:
                    return _told(stormed, findings, asked.database, started)
    return _told(stormed, findings, asked.database, started)


def _told(stormed: int, findings: int, database: str, started: float) -> int:
    seconds = time.perf_counter() - started
    print(f"soak_cms: {stormed} storms on {database}, {seconds:.0f} s: {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
