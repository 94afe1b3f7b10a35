"""`python -m chaos.program` is `kaguan`, with rows prepared by other processes, a few at a time, or without reports.

CHAOS_PROGRAM says which: `chunks`, `plain`, both or neither.
"""

from __future__ import annotations

import os

from chaos.plan import CHUNK_ROWS
from kaguan.cli import main
from kaguan.personalization.line import intake, printing
from kaguan.personalization.preparation.chunks import chunks

if __name__ == "__main__":
    wanted = os.environ.get("CHAOS_PROGRAM", "")
    if "chunks" in wanted:
        intake._SMALL_BYTES = 0
        assert chunks.__kwdefaults__ is not None
        chunks.__kwdefaults__["most_rows"] = CHUNK_ROWS
    if "plain" in wanted:
        printing._PACKAGES = ("no such package",) * 5
    main()
