"""What is missing for keys in tokens is named, with the command that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaguan.apdu.errors import VaultError
from kaguan.doctor.checks import CHECKS, Missing
from kaguan.personalization.keys import tokenstore
from kaguan.personalization.keys.tokenstore import MODULE, TokenStore, open_token
from kaguan.vault.secret import Secret
from vault.tokens import module

LIBRARY = next(check.look for check in CHECKS if check.name == "token library")


def test_the_library_that_is_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    library = module()
    monkeypatch.delenv(MODULE, raising=False)
    assert Path(LIBRARY()).name == Path(library).name
    monkeypatch.setenv(MODULE, library)
    assert LIBRARY() == library


def test_a_library_that_is_not_there_or_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(MODULE, str(tmp_path / "absent.so"))
    with pytest.raises(Missing, match="which is not there") as missing:
        LIBRARY()
    assert f"unset {MODULE}" in missing.value.remedy
    other = tmp_path / "other.so"
    other.write_bytes(b"no library")
    monkeypatch.setenv(MODULE, str(other))
    with pytest.raises(Missing, match="no PKCS#11 library"):
        LIBRARY()


def test_no_library_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(MODULE, raising=False)
    monkeypatch.setattr(tokenstore, "_MODULES", (str(tmp_path / "absent.so"),))
    with pytest.raises(Missing) as missing:
        LIBRARY()
    assert "apt-get install softhsm2" in missing.value.remedy
    with pytest.raises(VaultError, match="apt-get install softhsm2"):
        open_token(TokenStore("bureau"), Secret(b"1234"))
