"""An order is read exactly, or told everything that is wrong with it."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.errors import OrderError
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.reading import FieldKey, Holder, OrderName, card_field, open_order
from kaguan.personalization.order.reading import Task as ReadTask
from personalization.orders import LIST_NAME, PHOTO, RULES, Order, Task, holder, photo

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "order.zip"


@pytest.mark.parametrize(("name", "tasks", "holders"), [("order-3", 1, 3), ("order-200", 4, 200)])
def test_the_sample_orders_are_good(name: str, tasks: int, holders: int) -> None:
    example = EXAMPLES / f"{name}.zip"
    report = check_order(example, RULES)
    assert json.loads("".join(report.as_json())) == {"good": holders, "faults": []}
    with open_order(example) as order:
        entries = list(order)
        assert sum(isinstance(entry, ReadTask) for entry in entries) == tasks
        rows = [entry for entry in entries if isinstance(entry, Holder)]
        assert [row.row for row in rows] == list(range(1, holders + 1))
        assert all(order.photo(row).startswith(b"\xff\xd8") for row in rows)


def test_a_holder_shows_its_columns(path: Path) -> None:
    made = Order()
    made.row(1).update(ssseef0609="阿卜杜拉·买买提·吐尔逊江𠮷", ssseef064e="吐尔逊江")
    with open_order(made.write(path)) as order:
        first = next(order.holders())
    row = holder(1)
    assert first.name == "阿卜杜拉·买买提·吐尔逊江𠮷吐尔逊江"
    assert (first.row, first.line, first.task_id) == (1, 4, "T1")
    assert (first.id_no, first.card_no, first.bank_card_no) == (
        row["cert_no"],
        row["ssseef0507"],
        row["bank_card_no"],
    )
    assert first.field("DF01", "EF05", 0x20) == "10"
    assert first.field("DF07", "EF05", 0x20) is None
    assert row["cert_no"] not in repr(first)


def test_names_of_columns_and_files() -> None:
    assert card_field("ssseef064e") == FieldKey("SSSE", "EF06", 0x4E)
    assert card_field("df01ef0a37") == FieldKey("DF01", "EF0A", 0x37)
    assert card_field("cert_no") is None
    assert FieldKey("SSSE", "EF06", 0x4E).column == "ssseef064e"
    name = OrderName.parse("P_0000000001_20261101080000_V01_S_0_990100_95588_0012.txt")
    assert name is not None
    assert (name.batch, name.city, name.bank, name.outlet) == ("0000000001", "990100", "95588", "0012")


# Each spoils one thing; what it must be told is (row, column) each, in the report's sequence.

Spoil = Callable[[Order], object]


def _retell(order: Order, change: Callable[[bytes], bytes]) -> None:
    order.raw_list = change(order.list_bytes())


def _member(name: str, raw: bytes = b"x", *, mode: int = 0o600, method: int = 0) -> Spoil:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = method
    return lambda order: order.extra.append((info, raw))


def _photo(number: int, raw: bytes) -> Spoil:
    return lambda order: order.photo_bytes().update({order.row(number)["cert_no"]: raw})


FILE_SPOILS: dict[str, tuple[Spoil, list[tuple[int, str]]]] = {
    "no task list": (lambda o: setattr(o, "list_name", ""), [(0, "zip")]),
    "two task lists": (_member(LIST_NAME.replace("V01", "V02")), [(0, "zip")]),
    "name pattern": (lambda o: setattr(o, "list_name", "order.txt"), [(0, "name")]),
    "name's time": (lambda o: setattr(o, "list_name", LIST_NAME.replace("1101", "1341")), [(0, "name")]),
    "name's bank": (
        lambda o: setattr(o, "list_name", LIST_NAME.replace("95588", "95599")),
        [(0, "bank_id"), (0, "bank_id")],
    ),
    "path in a member": (_member("../990101.jpg", PHOTO), [(0, "zip")]),
    "folder": (_member("photos/"), [(0, "zip")]),
    "link": (_member("990101.jpg", mode=stat.S_IFLNK | 0o777), [(0, "zip")]),
    "nested zip": (_member("more.zip"), [(0, "zip")]),
    "strange compression": (_member("990101.jpg", PHOTO, method=zipfile.ZIP_LZMA), [(0, "zip")]),
    "greedy photo": (
        _member("990101.jpg", bytes(10_000_000), method=zipfile.ZIP_DEFLATED),
        [(0, "zip")],
    ),
    "extra photo": (_member("990101199003070015.jpg", PHOTO), [(0, "photo")]),
    "task header": (lambda o: setattr(o, "task_header", o.task_header + "|x"), [(0, "header")]),
    "holder header": (
        lambda o: setattr(o, "holder_header", o.holder_header.replace("ssseef060b", "ssseef06ff")),
        [(0, "header")],
    ),
    "header order": (
        lambda o: setattr(o, "holder_header", o.holder_header.replace("data_seq|customer_id", "customer_id|data_seq")),
        [(0, "header")],
    ),
    "both headers": (
        lambda o: (setattr(o, "task_header", "a"), setattr(o, "holder_header", "b")),
        [(0, "header"), (0, "header")],
    ),
    "UTF-8": (lambda o: setattr(o, "encoding", "utf-8"), [(0, "code_page")]),
    "UTF-8 with mark": (lambda o: setattr(o, "encoding", "utf-8-sig"), [(0, "code_page")]),
    "UTF-16": (lambda o: setattr(o, "encoding", "utf-16"), [(0, "code_page")]),
    "line ends": (lambda o: setattr(o, "line_end", "\n"), [(0, "line")]),
    "empty list": (lambda o: setattr(o, "raw_list", b""), [(0, "header"), (0, "header")]),
    "no tasks": (lambda o: (o.photo_bytes().clear(), o.tasks.clear()), [(0, "task")]),
    "count too high": (lambda o: setattr(o.tasks[0], "recordcount", "4"), [(0, "recordcount")]),
    "count too low": (lambda o: setattr(o.tasks[1], "recordcount", "1"), [(0, "recordcount")]),
    "count no number": (lambda o: setattr(o.tasks[1], "recordcount", "two"), [(0, "recordcount")]),
    "task number twice": (lambda o: setattr(o.tasks[1], "task_id", "T1"), [(0, "task_id")]),
    "task without number": (lambda o: setattr(o.tasks[1], "task_id", ""), [(0, "task_id")]),
    "two card types": (lambda o: setattr(o.tasks[1], "card_type", "200"), [(0, "card_type")]),
    "another bank": (lambda o: setattr(o.tasks[1], "bank_id", "95599"), [(0, "bank_id")]),
    "no dashes between": (lambda o: setattr(o.tasks[0], "dashes", None), [(0, "dashes")]),
    "no dashes at the end": (lambda o: setattr(o.tasks[1], "dashes", None), [(0, "dashes")]),
    "dashes twice": (lambda o: setattr(o.tasks[0], "dashes", "-" * 10 + "\r\n" + "-" * 10), [(0, "dashes")]),
    "empty line": (lambda o: setattr(o.tasks[0], "dashes", "-" * 10 + "\r\n"), [(0, "line")]),
    "task line missing": (
        lambda o: _retell(o, lambda raw: raw.replace("|".join(["T2", "100"]).encode(), b"T2|x|100")),
        [(0, "task")],
    ),
    "endless line": (
        lambda o: _retell(o, lambda raw: raw + b"9" * 100_000),
        [(0, "line")],
    ),
}

ROW_SPOILS: dict[str, tuple[Spoil, list[tuple[int, str]]]] = {
    "photo missing": (lambda o: o.photo_bytes().pop(o.row(2)["cert_no"]), [(2, "photo")]),
    "photo no JPEG": (_photo(2, photo(kind="PNG")), [(2, "photo")]),
    "photo size": (_photo(3, photo((441, 358))), [(3, "photo")]),
    "photo cut off": (_photo(3, PHOTO[: len(PHOTO) // 2]), [(3, "photo")]),
    "photo empty": (_photo(3, b""), [(3, "photo")]),
    "a column too few": (
        lambda o: _retell(o, lambda raw: raw.replace(b"000002|", b"000002")),
        [(2, "line")],
    ),
    "a column too many": (
        lambda o: o.row(2).update(df01ef092e="甲|乙"),
        [(2, "line")],
    ),
    "broken character": (
        lambda o: _retell(o, lambda raw: raw.replace(b"|C00000000002|", b"|C0000000\xff002|")),
        [(2, "code_page")],
    ),
}


@pytest.mark.parametrize(("spoil", "told"), FILE_SPOILS.values(), ids=FILE_SPOILS)
def test_a_spoiled_file_is_told_its_faults(spoil: Spoil, told: list[tuple[int, str]], path: Path) -> None:
    order = Order()
    spoil(order)
    report = check_order(order.write(path), RULES)
    assert [fault[:2] for fault in report.file_faults] == told
    assert not report.row_faults
    assert not report.ok


@pytest.mark.parametrize(("spoil", "told"), ROW_SPOILS.values(), ids=ROW_SPOILS)
def test_a_spoiled_row_is_told_its_faults(spoil: Spoil, told: list[tuple[int, str]], path: Path) -> None:
    order = Order()
    spoil(order)
    report = check_order(order.write(path), RULES)
    assert [fault[:2] for fault in report.row_faults] == told
    assert [fault for fault in report.file_faults if fault.column != "photo"] == []
    assert report.good == 4
    (fault,) = report.row_faults
    assert (fault.task, fault.line) == ("T1", 3 + told[0][0])
    assert report.reason(fault.line) == f"{fault.column}: {fault.reason}"
    assert report.reason(fault.line + 1) == ""


def test_all_faults_are_told_in_one_go(path: Path) -> None:
    order = Order()
    order.row(1)["ssseef060a"] = "3"
    order.row(4)["ssseef0609"] = " 王"
    order.tasks[0].recordcount = "9"
    order.extra.append(("990101199003070015.jpg", PHOTO))
    report = check_order(order.write(path), RULES)
    assert json.loads("".join(report.as_json())) == {
        "good": 3,
        "faults": [
            {
                "row": 0,
                "column": "recordcount",
                "reason": "recordcount says 9, 3 holder lines follow",
                "task": "T1",
                "line": 3,
            },
            {
                "row": 0,
                "column": "photo",
                "reason": "'990101********0015.jpg' belongs to no holder of the order",
                "task": "",
                "line": 0,
            },
            {"row": 1, "column": "ssseef060a", "reason": "is not 1, 2 or 9", "task": "T1", "line": 4},
            {"row": 4, "column": "ssseef0609", "reason": "begins or ends with a space", "task": "T2", "line": 9},
        ],
    }


@pytest.mark.parametrize("raw", [b"", b"not a zip", b"PK\x03\x04" + bytes(60)])
def test_a_file_that_is_no_zip(raw: bytes, path: Path) -> None:
    path.write_bytes(raw)
    assert [fault[:2] for fault in check_order(path, RULES).faults()] == [(0, "zip")]
    with pytest.raises(OrderError, match="not a zip"):
        open_order(path)


def test_an_encrypted_member_is_refused(path: Path) -> None:
    raw = bytearray(Order().write(path).read_bytes())
    directory = raw.index(b"PK\x01\x02")
    raw[directory + 8] |= 1
    path.write_bytes(raw)
    assert "is encrypted" in next(check_order(path, RULES).faults()).reason


def test_a_member_damaged_in_the_zip_is_found(path: Path) -> None:
    raw = Order().write(path).read_bytes()
    path.write_bytes(raw.replace("灵活就业".encode("gb18030"), "灵活就死".encode("gb18030"), 1))
    assert (0, "zip") in [fault[:2] for fault in check_order(path, RULES).faults()]
    path.write_bytes(raw[::-1].replace(PHOTO[::-1], PHOTO[:-1][::-1] + b"\0", 1)[::-1])
    assert [fault[1] for fault in check_order(path, RULES).faults()] == ["photo"]


def test_strict_reading_stops_at_the_place(path: Path) -> None:
    order = Order()
    order.tasks[1].holders[1]["df01ef092e"] = "甲|乙"
    with open_order(order.write(path)) as opened, pytest.raises(OrderError, match=r"order.zip:10: row 5, line") as told:
        list(opened)
    assert told.value.line == 10
    order.list_name = "order.txt"
    with pytest.raises(OrderError, match="no task list's name"):
        open_order(order.write(path))


def test_a_missing_photo_is_refused_by_name_of_the_row(path: Path) -> None:
    order = Order()
    order.photo_bytes().pop(order.row(1)["cert_no"])
    with open_order(order.write(path)) as opened:
        first, second, *_ = opened.holders()
        assert opened.photo(second) == PHOTO
        with pytest.raises(OrderError, match="row 1 has no photo"):
            opened.photo(first)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_cut_or_flipped_task_list_crashes_the_check(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order = Order(tasks=[Task("T1", [holder(1), holder(2)])])
    raw = bytearray(order.list_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    order.raw_list = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    report = check_order(order.write(tmp_path_factory.mktemp("orders") / "order.zip"), RULES)
    assert 0 <= report.good <= 2
    assert all(fault.reason and fault.column and fault.row >= 0 for fault in report.faults())
