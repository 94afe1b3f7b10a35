"""`kaguan script run`, with the scripts of examples/scripts and with scripts that go wrong."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from card.cards import PIN, SELECT_SSSE
from card.modules import module
from kaguan.emulator.imagefile import load_image, save_image
from terminal.doors import call, card_file

EXAMPLES = Path(__file__).parents[2] / "examples" / "scripts"
ALONE = {"challenge.apdu", "identity.apdu", "identity.scr", "identity.txt"}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return card_file(tmp_path)


@pytest.fixture
def psam(tmp_path: Path) -> Path:
    path = tmp_path / "psam.card"
    save_image(path, module())
    return path


def script(folder: Path, *lines: str, name: str = "test.txt") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def cases(report: Path) -> list[tuple[str, str, str]]:
    """The cases of a report: suite, name, and what went wrong."""
    return [
        (suite.attrib["name"], case.attrib["name"], "".join(fault.attrib["message"] for fault in case))
        for suite in Xml.parse(report).getroot()  # noqa: S314 - we wrote it
        for case in suite
    ]


@pytest.mark.parametrize("file", sorted(EXAMPLES.iterdir()), ids=lambda file: file.name)
def test_every_example_runs_on_specimen_cards(card: Path, psam: Path, file: Path) -> None:
    cards = ["--card", card] if file.name in ALONE else ["--card", card, "--psam", psam]
    ended = call("script", "run", file, *cards)
    assert ended.code == 0, ended.complaint
    assert ended.lines
    assert not any("mismatched" in line for line in ended.lines)


def test_the_examples_show_every_dialect(card: Path, psam: Path) -> None:
    both = ["--card", card, "--psam", psam]
    files = sorted(EXAMPLES.iterdir())
    told = {
        dialect: [call("script", "run", file, "--format", dialect, *both).code == 0 for file in files].count(True)
        for dialect in ("tape", "scriptor", "apdutool", "jcardsim", "cpu")
    }
    assert all(told.values()), told


def test_a_medical_purchase_in_chinese_is_paid(card: Path, psam: Path) -> None:
    before = load_image(card)
    assert call("script", "run", EXAMPLES / "医疗消费.txt", "--card", card, "--psam", psam).code == 0
    assert load_image(card) != before
    log = script(
        card.parent, SELECT_SSSE, f"0020000003{PIN}", "00A4040006D15600000503", "00A4000002EF08", "00B201041C(9000)"
    )
    assert call("script", "run", log, "--card", card).code == 0


def test_a_wrong_answer_ends_with_3_its_place_and_its_file(card: Path, tmp_path: Path) -> None:
    file = script(tmp_path, SELECT_SSSE, "00A4020002EF06", "  00B2080000(6A83)", "00200000")
    ended = call("script", "run", file, "--card", card)
    assert ended.code == 3
    assert ended.complaint.startswith(f"kaguan: {file}:3:13: READ RECORD of SSSE/EF06")
    assert "tag 08" in ended.complaint
    assert ended.complaint.rstrip().endswith("expected (6A83), received 9000 (done)")
    assert ended.lines[-1].endswith("# mismatched"), "nothing was sent after it"


@pytest.mark.parametrize("line", ["00A", "NAME+00", "COPY("])
def test_a_script_that_is_none_ends_with_7_before_anything_is_sent(card: Path, tmp_path: Path, line: str) -> None:
    good, bad = script(tmp_path, "CPURESET()", "0020000003000000"), script(tmp_path, "CPURESET()", line, name="bad.txt")
    ended = call("script", "run", good, bad, "--card", card)
    assert ended.code == 7
    assert ended.lines == []
    assert f"{bad}:2:" in ended.complaint
    assert "(read as cpu: --format names another)" in ended.complaint


def test_a_psam_that_is_wanted_and_not_there_is_named(card: Path, tmp_path: Path) -> None:
    file = script(tmp_path, "0084000008", "SET_CPU(1)", "0084000008")
    ended = call("script", "run", file, "--card", card)
    assert ended.code == 7
    assert f"{file}:2:1: card 1 is spoken to here, which needs the PSAM: name it with --psam" in ended.complaint
    assert ended.lines == []


def test_scripts_need_a_card(tmp_path: Path) -> None:
    assert call("script", "run", script(tmp_path, "00840000")).code == 2


def test_every_file_begins_anew_and_runs_though_another_failed(card: Path, tmp_path: Path) -> None:
    first = script(tmp_path, SELECT_SSSE, f"0020000003{PIN}(9000)", "0084000008(6D00)", "00840000", name="first.txt")
    second = script(tmp_path, "00B2080000(6986)", name="second.txt")
    report = tmp_path / "report.xml"
    ended = call("script", "run", first, second, "--card", card, "--junit", report)
    assert ended.code == 3
    assert [(suite, name) for suite, name, _ in cases(report)] == [
        (str(first), f"{first}:1 SELECT SSSE 社会保障系统环境"),
        (str(first), f"{first}:2 VERIFY"),
        (str(first), f"{first}:3 GET CHALLENGE"),
        (str(second), f"{second}:1 READ RECORD, tag 08"),
    ]
    assert [bool(fault) for _, _, fault in cases(report)] == [False, False, True, False]
    suites = Xml.parse(report).getroot()  # noqa: S314 - we wrote it
    assert [(s.attrib["tests"], s.attrib["failures"], s.attrib["errors"]) for s in suites] == [
        ("3", "1", "0"),
        ("1", "0", "0"),
    ]


def test_what_cannot_be_done_is_an_error_of_the_report(card: Path, tmp_path: Path) -> None:
    file, report = script(tmp_path, "A=COPY(00,1,1)", "8400+A"), tmp_path / "report.xml"
    ended = call("script", "run", file, "--card", card, "--junit", report)
    assert ended.code == 7
    assert cases(report) == [(str(file), "the script goes on", f"{file}:2:1: command: 5 hex digits are no whole bytes")]


def test_the_echo_before_a_command_labels_its_case(card: Path, tmp_path: Path) -> None:
    file, report = script(tmp_path, 'echo "\\u0001 select";', "0 0x84 0 0 0 8;"), tmp_path / "report.xml"
    assert call("script", "run", file, "--card", card, "--junit", report).code == 0
    assert cases(report) == [(str(file), f"{file}:2 \ufffd select: GET CHALLENGE", "")]


def test_secrets_are_shown_nowhere(card: Path, psam: Path, tmp_path: Path) -> None:
    report, trace = tmp_path / "report.xml", tmp_path / "trace.txt"
    both = ["--card", card, "--psam", psam, "--junit", report, "--trace", trace]
    ended = call("script", "run", EXAMPLES / "two_cards.apdu", *both)
    assert ended.code == 0
    plain = "1122334455667788"  # what the module enciphers: its data is secret, the card's is not
    for told in ("\n".join(ended.lines), report.read_text(), trace.read_text()):
        assert f"03{PIN}" not in told
        assert f"80FA000008{plain}" not in told
    lend = f"BFDE485D18 8660200101000001 3939303130307378 {plain}"
    lines = [".card 1", "00A4040006D15600000590", lend, f"80FA000008 {plain}", "00C0000008 [00*]"]
    wrong = script(tmp_path, *lines, name="wrong.apdu")
    ended = call("script", "run", wrong, *both)
    assert ended.code == 3
    assert ended.complaint.rstrip().endswith(
        "GET RESPONSE of DESCRYPT: expected other data than the 8 secret bytes received (done)"
    )


def test_a_card_that_falls_silent_ends_with_4_and_the_place(card: Path, tmp_path: Path) -> None:
    file, report = script(tmp_path, SELECT_SSSE, f"0020000003{PIN}", "0084000008"), tmp_path / "report.xml"
    ended = call("script", "run", file, "--card", card, "--junit", report, "--fault", "mute@2")
    assert ended.code == 4
    assert f"{file}:2:1: " in ended.complaint
    assert cases(report)[-1][1] == "the script goes on"


def test_json_tells_each_exchange(card: Path, tmp_path: Path) -> None:
    file = script(tmp_path, "reset", f"{SELECT_SSSE}18")
    reset, select = call("script", "run", file, "--card", card, "--json").rows
    assert reset["reset"]
    assert (select["line"], select["title"], select["sw"], select["meaning"], select["verdict"]) == (
        2,
        "SELECT SSSE 社会保障系统环境",
        "9000",
        "done",
        "unchecked",
    )


def test_a_recorded_card_plays_the_script_again(card: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    file = script(tmp_path, SELECT_SSSE, "00C0000018", "0084000008")
    recorded = call("script", "run", file, "--card", card, "--trace", trace)
    assert recorded.code == 0
    again = call("script", "run", file, "--card", trace)
    assert again.lines == recorded.lines


@pytest.mark.parametrize("way", ["../secret.apdu", "{outside}", "link.apdu"])
def test_a_script_includes_nothing_from_outside_its_folder(card: Path, tmp_path: Path, way: str) -> None:
    outside, folder = tmp_path / "secret.apdu", tmp_path / "scripts"
    outside.write_text("hunter2")
    folder.mkdir()
    (folder / "link.apdu").symlink_to(outside)
    file = script(folder, f".include {way.format(outside=outside)}", name="a.apdu")
    ended = call("script", "run", file, "--card", card)
    assert ended.code == 7
    assert ended.complaint.startswith(f"{file}:1:1: ")
    assert "outside" in ended.complaint


def test_there_is_one_psam(card: Path, psam: Path) -> None:
    ended = call("script", "run", EXAMPLES / "identity.txt", "--card", card, "--psam", psam, "--psam-reader", "0")
    assert ended.code == 2
    assert "one PSAM: --psam or --psam-reader" in ended.complaint


def test_a_script_that_includes_itself_is_refused(card: Path, tmp_path: Path) -> None:
    file = script(tmp_path, ".include b.apdu", name="a.apdu")
    script(tmp_path, ".include b.apdu", name="b.apdu")
    ended = call("script", "run", file, "--card", card)
    assert ended.code == 7
    assert "without end" in ended.complaint
