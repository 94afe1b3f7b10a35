"""Published and real-card values decide whether the primitives are right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kaguan.apdu.command import CommandApdu
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.diversify import diversify, fold
from kaguan.vault.mac import cbc_mac8, mac4, mac8
from kaguan.vault.messaging import Scheme, protect

Step = dict[str, Any]
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "crypto.json").read_text(encoding="utf-8"))["vectors"]
CORRECTED = {("extauth-ff8-page-error", "answer"): "82FF03170A736640"}


def _of(step: Step, field: str) -> bytes:
    return bytes.fromhex(step.get(field) or "")


def _cipher_of(step: Step) -> Any:
    key = _of(step, "key")
    return cipher(key, Algorithm.DES if len(key) == 8 else Algorithm.TDES)


def _cryptogram(step: Step) -> bytes:
    sent = protect(_cipher_of(step), Scheme.PBOC, CommandApdu(4, 0, 0, 0, _of(step, "data")), bytes(4), encrypted=True)
    return sent.data[:-4]


OPERATIONS: dict[str, Callable[[Step], bytes]] = {
    "3des_ecb": lambda step: _cipher_of(step).encrypt(_of(step, "data")),
    "3des_ecb_dec": lambda step: _cipher_of(step).decrypt(_of(step, "data")),
    "sm4_ecb": lambda step: cipher(_of(step, "key"), Algorithm.SM4).encrypt(_of(step, "data")),
    "des_mac4": lambda step: mac4(_cipher_of(step), _of(step, "data"), _of(step, "iv")),
    "retail_mac4": lambda step: mac4(_cipher_of(step), _of(step, "data"), _of(step, "iv")),
    "retail_mac8": lambda step: mac8(_cipher_of(step), _of(step, "data"), _of(step, "iv")),
    "3des_cbc_mac8": lambda step: cbc_mac8(_cipher_of(step), _of(step, "data"), _of(step, "iv")),
    "xor_halves": lambda step: fold(_of(step, "key")),
    "pboc_diversify": lambda step: diversify(_of(step, "key"), _of(step, "data"), Algorithm.TDES),
    "sm4_diversify": lambda step: diversify(_of(step, "key"), _of(step, "data"), Algorithm.SM4),
    "sm_encrypt": _cryptogram,
}


def _steps() -> Iterator[Any]:
    for vector in VECTORS:
        for step in vector["steps"]:
            if step["op"] in OPERATIONS:
                yield pytest.param(vector, step, id=f"{vector['name']}-{step['name']}")


@pytest.mark.parametrize(("vector", "step"), list(_steps()))
def test_published_value(vector: dict[str, Any], step: Step) -> None:
    made = OPERATIONS[step["op"]](step).hex().upper()
    if vector["verified"]:
        assert made == step["out"]
    else:
        assert made != step["out"], "the page's value is known to be wrong"
        assert made == CORRECTED[vector["name"], step["name"]]


def test_every_operation_of_this_room_is_in_the_vectors() -> None:
    assert set(OPERATIONS) <= {step["op"] for vector in VECTORS for step in vector["steps"]}


def _check_values() -> Iterator[Any]:
    """Every 3DES key whose check value a source prints: GlobalPlatform's default, a DGI 9000, EMV CPS."""
    for vector in VECTORS:
        printed = vector["context"].get("kcv") or vector["context"].get("dgi9000") or ""
        for step in vector["steps"]:
            if step["op"] == "3des_ecb" and printed and not int(step["data"], 16):
                yield pytest.param(step["key"], "".join(printed), id=f"{vector['name']}-{step['name']}")


@pytest.mark.parametrize(("key", "printed"), list(_check_values()))
def test_check_value(key: str, printed: str) -> None:
    made = str(check_value(bytes.fromhex(key), Algorithm.TDES))
    assert made in [printed[start : start + 6] for start in range(0, len(printed), 6)]
