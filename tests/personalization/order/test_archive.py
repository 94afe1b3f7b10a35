"""The zip of an order is read as other programs read it, and refused where two programs could read it two ways."""

from __future__ import annotations

import gc
import io
import os
import shutil
import stat
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.personalization.order.archive import GREATEST_PHOTO_SIZE, MOST_MEMBER_FAULTS, OrderArchive
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.directory import ZipDamaged, find_directory, members
from kaguan.personalization.order.zipwriting import ZipWriter
from personalization.orders import LIST_NAME, PHOTO, RULES, Order

WRITTEN = datetime(2026, 11, 1, 8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "order.zip"


def opened(path: Path) -> OrderArchive:
    archive = OrderArchive(path)
    archive.close()
    return archive


def reasons(path: Path) -> list[str]:
    return [fault.reason for fault in opened(path).faults]


@settings(deadline=None)
@given(
    photos=st.dictionaries(st.from_regex(r"[0-9X]{1,18}", fullmatch=True), st.binary(max_size=4000), max_size=6),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    comment=st.one_of(st.just(b""), st.just(b"PK\5\6" + bytes(30)), st.binary(max_size=50)),
)
def test_what_pythons_zipfile_writes(
    photos: dict[str, bytes], method: int, comment: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("zips") / "order.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.comment = comment
        archive.writestr(LIST_NAME, b"a|b\r\n" * 100)
        for name, raw in photos.items():
            archive.writestr(f"{name}.jpg", raw)
    order = OrderArchive(path)
    with order.open_list() as stream:
        assert stream.read() == b"a|b\r\n" * 100
    assert {name: order.photo(name) for name in photos} == photos
    assert order.photo_count == len(photos)
    assert order.faults == []
    order.close()


@pytest.mark.skipif(not shutil.which("zip"), reason="the zip program is not installed")
@pytest.mark.parametrize("options", [["-0"], ["-9"], ["-fz"], ["-fd"]], ids=["stored", "packed", "zip64", "streamed"])
def test_what_the_zip_program_writes(options: list[str], path: Path) -> None:
    folder = path.with_name("members")
    folder.mkdir()
    for name, raw in ((LIST_NAME, b"a|b\r\n" * 100), ("990101.jpg", PHOTO)):
        (folder / name).write_bytes(raw)
    subprocess.run(["zip", "-q", *options, path, LIST_NAME, "990101.jpg"], cwd=folder, check=True)
    order = OrderArchive(path)
    assert (order.faults, order.photo("990101")) == ([], PHOTO)
    with order.open_list() as stream:
        assert stream.read() == b"a|b\r\n" * 100
    order.close()


@pytest.mark.parametrize("count", [0, 3, pytest.param(70_000, marks=pytest.mark.slow)], ids=["none", "few", "zip64"])
def test_what_we_write_is_read_by_other_programs(count: int, path: Path) -> None:
    with path.open("wb") as file, ZipWriter(file, WRITTEN) as made:
        made.deflate(LIST_NAME, [b"a|b\r\n", b"c"])
        for number in range(count):
            made.store(f"{number:018d}.jpg", b"%d" % number)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == count + 1
        assert archive.read(LIST_NAME) == b"a|b\r\nc"
        assert archive.getinfo(LIST_NAME).date_time == (2026, 11, 1, 8, 0, 0)
    if unzip := shutil.which("unzip"):
        subprocess.run([unzip, "-tqq", path], check=True)
    order = OrderArchive(path)
    assert (order.faults, order.photo_count) == ([], count)
    assert all(order.photo(f"{number:018d}") == b"%d" % number for number in range(0, count, 997))
    order.close()


class _Sparse(io.RawIOBase):
    """A file whose first five billion bytes are not stored: what is written begins behind them."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self.file.seek(5_000_000_000)

    def write(self, raw: object, /) -> int:
        return self.file.write(raw)  # type: ignore[arg-type]

    def close(self) -> None:
        self.file.close()


def test_a_zip_of_more_than_four_gigabytes(path: Path) -> None:
    file = _Sparse(path)
    with ZipWriter(file, WRITTEN) as made:  # type: ignore[arg-type]
        made._place = 5_000_000_000
        made.deflate(LIST_NAME, [b"a|b\r\n"])
        made.store("990101.jpg", PHOTO)
    file.close()
    with zipfile.ZipFile(path) as archive:
        assert archive.read("990101.jpg") == PHOTO
    order = OrderArchive(path)
    assert (order.faults, order.photo("990101")) == ([], PHOTO)
    order.close()


def records(raw: bytes | bytearray) -> Iterator[int]:
    """Where the directory's records begin."""
    at = raw.find(b"PK\1\2")
    while at >= 0:
        yield at
        at = raw.find(b"PK\1\2", at + 4)


def test_one_member_inside_another(path: Path) -> None:
    """Members that share their bytes make a small zip a great one."""
    raw = bytearray(Order().write(path).read_bytes())
    _, first, second, *_ = records(raw)
    raw[second + 42 : second + 46] = raw[first + 42 : first + 46]
    path.write_bytes(raw)
    assert any("begins inside another one" in reason for reason in reasons(path))


def test_a_name_that_differs_in_the_members_header(path: Path) -> None:
    order = Order()
    certificate = order.row(2)["cert_no"].encode()
    raw = order.write(path).read_bytes()
    path.write_bytes(raw.replace(certificate + b".jpg", b"9" * 18 + b".jpg", 1))
    assert [fault[:2] for fault in check_order(path, RULES).faults()] == [(2, "photo")]


@pytest.mark.parametrize("name", ["a\0b.jpg", "a\x1b[2J.jpg", "\u202egpj.jpg", "..\\a.jpg", "C:a.jpg", ".a.jpg"])
def test_a_name_that_is_no_photos(name: str, path: Path) -> None:
    with path.open("wb") as file, ZipWriter(file, WRITTEN) as made:
        made.deflate(LIST_NAME, [b"a"])
        made.store(name, PHOTO)
    (reason,) = reasons(path)
    assert "path" in reason or "cannot be printed" in reason
    assert reason.isascii()
    assert reason.isprintable()


def test_a_member_that_is_there_twice(path: Path) -> None:
    with path.open("wb") as file, ZipWriter(file, WRITTEN) as made:
        made.deflate(LIST_NAME, [b"a"])
        for raw in (b"1", b"2", b"3"):
            made.store("990101199003070015.jpg", raw)
    assert reasons(path) == ["member '990101********0015.jpg' is there twice"] * 2


def test_no_name_of_a_member_is_in_a_repr(path: Path) -> None:
    order = Order()
    with order.write(path).open("rb") as file:
        found = list(members(file.fileno(), find_directory(file.fileno(), path.stat().st_size)))
    assert [member.name for member in found[1:]] == [f"{number}.jpg" for number in order.photo_bytes()]
    assert "9901" not in repr(found)


@pytest.mark.parametrize("size", [GREATEST_PHOTO_SIZE + 1, 0xFFFFFFF0])
@pytest.mark.parametrize("field", [20, 24], ids=["packed", "unpacked"])
def test_a_photo_that_is_said_to_be_great(size: int, field: int, path: Path) -> None:
    raw = bytearray(Order().write(path).read_bytes())
    *_, last = records(raw)
    raw[last + field : last + field + 4] = size.to_bytes(4, "little")
    path.write_bytes(raw)
    assert any(f"has {size} bytes" in reason for reason in reasons(path))


def test_a_photo_that_unpacks_to_more_than_is_said(path: Path) -> None:
    order = Order()
    with zipfile.ZipFile(order.write(path), "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("990101.jpg", bytes(GREATEST_PHOTO_SIZE * 40))
    raw = bytearray(path.read_bytes())
    *_, last = records(raw)
    raw[last + 24 : last + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(raw)
    archive = OrderArchive(path)
    with pytest.raises(ZipDamaged):
        archive.photo("990101")
    archive.close()


def test_a_directory_that_is_not_where_its_end_says(path: Path) -> None:
    raw = Order().write(path).read_bytes()
    assert reasons(path) == []
    path.write_bytes(b"MZ" + raw)  # other programs move all places by two, or do not
    assert reasons(path) == ["the file is not a zip, or its directory is damaged"]
    count = raw.rindex(b"PK\5\6") + 8
    path.write_bytes(raw[:count] + struct.pack("<2H", 5, 5) + raw[count + 4 :])  # one member more than it lists
    assert reasons(path) == ["the file is not a zip, or its directory is damaged"]


def test_a_zip_of_nothing_but_faults_is_told_in_bounds(path: Path) -> None:
    with path.open("wb") as file, ZipWriter(file, WRITTEN) as made:
        for number in range(MOST_MEMBER_FAULTS + 500):
            made.store(f"{number}.exe", b"")
    told = reasons(path)
    assert len(told) == MOST_MEMBER_FAULTS + 1
    assert "there may be more" in told[-1]


def test_a_link_and_a_member_of_a_folder(path: Path) -> None:
    info = zipfile.ZipInfo("990101.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    order = Order(extra=[(info, b"/etc/passwd"), ("a/990102.jpg", PHOTO)])
    first, second = reasons(order.write(path))
    assert "is a link" in first
    assert "has a path" in second


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_is_told_or_changes_nothing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No spoiled zip crashes the check, and none gives a photo that nobody sent."""
    order, path = Order(), tmp_path_factory.mktemp("zips") / "order.zip"
    raw = bytearray(order.write(path).read_bytes())
    start = data.draw(st.sampled_from([0, raw.index(b"PK\1\2")]))  # half of them in the directory
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(start, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) - 1, len(raw) // 2]))])
    report = check_order(path, RULES)
    assert all(fault.reason for fault in report.faults())
    archive = OrderArchive(path)
    for certificate in order.photo_bytes():
        try:
            assert archive.photo(certificate) == PHOTO
        except (KeyError, ZipDamaged):
            assert not report.ok
    archive.close()


def deleted_files() -> Iterator[int]:
    """This process's open files that have no name."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}").endswith("(deleted)"):
                yield int(name)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's view of open files")
def test_the_index_is_no_file_that_others_can_open_and_holds_no_number(path: Path) -> None:
    numbers = [f"{number:018d}" for number in range(60_000)]
    gc.collect()  # what others left closes its files now
    before = set(deleted_files())
    with path.open("wb") as file, ZipWriter(file, WRITTEN) as made:
        made.deflate(LIST_NAME, [b"a"])
        for number in numbers:
            made.store(f"{number}.jpg", b"")
    archive = OrderArchive(path)
    (index,) = set(deleted_files()) - before
    content = os.pread(index, os.fstat(index).st_size, 0)
    assert len(content) > 500_000
    assert stat.S_IMODE(os.fstat(index).st_mode) & 0o077 == 0
    assert numbers[30_000].encode() not in content
    assert blake2b(f"{numbers[30_000]}.jpg".encode(), digest_size=16).digest() not in content
    archive.close()
    assert set(deleted_files()) == before
