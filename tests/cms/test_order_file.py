"""From checked requests to the file that the bureau takes: free numbers, all columns, and what is missing named."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cms.crowd import enrolled, portrait
from cms.town import BANK, OTHER_BANK
from kaguan.apdu.identifiers import card_number_ok
from kaguan.cms.models import AuditEntry, Card, CardRequest, Holder
from kaguan.cms.order_rows import read_order_rows
from kaguan.cms.request_rows import read_request_rows, write_request_rows
from kaguan.cms.rules.applying import ApplicationWay, Presence, RequestKind
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.refusals import NotAllowed, NotEligible, NotFound
from kaguan.cms.services.order_file import content_of_order, name_fields, propose_cards
from kaguan.cms.services.people.enrolment import edit_person
from kaguan.cms.services.people.photos import take_photo
from kaguan.cms.services.production import RequestRow, order_requests
from kaguan.cms.services.requests import Applicant, Wish, apply, check_request
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.cli import rules_for
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.order.writing import write_order

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

VENDOR = "V01"
ACCOUNTS = ("6229999900000000904", "6229999900000000912", "6229999900000000920")


def checked_request(town, holder_id, bank=BANK):
    """A request of that person that somebody else has checked; its id."""
    holder = Holder.objects.get(pk=holder_id)
    applicant = Applicant(holder.cert_type, holder.cert_no, holder.name)
    document = Document(holder.cert_type, holder.cert_no, original=True)
    presence = Presence(ApplicationWay.PERSON, document=document, verdict=Verdict.SAME_PERSON)
    made = apply(town.clerk, uuid4(), applicant=applicant, wish=Wish(RequestKind.NEW, bank), presence=presence)
    number = UUID(made.card_request_id)
    check_request(town.supervisor, uuid4(), card_request_id=number)
    return number


def photographed(town, serial, **facts):
    """Somebody with a photo on the books."""
    holder = enrolled(town, serial=serial, **facts)
    take_photo(town.clerk, uuid4(), holder_id=holder, image=portrait())
    return holder


def ordered(town, *holders, order_no="B0000101", banks=(), accounts=ACCOUNTS):
    """The cards of these people, ordered with numbers that were proposed."""
    banks = banks or [BANK] * len(holders)
    for holder, bank in zip(holders, banks, strict=True):
        checked_request(town, holder, bank)
    proposed = propose_cards(town.clerk, uuid4(), first="C0000001")
    rows = [
        RequestRow(row.card_request_id, row.card_no, row.issue_date, row.valid_until, account)
        for row, account in zip(proposed, accounts, strict=False)
    ]
    order_requests(town.clerk, uuid4(), order_no=order_no, rows=rows)
    return rows


def written(town, folder, order_no="B0000101"):
    """The order as its bureau gets it."""
    content = content_of_order(town.clerk, uuid4(), order_no=order_no, vendor=VENDOR)
    path = folder / f"{order_no}.zip"
    with path.open("wb") as stream:
        write_order(stream, content.name, [content.task])
    return path


def test_the_bureaus_own_check_finds_nothing_wrong_and_the_books_are_in_the_file(town, tmp_path):
    holders = [photographed(town, 2, nation="01"), photographed(town, 3, nation="03", phone="19900000000")]
    rows = ordered(town, *holders)
    path = written(town, tmp_path)
    report = check_order(path, rules_for("ssc-v2"))
    assert list(report.as_text()) == ["2 good rows, 0 faults"]
    order_no, there = read_order_rows(path)
    assert order_no == "B0000101"
    assert [(row.card_no, row.bank_card_no) for row in there] == [(row.card_no, row.bank_card_no) for row in rows]
    assert [row.cert_no for row in there] == list(Holder.objects.order_by("pk").values_list("cert_no", flat=True))
    with open_order(path) as order:
        _, *people = order
        assert [one.columns["ssseef060b"] for one in people] == ["01", "03"]
        assert people[1].columns["df01ef0628"] == "19900000000"
        assert order.photo(people[0]) == portrait()
    line = AuditEntry.objects.get(action="write order file")
    assert (line.outcome, line.detail["card_count"]) == ("done", 2)


@settings(max_examples=20, deadline=None)
@given(name=st.text("测试人甲乙丙丁·", min_size=1, max_size=25))
def test_a_long_name_isname_fields_over_two_fields_and_never_cut(name):
    holder = Holder(pk=1, name=name)
    if len(name.encode("gb18030")) > 50:
        with pytest.raises(NotEligible, match="does not fit on a card"):
            name_fields(holder)
    else:
        try:
            first, rest = name_fields(holder)
        except NotEligible:
            assert len(name.encode("gb18030")) > 49  # a character may not be cut in two
        else:
            assert first + rest == name


def test_what_is_missing_is_named_before_anything_is_written(town, tmp_path):
    bare = enrolled(town, serial=2)
    (row,) = ordered(town, bare, accounts=[""])
    with pytest.raises(NotEligible, match=f"card {row.card_no} of person {bare} .* nation, bank card number, photo"):
        written(town, tmp_path)
    Card.objects.update(bank_card_no=ACCOUNTS[0])
    edit_person(town.clerk, uuid4(), holder_id=bare, facts={"nation": "01"})
    with pytest.raises(NotEligible, match=r"lacks: photo$"):
        written(town, tmp_path)
    with pytest.raises(NotFound):
        written(town, tmp_path, "B0000999")
    with pytest.raises(NotEligible, match="not letters and digits alone"):
        content_of_order(town.clerk, uuid4(), order_no="B0000101", vendor="V 1")
    with pytest.raises(NotAllowed):
        content_of_order(town.teller, uuid4(), order_no="B0000101", vendor=VENDOR)


def test_an_order_is_for_one_bank(town, tmp_path):
    ordered(town, photographed(town, 2, nation="01"), photographed(town, 3, nation="01"), banks=[BANK, OTHER_BANK])
    with pytest.raises(NotEligible, match=f"of the banks {BANK}, {OTHER_BANK}: order those of each bank apart"):
        written(town, tmp_path)


def test_numbers_are_free_check_themselves_and_last_or_say_so(town, tmp_path):
    first = ordered(town, photographed(town, 2, nation="01"))
    later = [checked_request(town, enrolled(town, serial=serial)) for serial in (4, 6, 8)]
    proposed = propose_cards(town.clerk, uuid4(), first="C0000001", issue_date=date(2026, 2, 28))
    assert [row.card_request_id for row in proposed] == later
    numbers = [row.card_no for row in (*first, *proposed)]
    assert all(map(card_number_ok, numbers))
    assert len(set(numbers)) == 4
    assert {(row.issue_date, row.valid_until) for row in proposed} == {(date(2026, 2, 28), date(2036, 2, 28))}
    write_request_rows(tmp_path / "sheet.csv", proposed)
    assert read_request_rows(tmp_path / "sheet.csv") == list(proposed)
    with pytest.raises(NotEligible, match="do not last for 3 cards"):
        propose_cards(town.clerk, uuid4(), first="C9999998")
    for wrong in ("C000001", "C000000A", "c0000001", "C00000019"):
        with pytest.raises(NotEligible, match="no beginning of a card number"):
            propose_cards(town.clerk, uuid4(), first=wrong)
    assert CardRequest.objects.filter(card=None).count() == 3
