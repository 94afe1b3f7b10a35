"""What comes from outside is data, whatever it looks like: formulas, SQL, markup, bombs."""

from __future__ import annotations

import csv
import io
import zipfile
from contextlib import suppress
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cms.town import return_row
from kaguan.apdu.errors import KaguanError, OrderError
from kaguan.cms.auditing.exporting import ExportForm, export_log
from kaguan.cms.models import Card, StockItem
from kaguan.cms.order_rows import read_order_rows
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.services.loss import report_temporary_loss
from kaguan.cms.services.stock import receive_stock
from kaguan.personalization.order.returnfile import read_return, write_return

CARD = "990100001"
HOSTILE = [
    "=cmd|'/c calc'!A1".replace("|", "/"),
    "@SUM(1)",
    "'; DROP TABLE cms_card; --",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
    "../../etc/passwd",
    "{{7*7}}%s%(x)s\\x00",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_return_file_brings_text_and_nothing_else(town, tmp_path, text):
    town.order()
    file = io.BytesIO()
    write_return(file, [return_row(CARD)._replace(barcode=text[:32], bank_voucher_no=text[:32])])
    file.seek(0)
    receive_stock(town.teller, uuid4(), rows=list(read_return(file)))
    assert StockItem.objects.get().barcode == text[:32]
    assert Card.objects.count() == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_refused_comes_out_of_the_log_as_text(town, tmp_path, text):
    with pytest.raises(NotFound):
        report_temporary_loss(town.hotline, uuid4(), card_no=text)
    export_log(tmp_path / "log.csv", ExportForm.CSV)
    for row in csv.reader((tmp_path / "log.csv").read_text("utf-8-sig").splitlines()):
        assert not any(cell[:1] in tuple("=+-@") for cell in row if cell)


@pytest.mark.parametrize("column", ["card_ident_code", "atr"])
def test_chip_numbers_that_are_none_are_refused(town, column):
    town.order()
    for bad in ("", "=1+1", "'; DROP TABLE cms_card; --", "00" * 200):
        with pytest.raises(NotEligible, match="row 1"):
            receive_stock(town.teller, uuid4(), rows=[return_row(CARD)._replace(**{column: bad})])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.binary(max_size=300) | st.lists(st.text(max_size=20), max_size=20).map("|".join).map(str.encode))
def test_any_bytes_are_a_return_file_or_told(data):
    with suppress(OrderError):
        list(read_return(io.BytesIO(data)))


def test_a_return_line_without_an_end_is_not_read_whole():
    with pytest.raises(OrderError):
        list(read_return(io.BytesIO(b"A" * 10_000_000)))


def zip_of(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


@pytest.mark.parametrize(
    "members",
    [
        {"bomb.txt": b"\0" * 50_000_000},
        {"..__..__evil.txt": b"x"},
        {"order.xml": b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>"},
        {},
    ],
)
def test_an_archive_that_is_no_order_is_told(tmp_path, members):
    with pytest.raises(KaguanError):
        read_order_rows(zip_of(tmp_path / "order.zip", **members))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["order.zip"]
