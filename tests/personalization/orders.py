"""Orders made for tests: whole by default, so that a test spoils exactly one thing."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from PIL import Image
from stdnum import luhn
from stdnum.iso7064 import mod_11_2

from kaguan.apdu import textcodec
from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.identifiers import card_number_check_character
from kaguan.personalization.order.holder_rules import FieldWidth, HolderRules
from kaguan.personalization.order.reading import HOLDER_COLUMNS, TASK_COLUMNS

LIST_NAME = "P_0000000009_20261101080000_V01_S_0_990100_95588.txt"
TODAY = date(2026, 11, 22)

AN, CN = FieldFormat.AN, FieldFormat.CN
LAYOUT = {
    ("SSSE", "EF05", 0x05): FieldWidth(CN, 4),
    ("SSSE", "EF05", 0x06): FieldWidth(CN, 4),
    ("SSSE", "EF05", 0x07): FieldWidth(AN, 9),
    ("SSSE", "EF06", 0x08): FieldWidth(AN, 18),
    ("SSSE", "EF06", 0x09): FieldWidth(AN, 30),
    ("SSSE", "EF06", 0x4E): FieldWidth(AN, 20),
    ("SSSE", "EF06", 0x0A): FieldWidth(AN, 1),
    ("SSSE", "EF06", 0x0B): FieldWidth(CN, 1),
    ("SSSE", "EF06", 0x0C): FieldWidth(CN, 3),
    ("SSSE", "EF06", 0x0D): FieldWidth(CN, 4),
    ("DF01", "EF05", 0x20): FieldWidth(AN, 2),
    ("DF01", "EF05", 0x21): FieldWidth(AN, 80),
    ("DF01", "EF05", 0x0E): FieldWidth(CN, 3),
    ("DF01", "EF06", 0x23): FieldWidth(AN, 80),
    ("DF01", "EF06", 0x24): FieldWidth(CN, 3),
    ("DF01", "EF06", 0x28): FieldWidth(AN, 15),
    ("DF01", "EF07", 0x29): FieldWidth(AN, 1),
    ("DF01", "EF08", 0x2B): FieldWidth(AN, 1),
    ("DF01", "EF09", 0x2E): FieldWidth(AN, 70),
    ("DF01", "EF09", 0x30): FieldWidth(AN, 9),
    ("DF01", "EF09", 0x32): FieldWidth(AN, 2),
    ("DF01", "EF0A", 0x37): FieldWidth(AN, 3),
    ("DF04", "EF05", 0x80): FieldWidth(CN, 4),
    ("DF04", "EF05", 0x84): FieldWidth(CN, 3),
}
RULES = HolderRules(today=TODAY, layout=LAYOUT)


def photo(pixels: tuple[int, int] = (358, 441), kind: str = "JPEG") -> bytes:
    """A grey picture."""
    out = io.BytesIO()
    Image.new("RGB", pixels, (128, 130, 140)).save(out, kind)
    return out.getvalue()


PHOTO = photo()


def citizen_number(body: str) -> str:
    """The 17 digits with their check character."""
    return body + mod_11_2.calc_check_digit(body)


def holder(number: int) -> dict[str, str]:
    """A whole row; rows of different numbers share nothing that must be unique."""
    certificate = citizen_number(f"990101{1950 + number // 400}0307{number % 400:03d}")
    card_body = f"A{number:07d}"
    bank_body = f"62299999{number:010d}"
    texts = [
        f"{number:06d}",
        f"C{number:011d}",
        "01",
        certificate,
        bank_body + luhn.calc_check_digit(bank_body),
        "20261101",
        "20361101",
        card_body + card_number_check_character(card_body),
        certificate,
        "王䶮",
        "",
        "1" if int(certificate[16]) % 2 else "2",
        "01",
        "990101",
        certificate[6:14],
        "10",
        "测试省测试市东城区解放路221号",
        "990101",
        "测试省测试市西城区幸福里52号楼",
        "990100",
        "19900000000",
        "1",
        "3",
        "灵活就业",
        "A00000011",
        "11",
        "156",
        "20260101",
        "202610",
    ]
    return dict(zip(HOLDER_COLUMNS, texts, strict=True))


@dataclass
class Task:
    """A task line and its holders; `recordcount` None counts them."""

    task_id: str
    holders: list[dict[str, str]]
    recordcount: str | None = None
    bank_id: str = "95588"
    card_type: str = "100"
    dashes: str | None = "-" * 10

    def lines(self) -> list[str]:
        """The task's lines without their ends."""
        count = self.recordcount if self.recordcount is not None else str(len(self.holders))
        head = dict.fromkeys(TASK_COLUMNS, "") | {
            "task_id": self.task_id,
            "card_type": self.card_type,
            "bank_id": self.bank_id,
            "recordcount": count,
        }
        tail = [] if self.dashes is None else [self.dashes]
        return ["|".join(head.values()), *("|".join(row.values()) for row in self.holders), *tail]


@dataclass
class Order:
    """Five holders in two tasks, and what a test changes about them."""

    tasks: list[Task] = field(
        default_factory=lambda: [
            Task("T1", [holder(n) for n in (1, 2, 3)]),
            Task("T2", [holder(n) for n in (4, 5)]),
        ]
    )
    list_name: str = LIST_NAME
    task_header: str = "|".join(TASK_COLUMNS)
    holder_header: str = "|".join(HOLDER_COLUMNS)
    line_end: str = "\r\n"
    encoding: str = "gb18030"
    raw_list: bytes | None = None
    photos: dict[str, bytes] | None = None
    extra: list[tuple[str | zipfile.ZipInfo, bytes]] = field(default_factory=list)

    def row(self, number: int) -> dict[str, str]:
        """The row with this number, to be changed in place."""
        return next(row for task in self.tasks for row in task.holders if row["data_seq"] == f"{number:06d}")

    def certificate(self, number: int, body: str) -> None:
        """The row gets another certificate number, with all that follows from it."""
        row = self.row(number)
        row["cert_no"] = row["ssseef0608"] = citizen_number(body)
        row["ssseef060d"] = body[6:14]
        row["ssseef060a"] = "1" if int(body[16]) % 2 else "2"

    def list_bytes(self) -> bytes:
        """The task list."""
        if self.raw_list is not None:
            return self.raw_list
        lines = [self.task_header, self.holder_header, *(line for task in self.tasks for line in task.lines())]
        text = self.line_end.join([*lines, ""])
        return textcodec.encode(text) if self.encoding == "gb18030" else text.encode(self.encoding)

    def photo_bytes(self) -> dict[str, bytes]:
        """The photos by certificate number; asked for the first time, each holder has one."""
        if self.photos is None:
            self.photos = {row["cert_no"]: PHOTO for task in self.tasks for row in task.holders}
        return self.photos

    def write(self, path: Path) -> Path:
        """The zip is there."""
        with zipfile.ZipFile(path, "w") as archive:
            if self.list_name:
                archive.writestr(self.list_name, self.list_bytes())
            for certificate, raw in self.photo_bytes().items():
                archive.writestr(f"{certificate}.jpg", raw)
            for name, raw in self.extra:
                archive.writestr(name, raw)
        return path
