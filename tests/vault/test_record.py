"""The record of a store: whatever is changed in it is noticed, and where."""

from __future__ import annotations

import json
import random as seeded
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.errors import NeedsSecondPerson, VaultError
from kaguan.vault.custodian import enrol
from kaguan.vault.record import Entry, RecordBroken, next_entry, verify_record
from kaguan.vault.sealing import SealingCost, StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.vault import WrongPassphrase

LUCK = seeded.Random(11).randbytes
CHEAP = SealingCost(memory_kib=8, iterations=1, lanes=1)
WANG, LI, ZHAO, EVE, EVIL = (
    enrol(name, Secret(f"passphrase of {name}".encode()), StoreKind.TEST, LUCK, CHEAP)
    for name in ("Wang", "Li", "Zhao", "Eve", "Evil")
)


def entry(last: Entry | None, *people, new=(), step: str = "activate") -> Entry:  # type: ignore[no-untyped-def]
    return next_entry(
        last,
        time="2026-11-01T08:00:00+00:00",
        store="S1",
        step=step,
        about={"keys": ["钥.1"]},
        people=people,
        new=[person.custodian for person in new],
    )


def a_record() -> list[Entry]:
    first = entry(None, WANG, LI, new=(WANG, LI), step="ceremony")
    second = entry(first, LI, WANG)
    third = entry(second, WANG, LI, ZHAO, new=(ZHAO,), step="ceremony")
    return [first, second, third, entry(third, ZHAO, LI, step="destroy")]


RECORD = a_record()
LINES = [entry.line for entry in RECORD]


def test_a_record_verifies_by_itself() -> None:
    assert verify_record(LINES) == RECORD


@given(st.data())
@settings(max_examples=200)
def test_any_changed_character_is_noticed_no_later_than_the_next_line(data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(LINES) - 1))
    line = LINES[which]
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.sampled_from([c for c in '0123456789abcdefgW"{}:,z' if c != line[at]]))
    lines = [*LINES[:which], line[:at] + other + line[at + 1 :], *LINES[which + 1 :]]
    with pytest.raises(RecordBroken) as broken:
        verify_record(lines)
    assert broken.value.line == which + 1


@pytest.mark.parametrize(
    "lines", [[], LINES[1:], [LINES[0], *LINES[2:]], [LINES[1], LINES[0]], [*LINES, LINES[0]], [""]]
)
def test_lines_that_are_missing_swapped_or_too_many(lines: list[str]) -> None:
    with pytest.raises(RecordBroken):
        verify_record(lines)


def forged(at: int, **changes: object) -> list[str]:
    """The record up to there, its last entry changed and signed anew by those who signed it."""
    new = RECORD[at]._replace(**changes)  # type: ignore[arg-type]
    signers = {signer.name: signer for signer in (WANG, LI, ZHAO, EVE, EVIL)}
    signed = new._replace(signatures={name: signers[name].sign(new.message()).hex() for name in new.signatures})
    return [*LINES[:at], signed.line]


def test_strangers_cannot_sign_nor_introduce_themselves() -> None:
    both = {"eve": EVE.custodian.public.hex(), "evil": EVIL.custodian.public.hex()}
    strangers = {"eve": "", "evil": ""}
    with pytest.raises(RecordBroken, match="never introduced"):
        verify_record(forged(1, signatures=strangers))
    with pytest.raises(RecordBroken, match="fewer than two"):
        verify_record(forged(1, signatures=strangers, custodians=both))
    with pytest.raises(RecordBroken, match="fewer than two"):
        verify_record(forged(1, signatures={"wang": "", **strangers}, custodians=both))
    with pytest.raises(RecordBroken, match="known already"):
        verify_record(forged(1, custodians={"wang": EVE.custodian.public.hex()}))
    with pytest.raises(RecordBroken, match="fewer than two"):
        verify_record(forged(1, signatures={"wang": ""}))
    with pytest.raises(RecordBroken, match="another store"):
        verify_record(forged(1, store="S2"))
    with pytest.raises(RecordBroken, match="signature of wang is wrong"):
        verify_record([LINES[0], RECORD[1]._replace(signatures={**RECORD[1].signatures, "wang": "00" * 64}).line])


@given(
    st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
@settings(max_examples=50)
def test_any_json_is_refused(value: object) -> None:
    with pytest.raises(RecordBroken):
        verify_record([json.dumps(value)])
    with pytest.raises(RecordBroken):
        verify_record([json.dumps({**RECORD[0]._asdict(), "signatures": value})])


def test_one_person_is_not_two() -> None:
    for people in ((), (WANG,), (WANG, WANG)):
        with pytest.raises(NeedsSecondPerson):
            entry(None, *people)


def test_a_custodian_needs_the_own_passphrase() -> None:
    custodian = WANG.custodian
    assert custodian.present(Secret(b"passphrase of Wang")).sign(b"x") == WANG.sign(b"x")
    with pytest.raises(WrongPassphrase, match="not the passphrase of wang") as refused:
        custodian.present(Secret("短".encode() * 5))
    assert "短" not in "".join(traceback.format_exception(refused.value, limit=0))
    with pytest.raises(VaultError, match="at least 8"):
        enrol("Qian", Secret(b"short"), StoreKind.TEST, LUCK, CHEAP)
    assert custodian.fingerprint in repr(custodian)
    assert custodian.sealed.hex() not in repr(custodian)
