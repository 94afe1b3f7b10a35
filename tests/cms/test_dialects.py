"""The codes of others: what was written is read back, and what cannot be said is refused by name."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.regions import rules_of
from kaguan.cms.rules.adapters import henan, jiaxing, ministry, shandong, tecsun
from kaguan.cms.rules.adapters.dialects import DIALECTS
from kaguan.cms.rules.adapters.standing import MADE, UNMADE, Standing, standing
from kaguan.cms.rules.adapters.table import CodeTable, Row
from kaguan.cms.rules.lifecycle import Application, CancelReason, Production
from kaguan.cms.rules.production import IN_REQUEST
from kaguan.cms.rules.refusals import Inexpressible, RuleTableError
from kaguan.cms.rules.regions import read_region
from kaguan.cms.rules.terms import Answer

SAID = [(table, row) for table in DIALECTS for row in table.rows if row.meaning is not None and not row.read_only]
STRANGE = [(table, row.code) for table in DIALECTS for row in table.rows if row.meaning is None]
UNSAID = [(table, meaning) for table in DIALECTS for meaning in table.inexpressible]


@given(st.sampled_from(SAID))
def test_what_is_written_is_read_back(said):
    table, row = said
    assert table.encode(row.meaning) == row.code
    assert table.decode(row.code) is row.meaning


@given(st.sampled_from(DIALECTS), st.data())
def test_every_code_is_read_and_written_back_or_refused(table, data):
    code = data.draw(st.sampled_from([row.code for row in table.rows]) | st.text(max_size=3))
    try:
        meaning = table.decode(code)
    except Inexpressible:
        assert code not in {row.code for row in table.rows if row.meaning is not None}
    else:
        assert table.encode(meaning) == code or any(row.code == code and row.read_only for row in table.rows)


@pytest.mark.parametrize(("table", "meaning"), UNSAID, ids=[f"{table}-{meaning.name}" for table, meaning in UNSAID])
def test_what_they_cannot_say_is_refused_by_name_and_with_the_reason(table, meaning):
    with pytest.raises(Inexpressible, match=meaning.name) as refusal:
        table.encode(meaning)
    assert table.inexpressible[meaning] in str(refusal.value)


@pytest.mark.parametrize(("table", "code"), STRANGE, ids=[f"{table}-{code}" for table, code in STRANGE])
def test_what_is_nothing_of_ours_is_refused_by_their_name(table, code):
    with pytest.raises(Inexpressible, match=f"{code}.*nothing of ours"):
        table.decode(code)


@pytest.mark.parametrize("table", DIALECTS, ids=str)
def test_every_state_of_ours_is_a_row_or_said_to_be_inexpressible(table):
    names = [meaning.name for meaning in table.unlisted()]
    assert names == [], f"{table}: give {', '.join(names)} a row, or say in `inexpressible` why there is none"


def test_a_state_that_nobody_listed_is_refused_all_the_same():
    table = CodeTable("X", "card", "", tuple(Production), (Row("1", "one", Production.ORDERED),))
    assert Production.AT_OUTLET in table.unlisted()
    with pytest.raises(Inexpressible, match="no code for AT_OUTLET: no code is known for it"):
        table.encode(Production.AT_OUTLET)


class Lamp(StrEnum):
    OFF = "1"
    ON = "2"


class Door(StrEnum):
    OPEN = "1"


@pytest.mark.parametrize(
    ("rows", "inexpressible", "complaint"),
    [
        ((Row("a", "", Lamp.ON), Row("a", "", Lamp.OFF)), {}, "code 'a' stands there twice"),
        ((Row("a", "", Lamp.ON), Row("b", "", Lamp.ON)), {}, "ON is 'a' and 'b'"),
        ((Row("a", "", Door.OPEN),), {}, "none of its meanings"),
        ((Row("a", "", Lamp.ON),), {Lamp.ON: "why"}, "ON cannot be expressed, and is 'a'"),
        ((), {Door.OPEN: "why"}, "is none of its meanings|and is none of its"),
    ],
)
def test_an_unsound_table_is_refused_when_it_is_made(rows, inexpressible, complaint):
    with pytest.raises(RuleTableError, match=complaint):
        CodeTable("X", "lamp", "", tuple(Lamp), rows, inexpressible)


def test_a_second_word_is_understood_and_never_sent():
    rows = (Row("a", "", Lamp.ON), Row("b", "", Lamp.ON, read_only=True))
    table = CodeTable("X", "lamp", "", tuple(Lamp), rows, {Lamp.OFF: "why"})
    assert (table.decode("b"), table.encode(Lamp.ON)) == (Lamp.ON, "a")


def test_equal_texts_of_two_axes_stay_apart():
    table = CodeTable("X", "both", "", (Lamp.OFF, Door.OPEN), (Row("a", "", Lamp.OFF),))
    assert table.encode(Lamp.OFF) == "a"
    with pytest.raises(Inexpressible, match="OPEN"):
        table.encode(Door.OPEN)


PUBLISHED = [
    (ministry.AAZ502, "SEALED 0 NORMAL 1 FORMAL_LOSS 2 LOCKED 3 TEMPORARY_LOSS 4 CANCELLED 9"),
    (
        shandong.KZT,
        "NUMBER_RELEASED 0 NORMAL 1 FORMAL_LOSS 2 TEMPORARY_LOSS B CANCELLED_AFTER_LOSS 3 CANCELLED 4 NOT_ENABLED A",
    ),
    (shandong.XTLB, "SMS 01 BANK_OUTLET 02 WECHAT 03 APP 04 WEBSITE 05 EMPLOYER 06 PORTABLE_MACHINE 26"),
    (
        shandong.YXZJLX,
        "IDENTITY_CARD A PASSPORT C FOREIGN_RESIDENT D HONG_KONG_MACAO_PERMIT J TAIWAN_PERMIT K RESIDENCE_PERMIT M",
    ),
    (shandong.XB, "MALE 1 FEMALE 2 UNSPECIFIED 9"),
    (shandong.JHGX, "FATHER_OF_SON 1 FATHER_OF_DAUGHTER 2 MOTHER_OF_SON 3 MOTHER_OF_DAUGHTER 4"),
    (shandong.YHBH, "ICBC 95588 ABC 95599 BOC 95566 CCB 95533 PSBC 95580 RURAL_COMMERCIAL 96668"),
    (shandong.ERRFLAG, "DONE 0 FAILED 1 UNKNOWN_PERSON 1/1 OTHER_NAME 1/2 DUPLICATE 1/3 NOT_ALLOWED 1/4"),
    (jiaxing.CARD, "NOT_ENABLED 0 NORMAL 1 TEMPORARY_LOSS 2 FORMAL_LOSS 3 LOCKED 4 CANCELLED 9"),
    (
        jiaxing.APPLICATION,
        "APPLIED 00 ORDERED 20 MADE 30 RETURNED 40 AT_OUTLET 50 HANDED_OVER 60 UNDELIVERABLE 70 RECOVERED 80",
    ),
    (jiaxing.TRANSACTION, "NORMAL 0 VOIDED 1 REVERSED 2 REFUNDED 3 GREY 9"),
    (jiaxing.BLACKLIST, "DEATH 01 FORMAL_LOSS 02 TEMPORARY_LOSS 03 LOCKED 04 UNLOCKED 05 CANCELLED 99"),
    (jiaxing.EXCHANGE, "QUALITY 01 DAMAGE 02 FACE_CHANGED 03 BANK_CHANGED 04 EXPIRY 05 OTHER 99"),
    (jiaxing.CANCEL, "DEATH 0 DAMAGE 1 QUALITY 2 LOST 3 EXCHANGED 4 TRANSFERRED_OUT 5 OTHER 6"),
    (jiaxing.CHANNEL, "SERVICE_CENTRE 1 BANK_OUTLET 2 SELF_SERVICE 3 PHONE 4 WEBSITE 5"),
    (
        tecsun.PERSON,
        "ORDERED 01 AT_OUTLET 02 HANDED_OVER 03 NORMAL 04 FORMAL_LOSS 05 TEMPORARY_LOSS 06 CANCELLED 09 "
        "BANK_EXPORT_FAILED 10 ACCOUNT_FAILED 11 BUREAU_EXPORT_FAILED 12 MAKE_FAILED 13 BATCH_FAILED 16",
    ),
    (
        tecsun.CARD,
        "ORDERED 00 BATCHED 10 SENT_TO_BANK 20 ACCOUNT_OPENED 21 BANK_EXPORT_FAILED 22 ACCOUNT_FAILED 23 "
        "SENT_TO_BUREAU 30 RETURNED 31 BUREAU_EXPORT_FAILED 32 MAKE_FAILED 33 AT_OUTLET 60 HANDED_OVER 70",
    ),
    (henan.ERR, "DONE 00 ALREADY_SO 01"),
    (henan.TRANSACTTYPE, "NEW 1 REPLACEMENT 5"),
]


@pytest.mark.parametrize("table", DIALECTS, ids=str)
def test_codes_as_their_owners_publish_them(table):
    words = next(text for one, text in PUBLISHED if one is table).split()
    published = dict(zip(words[::2], words[1::2], strict=True))
    meanings = {meaning.name: meaning for meaning in table.meanings}
    assert {name: table.encode(meanings[name]) for name in published} == published


def test_every_state_of_production_is_made_or_not():
    cards = set(Production) - IN_REQUEST
    unsaid = sorted(state.name for state in cards if (state in MADE) == (state in UNMADE))
    assert unsaid == [], f"say in standing.py whether there is a card: {', '.join(unsaid)}"


@given(st.sampled_from(Production), st.sampled_from(Application), st.none() | st.sampled_from(CancelReason))
def test_a_card_stands_where_its_axes_say(production, application, reason):
    if production in IN_REQUEST:
        with pytest.raises(Inexpressible, match=f"{production.name}.*no number yet"):
            standing(production, application, reason)
        return
    where = standing(production, application, reason)
    if application is Application.CANCELLED:
        assert (where is Standing.CANCELLED_AFTER_LOSS) == (reason is CancelReason.LOST)
    elif application is Application.NOT_ENABLED:
        assert (where is Standing.NUMBER_RELEASED) == (production in UNMADE)
    else:
        assert where.name == application.name


def test_a_persons_state_is_told_or_refused_for_every_pair_of_states():
    told = {}
    for production, application in product(Production, Application):
        meaning = tecsun.person_state(production, application)
        if meaning in tecsun.PERSON.inexpressible:
            continue
        told[production, application] = tecsun.PERSON.encode(meaning)
    assert told[Production.AT_OUTLET, Application.NOT_ENABLED] == "02"
    assert told[Production.HANDED_OVER, Application.NORMAL] == "04"
    assert (Production.HANDED_OVER, Application.LOCKED) not in told


@given(st.sampled_from(Answer), st.text(max_size=5))
def test_an_err_is_a_code_or_says_why_not(answer, text):
    try:
        err = henan.err_of(answer, text)
    except Inexpressible:
        assert answer not in {Answer.DONE, Answer.ALREADY_SO}
        assert text.strip() in {"", "00", "01"}
    else:
        expected = answer if answer in {Answer.DONE, Answer.ALREADY_SO} else Answer.FAILED
        assert henan.answer_of(err) is expected


WAYS = st.sampled_from([{}, ministry.NUMBERS_SWAPPED, ministry.REGION_OF_PERSON])


@given(st.dictionaries(st.sampled_from(sorted(ministry.INDICATORS)), st.text(max_size=5)), WAYS)
def test_a_record_under_indicators_comes_back(record, otherwise):
    theirs = ministry.named_by_indicators(record, otherwise=otherwise)
    assert len(theirs) == len(record)
    assert ministry.named_by_us(theirs, otherwise=otherwise) == record


def test_guizhou_has_the_two_numbers_the_other_way_round():
    record = {"card_no": "A1", "card_ident_code": "99"}
    assert ministry.named_by_indicators(record) == {"AAZ500": "A1", "AAZ501": "99"}
    swapped = ministry.named_by_indicators(record, otherwise=ministry.NUMBERS_SWAPPED)
    assert swapped == {"AAZ501": "A1", "AAZ500": "99"}
    assert ministry.naming_of(rules_of("990100")) == {}
    assert ministry.naming_of(read_region({"name": "x", "numbers_swapped": True})) == ministry.NUMBERS_SWAPPED
    with pytest.raises(Inexpressible, match="every indicator has one meaning"):
        ministry.named_by_indicators(record, otherwise={"card_no": "AAZ501"})
    with pytest.raises(Inexpressible, match="no indicator for 'shoe_size'"):
        ministry.named_by_indicators({"shoe_size": "43"})
    with pytest.raises(Inexpressible, match="'AAC999' is nothing of ours"):
        ministry.named_by_us({"AAC999": "1"})
