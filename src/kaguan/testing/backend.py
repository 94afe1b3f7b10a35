"""What stands behind the fixtures: a card in this process, a card in a virtual reader, or a real one."""

from __future__ import annotations

from enum import StrEnum


class Backend(StrEnum):
    """Chosen with --card-backend."""

    EMULATOR = "emulator"
    VPCD = "vpcd"  # emulated, behind a real pcscd
    PCSC = "pcsc"  # whatever card lies in the reader
