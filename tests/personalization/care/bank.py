"""A bank that things are sealed for: its certificate, and what it reads. OpenSSL does both."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    """What OpenSSL answers."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def certificate(folder: Path, name: str = "bank", key: str = "rsa:2048", *more: str) -> Path:
    """A certificate that OpenSSL made; its private key is beside it."""
    path = folder / f"{name}.pem"
    new = ["req", "-x509", "-newkey", key, "-nodes", "-subj", f"/CN={name}", "-days", "30"]
    openssl(*new, *more, "-keyout", folder / f"{name}.key", "-out", path)
    return path


def opened(sealed: Path, folder: Path, name: str = "bank") -> bytes:
    """What OpenSSL finds in it with that private key."""
    return openssl("cms", "-decrypt", "-inform", "DER", "-in", sealed, "-inkey", folder / f"{name}.key")
