"""No master key is ever in our process: its memory is searched, and all that the token's library says is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaguan.vault.diversify import diversify
from kaguan.vault.vault import KeyRef, Usage
from vault.tokens import LABEL, PIN, SoftToken, module, seen, token_in, twins

module()

FACTORS = (b"990000sh", b"990100sx", bytes.fromhex("1122334455667788"))
SPIES = (
    "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so",
    "/usr/lib64/pkcs11-spy.so",
)
OVERLAP = 32


@pytest.fixture
def masters() -> dict[str, tuple[Usage, bytes, int]]:
    """Master keys that only this process and the token have: usage, value and levels by label."""
    usages = {
        "TK": (Usage.TRANSPORT, 1),
        "STK": (Usage.MESSAGING, 3),
        "UK": (Usage.EXTERNAL_AUTHENTICATION, 3),
        "DLK": (Usage.LOAD, 3),
        "DTK": (Usage.TAC, 3),
    }
    return {label: (usage, os.urandom(16), levels) for label, (usage, levels) in usages.items()}


@pytest.fixture
def token(tmp_path: Path, masters: dict, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """A token that holds them."""
    token = token_in(tmp_path)
    with seen(token, monkeypatch):
        _, inside = twins(token, [(label, usage, key, levels, 1) for label, (usage, key, levels) in masters.items()])
        inside.close()
    return token


def with_parity(key: bytes) -> bytes:
    """The same DES key as tokens keep it: every byte with an odd number of ones."""
    return bytes(byte & 0xFE | (~(byte >> 1).bit_count() & 1) for byte in key)


def spellings(key: bytes) -> set[bytes]:
    """Each half of the key, as it is and with its parity bits set: bytes that must be nowhere."""
    return {form[start : start + 8] for form in (key, with_parity(key)) for start in (0, 8)}


def chain(key: bytes, *factors: bytes) -> list[bytes]:
    """The key, and every key on the way down."""
    keys = [key]
    for factor in factors:
        keys.append(diversify(keys[-1], factor))
    return keys


def memory(pid: int) -> Iterator[bytes]:
    """All that the process has in its memory, in pieces that overlap."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for line in maps:
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vdso]")):
                continue
            position, end = int(start, 16), int(end, 16)
            while position < end:
                file.seek(position)
                try:
                    piece = file.read(min(end - position, 1 << 24))
                except OSError:  # a mapping that nobody can read
                    break
                yield piece
                if position + len(piece) >= end:
                    break
                position += max(len(piece) - OVERLAP, 1)


def found_in(pid: int, wanted: dict[bytes, str]) -> set[str]:
    """Which of these bytes the process has somewhere."""
    pattern = re.compile(b"|".join(map(re.escape, wanted)))
    return {wanted[match] for piece in memory(pid) for match in pattern.findall(piece)}


def worked(token: SoftToken, library: str, **environment: str) -> subprocess.Popen:
    """A program that has worked with every verb of the token's vault, and waits."""
    program = Path(__file__).with_name("token_work.py")
    worker = subprocess.Popen(
        [sys.executable, program, library, LABEL, *(factor.hex() for factor in FACTORS)],
        env={**token.environment, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    worker.stdin.write(PIN.reveal() + b"\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == b"done\n"
    return worker


def hidden_and_lent(masters: dict) -> tuple[dict[bytes, str], dict[bytes, str]]:
    """What must be nowhere; and the card keys, which must be seen: else the search finds nothing at all."""
    hidden: dict[bytes, str] = {}
    lent: dict[bytes, str] = {}
    for label, (usage, key, levels) in masters.items():
        *above, card_key = chain(key, *FACTORS[-levels:])
        stays = usage in (Usage.TRANSPORT, Usage.MESSAGING)
        for place, value in enumerate([*above, card_key] if stays else above):
            hidden |= dict.fromkeys(spellings(value), f"{label}, {place} levels down")
        if not stays:
            lent[card_key] = label
    return hidden, lent


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs the memory file system of Linux")
def test_no_byte_of_a_master_key_is_in_our_memory(token: SoftToken, masters: dict):
    """Of the transport key, and of keys that are only worked with, not even the card's own."""
    hidden, lent = hidden_and_lent(masters)
    with worked(token, token.module) as worker:
        assert found_in(worker.pid, lent) == set(lent.values())
        assert found_in(worker.pid, hidden) == set()
        worker.stdin.close()
        assert worker.wait(timeout=60) == 0


def test_no_byte_of_a_master_key_comes_out_of_the_token(token: SoftToken, masters: dict, tmp_path: Path):
    spy = next((place for place in SPIES if Path(place).exists()), None)
    if spy is None:
        if os.environ.get("CI") == "true":
            pytest.fail("needs the Debian package opensc-pkcs11: run scripts/debian-packages")
        pytest.skip("needs the Debian package opensc-pkcs11")
    hidden, lent = hidden_and_lent(masters)
    log = tmp_path / "spy.log"
    with worked(token, spy, PKCS11SPY=token.module, PKCS11SPY_OUTPUT=str(log)) as worker:
        worker.stdin.close()
        assert worker.wait(timeout=60) == 0
    said = bytes.fromhex(
        "".join(re.findall(r"^ +[0-9a-f]{8}  ((?:[0-9A-F]{2} ){1,16})", log.read_text(), re.MULTILINE))
    )
    assert {label for key, label in lent.items() if key in said} == set(lent.values())
    assert {place for value, place in hidden.items() if value in said} == set()


def test_a_master_key_is_sensitive_and_cannot_be_extracted(token: SoftToken, monkeypatch: pytest.MonkeyPatch):
    import pkcs11  # noqa: PLC0415 - only where it is installed
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415

    from kaguan.vault.ciphers import Algorithm  # noqa: PLC0415
    from kaguan.vault.pkcs11 import TokenVault  # noqa: PLC0415
    from kaguan.vault.token import TokenAddress, TokenSession  # noqa: PLC0415

    with seen(token, monkeypatch):
        session = TokenSession(TokenAddress(token.module, LABEL), PIN, writes=True)
        vault = TokenVault.opened(session)
        vault.generate("IRK", Usage.INTERNAL_AUTHENTICATION, Algorithm.TDES, levels=3)
        made = vault.guard(KeyRef("IRK"))
        assert made == (True, False, True, True)  # sensitive, extractable, always sensitive, never extractable
        assert vault.guard(KeyRef("IRK").diversified(*FACTORS[:2])) == made
        for label in ("TK", "STK", "UK", "DLK", "DTK"):
            guard = vault.guard(KeyRef(label))
            assert (guard.sensitive, guard.extractable) == (True, False)
            # by the standard, since others had it before it came in
            assert (guard.always_sensitive, guard.never_extractable) == (False, False)

        def attempts(opened: pkcs11.Session) -> None:
            zone = next(iter(opened.get_objects({Attribute.LABEL: "zone"})))
            keys = [
                key
                for key in opened.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.TOKEN: True})
                if key != zone
            ]
            assert len(keys) == 6
            for key in keys:
                with pytest.raises(pkcs11.AttributeSensitive):
                    _ = key[Attribute.VALUE]
                with pytest.raises(pkcs11.KeyUnextractable):
                    zone.wrap_key(key)
                for attribute, value in ((Attribute.SENSITIVE, False), (Attribute.EXTRACTABLE, True)):
                    with pytest.raises(pkcs11.PKCS11Error):
                        key[attribute] = value
                assert not key[Attribute.WRAP]
                assert not key[Attribute.DECRYPT]
                assert key[Attribute.ENCRYPT] is False

        session.run(attempts)
        vault.close()
