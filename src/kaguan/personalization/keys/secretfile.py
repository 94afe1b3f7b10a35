"""Secrets from files and from the keyboard: PINs, passphrases, the values of tests and scripts."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kaguan.apdu.errors import InputError, VaultError
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


def typed_line(raw: bytes, source: object) -> Secret:
    """A PIN or passphrase as somebody typed or wrote it: one line, the white space around it left out.

    Raises:
        VaultError: it is empty, or has a second line; it says whose (`source`), never what.
    """
    line = raw.strip()
    if not line or b"\n" in line:
        raise VaultError(f"{source}: a PIN or passphrase is one line, and not an empty one")
    return Secret(line)


def line_in(path: Path) -> Secret:
    """The PIN or passphrase in a file, or in what a shell passes as one.

    Raises:
        VaultError: there is no such file, it cannot be read, is empty, or has a second line.
    """
    try:
        return typed_line(path.read_bytes(), path)
    except OSError as error:
        raise VaultError(f"{path} cannot be read: {error.strerror}") from None
