"""A statement put into SQL once answers as the queryset that it was made of, whatever is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaguan.cms.compiled import Compiled, insert, move
from kaguan.cms.models import Card, Operator, Receipt

pytestmark = pytest.mark.django_db

CARD = "990100001"


def columns(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def operators(code, active_at):
    return Operator.objects.select_related("institution__region", "holder").filter(pk=code, institution=active_at)


def receipts(request_id, action):
    return Receipt.objects.filter(request_id=request_id, action=action)


def test_rows_and_those_joined_to_them_are_the_same(town):
    compiled = Compiled(operators, code=str, active_at=str)
    for code, place in (("clerk", "SSB"), ("teller", "ICBC-1")):
        found, expected = compiled.first(code=code, active_at=place), operators(code, place).get()
        with CaptureQueriesContext(connection) as asked:
            assert columns(found) == columns(expected)
            assert columns(found.institution) == columns(expected.institution)
            assert found.institution.region.code == "990100"
            assert found.holder is None
        assert len(asked) == 0
    assert compiled.first(code="clerk", active_at="ICBC-1") is None


values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
documents = st.dictionaries(values, st.integers() | values | st.none() | st.lists(values, max_size=2), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    request_id=st.uuids(), action=values, result=documents, at=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))
)
def test_what_is_inserted_comes_back_whatever_it_says(town, request_id, action, result, at):
    compiled = Compiled(receipts, request_id=UUID, action=str)
    row = {
        "request_id": request_id,
        "action": action,
        "fingerprint": "f",
        "result": result,
        "at": at.replace(tzinfo=UTC),
    }
    with transaction.atomic():
        insert(Receipt, **row)
        found, expected = compiled.all(request_id=request_id, action=action), receipts(request_id, action).get()
        assert [columns(one) for one in found] == [columns(expected)]
        assert {**columns(expected), "id": None} == {**row, "id": None}
        assert compiled.all(request_id=request_id, action=action + "x") == []
        transaction.set_rollback(True)


def test_the_databases_own_rules_hold_for_what_is_inserted(town):
    row = {"request_id": uuid4(), "action": "a", "fingerprint": "f", "result": {}, "at": datetime.now(UTC)}
    insert(Receipt, **row)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(Receipt, **row)


def test_a_column_moves_only_from_where_it_was_seen(town):
    town.active_card(CARD)
    assert not move(Card, CARD, "application", before="4", after="1")
    assert not move(Card, "990100002", "application", before="1", after="4")
    assert Card.objects.get().application == "1"
    assert move(Card, CARD, "application", before="1", after="4")
    assert Card.objects.get().application == "4"


def test_plain_values_come_in_the_order_asked_for(town):
    town.active_card(CARD)

    def compose(card_no):
        return Card.objects.filter(pk=card_no).values_list("valid_until", "card_no", "holder__name")

    compiled = Compiled(compose, card_no=str)
    assert compiled.all(card_no=CARD) == list(compose(CARD))
    assert compiled.all(card_no="none") == []
