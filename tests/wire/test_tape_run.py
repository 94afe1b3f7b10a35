"""Tapes played on a small card, recorded, and replayed."""

from __future__ import annotations

import pytest

from kaguan.apdu.errors import CardLost, CodecError, TapeError
from kaguan.apdu.tape import Replay, Verdict, parse, run

ATR = bytes.fromhex("3B6D00000081544C928684420100000135")


class Echo:
    """A card that answers the data it was sent, then 9000; without data 6700. INS 84 is an own counter."""

    def __init__(self) -> None:
        self.atr = ATR
        self.counter = 0
        self.heard: list[bytes] = []

    def transceive(self, command: bytes) -> bytes:
        self.heard.append(command)
        if command[1] == 0xFF:
            raise CardLost("an exchange")
        if command[1] == 0x84:
            self.counter += 1
            return self.counter.to_bytes(8, "big") + b"\x90\x00"
        return command[5:] + b"\x90\x00" if len(command) > 5 else b"\x67\x00"

    def reset(self) -> bytes:
        self.counter = 0
        return self.atr

    def close(self) -> None:
        """Nothing to let go."""


def reverse(data: bytes, /) -> bytes:
    return data[::-1]


def test_exchanges_come_one_by_one() -> None:
    card = Echo()
    exchanges = run(parse("0084000008\n0084000008 (9000)\n0084000008 [00*]\n"), [card])
    first = next(exchanges)
    assert len(card.heard) == 1
    assert (first.line, first.verdict, first.response[7]) == (1, Verdict.UNCHECKED, 1)
    assert [e.verdict for e in exchanges] == [Verdict.MATCHED, Verdict.MATCHED]


def test_captures_definitions_functions_and_slices_meet_in_a_command() -> None:
    tape = """
        .define HEAD 0082 0000
        .reset [3B6D*] -> SERIAL = [-4:]
        0084000008 [XX*] (9000) -> RND
        ${HEAD} 0A ${reverse(RND)} ${SERIAL[2:4]} [01 00000000000000 ${SERIAL[2:]}] (9000)
    """
    card = Echo()
    assert {e.verdict for e in run(parse(tape), [card], functions={"reverse": reverse})} == {Verdict.MATCHED}
    assert card.heard[1] == bytes.fromhex("008200000A0100000000000000") + ATR[-2:]


def test_repeat_and_cards() -> None:
    cards = Echo(), Echo()
    tape = parse(".repeat 3\n.card 1\n0084000008\n.repeat 2\n.card 0\n0084000008\n.end\n.end")
    assert [e.card for e in run(tape, cards)] == [1, 0, 0] * 3
    assert [card.counter for card in cards] == [6, 3]


def test_names_given_by_the_caller() -> None:
    (exchange,) = run(parse("00A40000 02 ${FID}="), [Echo()], names={"FID": b"\x3f\x00"})
    assert exchange.response == b"\x3f\x00\x90\x00"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        (
            "00A4000001AA\n00A4000000 (9000,61XX)",
            2,
            12,
            r"expected \(9000,61XX\), received 6700 \(wrong length\)",
        ),
        ("00A4000001AA [AB] (9000)", 1, 14, r"expected \[AB\], received \[AA\] 9000 \(done\)"),
        ("00A4000001AA [BX] (6A82)", 1, 19, r"expected \(6A82\), received 9000"),
        (".reset [3B00]", 1, 8, r"expected \[3B00\], received \[3B6D"),
        ("00A4000001AA -> FID = [0:2]", 1, 17, r"expected bytes \[0:2\] for FID, received 1 bytes"),
    ],
)
def test_a_wrong_answer_is_shown_and_then_raised(text: str, line: int, column: int, message: str) -> None:
    exchanges = run(parse(text + "\n00A4000001AA", file="t.apdu"), [Echo()])
    for exchange in exchanges:
        if exchange.verdict is Verdict.MISMATCHED:
            assert exchange.line == line
            break
    with pytest.raises(TapeError, match=message) as caught:
        next(exchanges)
    assert (caught.value.file, caught.value.line, caught.value.column) == ("t.apdu", line, column)
    assert next(exchanges, None) is None


def fails(data: bytes, /) -> bytes:
    raise CodecError("no")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("00A4 ${K}", "K is neither defined nor captured"),
        (".define K 00\n00A4 ${K[0:2]}", r"\[0:2\] is outside its 1 bytes"),
        ("00A4 ${des(K)}", "no function des; there are: fails, reverse"),
        ('00A4 ${reverse("00", "11")}', "reverse: too many positional"),
        ('00A4 ${fails("00")}', "fails: no"),
        ("00XX", "a command to be sent cannot have wildcards"),
        (".define K XX", "a definition cannot have wildcards"),
        (".card 2", "no card 2: 1 connected"),
    ],
)
def test_a_statement_that_cannot_be_carried_out(text: str, message: str) -> None:
    card = Echo()
    with pytest.raises(TapeError, match=message) as caught:
        list(run(parse(text), [card], functions={"reverse": reverse, "fails": fails}))
    assert caught.value.line
    assert card.heard == []


def test_a_command_that_cannot_be_made_is_known_by_its_beginning() -> None:
    with pytest.raises(TapeError) as caught:
        list(run(parse(".card 1\n0082000708 ${K} 00"), [Echo(), Echo()]))
    assert (caught.value.unsent, caught.value.card) == (bytes.fromhex("0082000708"), 1)
    with pytest.raises(TapeError) as caught:
        list(run(parse("00 8X ${K}"), [Echo()]))
    assert caught.value.unsent == b""


def test_nothing_is_sent_when_it_is_unknown_what_is_expected() -> None:
    card = Echo()
    with pytest.raises(TapeError, match="K is neither"):
        list(run(parse("0084000008 [${K}]"), [card]))
    assert card.heard == []


def test_no_card_at_all() -> None:
    with pytest.raises(TapeError, match="no card connected"):
        list(run(parse("00A4"), []))


def test_a_replay_keeps_the_tapes_order() -> None:
    replay = Replay(parse("00A4 [01] (9000)\n.reset\n.card 1\n00B0 (61XX,6A82)", file="t"))
    user, sam = replay.link(0), replay.link(1)
    with pytest.raises(TapeError, match=r"^t:1:1: expected card 0: 00A4, received card 1: 00B0"):
        sam.transceive(b"\x00\xb0")
    with pytest.raises(TapeError, match="expected card 0: 00A4"):
        user.transceive(b"\x00\xb0")
    assert user.transceive(b"\x00\xa4") == b"\x01\x90\x00"
    with pytest.raises(TapeError, match="expected card 0: a reset"):
        sam.transceive(b"\x00\xb0")
    with pytest.raises(TapeError, match="received nothing more"):
        replay.finish()
    user.reset()
    assert sam.transceive(b"\x00\xb0") == b"\x6a\x82"
    with pytest.raises(TapeError, match="expected nothing more"):
        sam.transceive(b"\x00\xb0")
    with pytest.raises(TapeError, match="received a reset of card 1"):
        sam.reset()
    replay.finish()
    user.close()


@pytest.mark.parametrize("text", ["00A4 [01*] (9000)", "00A4 [0X] (9000)", "00A4 [01] (61XX)", "00A4 [01]"])
def test_an_open_answer_cannot_be_replayed(text: str) -> None:
    with pytest.raises(TapeError, match="a replayed answer"):
        Replay(parse(text)).link().transceive(b"\x00\xa4")


def test_an_error_of_the_replay_shows_no_data_of_the_command() -> None:
    with pytest.raises(TapeError) as caught:
        Replay(parse("0020000003 112234 (9000)")).link().transceive(bytes.fromhex("0020000003778899"))
    assert "7788" not in str(caught.value)
