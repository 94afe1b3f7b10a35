"""A person is found wherever the name or a number stands, and nobody is found where none does."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import InputError
from kaguan.personalization.care.search import People
from kaguan.personalization.order.reading import Holder
from personalization.orders import holder


def person(number: int = 1, name: str = "欧阳测试") -> Holder:
    return Holder(number, number, "T1", {**holder(number), "ssseef0609": name})


def people(*names: str) -> People:
    found = People()
    for number, name in enumerate(names, 1):
        found.add(person(number, name))
    return found


around = st.text(st.characters(codec="utf-8", categories=["P", "Z", "S", "Nd", "Lo"]), max_size=30)


@given(around, around, st.sampled_from(["name", "id_no", "card_no", "bank_card_no"]))
def test_whatever_stands_around_a_person_is_found(before: str, after: str, what: str) -> None:
    assert people("欧阳测试").are_in(before + getattr(person(), what) + after)


@given(st.text(st.characters(codec="utf-8", exclude_characters="欧阳测试"), max_size=200))
def test_where_nobody_is_nobody_is_found(text: str) -> None:
    assert not people("欧阳测试", "王䶮").are_in(text.replace("王䶮", "").replace("9", "8").replace("A", "B"))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("王䶮", "持卡人:王䶮,", True),
        ("安康", "全国人民安康快乐", False),  # a name of two signs is a word too
        ("买买提·艾力", "和买买提·艾力说", True),
        ("JOHN SMITH", "Dear JOHN SMITH, hello", True),
        ("AN", "ANY THANKS", False),
        ("AN", "Mr AN is here", True),
    ],
)
def test_short_and_foreign_names(name: str, text: str, found: bool) -> None:
    assert people(name).are_in(text) is found


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_files_are_searched_in_both_encodings_and_across_blocks(tmp_path: Path, encoding: str) -> None:
    file, wanted = tmp_path / "file", people("欧阳测试")
    for before in ((1 << 20) - 7, (1 << 20) - 1, 5):
        for text in (person().name, person().id_no):
            file.write_bytes(b"-" * before + text.encode(encoding) + b"-" * 9)
            assert wanted.are_in_file(file)
    file.write_bytes(b"-" * (1 << 20))
    assert not wanted.are_in_file(file)


def test_packed_files_and_names_of_files_are_searched(tmp_path: Path) -> None:
    packed, wanted = tmp_path / "a.xlsx", people("欧阳测试")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", "-" * 1000 + person().bank_card_no)
    assert wanted.are_in_file(packed)
    named = tmp_path / f"{person().id_no}.jpg"
    named.write_bytes(b"")
    assert wanted.are_in_file(named)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_packed_file_is_not_passed_over(tmp_path: Path, method: int) -> None:
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("sheet", bytes(range(32, 127)) * 9)
    whole = packed.read_bytes()
    start = whole.index(b"sheet") + 20
    packed.write_bytes(whole[:start] + bytes(byte ^ 0xFF for byte in whole[start : start + 40]) + whole[start + 40 :])
    with pytest.raises(InputError, match="cannot be searched"):
        people("欧阳测试").are_in_file(packed)


def test_who_works_here_is_not_mistaken_for_a_holder() -> None:
    found = people("欧阳测试")
    found.leave_out(["欧阳测试"])
    assert not found.are_in("by 欧阳测试")
    assert found.are_in(person().id_no)
