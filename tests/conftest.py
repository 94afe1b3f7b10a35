"""What all tests share: how Hypothesis works here, Ctrl-C, and where this process looks for a PC/SC service."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from hypothesis import settings

from acceptance import note_statements, pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

# The machines that run the tests share their cores: a slow example is no finding.
settings.register_profile("kaguan", deadline=None)
settings.load_profile("kaguan")

# A run in the background has Ctrl-C ignored, and so would the programs that tests start and then interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The PC/SC library reads once a process where its service is, so every test of the process must mean the same place:
# there is nobody until the tests of `outside` start a service of their own.
PCSC_FOLDER = Path(tempfile.mkdtemp(prefix="kaguan-pcsc-"))
os.environ["PCSCLITE_CSOCK_NAME"] = str(PCSC_FOLDER / "pcscd.comm")
atexit.register(shutil.rmtree, PCSC_FOLDER, ignore_errors=True)


def pytest_collection_modifyitems(items):
    """What takes longest begins first: no worker is left alone with it when the others are through."""
    note_statements(items)
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


def pytest_collection_finish():
    """Leave the tests themselves out of every later search for garbage: half a million objects, none of which goes."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish():
    """Leave no server of this process running: workers of xdist are ended before they come to `atexit`."""
    if "postgres" in sys.modules:
        sys.modules["postgres"].remove_all()
