"""Every row is judged by every rule, and told why."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu import textcodec
from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import load_profile, profile_names
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.holder_rules import FieldWidth, HolderRules, absent_columns, judge, layout_of
from kaguan.personalization.order.reading import HOLDER_COLUMNS, Holder
from personalization.orders import LAYOUT, PHOTO, RULES, Order, citizen_number, holder


def told(columns: dict[str, str], rules: HolderRules = RULES) -> list[Fault]:
    return list(judge(Holder(4, 1, "T1", columns), rules))


def test_a_whole_row_has_no_fault() -> None:
    assert told(holder(1)) == []


# Column, its new text, a part of the reason.
SPOILS: list[tuple[str, str, str]] = [
    ("data_seq", "", "is empty"),
    ("data_seq", "00000A", "not a number"),
    ("data_seq", "000000", "not a number"),
    ("data_seq", "１", "not a number"),
    ("customer_id", "C 1", "letters or digits"),
    ("cert_type", "02", "certificate type"),
    ("cert_no", "99010119900307001", "17 characters"),
    ("cert_no", "990101199003070016", "check character"),
    ("cert_no", "99010119740722996x", "check character"),
    ("bank_card_no", "6229999900000000905", "Luhn"),
    ("bank_card_no", "622999990000000090O", "Luhn"),
    ("ssseef0505", "20261131", "not a day"),
    ("ssseef0505", "2026111", "7 digits instead of 8"),
    ("ssseef0505", "2026-1-1", "other than the digits"),
    ("ssseef0505", "19400101", "before the holder's birth"),
    ("ssseef0506", "20261101", "not after the issue date"),
    ("ssseef0506", "20361102", "more than 10 years"),
    ("ssseef0506", "", "is empty"),
    ("ssseef0507", "A00000012", "check character"),
    ("ssseef0507", "A0000001", "check character"),
    ("ssseef0507", "a00000011", "check character"),
    ("ssseef0507", "A000000111", "takes 10 bytes, the field has 9"),
    ("ssseef0608", citizen_number("99010119900307001"), "differs from cert_no"),
    ("ssseef0609", "", "is empty"),
    ("ssseef0609", "王 ", "begins or ends with a space"),
    ("ssseef0609", "\u3000王", "begins or ends with a space"),
    ("ssseef0609", "王\u3000䶮", "space that is not U+0020"),
    ("ssseef0609", "JOHN  SMITH", "two spaces"),
    ("ssseef0609", "王\t䶮", "U+0009"),
    ("ssseef0609", "王\u200b䶮", "U+200B"),
    ("ssseef0609", "王\ue000", "U+E000"),
    ("ssseef0609", "王2", "a digit"),
    ("ssseef0609", "王\ud800", "does not exist in GB18030"),
    ("ssseef0609", "王" * 26, "does not fit"),
    ("ssseef064e", "五", "does not begin where the name field is full"),
    ("ssseef060a", "0", "not 1, 2 or 9"),
    ("ssseef060a", "2", "differs from the sex"),
    ("ssseef060b", "58", "nation"),
    ("ssseef060b", "1", "1 digits instead of 2"),
    ("ssseef060c", "99010", "5 digits instead of 6"),
    ("ssseef060c", "090101", "region"),
    ("ssseef060d", "19900230", "not a day"),
    ("ssseef060d", "19500308", "differs from the birth date"),
    ("df01ef0520", "100", "takes 3 bytes, the field has 2"),
    ("df01ef0521", "路" * 41, "takes 82 bytes, the field has 80"),
    ("df01ef050e", "000000", "region"),
    ("df01ef0624", "99010a", "other than the digits"),
    ("df01ef0628", "12345", "telephone"),
    ("df01ef0628", "call me", "telephone"),
    ("df04ef0580", "2026", "4 digits instead of 8"),
]


@pytest.mark.parametrize(("column", "text", "reason"), SPOILS)
def test_one_spoiled_column_is_one_fault(column: str, text: str, reason: str) -> None:
    faults = told(holder(1) | {column: text})
    assert [fault.column for fault in faults] == [column]
    assert reason in faults[0].reason
    assert faults[0][3:] == ("T1", 4)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("00010119900307001", "no province"),
        ("16010119900307001", "no province"),
        ("99010119900230001", "birth date that does not exist"),
        ("99010120261123001", "birth date in the future"),
    ],
)
def test_a_well_formed_number_of_nobody(body: str, reason: str, tmp_path: Path) -> None:
    order = Order()
    order.certificate(2, body)
    report = check_order(order.write(tmp_path / "order.zip"), RULES)
    first = next(iter(report.row_faults))
    assert (first.row, first.column) == (2, "cert_no")
    assert reason in first.reason


@pytest.mark.parametrize("column", ["df01ef0624", "ssseef060c", "df01ef0628", "ssseef064e", "df01ef0521"])
def test_what_may_be_empty_may_be_empty(column: str) -> None:
    assert told(holder(1) | {column: ""}) == []


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("阿卜杜拉·买买提·吐尔逊江", ""),
        ("阿卜杜拉•买买提・吐尔逊江", ""),
        ("阿卜杜拉·买买提·吐尔逊江阿卜", "杜拉"),
        ("阿卜杜拉·买买提·吐尔逊江a", "𠮷杜拉"),
        ("JOHN O'NEIL-SMITH JR.", ""),
        ("王\u9fb4", ""),
    ],
)
def test_good_names(first: str, rest: str) -> None:
    assert told(holder(1) | {"ssseef0609": first, "ssseef064e": rest}) == []


@pytest.mark.parametrize(
    ("first", "rest", "column"),
    [
        ("阿卜杜拉·买买提·吐尔逊江阿卜杜拉", "", "ssseef064e"),
        ("阿卜杜拉·买买提·", "吐尔逊江", "ssseef064e"),
        ("阿卜杜拉·买买提·吐尔逊江阿卜", "杜拉" * 6, "ssseef0609"),
    ],
)
def test_names_cut_in_the_wrong_place(first: str, rest: str, column: str) -> None:
    faults = told(holder(1) | {"ssseef0609": first, "ssseef064e": rest})
    assert [fault.column for fault in faults] == [column]


@given(st.text("王䶮𠮷㛃·aé ", min_size=1, max_size=40))
def test_a_name_is_good_exactly_when_it_can_be_written(name: str) -> None:
    try:
        parts = textcodec.split(name, 30, 20)
    except CodecError:
        assert told(holder(1) | {"ssseef0609": name})
        return
    halves = {"ssseef0609": textcodec.decode(parts.first), "ssseef064e": textcodec.decode(parts.rest)}
    odd = any(half != half.strip() or "  " in half for half in halves.values())
    assert bool(told(holder(1) | halves)) == odd


@given(
    st.dictionaries(
        st.sampled_from(sorted(holder(1))), st.text(st.characters(exclude_characters="|"), max_size=40), max_size=6
    )
)
def test_no_row_crashes_its_judge(changed: dict[str, str]) -> None:
    faults = told(holder(1) | changed)
    assert len({fault.column for fault in faults}) == len(faults)
    for fault in faults:
        text = (holder(1) | changed)[fault.column]
        assert len(text) < 6 or text not in fault.reason


@pytest.mark.parametrize("column", ["customer_id", "bank_card_no", "ssseef0507", "data_seq"])
def test_a_number_may_occur_once(column: str, tmp_path: Path) -> None:
    order = Order()
    order.row(5)[column] = order.row(2)[column]
    report = check_order(order.write(tmp_path / "order.zip"), RULES)
    row = 2 if column == "data_seq" else 5
    assert [fault[:2] for fault in report.faults()] == [(row, column)]
    assert next(report.faults()).line == 10
    assert next(report.faults()).reason == "is also in row 2 (line 5)"
    assert report.good == 4


def test_a_person_may_occur_once(tmp_path: Path) -> None:
    order = Order()
    order.certificate(4, order.row(1)["cert_no"][:17])
    report = check_order(order.write(tmp_path / "order.zip"), RULES)
    assert [fault[:2] for fault in report.faults()] == [(4, "cert_no")]


def test_a_site_sets_its_own_rules(tmp_path: Path) -> None:
    assert told(holder(1), replace(RULES, today=date(1940, 1, 1)))[0].column == "cert_no"
    assert told(holder(1), replace(RULES, greatest_validity_years=5))[0].column == "ssseef0506"
    assert told(holder(1) | {"bank_card_no": ""}, replace(RULES, required=frozenset())) == []
    narrow = replace(RULES, layout=LAYOUT | {("SSSE", "EF06", 0x08): FieldWidth(FieldFormat.AN, 17)})
    assert [fault.column for fault in told(holder(1), narrow)] == ["ssseef0608"]


def test_29_february_has_an_anniversary() -> None:
    row = holder(1) | {"ssseef0505": "20240229", "ssseef0506": "20340301"}
    assert told(row) == []


def test_a_column_that_the_card_does_not_have(tmp_path: Path) -> None:
    layout = {key: width for key, width in LAYOUT.items() if key != ("DF04", "EF05", 0x84)}
    report = check_order(Order().write(tmp_path / "order.zip"), replace(RULES, layout=layout))
    assert [fault[:2] for fault in report.faults()] == [(0, "header")]
    assert "df04ef0584" in next(report.faults()).reason


@pytest.mark.parametrize("name", [name for name in profile_names() if name.startswith("ssc-")])
def test_every_social_security_card_has_the_usual_columns(name: str) -> None:
    profile = load_profile(name)
    layout = layout_of(profile)
    usual = {key: width for key, width in LAYOUT.items() if key not in profile.absent}
    assert {key: layout.get(key) for key in usual} == usual


def test_a_column_of_a_field_that_this_generation_lacks() -> None:
    """It may stand in the order, and must be empty; a name that does not fit has nowhere to go on."""
    profile = load_profile("ssc-v1")
    rules = replace(RULES, layout=layout_of(profile), absent=absent_columns(profile))
    assert rules.absent == {"ssseef064e"}
    assert not rules.unknown_columns()
    assert told(holder(1), rules) == []
    row = holder(1) | {"ssseef0609": "阿卜杜拉·买买提·吐尔逊江", "ssseef064e": "·艾则孜"}
    assert [fault.column for fault in told(row, rules)] == ["ssseef064e"]
    row = holder(1) | {"ssseef0609": "阿卜杜拉·买买提·吐尔逊江·艾则孜"}
    assert [fault.column for fault in told(row, rules)] == ["ssseef0609"]


def test_nested_columns_are_judged() -> None:
    profile = load_profile("ssc-v2")
    columns = (*HOLDER_COLUMNS, "df01ef1540")
    rules = replace(RULES, layout=layout_of(profile), columns=columns)
    assert told(holder(1) | {"df01ef1540": "080,201207,测试大学;080,201607,测试大学"}, rules) == []
    for wrong in ("080,2012x7,测试大学", "a;b;c;d", "080,201207,测试大学,x"):
        assert [fault.column for fault in told(holder(1) | {"df01ef1540": wrong}, rules)] == ["df01ef1540"]


def test_a_thousand_rows_are_good(tmp_path: Path) -> None:
    rows = [holder(number) for number in range(1, 1001)]
    order = Order(photos={row["cert_no"]: PHOTO for row in rows})
    order.tasks[0].holders, order.tasks[1:] = rows, []
    assert check_order(order.write(tmp_path / "order.zip"), RULES).good == 1000
