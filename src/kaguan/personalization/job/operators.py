"""Operators: who may take part in a dangerous step, and how it is known that it is they.

Law 1. A wrong passphrase is counted before it is looked at, so that nobody guesses faster by guessing at once.
Law 2. Nobody is two operators: names that differ in case, spaces or signs alone are one name.
Law 3. From the second operator on it takes two of them to add or to remove one.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from sqlalchemy import Connection, insert, select, update

from kaguan.apdu.errors import InputError, NeedsSecondPerson, RuleBroken
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.schema import now_seconds, operator
from kaguan.vault.sealing import SealingCost
from kaguan.vault.secret import Random, Secret

LEAST_PASSPHRASE = 8
MOST_NAME = 40
FREE_FAILURES = 3
"""Wrong passphrases in a row that cost no waiting yet."""
FIRST_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 3600.0
_SALT_SIZE = 16
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5J3Mgc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""What a stranger's passphrase is tried on, so that strangers wait as long as operators."""


class NotAuthenticated(RuleBroken):
    """Name and passphrase are not those of an operator, or it is too early to try again."""


class Operator(NamedTuple):
    """One operator; `removed_at` is None while the operator may act."""

    name: str
    added_at: float
    removed_at: float | None


@dataclass(frozen=True, slots=True)
class TwoPeople:
    """Who asked for a dangerous step, and who approved it: two different people.

    Raises:
        NeedsSecondPerson: they are one.
    """

    asked: str
    approved: str

    def __post_init__(self) -> None:
        if person(self.asked) == person(self.approved):
            raise NeedsSecondPerson(f"{self.asked} cannot approve what {self.asked} asks for: another operator has to")


def person(name: str) -> str:
    """What tells one operator's name from another's: its letters and digits, whatever their case.

    Raises:
        InputError: there are none, too many, or signs that do not print.
    """
    known = "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if sign.isalnum())
    if not known or len(name) > MOST_NAME or not name.isprintable():
        raise InputError(f"an operator's name has 1 to {MOST_NAME} printable characters, letters or digits among them")
    return known


def add_operator(
    bureau: Bureau,
    name: str,
    passphrase: Secret,
    by: TwoPeople | None,
    *,
    random: Random,
    cost: SealingCost | None = None,
) -> bool:
    """The operator may act, with this passphrase; False when there was such an operator, who stays unchanged.

    Raises:
        InputError: the passphrase is too short; see also `person`.
        NeedsSecondPerson: there are two operators, and no two of them approve.
    """
    if len(passphrase) < LEAST_PASSPHRASE:
        raise InputError(f"a passphrase has at least {LEAST_PASSPHRASE} bytes")
    key, shown = person(name), " ".join(name.split())
    memory, iterations, lanes = cost or SealingCost()
    stretch = Argon2id(salt=random(_SALT_SIZE), length=32, iterations=iterations, lanes=lanes, memory_cost=memory)
    verifier = stretch.derive_phc_encoded(passphrase.reveal())
    with bureau.transaction() as connection:
        actor = _may_change(connection, by)
        values = {"shown": shown, "verifier": verifier, "added_at": now_seconds(), "removed_at": None, "failures": 0}
        there = connection.execute(select(operator.c.removed_at).where(operator.c.name == key)).first()
        if there and there.removed_at is None:
            return False
        if there:
            connection.execute(update(operator).where(operator.c.name == key).values(**values, locked_until=None))
        else:
            connection.execute(insert(operator).values(name=key, **values))
        note(connection, None, actor or shown, "operator added", name=shown, approved_by=by.approved if by else None)
    return True


def remove_operator(bureau: Bureau, name: str, by: TwoPeople | None) -> bool:
    """The operator may act no more; False when there was none of this name.

    Raises:
        NeedsSecondPerson: as for `add_operator`.
        RuleBroken: fewer than two would stay, and nobody could be added again.
    """
    key = person(name)
    with bureau.transaction() as connection:
        actor = _may_change(connection, by)
        active = _active(connection)
        if key not in active:
            return False
        if by is not None and len(active) < 3:
            raise RuleBroken("two operators have to stay: add another one first")
        change = update(operator).where(operator.c.name == key)
        connection.execute(change.values(removed_at=now_seconds()))
        shown = active[key]
        note(connection, None, actor or shown, "operator removed", name=shown, approved_by=by.approved if by else None)
    return True


def operators(bureau: Bureau) -> list[Operator]:
    """Everybody who is or was an operator, by name."""
    query = select(operator.c.shown, operator.c.added_at, operator.c.removed_at).order_by(operator.c.name)
    with bureau.transaction() as connection:
        return [Operator(*row) for row in connection.execute(query)]


def authenticated(bureau: Bureau, name: str, passphrase: Secret) -> str:
    """The operator's name, when this is the operator's passphrase.

    Raises:
        NotAuthenticated: it is not, or it is too early to try again after wrong ones; which of the two is told.
    """
    key = person(name)
    verifier = _spend_try(bureau, key)
    try:
        Argon2id.verify_phc_encoded(passphrase.reveal(), verifier or _NOBODY)
    except InvalidKey:
        verifier = None
    if verifier is None:
        raise NotAuthenticated(f"{name}: the name or the passphrase is wrong")
    restore = update(operator).where(operator.c.name == key, operator.c.removed_at.is_(None))
    restore = restore.values(failures=0, locked_until=None).returning(operator.c.shown)
    with bureau.transaction() as connection:
        shown: str | None = connection.execute(restore).scalar_one_or_none()
    if shown is None:
        raise NotAuthenticated(f"{name} is an operator no more")
    return shown


def require_operators(connection: Connection, people: TwoPeople) -> None:
    """Nothing happens when both are operators now; they stay so until the transaction ends.

    Raises:
        NotAuthenticated: one is not, or no more.
    """
    active = _active(connection)
    for name in (people.asked, people.approved):
        if person(name) not in active:
            raise NotAuthenticated(f"{name} is no operator of this bureau: 'kaguan perso operator add' makes one")


def _spend_try(bureau: Bureau, key: str) -> str | None:
    """The verifier to try on, one try poorer; None when there is no such operator.

    Raises:
        NotAuthenticated: it is too early for another try.
    """
    query = select(operator, now_seconds().label("now")).where(operator.c.name == key, operator.c.removed_at.is_(None))
    with bureau.transaction() as connection:
        row = connection.execute(query.with_for_update()).first()
        if row is None:
            return None
        if row.locked_until is not None and row.locked_until > row.now:
            left = int(row.locked_until - row.now) + 1
            raise NotAuthenticated(f"{row.shown} is locked after wrong passphrases: wait {left} seconds")
        failures = row.failures + 1
        wait = _wait_seconds(failures)
        spent = update(operator).where(operator.c.name == key)
        connection.execute(spent.values(failures=failures, locked_until=row.now + wait if wait else None))
        if wait:
            note(connection, None, row.shown, "operator locked", tries=failures, seconds=wait)
        return str(row.verifier)


def _wait_seconds(failures: int) -> float:
    if failures < FREE_FAILURES:
        return 0.0
    return min(FIRST_WAIT_SECONDS * 2.0 ** min(failures - FREE_FAILURES, 20), LONGEST_WAIT_SECONDS)


def _active(connection: Connection) -> dict[str, str]:
    query = select(operator.c.name, operator.c.shown).where(operator.c.removed_at.is_(None)).with_for_update(read=True)
    return {row.name: row.shown for row in connection.execute(query)}


def _may_change(connection: Connection, by: TwoPeople | None) -> str | None:
    """Who is to be named for a change of the operators, None for the first two of a bureau.

    Raises:
        NeedsSecondPerson: it takes two who are operators.
    """
    if by is not None:
        require_operators(connection, by)
        return by.asked
    if len(_active(connection)) >= 2:
        raise NeedsSecondPerson("two operators have to approve it: there are two already")
    return None
