"""Card images as files: whatever happens to the file, what is read is a committed state or a refusal."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import PIN_ADDRESS, PIN_TRIES, SSSE, VERIFY, blank, funded, specimen
from kaguan.apdu.errors import CardLost, InputError, NoCard, PlacedInputError
from kaguan.card_os.image import CardImage
from kaguan.card_os.writes import Group, PutBytes, PutPin, apply
from kaguan.durable import InUse
from kaguan.emulator.imagecodec import decode_group, decode_image, encode_group, encode_image
from kaguan.emulator.imagefile import CardFile, FileCard, load_image, save_image
from properties.scenes import SCENES, Scene

PHOTO = SSSE + bytes.fromhex("EF08")
SELECT = bytes.fromhex("00A4000002DDF1")


def tried(image: CardImage, tries_left: int) -> Group:
    return (PutPin(PIN_ADDRESS, image.pins[PIN_ADDRESS]._replace(tries_left=tries_left)),)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[CardImage]]:
    """A file with a snapshot and three groups, and the four states that it went through."""
    path = tmp_path_factory.mktemp("card") / "card"
    save_image(path, specimen())
    states = [specimen()]
    file = CardFile(path, sync=False)
    for group in (tried(specimen(), 2), (PutBytes(PHOTO, 0, b"photo"), *tried(specimen(), 1)), tried(specimen(), 3)):
        file.append(group)
        states.append(apply(states[-1], group))
    file.close()
    return path.read_bytes(), states


@pytest.mark.parametrize("image", [specimen(), blank(), funded()], ids=["specimen", "blank", "funded"])
def test_an_image_comes_back(image: CardImage, tmp_path: Path) -> None:
    assert decode_image(encode_image(image)) == image
    save_image(tmp_path / "card", image)
    assert load_image(tmp_path / "card") == image
    assert stat.S_IMODE((tmp_path / "card").stat().st_mode) == 0o600


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_groups_writes_come_back(scene: Scene) -> None:
    stage = scene.staged()
    stage.terminal.send(stage.command)
    for group in stage.kept.groups:
        assert decode_group(encode_group(group)) == group


def states_of(raw: bytes, path: Path, states: list[CardImage]) -> int | None:
    """The number of the state that these bytes are read as, None when they are refused."""
    path.write_bytes(raw)
    try:
        image = load_image(path)
    except InputError:
        return None
    return max(number for number, state in enumerate(states) if state == image)


def test_a_file_cut_at_any_byte(journal: tuple[bytes, list[CardImage]], tmp_path: Path) -> None:
    raw, states = journal
    ends = [at + 1 for at, byte in enumerate(raw) if byte == ord("\n")]
    assert len(ends) == len(states)
    for size in {*range(0, ends[0], 97), *range(ends[0] - 3, len(raw) + 1)}:
        whole = sum(end <= size for end in ends)
        assert states_of(raw[:size], tmp_path / "cut", states) == (whole - 1 if whole else None)


def test_a_cut_file_is_written_on(journal: tuple[bytes, list[CardImage]], tmp_path: Path) -> None:
    raw, states = journal
    path = tmp_path / "card"
    path.write_bytes(raw[:-9])
    with FileCard(path, sync=False) as card:
        assert card.image == states[2]
        card.transceive(SELECT)
        assert card.transceive(bytes.fromhex("0020000003654321")).hex() == "63c0"
    assert load_image(path).pins[PIN_ADDRESS].tries_left == 0


@given(st.data())
def test_a_file_with_any_byte_changed(
    journal: tuple[bytes, list[CardImage]], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw, states = journal
    first = raw.index(b"\n")
    at = data.draw(st.integers(0, len(raw) - 1) | st.integers(first - 2, len(raw) - 1))
    changed = bytearray(raw)
    changed[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed"
    states_of(bytes(changed), path, states)  # reads one of the states, or refuses: anything else raises


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"nonsense\n", b"00000000 {}\n", b"d202ef8d 0\n", b"\xff\xfe\n", b"a3830348 {}\n"]
)
def test_what_is_no_card_image(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "card"
    path.write_bytes(content)
    with pytest.raises(PlacedInputError, match="no card image"):
        load_image(path)
    for _ in range(2):  # a refused file is let go
        with pytest.raises(PlacedInputError):
            FileCard(path)


def test_a_write_to_what_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "card"
    save_image(path, blank())
    file = CardFile(path, sync=False)
    file.append((PutBytes(PHOTO, 0, b"x"),))
    file.append((PutBytes(PHOTO, 0, b"y"),))
    file.close()
    with pytest.raises(PlacedInputError, match="does not have"):
        load_image(path)


def test_no_file_no_card(tmp_path: Path) -> None:
    for open_it in (load_image, CardFile, FileCard):
        with pytest.raises(NoCard, match="kaguan card new"):
            open_it(tmp_path / "absent")


def test_one_card_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "card"
    save_image(path, specimen())
    with FileCard(path), pytest.raises(InUse):
        FileCard(path)
    FileCard(path).close()


def test_a_long_journal_is_folded_into_the_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "card"
    save_image(path, specimen())
    snapshot = path.stat().st_size
    with FileCard(path, sync=False) as card:
        card.transceive(SELECT)
        while path.stat().st_size - snapshot <= CardFile.GREATEST_JOURNAL:
            assert card.transceive(bytes.fromhex(VERIFY)) == b"\x90\x00"
        assert card.transceive(bytes.fromhex("0020000003654321"))[0] == 0x63
        last = card.image
    assert path.stat().st_size == snapshot
    assert load_image(path) == last


def test_a_snapshot_that_is_long_itself_is_left_alone(tmp_path: Path) -> None:
    image = specimen()
    photo = image.files[PHOTO]
    long = image._replace(files={**image.files, PHOTO: photo._replace(content=bytes(60_000), size=60_000)})
    path = tmp_path / "card"
    save_image(path, long)
    before = path.stat().st_ino
    with FileCard(path, sync=False) as card:
        card.transceive(SELECT)
        card.transceive(bytes.fromhex(VERIFY))
    assert path.stat().st_ino == before


@pytest.mark.parametrize("cut", range(12))
def test_a_torn_file_card_goes_on(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "card"
    save_image(path, specimen())
    with FileCard(path, sync=False) as card:
        card.transceive(SELECT)
        card.power.cut_after(cut)
        try:
            card.transceive(bytes.fromhex(VERIFY))
        except CardLost:
            card.power.restore()
            card.reset()
        card.power.restore()
        assert load_image(path) == card.image
        card.transceive(SELECT)
        assert card.transceive(bytes.fromhex("0020000003654321"))[0] == 0x63
        last = card.image
    assert load_image(path) == last


def test_a_card_that_dies_torn_leaves_its_group_whole(tmp_path: Path) -> None:
    path = tmp_path / "card"
    for cut in range(6):
        save_image(path, specimen())
        card = FileCard(path, sync=False)
        card.transceive(SELECT)
        card.power.cut_after(cut)
        with pytest.raises(CardLost):
            card.transceive(bytes.fromhex(VERIFY))
        card.close()  # never recovered: the file alone is left
        assert load_image(path) in (specimen(), apply(specimen(), tried(specimen(), 2)))


def test_a_card_taken_out_stays_out(tmp_path: Path) -> None:
    path = tmp_path / "card"
    save_image(path, specimen())
    card = FileCard(path)
    card.close()
    card.close()
    with pytest.raises(NoCard, match="open its file again"):
        card.reset()


WORKER = """
import sys
from pathlib import Path
from kaguan.emulator.imagefile import FileCard
card = FileCard(Path(sys.argv[1]), sync=False)
card.transceive(bytes.fromhex("00A4000002DDF1"))
old, number = "123456", 0
while True:
    number += 1
    new = f"{number:06d}"
    assert card.transceive(bytes.fromhex(f"805E010007{old}FF{new}")) == b"\\x90\\x00"
    old = new
    sys.stdout.write(new + "\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("answers", [1, 7, 60])
def test_a_killed_process_loses_no_answered_write(answers: int, tmp_path: Path) -> None:
    path = tmp_path / "card"
    save_image(path, specimen())
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    for _ in range(answers):
        worker.stdout.readline()
    with pytest.raises(InUse):
        FileCard(path)
    os.kill(worker.pid, signal.SIGKILL)
    answered = [line.strip() for line in worker.stdout.read().splitlines() if len(line.strip()) == 6]
    worker.stdout.close()
    worker.wait()
    last = int(answered[-1]) if answered else answers
    with FileCard(path) as card:
        assert int(card.image.pins[PIN_ADDRESS].value.hex()) in (last, last + 1)
        assert card.image.pins[PIN_ADDRESS].tries_left in (PIN_TRIES - 1, PIN_TRIES)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from kaguan.emulator.imagefile import FileCard, load_image
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with FileCard(path, sync=False) as card:
    card.transceive(bytes.fromhex("00A4000002DDF1"))
    before = card.image
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 1, 40):
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
        assert card.transceive(bytes.fromhex("0020000003654321")) == b"\\x65\\x81"
        assert card.image == before == load_image(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert card.transceive(bytes.fromhex("0020000003654321"))[0] == 0x63
    assert load_image(path) == card.image != before
"""


def test_a_full_disk_is_a_memory_failure(tmp_path: Path) -> None:
    path = tmp_path / "card"
    save_image(path, specimen())
    subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], check=True)
    assert load_image(path).pins[PIN_ADDRESS].tries_left == PIN_TRIES - 1


def test_a_line_left_out_is_noticed(tmp_path: Path) -> None:
    """Every line is whole, and one between them is gone."""
    path = tmp_path / "x.card"
    save_image(path, specimen())
    with FileCard(path) as card:
        for command in ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "0020000003000000", "0020000003000000"):
            card.transceive(bytes.fromhex(command))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((lines[0], *lines[2:], lines[-1])))
    with pytest.raises(PlacedInputError, match="damaged"):
        load_image(path)
