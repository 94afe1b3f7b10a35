"""Programs that we did not write. Missing ones skip their tests; with CI=true they fail them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest

BEYOND_PATH = "/usr/sbin:/usr/local/sbin"


def need(program: str) -> str:
    """The program's path."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{BEYOND_PATH}")
    if path is None:
        missing(f"{program} is not installed: scripts/debian-packages")
    return path


def need_pyscard() -> None:
    """pyscard can be imported."""
    if importlib.util.find_spec("smartcard") is None:
        missing("pyscard is not installed: scripts/install-pyscard")


def missing(what: str) -> NoReturn:
    """What is missing skips the test; with CI=true it fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what, allow_module_level=True)
