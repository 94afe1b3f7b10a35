"""How a key store in a token is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.personalization.keys.tokenstore import TokenStore, TokenStoreMalformed, pin_in, store_of

labels = st.text(min_size=1, max_size=32).filter(lambda text: not set(text) & set("=?;&%#") and text.isprintable())
paths = st.none() | st.just(Path("/etc/kaguan/pin of 制卡")) | st.just(Path("/usr/lib/x.so"))


@given(labels, paths, paths)
def test_a_name_is_read_as_it_was_written(label: str, module: Path | None, pin: Path | None):
    store = TokenStore(label, module, pin)
    assert store_of(str(store)) == store


@given(labels)
def test_the_label_alone_is_a_name(label: str):
    assert store_of(f"pkcs11:{label}") == TokenStore(label)


def test_a_file_is_a_file():
    assert store_of("keys/live.store") == Path("keys/live.store")


@pytest.mark.parametrize(
    "text",
    ["pkcs11:", "pkcs11:token=", "pkcs11:token=a?pin-source=x&pin=1", "pkcs11:object=a", "pkcs11:token=a;slot-id=1"],
)
def test_names_that_name_no_token(text: str):
    with pytest.raises(TokenStoreMalformed, match="names no token"):
        store_of(text)


def test_a_pin_is_not_taken_from_a_command_line():
    with pytest.raises(TokenStoreMalformed, match="does not belong") as refused:
        store_of("pkcs11:token=a?pin-value=12345678")
    assert "12345678" not in str(refused.value)


def test_a_name_is_found_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pin").write_text("1234\n")
    store = TokenStore("a", None, Path("pin")).resolve()
    monkeypatch.chdir("/")
    assert pin_in(store).reveal() == b"1234"
