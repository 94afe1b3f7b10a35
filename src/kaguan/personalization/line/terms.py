"""What a run of the line is asked to do."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from kaguan.card_os.profile import CardProfile
from kaguan.personalization.care.belongings import DATABASE
from kaguan.personalization.care.envelope import Recipient
from kaguan.personalization.job.claims import LEASE_SECONDS
from kaguan.personalization.keys.tokenstore import StoreAddress
from kaguan.personalization.order.authentic import Trust
from kaguan.personalization.order.holder_rules import HolderRules
from kaguan.personalization.station.pins import PROFILE_PIN
from kaguan.personalization.station.sampling import ALL, Sampling
from kaguan.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class LineOrder:
    """What to run, where, and how.

    `database` is the address of the bureau's database, a file in `out` if empty; `name` the job's, the task list's name
    if empty. `engine` gives what rows are judged and prepared with, if not this machine.
    `pins` says whether each card has a first PIN of its own, drawn, or all the profile's.
    `readers` are PC/SC readers, one a station. `chips` are the blank chips handed out for the shift; without them the
    count is of what the machine saw. A claim is a station's for `lease_seconds`. Return files are
    sealed for `seal_for` before they reach the disk. Checkpoints of the audit trail are kept in the file `checkpoints`
    too, which should be in another place. `check_names` stops an order with a name that cannot be printed; `reports`
    asks for the quality report and the workbook.
    """

    order: Path
    out: Path
    profile: CardProfile
    rules: HolderRules
    store: StoreAddress | None = None
    passphrase: Secret | None = None
    stations: int = 2
    backend: str = "emulator"
    readers: tuple[str, ...] = ()
    skip_bad: bool = False
    database: str = ""
    name: str = ""
    engine: Callable[[], Executor] | None = None
    sampling: Sampling = ALL
    pins: str = PROFILE_PIN
    trust: Trust = field(default_factory=Trust)
    operator: str = "line"
    machine: str = field(default_factory=socket.gethostname)
    shift: str = ""
    chips: int | None = None
    lease_seconds: float = LEASE_SECONDS
    seal_for: Recipient | None = None
    checkpoints: Path | None = None
    check_names: bool = False
    reports: bool = False

    @property
    def address(self) -> str:
        """The database's address."""
        return self.database or str(self.out / DATABASE)


def order_digest(path: Path) -> str:
    """The SHA-256 of the order's file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
