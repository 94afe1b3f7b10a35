"""Texts that are too long: refused alike by whichever way they come, before any database sees them."""

from __future__ import annotations

import gzip
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import CharField, TextField
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cms.town import CERT_NO, NAME
from kaguan.apdu.errors import InputError
from kaguan.cms.compiled import insert
from kaguan.cms.models import AuditEntry, Card, CardEvent, Holder, Institution, Receipt, Region
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.safekeeping.backup import back_up, restore
from kaguan.cms.services.set_up import register_institution
from kaguan.cms.store import open_store

TEXTS = [
    column
    for model in apps.get_app_config("cms").get_models(include_auto_created=True)
    for column in model._meta.concrete_fields
    if isinstance(column, CharField | TextField)
]
LONGEST_NAME = Institution._meta.get_field("name").max_length


def test_every_column_of_text_is_bounded():
    assert len(TEXTS) > 100
    assert [column for column in TEXTS if not (isinstance(column, BoundedText) and column.max_length)] == []


@given(column=st.sampled_from(TEXTS), over=st.integers(1, 50), letter=st.sampled_from("a甲 𠀀"))
def test_as_many_characters_as_it_says_and_not_one_more(column, over, letter):
    longest = letter * column.max_length
    assert column.get_db_prep_save(longest, connection) == longest
    with pytest.raises(InputError) as refusal:
        column.get_db_prep_save(longest + letter * over, connection)
    told = str(refusal.value)
    assert str(column.verbose_name) in told
    assert str(column.model._meta.verbose_name) in told
    assert f"shorten it to {column.max_length}" in told
    assert letter * 20 not in told


def test_migrations_lay_out_a_plain_column():
    _, path, _, options = Region._meta.get_field("code").deconstruct()
    assert (path, options["max_length"]) == ("django.db.models.CharField", 6)


def refused_by(write):
    with pytest.raises(InputError, match=r"are too many, shorten it to \d+") as refusal:
        write()
    return str(refusal.value)


def test_by_whichever_way_a_row_is_written(town):
    card = Card.objects.get(pk=town.order())
    event = {"card_id": card.card_no, "at": timezone.now(), "axis": "a" * 21, "request_id": uuid4()}
    ways = {
        "insert": lambda: insert(CardEvent, **event),
        "create": lambda: CardEvent.objects.create(**event),
        "many": lambda: Region.objects.bulk_create([Region(code="9" * 21)]),
        "save": Holder(pk=card.holder_id, cert_type="01", cert_no=CERT_NO, name="甲" * 101, region_id="990100").save,
        "update": lambda: Holder.objects.update(name="甲" * 101),
        "by a related key": lambda: Card.objects.update(region="9" * 21),
    }
    told = {way: refused_by(transaction.atomic(write)) for way, write in ways.items()}
    assert told["insert"] == told["create"] == "axis of card event: 21 characters are too many, shorten it to 20"
    assert told["save"] == told["update"] == "name of holder: 101 characters are too many, shorten it to 100"
    assert told["many"] == told["by a related key"]
    assert Holder.objects.get().name == NAME


def test_a_use_case_takes_the_longest_and_refuses_one_more(town):
    clinic = {"code": "CLINIC-9", "kind": InstitutionKind.CLINIC}
    before = AuditEntry.objects.count(), Receipt.objects.count()
    assert "name of institution" in refused_by(
        lambda: register_institution(town.administrator, uuid4(), **clinic, name="甲" * (LONGEST_NAME + 1))
    )
    assert (AuditEntry.objects.count(), Receipt.objects.count()) == before
    register_institution(town.administrator, uuid4(), **clinic, name="甲" * LONGEST_NAME)
    assert Institution.objects.get(pk="CLINIC-9").name == "甲" * LONGEST_NAME


def test_a_backup_with_a_longer_text_is_restored_into_neither_kind(own_store, new_store, lasting_town, tmp_path):
    lasting_town.order()
    back_up(tmp_path / "books")
    content = gzip.decompress((tmp_path / "books").read_bytes()).decode()
    assert NAME in content
    (tmp_path / "books").write_bytes(gzip.compress(content.replace(NAME, "测" * 101).encode()))
    open_store(new_store())
    with pytest.raises(InputError, match="name of holder: 101 characters are too many"):
        restore(tmp_path / "books")
    assert not Holder.objects.exists()
    open_store(own_store)
