"""A sheet becomes an order, or all that is wrong with it is told and nothing is written."""

from __future__ import annotations

import csv
import io
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook

from house.tree import ROOT
from kaguan.apdu.errors import OrderError
from kaguan.card_os.profile import load_profile
from kaguan.personalization.formats.cli import convert
from kaguan.personalization.formats.conversion import Conversion, order_name
from kaguan.personalization.formats.mapping import parse_mapping
from kaguan.personalization.formats.photos import open_photos
from kaguan.personalization.order.holder_rules import HolderRules, absent_columns, layout_of
from kaguan.personalization.order.reading import Holder, Task, open_order
from personalization.orders import PHOTO

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "formats"
SHEET, MAPPING = EXAMPLE / "people.csv", EXAMPLE / "people.toml"
PHOTOS = ROOT / "examples" / "order-3.zip"
IDS = ("990101195803210874", "990101198208294771", "990121201511205380")

Convert = Callable[..., Result]


@pytest.fixture
def run(tmp_path) -> Convert:
    def run(source: Path = SHEET, *more: str, mapping: Path = MAPPING, photos: Path = PHOTOS) -> Result:
        given = [str(source), "--mapping", str(mapping), "--photos", str(photos), "--out", str(tmp_path / "new.zip")]
        return CliRunner().invoke(convert, [*given, "--batch", "0000000009", *more])

    return run


def rows() -> list[dict[str, str]]:
    with SHEET.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def written(path: Path, people: list[dict[str, str]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.DictWriter(stream, list(rows()[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(people)
    return path


def holders(path: Path) -> list[Holder]:
    with open_order(path) as order:
        return list(order.holders())


def test_the_example_becomes_an_order(run, tmp_path):
    result = run()
    assert result.exit_code == 0, result.output
    with open_order(tmp_path / "new.zip") as order:
        task, *people = list(order)
        assert isinstance(task, Task)
        assert (task.bank_id, task.record_count, task.columns["street"]) == ("95588", 3, "东城街道")
        assert [person.id_no for person in people] == list(IDS)
        with zipfile.ZipFile(PHOTOS) as photos:
            assert [order.photo(person) for person in people] == [photos.read(f"{number}.jpg") for number in IDS]
    last = people[2].columns
    assert (last["ssseef0609"], last["ssseef064e"]) == ("玛丽亚木·阿卜杜热合曼·艾力江", "诺娃")
    assert (last["data_seq"], last["ssseef060a"], last["ssseef060b"]) == ("000003", "2", "02")
    assert (last["df04ef0580"], last["ssseef060d"]) == ("20260101", "20151120")
    assert last["df01ef0521"] == "测试省测试市北城区文化路272号"


def test_another_program_reads_the_list(run, tmp_path):
    assert run().exit_code == 0
    with zipfile.ZipFile(tmp_path / "new.zip") as order:
        assert order.testzip() is None
        name = next(name for name in order.namelist() if name.endswith(".txt"))
        raw = order.read(name)
    text = subprocess.run(["iconv", "-f", "GB18030", "-t", "UTF-8"], input=raw, capture_output=True, check=True).stdout
    assert "诺娃" in text.decode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_every_code_page_gives_the_same_order(run, tmp_path, encoding):
    people = rows()
    people[0]["姓名"] = "王䶮𠮷㛃"
    assert run(written(tmp_path / "sheet.csv", people, encoding)).exit_code == 0
    assert holders(tmp_path / "new.zip")[0].name == "王䶮𠮷㛃"


def test_a_named_delimiter_and_columns_by_number(run, tmp_path):
    mapping = tmp_path / "mapping.toml"
    text = MAPPING.read_text(encoding="utf-8").replace('encoding = "auto"', 'delimiter = ";"')
    mapping.write_text(text.replace('customer_id = "客户号"', "customer_id = 1"), encoding="utf-8")
    assert run(written(tmp_path / "sheet.csv", rows(), delimiter=";"), mapping=mapping).exit_code == 0
    assert [one.columns["customer_id"] for one in holders(tmp_path / "new.zip")] == [
        f"C000000000{n}" for n in (90, 91, 92)
    ]


def workbook(path: Path, people: list[dict[str, object]]) -> Path:
    book = Workbook()
    sheet = book.active
    sheet.append(list(rows()[0]))
    for person in people:
        sheet.append(list(person.values()))
    book.create_sheet("秘密").sheet_state = "hidden"
    book.save(path)
    return path


def test_a_workbook_gives_the_same_order(run, tmp_path):
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING.read_text(encoding="utf-8").replace('kind = "csv"', ""), encoding="utf-8")
    people: list[dict[str, object]] = [{**row, "参保日期": date(2026, 1, 1), "邮编": 990100} for row in rows()]
    result = run(workbook(tmp_path / "sheet.xlsx", people), mapping=mapping)
    assert result.exit_code == 0, result.output
    assert "hidden sheet '秘密' was not read" in result.output
    assert [one.columns["df04ef0580"] for one in holders(tmp_path / "new.zip")] == ["20260101"] * 3
    assert [one.columns["df01ef0624"] for one in holders(tmp_path / "new.zip")] == ["990100"] * 3


def test_a_number_that_lost_its_digits_and_a_formula_are_told(run, tmp_path):
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING.read_text(encoding="utf-8").replace('kind = "csv"', ""), encoding="utf-8")
    people: list[dict[str, object]] = [*rows()]
    people[0]["身份证号"] = int(IDS[0])
    people[1]["社区"] = '=HYPERLINK("http://x.invalid")'
    result = run(workbook(tmp_path / "sheet.xlsx", people), mapping=mapping)
    assert result.exit_code == 7
    assert "row 1 (line 2): 身份证号 > cert_no: was kept as a number and has lost its last digits" in result.output
    assert "row 2 (line 3): 社区: is a formula" in result.output
    assert not (tmp_path / "new.zip").exists()


def spoilt() -> list[dict[str, str]]:
    people = rows()
    people[0] |= {"性别": "M", "参保日期": "2026/2/30", "手机": "no"}
    people[2] |= {"身份证号": IDS[1], "姓名": "阿" * 26}
    return people


def test_all_faults_of_all_rows_are_told_and_nothing_is_written(run, tmp_path):
    result = run(written(tmp_path / "sheet.csv", spoilt()))
    assert result.exit_code == 7
    for told in (
        "row 1 (line 2): 性别 > ssseef060a: is none of the values that the mapping translates",
        "row 1 (line 2): 参保日期 > df04ef0580: is no day of the calendar written YYYY/M/D or YYYY-MM-DD",
        "row 1 (line 2): 手机 > df01ef0628: is not a telephone number",
        "row 3 (line 4): 身份证号 > cert_no: is also in row 2 (line 3)",
        "row 3 (line 4): 姓名 > ssseef0609: a text of 52 bytes does not fit in fields of 30 and 20 bytes",
        "1 good rows",
    ):
        assert told in result.output
    assert not any(number in result.output for number in IDS)
    assert not (tmp_path / "new.zip").exists()


def test_bad_rows_are_left_out_with_a_list(run, tmp_path):
    result = run(written(tmp_path / "sheet.csv", spoilt()), "--skip-bad")
    assert result.exit_code == 0, result.output
    assert [one.row for one in holders(tmp_path / "new.zip")] == [2]
    with (tmp_path / "new-bad.csv").open(encoding="utf-8-sig", newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert {(row["line"], row["row"]) for row in listed} == {("2", "1"), ("4", "3")}
    assert not any(number in str(listed) for number in IDS)


def test_nothing_is_ever_overwritten(run, tmp_path):
    (tmp_path / "new.zip").write_text("precious")
    result = run()
    assert result.exit_code != 0
    assert "is there already" in str(result.exception)
    assert (tmp_path / "new.zip").read_text() == "precious"


def test_tasks_come_from_the_sheet_and_stand_together(run, tmp_path):
    mapping = tmp_path / "mapping.toml"
    text = MAPPING.read_text(encoding="utf-8")
    mapping.write_text(text.replace('{ constant = "00000000000000000000000000000090" }', '"参保地"'), encoding="utf-8")
    assert run(mapping=mapping).exit_code == 0
    with open_order(tmp_path / "new.zip") as order:
        assert [(e.task_id, e.record_count) for e in order if isinstance(e, Task)] == [("11", 1), ("31", 2)]
    people = rows()
    apart = written(tmp_path / "sheet.csv", [people[1], people[0], people[2]])
    (tmp_path / "new.zip").unlink()
    result = run(apart, mapping=mapping)
    assert result.exit_code == 7
    assert "the rows of this task do not stand together" in result.output


def test_a_folder_of_photos_is_not_left(run, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in IDS[1:]:
        (folder / f"{number}.jpg").write_bytes(PHOTO)
    (tmp_path / "outside.jpg").write_bytes(PHOTO)
    assert "row 1 (line 2): photo: is missing" in run(photos=folder).output
    (folder / f"{IDS[0]}.jpg").symlink_to(tmp_path / "outside.jpg")
    assert "row 1 (line 2): photo: is a link that leads out of the photos' folder" in run(photos=folder).output
    (folder / f"{IDS[0]}.jpg").unlink()
    (folder / f"{IDS[0]}.jpg").write_bytes(PHOTO)
    assert run(photos=folder).exit_code == 0


@pytest.mark.parametrize("name", ["../{身份证号}.jpg", "/etc/{身份证号}", "a/../../{身份证号}"])
def test_a_photo_pattern_may_not_lead_out(run, tmp_path, name):
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING.read_text(encoding="utf-8").replace("{身份证号}.jpg", name), encoding="utf-8")
    folder = tmp_path / "photos"
    folder.mkdir()
    assert "has a name that leads out of the photos' folder" in run(mapping=mapping, photos=folder).output


def test_a_missing_column_is_told_with_the_mappings_place(run, tmp_path):
    mapping = tmp_path / "mapping.toml"
    text = MAPPING.read_text(encoding="utf-8").replace('customer_id = "客户号"', 'customer_id = "客户"')
    mapping.write_text(text, encoding="utf-8")
    said = str(run(mapping=mapping).exception)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith("customer_id"))
    assert said.startswith(f"mapping.toml:{line}:1: the sheet people.csv has no column '客户'; it has 客户号, 姓名")


def test_a_first_row_that_is_a_person_is_not_shown(run, tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("".join(SHEET.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    said = str(run(sheet).exception)
    assert "its first row is no column names but data" in said
    assert IDS[0] not in said
    assert "魏然永" not in said


def test_a_photo_that_is_twice_in_its_zip_is_told(run, tmp_path):
    photos = tmp_path / "photos.zip"
    with zipfile.ZipFile(photos, "w") as archive:
        for number in IDS:
            archive.writestr(f"{number}.jpg", PHOTO)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(f"{IDS[1]}.jpg", PHOTO)
    assert "row 2 (line 3): photo: is in the zip twice" in run(photos=photos).output


def test_what_is_neither_a_folder_nor_a_zip_is_told(run):
    assert "photos come in a folder or a zip" in str(run(photos=SHEET).exception)


def test_a_sheet_that_changes_meanwhile_gives_no_order(tmp_path):
    sheet = written(tmp_path / "sheet.csv", rows())
    profile = load_profile("ssc-v2")
    rules = HolderRules(today=date(2026, 11, 22), layout=layout_of(profile), absent=absent_columns(profile))
    mapping = parse_mapping(MAPPING.read_text(encoding="utf-8"))
    name = order_name(mapping, batch="0000000009", timestamp="20261122090000")
    with open_photos(PHOTOS) as photos:
        conversion = Conversion(sheet, mapping, photos, name, rules)
        judgement = conversion.check()
        assert judgement.report.ok
        written(sheet, rows()[:2])
        with pytest.raises(OrderError, match="was changed"):
            conversion.write(io.BytesIO(), judgement)
