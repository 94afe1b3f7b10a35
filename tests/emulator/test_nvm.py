"""The journal: a group is done whole or not at all, however often the power fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import PIN_ADDRESS, SSSE, specimen
from kaguan.card_os.image import CardImage
from kaguan.card_os.writes import Group, PutBytes, PutPin, PutRecord, apply
from kaguan.emulator.nvm import Nvm, Power, PowerLost

PHOTO = SSSE + bytes.fromhex("EF08")
ISSUER = SSSE + bytes.fromhex("EF05")

WRITES = st.one_of(
    st.builds(PutBytes, st.just(PHOTO), st.integers(0, 100), st.binary(min_size=1, max_size=8)),
    st.builds(PutRecord, st.just(ISSUER), st.integers(0, 6), st.binary(min_size=2, max_size=8)),
    st.integers(0, 3).map(lambda tries: PutPin(PIN_ADDRESS, specimen().pins[PIN_ADDRESS]._replace(tries_left=tries))),
)
GROUPS = st.lists(st.lists(WRITES, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3)


class Kept:
    """A storage that fails when told to."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.full = False

    def append(self, group: Group) -> None:
        if self.full:
            raise OSError("the disk is full")
        self.groups.append(group)


def all_states(groups: list[Group]) -> list[CardImage]:
    images = [specimen()]
    for group in groups:
        images.append(apply(images[-1], group))
    return images


@given(GROUPS, st.integers(0, 40), st.lists(st.integers(0, 6), max_size=3))
def test_a_group_is_whole_or_nothing(groups: list[Group], cut: int, recovery_cuts: list[int]) -> None:
    power, storage = Power(), Kept()
    nvm = Nvm(specimen(), power=power, storage=storage)
    power.cut_after(cut)
    done = 0
    try:
        for group in groups:
            nvm.commit(group)
            done += 1
    except PowerLost:
        for recovery_cut in recovery_cuts:
            power.cut_after(recovery_cut)
            try:
                nvm.recover()
            except PowerLost:
                continue
        power.restore()
        nvm.recover()
    assert len(storage.groups) in (done, done + 1)
    assert nvm.image == all_states(groups)[len(storage.groups)]


@given(GROUPS)
def test_every_write_is_absolute(groups: list[Group]) -> None:
    """Done twice is done once: what lets recovery begin again."""
    for group in groups:
        once = apply(specimen(), group)
        assert apply(once, group) == once


@given(GROUPS)
def test_writes_share_all_that_they_do_not_change(groups: list[Group]) -> None:
    before = specimen()
    after = all_states(groups)[-1]
    assert after.keys is before.keys
    assert after.dedicated is before.dedicated
    for address, file in before.files.items():
        if address not in (PHOTO, ISSUER):
            assert after.files[address] is file
    assert before == specimen()


@pytest.mark.parametrize("steady", [True, False])
def test_a_group_that_cannot_be_stored_is_forgotten(steady: bool) -> None:
    power, storage = Power(), Kept()
    nvm = Nvm(specimen(), power=power, storage=storage)
    if not steady:
        power.cut_after(1000)
    storage.full = True
    with pytest.raises(OSError, match="full"):
        nvm.commit((PutBytes(PHOTO, 0, b"lost"),))
    storage.full = False
    kept = (PutBytes(PHOTO, 4, b"kept"),)
    nvm.commit(kept)
    assert storage.groups == [kept]
    assert nvm.image == apply(specimen(), kept)


def test_power_counts_its_writes() -> None:
    power = Power()
    power.cut_after(2)
    power.spend()
    power.spend()
    with pytest.raises(PowerLost):
        power.spend()
    power.restore()
    assert power.steady
    power.spend()
    assert power.writes == 3
