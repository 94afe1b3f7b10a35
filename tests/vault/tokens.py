"""Real tokens for tests: SoftHSM with a configuration and a folder of its own for each of them."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault

LABEL = "kaguan test"
OFFICER_PIN = "87654321"
PIN = Secret(b"20260917")
ZONE_LABEL = "zone"
_PLACES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


class SoftToken(NamedTuple):
    """A token, and the key under which others send it keys."""

    module: str
    folder: Path
    zone_key: bytes

    @property
    def environment(self) -> dict[str, str]:
        """What a program that is to see this token has in its environment."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def wrapped(self, key: bytes) -> bytes:
        """The key as another key centre sends it."""
        return aes_key_wrap(self.zone_key, key)

    def close_all_sessions(self) -> None:
        """Every session of this process is lost, as when a token is pulled out or its network breaks."""
        library = ctypes.CDLL(self.module)
        count = ctypes.c_ulong(16)
        slots = (ctypes.c_ulong * 16)()
        assert library.C_GetSlotList(ctypes.c_ubyte(1), slots, ctypes.byref(count)) == 0
        for slot in slots[: count.value]:
            library.C_CloseAllSessions(ctypes.c_ulong(slot))


def module() -> str:
    """The library of SoftHSM; the test is skipped where there is none, and fails where everything is meant to be."""
    place = next((place for place in _PLACES if Path(place).exists()), "")
    try:
        import pkcs11  # noqa: F401, PLC0415 - only where it is installed
    except ModuleNotFoundError:
        place = ""
    if not place or shutil.which("softhsm2-util") is None:
        reason = "needs python-pkcs11 and the Debian package softhsm2: run scripts/debian-packages"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return place


def token_in(folder: Path) -> SoftToken:
    """A fresh token with a zone key in it, which came in by SoftHSM's own tool."""
    zone_key = bytes(byte or 1 for byte in os.urandom(32)).replace(b"\n", b"\r")  # the tool reads no further than those
    token = SoftToken(module(), folder, zone_key)
    (folder / "tokens").mkdir()
    text = f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    (folder / "softhsm2.conf").write_text(text)
    pin = PIN.reveal().decode()

    def tool(*words: object) -> None:
        done = subprocess.run(
            ["softhsm2-util", *map(str, words)], env=token.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    tool("--init-token", "--free", "--label", LABEL, "--so-pin", OFFICER_PIN, "--pin", pin)
    (folder / "zone.key").write_bytes(token.zone_key)
    tool(
        *("--import", folder / "zone.key", "--aes", "--token", LABEL, "--label", ZONE_LABEL, "--id", "01"),
        *("--pin", pin),
    )
    (folder / "zone.key").unlink()
    return token


@contextmanager
def seen(token: SoftToken, patch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """This process sees that token and no other."""
    import pkcs11  # noqa: PLC0415 - only where it is installed

    patch.setenv("SOFTHSM2_CONF", token.environment["SOFTHSM2_CONF"])
    library = pkcs11.lib(token.module)
    try:
        yield token
    finally:
        library.finalize()  # it reads its configuration when it is next initialized


def twins(token: SoftToken, masters: list, **options) -> tuple[SoftwareVault, object]:
    """The same master keys in memory and in the token: label, usage, value and levels of each."""
    from kaguan.vault.pkcs11 import TokenVault  # noqa: PLC0415 - only where it is installed
    from kaguan.vault.token import TokenAddress, TokenSession  # noqa: PLC0415

    software = SoftwareVault.empty(StoreKind.TEST)
    session = TokenSession(TokenAddress(token.module, LABEL), PIN, writes=True, **options)
    inside = TokenVault.founded(session, StoreKind.TEST)
    for label, usage, value, levels, version in masters:
        algorithm = Algorithm.AES if len(value) == Algorithm.AES.key_size else Algorithm.TDES
        software.import_components(label, usage, algorithm, [Secret(value)], None, levels=levels, version=version)
        inside.unwrap(
            *(label, usage, algorithm, token.wrapped(value), check_value(value, algorithm)),
            under=ZONE_LABEL,
            levels=levels,
            version=version,
        )
    return software, inside
