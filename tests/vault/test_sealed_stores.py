"""A sealed store that opens and holds something else than keys: one refusal, whatever it is."""

from __future__ import annotations

import json
import traceback
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.vault.sealing import SealedStoreMalformed, SealingCost, StoreKind, seal
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault

PASSPHRASE = Secret(b"open sesame")
CHEAP = SealingCost(memory_kib=8, iterations=1, lanes=1)
VALUE = "0123456789abcdef" * 2
ENTRY: dict[str, object] = {
    "label": "TK",
    "version": 1,
    "algorithm": "3des",
    "usage": "transport",
    "levels": 1,
    "key": VALUE,
}


def opened(payload: bytes) -> SoftwareVault:
    return SoftwareVault.opened(seal(payload, StoreKind.TEST, PASSPHRASE, Random(1).randbytes, CHEAP), PASSPHRASE)


def test_the_entry_is_good_by_itself() -> None:
    (info,) = opened(json.dumps([ENTRY]).encode()).infos()
    assert (info.label, info.levels) == ("TK", 1)


@pytest.mark.parametrize(
    "payload",
    [b"\xff{", b'{"a":1}', b"5", b"null", b"[" * 100_000, json.dumps([ENTRY, ENTRY]).encode()],
    ids=["no text", "a table", "a number", "nothing", "deep", "one key twice"],
)
def test_a_payload_that_is_no_list_of_keys(payload: bytes) -> None:
    with pytest.raises(SealedStoreMalformed, match="entry"):
        opened(payload)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "zz"},
        {"key": 7},
        {"key": VALUE[:8]},
        {"label": 7},
        {"version": "1"},
        {"algorithm": "aes"},
        {"usage": VALUE},
        {"levels": "x"},
        {"levels": -1},
        {"levels": True},
        {"more": 1},
        {"key": None},
    ],
    ids=str,
)
def test_an_entry_with_a_wrong_field(change: dict[str, object]) -> None:
    with pytest.raises(SealedStoreMalformed) as refused:
        opened(json.dumps([ENTRY | change]).encode())
    assert VALUE not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("field", ENTRY)
def test_an_entry_without_a_field(field: str) -> None:
    with pytest.raises(SealedStoreMalformed):
        opened(json.dumps([{name: value for name, value in ENTRY.items() if name != field}]).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ENTRY, "x"]), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=50)
def test_any_json_is_a_vault_or_refused(value: object) -> None:
    try:
        vault = opened(json.dumps(value).encode())
    except SealedStoreMalformed:
        return
    assert not list(vault.infos())
