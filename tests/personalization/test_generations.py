"""Every generation of cards is made from the sample orders, and read back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.card_os.profile.model import FilesMade
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.cli import card as card_door
from kaguan.emulator.imagefile import load_image
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.cli import order as order_door
from kaguan.personalization.order.holder_rules import HolderRules, absent_columns, layout_of
from kaguan.personalization.order.reading import Holder, open_order
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.specimen import REGION, SERIAL, specimen_card, specimen_holder, specimen_vault
from kaguan.personalization.station.check import CheckVerdict, check_card
from kaguan.personalization.station.recipe import make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin

EXAMPLES = Path(__file__).parents[2] / "examples"
GENERATIONS = ("ssc-v1", "ssc-v2", "ssc-v3")
PROFILES = (
    *GENERATIONS,
    "ssc-v2+all-files",
    "ssc-v2+df04-pin-and-key+df03-pin-and-key",
    "ssc-v2+key-versions",
    "ssc-v3+sm4",
    "ssc-v3+sm4+key-versions+all-files",
    "ssc-v3+sm4+sm4-purse",
)
TODAY = date(2026, 11, 22)


def made(profile: CardProfile, holder: Holder, photo: bytes) -> tuple[EmulatedCard, CardKeys]:
    card = EmulatedCard(blank_chip(profile, SERIAL))
    keys = CardKeys(specimen_vault(profile), profile, REGION, card.atr)
    converse(card, make_card(keys, prepare(profile, holder, photo)))
    card.reset()
    return card, keys


def checked(card: EmulatedCard, keys: CardKeys, holder: Holder, photo: bytes) -> CheckVerdict:
    return converse(card, check_card(keys, holder, photo, Pin.of("123456"), bytes(range(8)), bytes(8)))


def first_holder() -> tuple[Holder, bytes]:
    with open_order(EXAMPLES / "order-3.zip") as order:
        holder = next(order.holders())
        return holder, order.photo(holder)


@pytest.mark.parametrize("name", PROFILES)
def test_a_card_of_the_order_is_made_and_read_back(name: str) -> None:
    profile = load_profile(name)
    holder, photo = first_holder()
    card, keys = made(profile, holder, photo)
    assert checked(card, keys, holder, photo).faults == ()


@pytest.mark.parametrize("name", PROFILES)
def test_the_specimen_reads_back_with_every_field_filled(name: str) -> None:
    profile = load_profile(name)
    card = specimen_card(profile)
    keys = CardKeys(specimen_vault(profile), profile, REGION, card.atr)
    holder = specimen_holder(profile)
    del holder.columns["ssseef0501"], holder.columns["ssseef0503"]
    assert checked(card, keys, holder, b"").faults == ()


@pytest.mark.parametrize(
    ("file", "record", "column"),
    [
        ("DDF1EF06", 1, "ssseef0609"),
        ("DDF1DF02EF15", 2, "df02ef1599"),
        ("DDF1DF03EF06", 9, "df03ef064a"),
        ("DDF1DF07EF06", 0, "df07ef06f5"),
    ],
)
def test_another_value_on_the_card_is_told(file: str, record: int, column: str) -> None:
    profile = load_profile("ssc-v3")
    card = specimen_card(profile)
    keys = CardKeys(specimen_vault(profile), profile, REGION, card.atr)
    address = bytes.fromhex("3F00" + file)
    stored = card.image.files[address]
    changed = stored.records[record][:-1] + b"\x31"
    if changed == stored.records[record]:
        changed = stored.records[record][:-1] + b"\x32"
    records = (*stored.records[:record], changed, *stored.records[record + 1 :])
    spoiled = card.image._replace(files={**card.image.files, address: stored._replace(records=records)})
    holder = specimen_holder(profile)
    del holder.columns["ssseef0501"], holder.columns["ssseef0503"]
    faults = checked(EmulatedCard(spoiled), keys, holder, b"").faults
    assert len(faults) == 1
    assert column in faults[0] or "field" in faults[0]


@pytest.mark.parametrize("name", GENERATIONS)
@pytest.mark.parametrize("order", ["order-3.zip", "order-200.zip"])
def test_the_sample_orders_are_good(name: str, order: str) -> None:
    profile = load_profile(name)
    rules = HolderRules(today=TODAY, layout=layout_of(profile), absent=absent_columns(profile))
    assert check_order(EXAMPLES / order, rules).ok


@pytest.mark.parametrize("name", GENERATIONS)
def test_the_doors(name: str, tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(order_door, ["check", str(EXAMPLES / "order-3.zip"), "--profile", name]).exit_code == 0
    assert run(card_door, ["new", str(tmp_path / "a.card"), "--profile", name]).exit_code == 0
    assert load_image(tmp_path / "a.card").profile == name
    shown = run(card_door, ["show", str(tmp_path / "a.card")])
    assert "DF01/EF15/fields/40 study: 080,201207,测试大学" in shown.output
    assert "unreadable" not in shown.output


def test_optional_files_stay_empty_unless_ordered() -> None:
    holder, photo = first_holder()
    profile = load_profile("ssc-v2")
    optional = bytes.fromhex("3F00DDF1DF07EF05")
    assert profile.files_made is FilesMade.ORDERED
    assert made(profile, holder, photo)[0].image.files[optional].records == ()
    every, _ = made(load_profile("ssc-v2+all-files"), holder, photo)
    assert len(every.image.files[optional].records) == 5
    holder.columns["df07ef05f1"] = "测试"
    card, keys = made(profile, holder, photo)
    assert len(card.image.files[optional].records) == 5
    assert checked(card, keys, holder, photo).good
