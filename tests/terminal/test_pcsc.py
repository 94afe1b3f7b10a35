"""PC/SC where there is none: what a user is told. Real readers are in tests/outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from outside.programs import need_pyscard


def python(program: str, folder: Path) -> str:
    """What a fresh Python prints, whose PC/SC service is absent."""
    nowhere = {**os.environ, "PCSCLITE_CSOCK_NAME": str(folder / "nobody")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=nowhere, timeout=30
    )
    return done.stdout


OPEN = """
from kaguan.apdu.errors import NoReader
from kaguan.terminal.pcsc import open_reader
try:
    open_reader("0")
except NoReader as error:
    print(error)
"""


def test_without_pyscard_the_packages_are_named(tmp_path: Path) -> None:
    told = python("import sys; sys.modules['smartcard'] = None" + OPEN, tmp_path)
    for package in ("libpcsclite-dev", "gcc", "kaguan[pcsc]"):
        assert package in told


def test_without_the_service_its_package_is_named(tmp_path: Path) -> None:
    need_pyscard()
    assert "apt-get install pcscd" in python(OPEN, tmp_path)


def test_the_terminal_opens_without_pyscard(tmp_path: Path) -> None:
    program = "import sys; sys.modules['smartcard'] = None\nimport kaguan.terminal.cli, kaguan.terminal.layers"
    assert python(program, tmp_path) == ""
