"""The way to the bank and back: request, answer, account map."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from house.tree import ROOT
from kaguan.card_os.profile import load_profile
from kaguan.personalization.formats.accounts import write_map
from kaguan.personalization.formats.cli import bank
from kaguan.personalization.formats.layout import FixedLayout, load_layout
from kaguan.personalization.formats.recordfile import RecordFile, RecordFileName, write_records
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.holder_rules import HolderRules, absent_columns, layout_of
from kaguan.personalization.order.reading import OrderFile, open_order
from personalization.orders import Order

pytestmark = pytest.mark.slow

TIME = "20261122090000"
REQUEST, ANSWER, MAP = (load_layout(name) for name in ("open-request", "open-answer", "account-map"))


NOTHING: Mapping[int, Mapping[str, str]] = {}


def run(*words: object) -> Result:
    return CliRunner().invoke(bank, [str(word) for word in words])


@pytest.fixture
def order(tmp_path) -> Path:
    """An order of five holders in two tasks, one of them with a long minority name, without bank card numbers."""
    made = Order()
    for number in range(1, 6):
        made.row(number)["bank_card_no"] = ""
    made.row(4).update({"ssseef0609": "玛丽亚木·阿卜杜热合曼·艾力江", "ssseef064e": "诺娃"})
    return made.write(tmp_path / "order.zip")


def requested(order: Path, folder: Path) -> list[Mapping[str, str]]:
    result = run("request", order, "--out", folder, "--timestamp", TIME)
    assert result.exit_code == 0, result.output
    with RecordFile(folder / f"SH_0000000009_000000000095588_{TIME}", REQUEST) as records:
        return [record.values for record in records]


def answered(
    order: Path, folder: Path, refused: Mapping[int, str], spoil: Mapping[int, Mapping[str, str]] = NOTHING
) -> Path:
    """The bank's answer: these rows are refused for these reasons, and these records say something else."""
    answers = []
    for number, asked in enumerate(requested(order, folder), 1):
        own = {one.name: asked[one.name] for one in ANSWER.fields if one.name in asked and not one.reserved}
        reason = refused.get(number, "")
        answers.append({**own, "flag": "0" if reason else "1", "reason": reason, **spoil.get(number, {})})
    return stored(folder, ANSWER, answers)


def stored(folder: Path, layout: FixedLayout, records: list[dict[str, str]]) -> Path:
    path = folder / RecordFileName(layout.prefix, "0000000009", "95588", TIME).file_name
    with path.open("wb") as stream:
        write_records(stream, layout, len(records), records)
    return path


def test_a_request_asks_for_every_holder(order, tmp_path):
    asked = requested(order, tmp_path)
    with open_order(order) as opened:
        people = list(opened.holders())
    assert [one["cert_no"] for one in asked] == [person.id_no for person in people]
    assert [(one["seq"], one["task_id"]) for one in asked] == [(p.columns["data_seq"], p.task_id) for p in people]
    assert asked[3]["name"] == "玛丽亚木·阿卜杜热合曼·艾力江"
    assert (asked[0]["mobile"], asked[0]["country"], asked[0]["guardian_name"]) == ("19900000000", "156", "")
    again = run("request", order, "--out", tmp_path, "--timestamp", TIME)
    assert again.exit_code != 0
    assert "is there already" in str(again.exception)


def test_all_that_keeps_holders_out_of_a_request_is_told(tmp_path):
    made = Order()
    made.row(2)["ssseef060c"] = "9901011"
    made.row(5)["df01ef0930"] = "x" * 21
    result = run("request", made.write(tmp_path / "order.zip"), "--out", tmp_path)
    assert result.exit_code == 7
    assert "row 2 (line 5): birthplace: 7 bytes do not fit in 6" in result.output
    assert "row 5 (line 10): unit_no: 21 bytes do not fit in 20" in result.output
    assert list(tmp_path.glob("SH*")) == []


def test_the_refused_are_told_and_left_out(order, tmp_path):
    file = answered(order, tmp_path, {2: "证件号990101195003070023已开户", 5: "黑名单"})
    out = tmp_path / "new.zip"
    result = run("answer", file, "--order", order, "--out", out)
    assert result.exit_code == 0, result.output
    assert "row 2 (line 5): refused: 证件号9901**************已开户" in result.output
    assert "row 5 (line 10): refused: 黑名单" in result.output
    assert "3 opened, 2 refused" in result.output
    with open_order(out) as left, open_order(order) as before:
        assert [one.row for one in left.holders()] == [1, 3, 4]
        assert [left.photo(one) for one in left.holders()] == [before.photo(one) for one in left.holders()]


def test_a_task_without_anybody_is_left_out(order, tmp_path):
    file = answered(order, tmp_path, {4: "x", 5: "x"})
    assert run("answer", file, "--order", order, "--out", tmp_path / "new.zip").exit_code == 0
    with OrderFile(tmp_path / "new.zip") as left:
        assert [one.row for one in left.holders()] == [1, 2, 3]


SPOILT = [
    ({1: {"name": "别人"}}, "row 1 (line 4): name: differs in record 1"),
    ({2: {"cert_no": "990101195003070000"}}, "row 2 (line 5): record: the bank's file has no record of this person"),
    ({2: {"cert_no": "990101195003070000"}}, "file: line 2, record: record 2 belongs to no holder of the order"),
    ({3: {"task_id": "T9"}}, "row 3 (line 6): task_id: differs in record 3"),
    ({3: {"flag": "9"}}, "row 3 (line 6): flag: neither opened nor refused"),
    ({3: {"flag": "0"}}, "row 3 (line 6): reason: is empty though refused"),
]


@pytest.mark.parametrize(("spoil", "reason"), SPOILT, ids=[reason for _, reason in SPOILT])
def test_an_answer_that_does_not_match_is_refused(order, tmp_path, spoil, reason):
    file = answered(order, tmp_path, {}, spoil)
    result = run("answer", file, "--order", order, "--out", tmp_path / "new.zip")
    assert result.exit_code == 7
    assert reason in result.output
    assert not (tmp_path / "new.zip").exists()


def test_a_person_twice_is_told(order, tmp_path):
    first = requested(order, tmp_path)[0]["cert_no"]
    (tmp_path / f"SH_0000000009_000000000095588_{TIME}").unlink()
    result = run("answer", answered(order, tmp_path, {}, {2: {"cert_no": first}}), "--order", order)
    assert "record 2 is of the same person as record 1" in result.output
    assert first not in result.output


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("answer.txt", "is not named RH_<batch>_<bank>_<time>"),
        (f"RH_0000000008_000000000095588_{TIME}", "is of batch 0000000008, the order of 0000000009"),
        (f"RH_0000000009_000000000095599_{TIME}", "is of bank 95599, the order of 95588"),
    ],
)
def test_another_batchs_file_is_refused(order, tmp_path, name, reason):
    file = answered(order, tmp_path, {}).rename(tmp_path / name)
    assert reason in str(run("answer", file, "--order", order).exception)


def mapped(order: Path, folder: Path, spoil: Mapping[int, Mapping[str, str]] = NOTHING) -> tuple[Path, list[str]]:
    """The bank's map, in another sequence than the order's, and the numbers in the order's sequence."""
    numbers = [row["bank_card_no"] for row in (Order().row(n) for n in range(1, 6))]
    records = []
    for place, asked in enumerate(requested(order, folder)):
        own = {one.name: asked[one.name] for one in MAP.fields if one.name in asked and not one.reserved}
        more = {"bank_card_no": numbers[place], "account_no": f"6{place:015d}", **spoil.get(place + 1, {})}
        records.append({**own, **more})
    return stored(folder, MAP, records[::-1]), numbers


def test_bank_card_numbers_come_into_the_order(order, tmp_path):
    file, numbers = mapped(order, tmp_path)
    profile = load_profile("ssc-v2")
    rules = HolderRules(today=date(2026, 11, 22), layout=layout_of(profile), absent=absent_columns(profile))
    assert {fault.column for fault in check_order(order, rules).row_faults} == {"bank_card_no"}
    result = run("accounts", file, "--order", order, "--out", tmp_path / "new.zip")
    assert result.exit_code == 0, result.output
    with open_order(tmp_path / "new.zip") as filled:
        assert [one.bank_card_no for one in filled.holders()] == numbers
    assert check_order(tmp_path / "new.zip", rules).ok
    assert not any(number in result.output for number in numbers)


WRONG = [
    ({2: {"bank_card_no": "6229999900000000905"}}, "row 2 (line 5): bank_card_no: is not 13 to 19 digits"),
    ({2: {"name": "别人"}}, "row 2 (line 5): name: differs in record 4"),
    ({2: {"cert_no": "990101195003070000"}}, "row 2 (line 5): record: the bank's file has no record of this person"),
]


@pytest.mark.parametrize(("spoil", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_a_map_that_does_not_match_is_refused(order, tmp_path, spoil, reason):
    file, _ = mapped(order, tmp_path, spoil)
    result = run("accounts", file, "--order", order, "--out", tmp_path / "new.zip")
    assert result.exit_code == 7
    assert reason in result.output
    assert not (tmp_path / "new.zip").exists()


def test_a_number_that_the_order_has_is_never_replaced(order, tmp_path):
    other = Order()
    other.row(4).update({"ssseef0609": "玛丽亚木·阿卜杜热合曼·艾力江", "ssseef064e": "诺娃"})
    other.row(1)["bank_card_no"] = Order().row(2)["bank_card_no"]
    file, _ = mapped(order, tmp_path)
    result = run("accounts", file, "--order", other.write(tmp_path / "o.zip"), "--out", tmp_path / "new.zip")
    assert "row 1 (line 4): bank_card_no: is another one in record 5 than the order has already" in result.output


def test_a_map_is_written_from_an_order(tmp_path):
    path = tmp_path / f"BK_0000000009_000000000095588_{TIME}"
    with open_order(Order().write(tmp_path / "order.zip")) as order, path.open("wb") as stream:
        assert write_map(stream, order, MAP) == 5
    with RecordFile(path, MAP) as records:
        assert [one.values["bank_card_no"] for one in records] == [Order().row(n)["bank_card_no"] for n in range(1, 6)]


def test_layouts_can_be_printed_and_given_back(order, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(run("layout", "open-request").output.replace('"crlf"', '"none"'), encoding="utf-8")
    assert run("request", order, "--out", tmp_path, "--timestamp", TIME, "--layout", own).exit_code == 0
    size = (tmp_path / f"SH_0000000009_000000000095588_{TIME}").stat().st_size
    assert size == 28 + 5 * 589


def test_the_example_orders_go_to_the_bank(tmp_path):
    assert run("request", ROOT / "examples" / "order-200.zip", "--out", tmp_path).exit_code == 0
