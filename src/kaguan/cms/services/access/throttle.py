"""Count failures of an account and of the address from which they came, and keep the doors shut meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kaguan.cms.models import Credential, HolderCredential, SourceFailures
from kaguan.cms.rules.passwords import locked_for
from kaguan.cms.rules.regions import RegionRules

_PEOPLE_AT_A_SOURCE: Final = 4
"""An address may fail so many times as often as one account: several people share it."""

Counter = Credential | HolderCredential | SourceFailures


def source_of(address: str) -> SourceFailures:
    """Return the counter of the address, locked until the transaction ends."""
    counter, _ = SourceFailures.objects.select_for_update(no_key=True).get_or_create(source=address[:64])
    return counter


def is_locked(counter: Counter, at: datetime) -> bool:
    """Return whether the door is shut now."""
    return counter.locked_until is not None and counter.locked_until > at


def count_failure(rules: RegionRules, account: Counter | None, source: SourceFailures, at: datetime) -> None:
    """Leave one failure more on the account, if there is one, and on the source."""
    for counter, times in ((account, 1), (source, _PEOPLE_AT_A_SOURCE)):
        if counter is None:
            continue
        counter.failures += 1
        shut = locked_for(
            counter.failures,
            allowed=rules.sign_in_failures_allowed * times,
            first_seconds=rules.sign_in_lock_seconds,
        )
        counter.locked_until = at + shut if shut else None
        counter.save()


def forget_failures(*counters: Counter) -> None:
    """Leave the counters at zero."""
    for counter in counters:
        counter.failures, counter.locked_until = 0, None
        counter.save()
