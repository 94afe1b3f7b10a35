"""CPU card scripts: each against the bytes that its own tool would send."""

from __future__ import annotations

import pytest

from card.oracle import mac, retail, tdes
from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape import Verdict
from kaguan.terminal.scripts import Dialect, Played, ScriptFailed
from terminal.wire import KEY, RESET, Wire, played_on, refused, sent


class TestCpu:
    """Against the articles' own scripts."""

    def test_every_form_of_command(self) -> None:
        text = """
            CPURESET()                       // the user card
            PIN=123456 /* over
            two lines */ 名称=DDF1
            00A40000023F00
            00 A4 00 00 02 + 名称 (9000)
            0020000003+PIN(9000);0084000008(RAM+9000)
            0082000008+RAM(9000) 80EE0000+
                00
            00B0+0000+0A（61XX，9000）
            0084000004(R4)
            88+R4+PIN
        """
        answers = ["9000"] * 3 + ["A1A2A3A4A5A6A7A89000"] + ["9000"] * 3 + ["B1B29000"]
        assert sent(text, Dialect.CPU, *answers) == [
            RESET,
            "00A40000023F00",
            "00A4000002DDF1",
            "0020000003123456",
            "0084000008",
            "0082000008A1A2A3A4A5A6A7A8",
            "80EE000000",
            "00B000000A",
            "0084000004",
            "88B1B2123456",
        ]

    def test_digits_are_cut_and_joined(self) -> None:
        text = (
            "A=0123456789ABCDEF\nB=COPY(A,1,3)\nC=last(A,3)\nB+C\ncopy(A,0,4)+COPY(A,13,4)\nXOR(A,FFFFFFFFFFFFFFFF,D)D"
        )
        assert sent(text, Dialect.CPU) == ["012DEF", "0123CDEF", "FEDCBA9876543210"]

    def test_a_name_is_no_hex_once_it_has_a_value(self) -> None:
        assert sent("ABCD\nABCD=0011\nABCD", Dialect.CPU) == ["ABCD", "0011"]

    def test_slots_and_the_answer_to_reset(self) -> None:
        cards = [Wire(), Wire()]
        text = "ATR=CPURESET()\nSET_CPU(1)\nF=LAST(ATR,16)\n80CA+F SET_CPU(0)\n80CB+F"
        played_on(text, Dialect.CPU, cards)
        assert [card.asked for card in cards] == [[RESET, "80CB1122334455667788"], ["80CA1122334455667788"]]

    def test_sums_are_those_of_others(self) -> None:
        data = bytes(range(24))
        session = tdes(bytes.fromhex(KEY), data[:8])
        text = f"""
            ECB_3DES_EN({data.hex()[:16]},{KEY},S)
            ECB_SDES_EN({data.hex()},S,E)
            ECB_SDES_DE(E,S,D)
            3DES_MAC(0000000000000000+{data.hex()}+8000000000000000,S,M1)
            3DES_MAC(A1A2A3A4A5A6A7A8+{data.hex()[:10]}+800000,{KEY},M2)
            S
            E
            D
            M1+M2
        """
        long_mac = retail(bytes.fromhex(KEY), bytes.fromhex("A1A2A3A4A5A6A7A8"), data[:5])
        expected = [session, tdes(session, data), data, mac(session, data) + long_mac]
        assert sent(text, Dialect.CPU) == [value.hex().upper() for value in expected]

    def test_the_mac_of_a_command_uses_the_challenge_that_the_card_holds(self) -> None:
        header = "04D6950024"
        own = f"0084000004(R+9000)\n3DES_MAC_COM({header}+AABB,{KEY},M)\n{header}+AABB+M"
        asked = f"M=3DES_MAC_COM({header}+AABB,{KEY})\n{header}+AABB+M"
        stale = f"0084000004\n00A40000\n{asked}"
        code = (
            retail(bytes.fromhex(KEY), bytes.fromhex("0102030400000000"), bytes.fromhex(header + "AABB")).hex().upper()
        )
        for text, before in ((own, []), (asked, []), (stale, ["0084000004", "00A40000"])):
            answers = ["AAAAAAAA9000", "9000"][: len(before)]
            expected = [*before, "0084000004", f"{header}AABB{code}"]
            assert sent(text, Dialect.CPU, *answers, "010203049000") == expected

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            (
                "0084000008\n00A4+NAME",
                "s:2:6: expected a name with a value, or an even number of hex digits, found NAME",
            ),
            ("00A", "s:1:1: expected a name with a value, or an even number of hex digits, found 00A, an odd number"),
            ("RAM\nRAM=00", "s:1:1: expected a name with a value"),
            ("A=00+\n+11", "s:2:1: expected a name or hex digits, found +"),
            ("FOO(00,11)", "s:1:1: expected a built-in (CPURESET, SET_CPU, COPY, LAST,"),
            ("COPY(00,X,1)", "s:1:9: expected a number, found X"),
            ("COPY(0011,1)", "s:1:12: expected ,, found )"),
            ("SET_CPU(2)", "s:1:9: expected 0 (the user card) or 1 (the PSAM), found 2"),
            ("CPURESET(1)", "s:1:10: expected ), found 1"),
            ("0084000008(RAM+9000", "s:1:20: expected ), found the end of the script"),
            ("0084000008(RAM+90)", "s:1:16: expected a status word of 4 hex digits, found 90"),
            ("00A4 ? 00", "s:1:6: expected a name, hex digits or one of + ( ) , =, found '?'"),
            ("/* 00A4", "s:1:1: expected */ after this"),
            ("COPY=00", "s:1:1: expected a name, found the built-in COPY"),
            (
                f"K={'0' * 31}",
                "s:1:3: expected a name with a value, or an even number of hex digits, found 31 hex digits",
            ),
            (f"00+3DES_MAC_COM(00,{KEY})", "s:1:4: expected 3DES_MAC_COM alone"),
            ("CPURESET\n00A40000", "s:1:9: expected ( after CPURESET, found the end of the line"),
            ("SET_CPU 1", "s:1:9: expected ( after SET_CPU, found 1"),
            ("A=SET_CPU(0)", "s:1:3: expected a value, found SET_CPU"),
        ],
    )
    def test_names_what_is_wrong(self, text: str, complaint: str) -> None:
        assert refused(text, Dialect.CPU).startswith(complaint)

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("A=0011\nB=COPY(A,3,4)", "s:2:3: COPY: digits 3 to 6 are wanted, there are 4"),
            ("B=LAST(00,4)", "s:1:3: LAST: the last 4 digits are wanted, there are 2"),
            ("A=COPY(0011,1,3)\n80+A", "s:2:1: command: 5 hex digits are no whole bytes"),
            (
                "ECB_3DES_EN(0011223344556677,0011,OUT)",
                "s:1:1: ECB_3DES_EN: a key of this cipher has 16 bytes, this has 2",
            ),
            (
                "A=COPY(0011,1,3)\n0082000710+A",
                "s:2:1: EXTERNAL AUTHENTICATE was not sent: command: 5 hex digits are no",
            ),
            ("A=00\n00B00000+LAST(A,4)", "s:2:10: READ BINARY, from byte 0 was not sent: LAST: the last 4 digits are"),
            ("3DES_MAC(00112233,0011223344556677,OUT)", "s:1:1: 3DES_MAC: a MAC is made of"),
        ],
    )
    def test_names_what_cannot_be_done(self, text: str, complaint: str) -> None:
        with pytest.raises(TapeError) as caught:
            sent(text, Dialect.CPU)
        assert str(caught.value).startswith(complaint)

    def test_line_numbers_of_a_web_page_do_no_harm(self) -> None:
        text = "   1. KEY=0011   // one\n  2. 00A40000+KEY\n 10.\t0084000008(KEY)\n11. KEY"
        assert sent(text, Dialect.CPU, "9000", "00B000009000") == ["00A400000011", "0084000008", "00B00000"]

    def test_stops_at_the_first_wrong_answer(self) -> None:
        wire = Wire("6A82")
        with pytest.raises(ScriptFailed) as caught:
            played_on("00A40000023F01(9000)\n0084000008", Dialect.CPU, [wire])
        assert str(caught.value) == "s:1:15: SELECT: expected (9000), received 6A82 (file not found)"
        assert wire.asked == ["00A40000023F01"]


def test_an_unchecked_answer_is_no_failure() -> None:
    (played,) = played_on("0084000008", Dialect.CPU, [Wire("6D00")])
    assert isinstance(played, Played)
    assert played.verdict is Verdict.UNCHECKED
