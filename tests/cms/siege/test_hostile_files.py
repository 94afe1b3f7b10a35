"""Whatever is in a file that somebody hands over: it is text on the books or a refusal, and nothing is lost."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from cms.asked import books
from cms.crowd import citizen_number, portrait
from cms.neighbours import EVERY_ROLE
from cms.town import BANK, CERT_NO, EXPIRES, ISSUED, NAME, return_row
from cms.wishes import NEW, checked, enrol
from kaguan.apdu.errors import InputError, KaguanError
from kaguan.cms import audit
from kaguan.cms.api.dialects.messages import read_message
from kaguan.cms.auditing.exporting import ExportForm, export_log
from kaguan.cms.canonical import canonical
from kaguan.cms.models import AuditEntry, Card, Holder, Operator
from kaguan.cms.request_rows import APPLICANT_COLUMNS, REQUEST_COLUMNS, read_applicants, read_request_rows
from kaguan.cms.rules.applying import ApplicationWay, Presence
from kaguan.cms.rules.refusals import LimitExceeded
from kaguan.cms.sample import MOST
from kaguan.cms.services.orders import OrderRow, order_cards
from kaguan.cms.services.people.photos import take_photo
from kaguan.cms.services.privacy import person_data
from kaguan.cms.services.production import order_requests
from kaguan.cms.services.regions import import_regions
from kaguan.cms.services.requests import Applicant, apply_for_unit
from kaguan.cms.services.sampling import add_sample
from kaguan.cms.services.stock import receive_stock
from kaguan.personalization.order.returnfile import ReturnRow

pytestmark = pytest.mark.slow

CARD = "990100001"
MOMENT = datetime(2026, 1, 5, tzinfo=UTC)
TEXTS = {
    "formula": "=cmd|'/c calc'!A1",
    "sql": "'); DROP TABLE cms_card; --",
    "nul": "a\0b",
    "bidi": "\u202eabc\u2066",
    "line breaks": "a\r\nb\u2028c",
    "long": "长" * 5_000,
    "half a character": "a\ud800b",
    "entity": "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "template": "%s{{7*7}}${x}%(x)s\\x00\\u0000",
    "blank": " \t ",
    "digits": "９" * 12 + "٣",
    "huge number": "9" * 400,
}


def refused_or_kept(act):
    """The act is done, or refused as this house refuses; then the books say of it what the audit log says."""
    before, done = books(), AuditEntry.objects.filter(outcome="done").count()
    refusal = None
    try:
        act()
    except KaguanError as told:
        refusal = told
    if refusal is None:
        assert books() != before
        return True
    assert 0 < len(str(refusal)) < 6_000
    assert AuditEntry.objects.filter(outcome="done").count() == done
    audit.verify_chain()
    return False


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_cell_of_a_return_file(town, text):
    for number, column in enumerate(ReturnRow._fields):
        card_no, cert_no = f"9901{number:05}", citizen_number(serial=10 + number)
        town.order(card_no, cert_no)
        row = return_row(card_no, cert_no)._replace(**{column: text})
        refused_or_kept(lambda row=row: receive_stock(town.teller, uuid4(), rows=[row]))
    assert Card.objects.count() == len(ReturnRow._fields)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_cell_of_an_order(town, text):
    for number, column in enumerate(["card_no", "cert_type", "cert_no", "name", "bank_code", "bank_card_no"]):
        sound = OrderRow(f"9901{number:05}", "01", citizen_number(serial=number), NAME, BANK, "", ISSUED, EXPIRES)
        row = replace(sound, **{column: text})
        refused_or_kept(
            lambda row=row, number=number: order_cards(town.clerk, uuid4(), order_no=f"B{number}", rows=[row])
        )
    refused_or_kept(lambda: order_cards(town.clerk, uuid4(), order_no=text, rows=[replace(sound, card_no="990100002")]))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_cell_of_a_units_sheet(town, tmp_path, text):
    presence = Presence(ApplicationWay.UNIT, unit_no="U1")
    for place in range(len(APPLICANT_COLUMNS)):
        cells = ["01", CERT_NO, NAME]
        cells[place] = text
        sheet = tmp_path / f"sheet{place}.csv"
        with sheet.open("w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
            csv.writer(stream).writerows([APPLICANT_COLUMNS, cells])
        refused_or_kept(
            lambda sheet=sheet: apply_for_unit(
                town.clerk, uuid4(), applicants=read_applicants(sheet), wish=NEW, presence=presence
            )
        )
    unit = Presence(ApplicationWay.UNIT, unit_no=text)
    enrol()
    refused_or_kept(
        lambda: apply_for_unit(
            town.clerk, uuid4(), applicants=[Applicant("01", CERT_NO, NAME)], wish=NEW, presence=unit
        )
    )


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_cell_of_a_sheet_of_checked_requests(town, tmp_path, text):
    enrol()
    request = str(checked(town))
    for place in range(len(REQUEST_COLUMNS)):
        cells = [request, CARD, "2026-01-05", "2036-01-05", "6229999900000001"]
        cells[place] = text
        sheet = tmp_path / f"sheet{place}.csv"
        with sheet.open("w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
            csv.writer(stream).writerows([REQUEST_COLUMNS, cells])
        refused_or_kept(
            lambda sheet=sheet, place=place: order_requests(
                town.clerk, uuid4(), order_no=f"R{place}", rows=read_request_rows(sheet)
            )
        )


BROKEN_SHEETS = {
    "gbk": "cert_type,cert_no,name\r\n01,1,测试\r\n".encode("gb18030"),
    "cut in a character": "cert_type,cert_no,name\r\n01,1,测".encode()[:-1],
    "utf-16": "cert_type,cert_no,name\r\n".encode("utf-16"),
    "open quote": b'cert_type,cert_no,name\r\n01,1,"never closed\r\n' + b"x" * 300_000,
    "long line": b"cert_type,cert_no,name\r\n" + b"x" * 3_000_000,
    "nothing": b"",
    "zip": b"PK\x03\x04" + bytes(100),
    "nul": b"cert_type,cert_no,name\r\n\0,\0,\0\r\n",
    "gzip": gzip.compress(b"cert_type,cert_no,name\r\n"),
}


@pytest.mark.parametrize("content", BROKEN_SHEETS.values(), ids=BROKEN_SHEETS)
def test_a_sheet_that_is_none(town, tmp_path, content):
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(content)
    presence = Presence(ApplicationWay.UNIT, unit_no="U1")
    assert not refused_or_kept(
        lambda: apply_for_unit(town.clerk, uuid4(), applicants=read_applicants(sheet), wish=NEW, presence=presence)
    )
    with pytest.raises(KaguanError):
        read_request_rows(sheet)


REGION = 'code = "990300"\nname = {name}\nparent = "990000"\n[[version]]\nvalid_from = {day}\n{more}'
SOUND = {"name": '"N"', "day": "2020-01-01", "more": "pin.pin_tries = 4"}
REGIONS = {
    "nul in the name": {"name": '"a\\u0000b"'},
    "nul in the note": {"more": 'note = "\\u0000"\npin.pin_tries = 4'},
    "bidi in the name": {"name": '"\\u202Eabc"'},
    "half a character": {"name": '"\\ud800"'},
    "long name": {"name": '"' + "x" * 100_000 + '"'},
    "long note": {"more": 'note = "' + "x" * 300 + '"\npin.pin_tries = 4'},
    "deep": {"more": "pin.pin_tries = " + "[" * 5_000},
    "deep table": {"more": "[" + ".".join("a" * 5_000) + "]"},
    "huge number": {"more": "pin.pin_tries = " + "9" * 400},
    "number that no Python reads": {"more": "pin.pin_tries = " + "9" * 5_000},
    "infinite": {"more": "pin.pin_tries = inf"},
    "a day of the year 10000": {"day": "10000-01-01"},
    "a moment": {"day": "2020-01-01T00:00:00Z"},
    "doubled key": {"more": "pin.pin_tries = 4\npin.pin_tries = 5"},
    "formula": {"name": '"=1+1"'},
    "control character": {"more": "pin.pin_tries = 4\x07"},
}


@pytest.mark.parametrize("change", REGIONS.values(), ids=REGIONS)
def test_a_region_file(town, change):
    text = REGION.format(**{**SOUND, **change})
    refused_or_kept(lambda: import_regions(town.administrator, uuid4(), texts={"990300.toml": text}))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\0b", "=1+1", "x" * 5_000])
def test_the_name_of_a_region_file_is_a_name(town, name):
    refused_or_kept(lambda: import_regions(town.administrator, uuid4(), texts={name: REGION.format(**SOUND)}))
    refused_or_kept(lambda: import_regions(town.administrator, uuid4(), texts={name: "x"}))


@pytest.mark.parametrize("holders", [0, -1, MOST + 1, 2**63, 10**30])
def test_no_sample_is_too_large(town, holders):
    with pytest.raises(LimitExceeded):
        add_sample(town.administrator, uuid4(), holders=holders)
    assert not Holder.objects.exists()


def png_bomb():
    """A picture of a few bytes that unpacks to gigabytes."""
    import struct  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


PHOTOS = {
    "nothing": b"",
    "bomb": png_bomb(),
    "huge jpeg": portrait()[:163].replace(b"\x01\xb9\x01\x66", b"\xff\xff\xff\xff"),
    "cut": portrait()[:300],
    "gif": b"GIF89a" + bytes(50),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 358 441\n(/etc/passwd) run\n",
    "many bytes": portrait() + bytes(10_000_000),
}


@pytest.mark.parametrize("image", PHOTOS.values(), ids=PHOTOS)
def test_a_photo_that_is_none(town, image):
    holder = enrol()
    assert not refused_or_kept(lambda: take_photo(town.clerk, uuid4(), holder_id=holder.pk, image=image))


ENCODINGS = ["utf-16", "utf-32", "utf-7", "gb18030", "cp037"]
XML = {
    "lol": b"<!DOCTYPE l [<!ENTITY a 'lol'>" + b"".join(
        b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10 if n else b"&a;" * 10) for n in range(10)
    ) + b"]><allDsjk><a>&a9;</a></allDsjk>",
    "quadratic": b"<!DOCTYPE l [<!ENTITY a '%s'>]><allDsjk><a>%s</a></allDsjk>" % (b"x" * 40_000, b"&a;" * 5_000),
    "parameter entity": b"<!DOCTYPE l [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/'> %p;]><allDsjk/>",
    "include": b"<allDsjk xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/etc/passwd'/></allDsjk>",
    "stylesheet": b"<?xml-stylesheet href='file:///etc/passwd'?><allDsjk><a><b/></a></allDsjk>",
    "nul": b"<allDsjk><a>\0</a></allDsjk>",
    "nul reference": b"<allDsjk><a>&#0;</a></allDsjk>",
    "cut in a character": "<allDsjk><a>测</a></allDsjk>".encode()[:14],
    "two encodings": "<?xml version='1.0' encoding='utf-8'?><allDsjk>测</allDsjk>".encode("gb18030"),
    **{name: f"<?xml version='1.0' encoding='{name}'?><!DOCTYPE a []><allDsjk/>".encode(name) for name in ENCODINGS},
}  # fmt: skip


@pytest.mark.parametrize("body", XML.values(), ids=XML)
def test_a_provinces_message_that_attacks_its_reader(body):
    with pytest.raises(InputError) as refusal:
        read_message(body, "allDsjk")
    assert "root:" not in str(refusal.value)


@pytest.mark.parametrize("text", [text for name, text in TEXTS.items() if name != "half a character"])
def test_what_went_in_comes_out_of_the_exports_as_text(town, tmp_path, text):
    text = text.replace("\0", "")[:100]  # no server keeps more of it
    holder = Holder.objects.create(cert_type="01", cert_no="X", name=text, region_id="990100")
    Operator.objects.filter(pk="clerk").update(name=text, roles=EVERY_ROLE)
    audit.append(audit.AuditLine(MOMENT, text, text, "look", uuid4(), "done", {"why": text, "name": text}))
    assert export_log(tmp_path / "log.jsonl", ExportForm.JSON_LINES) == AuditEntry.objects.count()
    assert export_log(tmp_path / "log.csv", ExportForm.CSV) == AuditEntry.objects.count()
    with (tmp_path / "log.csv").open(encoding="utf-8-sig", newline="") as stream:
        table = list(csv.reader(stream))
    assert len(table) == AuditEntry.objects.count() + 1
    assert not any(cell.lstrip()[:1] in tuple("=+-@") for cells in table for cell in cells if cell.strip())
    told = json.loads(canonical(person_data(holder.pk)))
    assert told["cms_holder"][0]["name"] == text
