"""Secrets from files, for tests and scripts: read only when nobody but their owner can."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kaguan.apdu.errors import InputError
from kaguan.vault.secret import Secret

LONGEST = 4096


class FileTooOpen(InputError):
    """Others may read the file, so what is in it is no secret."""


def read_secret(path: Path, *, longest: int = LONGEST) -> Secret:
    """What is in the file, without white space around it.

    Raises:
        FileTooOpen: it is somebody else's, or others than its owner may read or write it.
        InputError: it is no plain file, empty, or longer than any secret.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is no plain file")
        if status.st_uid != os.geteuid():
            raise FileTooOpen(f"{path} belongs to somebody else: a secret is read from your own files only")
        if status.st_mode & 0o077:
            raise FileTooOpen(f"others may read {path}, so it is no secret: 'chmod 600 {path}', and think of a new one")
        value = file.read(longest + 1).strip()
    if not value or len(value) > longest:
        raise InputError(f"{path} is empty, or too long for a secret")
    return Secret(value)
