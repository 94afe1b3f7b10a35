"""PINs and passphrases from files and keyboards."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaguan.apdu.errors import VaultError
from kaguan.personalization.keys.secretfile import line_in, typed_line
from kaguan.vault.secret import Secret


@pytest.mark.parametrize("raw", [b"1234", b"1234\n", b" 1234\r\n"])
def test_the_white_space_around_a_line_is_left_out(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "pin"
    file.write_bytes(raw)
    assert line_in(file) == Secret(b"1234")
    assert typed_line(raw, "PIN") == Secret(b"1234")


@pytest.mark.parametrize("raw", [b"", b" \n", b"1234\n5678\n"])
def test_what_is_no_line_is_told_and_not_shown(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "pin"
    file.write_bytes(raw)
    with pytest.raises(VaultError, match="is one line, and not an empty one") as refused:
        line_in(file)
    assert str(file) in str(refused.value)
    assert "1234" not in str(refused.value).replace(str(file), "")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be read: No such file"):
        line_in(tmp_path / "none")
    with pytest.raises(VaultError, match="cannot be read: Is a directory"):
        line_in(tmp_path)
