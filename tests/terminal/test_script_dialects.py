"""What the dialects say: each script against the bytes that its own tool would send."""

from __future__ import annotations

import pytest

from card.cards import SELECT_SSSE, SSSE_NAME, specimen
from card.oracle import mac, retail, tdes
from kaguan.apdu.errors import RuleBroken
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.scripts import (
    Dialect,
    Played,
    ScriptFailed,
    ScriptSyntaxError,
    decoded,
    play_script,
    read_script,
    recognised,
)
from kaguan.terminal.scripts.script import Say
from terminal.wire import KEY, PROFILE, RESET, Wire, played_on, refused, sent


class TestScriptor:
    """Against the rules of pcsc-tools' own program."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("00 A4 00 00\n00C0000018", ["00A40000", "00C0000018"]),
            ("00 A4 \\\n00 \\\n00", ["00A40000"]),
            ("00A4\\\n0000", ["00A40000"]),
            ("# 00 A4 00 00\n00 84 00 00 08", ["0084000008"]),
            ("reset\n00840000\nRESET now", [RESET, "00840000", RESET]),
            ("00840000\nexit\n00A40000", ["00840000"]),
            ("00840000\n# Exit of the building\n00A40000", ["00840000"]),
            ("00840000\n00A4 \\\n", ["00840000"]),
            ("00 A4 \\\nreset\n00 00", [RESET, "00A40000"]),
            ("00840000\r\n\r\n00 A4\t00 00\r\n", ["00840000", "00A40000"]),
            ("# reset\n # reset\n00840000", [RESET, "00840000"]),
            ("", []),
        ],
    )
    def test_sends_what_the_program_sends(self, text: str, expected: list[str]) -> None:
        assert sent(text, Dialect.SCRIPTOR) == expected

    @pytest.mark.parametrize(
        ("text", "place", "found"),
        [
            ("00840000\n00 A4 0G", "s:2:8:", "'G'"),
            ("00 A4 0", "s:1:7:", "half a byte"),
            ("  00 84 00 00 (9000)", "s:1:15:", "'('"),
            ("powerup", "s:1:1:", "'p'"),
        ],
    )
    def test_names_what_is_no_hex(self, text: str, place: str, found: str) -> None:
        complaint = refused(text, Dialect.SCRIPTOR)
        assert complaint.startswith(place)
        assert complaint.endswith(f"found {found}")

    def test_follows_no_61xx_and_expects_nothing(self) -> None:
        assert sent("00A40000023F00", Dialect.SCRIPTOR, "6118") == ["00A40000023F00"]


class TestApdutool:
    """Against the kit's documentation and jCardSim's tool."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("powerup;\n0x00 0xA4 0x04 0x00 0x02 0x3F 0x00 0x7F;powerdown;", [RESET, "00A40400023F007F"]),
            ("0x00 0xa4 0x00\n 0x00 0x02 0x3F 0x0 0x00 ;", ["00A40000023F0000"]),
            ("0 164 0 0 0 8;", ["00A4000008"]),
            ("0x00 0x84 00 00 00 010;", ["0084000008"]),
            ("0x00 0x84 00 00 00 08;", ["0084000008"]),
            ("0x00 0x20 0 0 3 'V' \"4\" 0x56 0x00;", ["002000000356345600"]),
            ('0x00 0x20 0 0 3 "中" 0x00;', ["0020000003E4B8AD00"]),
            ('0x00 0x20 0 0 4 "\\t\\u0041\\101\\"" 0x00;', ["00200000040941412200"]),
            ("// 0x00;\n/* 0x01; \n powerup; */ POWERUP; Output On; contacted; contactless;", [RESET]),
            ("0x00 0xC0 0x00 0x00 0x18;", ["00C0000018"]),
            ("0x00 0x20 0x00 0x00;", ["00200000"]),
            ("0x00 0x20 0x00 0x00 0x03 0x12 0x34 0x56;", ["0020000003123456"]),
            (
                "extended on; 0 0xD6 0 0 0 2 0xAA 0xBB 0x7F 0xFF; extended off; 0 0x84 0 0 0 8;",
                ["00D60000000002AABB7FFF", "0084000008"],
            ),
            ("extended; 0 0xD6 0 0 0 0 2 0xAA 0xBB 0 0;", ["00D60000000002AABB0000"]),
            ("extended on; 0 0x84 0 0 0 0 0 8;", ["00840000000008"]),
            ("select //aid/A000000062/03010C;", ["00A4040008A00000006203010C7F"]),
            ('select 0xA0 "AB";', ["00A4040003A041427F"]),
            ("powerup; powerdown; powerup; 0 0x84 0 0 0 8;", [RESET, RESET, "0084000008"]),
            (";;", []),
            ("0x00 0x20 0 0 2 0x12 0x34 0x56 0x78 0x7F;", ["002000000212347F"]),
            ("0x00 0xA4 0 0 0 0x3F 0x00 0x02;", ["00A4000002"]),
            (
                '#define FIND 0x00 0xA4 0x04 0x00 // a\n#define NAME_1 0x02 "AB"\n\t# define LE 0x7F\nFIND NAME_1 LE;',
                ["00A404000241427F"],
            ),
            ("#define A B\n#define B 8\n0 0x84 0 0 0 A;\n#define B 4\n0 0x84 0 0 0 A;", ["0084000008", "0084000004"]),
            ("#define purse //aid/A000000062/03\nselect purse;", ["00A4040006A000000062037F"]),
            (
                "#define T1\n#ifdef T1\npowerup;\n#else\n0 1 2 3;\n#endif\n#undef T1\n#ifdef T1\n0 0x84;\n#define X 1\n"
                "#ifndef T1\n0 1;\n#endif\n#else\n#ifndef X\n0 0x84 0 0;\n#endif\n#endif",
                [RESET, "00840000"],
            ),
        ],
    )
    def test_sends_what_the_tool_sends(self, text: str, expected: list[str]) -> None:
        assert sent(text, Dialect.APDUTOOL) == expected

    def test_gets_the_whole_answer(self) -> None:
        text = "0x00 0xA4 0x00 0x00 0x02 0x3F 0x00 0x7F;"
        assert sent(text, Dialect.APDUTOOL, "6102", "AABB9000") == ["00A40000023F007F", "00C0000002"]
        assert sent("0 0xB0 0 0 0 9;", Dialect.APDUTOOL, "6C03", "AABBCC9000") == ["00B0000009", "00B0000003"]

    def test_speaks_waits_and_keeps_quiet(self) -> None:
        text = 'echo "one \\"two\\""; output off; 0 0x84 0 0 0 8; output on; delay 1500; 0 0x84 0 0 0 8;'
        waited: list[float] = []
        script = read_script(text, "s", Dialect.APDUTOOL)
        first, quiet, loud = play_script(script, [Wire()], [PROFILE], waited.append)
        assert first == Say('one "two"')
        assert isinstance(quiet, Played)
        assert isinstance(loud, Played)
        assert (quiet.wanted, loud.wanted, waited) == (False, True, [1.5])

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("0x00 0xA4 0x04 0x00 0x02 0x3F 0x7F", "s:1:1: expected ; at the end of this statement, found none"),
            ("powerup;\n 0 0xA4 4 0 3 1 2;", "s:2:2: expected 3 data bytes after Lc, and Le, found 2 bytes"),
            ("0x00 0x100 0 0 0 0;", "s:1:6: expected one byte, found 0x100"),
            ("powerup; powerdown; 0 0x84 0 0 0 8;", "s:1:21: expected powerup first: the card is off since line 1"),
            ("0 1 2;", "s:1:1: expected CLA INS P1 P2 Lc data Le, found 3 bytes"),
            ("/* 0 1 2;", "s:1:1: expected */ after this, found the end of the script"),
            ('echo "abc;\n', 's:1:6: expected another " in this line, found its end'),
            ("delay 3600001;", "s:1:7: expected at most 3600000 ms, an hour"),
            ("0 0x84 0 0 0 0xGG;", "s:1:14: expected a number, a word or ;, found '0xGG;'"),
            ("extended on; 0 0xD6 0 0 0 9 1 2 3;", "s:1:14: expected CLA INS P1 P2, Lc in two bytes"),
            ('echo "\\q";', "s:1:7: expected an escape, found \\q"),
            ("powerup;\n #include a", "s:2:2: expected #define NAME words, #undef, #ifdef, #ifndef, #else or #endif"),
            ("#else", "s:1:1: expected #define NAME words"),
            ("#define", "s:1:1: expected #define NAME words"),
            ("#ifdef A B\n#endif", "s:1:1: expected #define NAME words"),
            ("powerup;\n#ifdef A\n#else\n#else\n#endif", "s:4:1: expected #define NAME words"),
            (";\n#ifndef A\npowerup;", "s:2:1: expected #endif after this, found the end of the script"),
            ("0 0x84 #define A", "s:1:8: expected ; or the end of the line before #"),
            ("#define A 0 1\nA;", "s:2:1: expected CLA INS P1 P2 Lc data Le, found 2 bytes"),
            ("#define A B\n#define B A\n0 0x84 A;", "s:3:8: expected a number, found A"),
            (
                "".join(f"#define A{n + 1} A{n} A{n}\n" for n in range(40)) + "A40;",
                "s:41:1: definitions make this script too long",
            ),
            ("send 0 1 2 3;", "s:1:1: expected a script written by apdutool -k, found send"),
        ],
    )
    def test_names_what_is_wrong(self, text: str, complaint: str) -> None:
        assert refused(text, Dialect.APDUTOOL).startswith(complaint)


class TestTape:
    """What `script run` gives a tape that the tape alone has not."""

    def test_functions_are_those_of_others(self) -> None:
        key, data = bytes.fromhex(KEY), bytes(range(16))
        text = f"""
            .define KEY {KEY}
            ${{tdes(KEY, "{data.hex()}")}}
            ${{TDES_DECRYPT(KEY, tdes(KEY, "{data.hex()}"))}}
            ${{mac(des("0011223344556677", "{data.hex()[:16]}"), "{data.hex()}")}}
            ${{retail(KEY, "A1A2A3A4A5A6A7A8", "{data.hex()}")}}
            ${{tac(KEY, "{data.hex()}")}}
            ${{sm4_decrypt(KEY, sm4(KEY, "{data.hex()}"))}}
            ${{COPY("0011223344", 3, 4)}} ${{last("0011223344", 2)}} ${{xor("0F0F", "FFFF")}}
            .define MASTER 000102030405060708090A0B0C0D0E0F
            ${{diversify(MASTER, "3939303030307368", "3939303130307378", "8660200101000001")}}
        """
        half = bytes(left ^ right for left, right in zip(key[:8], key[8:], strict=True))
        session = tdes(bytes.fromhex("0011223344556677"), data[:8])
        expected = [
            tdes(key, data),
            data,
            mac(session, data),
            retail(key, bytes.fromhex("A1A2A3A4A5A6A7A8"), data),
            mac(half, data),
            data,
        ]
        asked = sent(text, Dialect.TAPE)
        assert asked == [*(value.hex().upper() for value in expected), "112244F0F0", KEY]

    def test_sm4_is_the_standards(self) -> None:
        """GB/T 32907, appendix A.1."""
        text = '${sm4("0123456789ABCDEFFEDCBA9876543210", "0123456789ABCDEFFEDCBA9876543210")}'
        assert sent(text, Dialect.TAPE) == ["681EDF34D206965E86B3E94F536E4246"]

    def test_a_repeat_without_end_is_refused(self) -> None:
        assert "more than 10000000 steps" in refused(".repeat 1000000000\n0084000008\n.end", Dialect.TAPE)

    def test_a_long_repeat_streams(self) -> None:
        script = read_script(".repeat 4999999\n0084000008\n.end", "s", Dialect.TAPE)
        playing = play_script(script, [Wire()], [PROFILE], lambda _seconds: None)
        assert sum(1 for _, _played in zip(range(1000), playing, strict=False)) == 1000

    def test_the_field_that_differs_is_named(self) -> None:
        text = f"{SELECT_SSSE}7F\n00A4020002EF06\n00B2080000 [08 12 00*]"
        with pytest.raises(ScriptFailed) as caught:
            played_on(text, Dialect.TAPE, [EmulatedCard(specimen())])
        complaint = str(caught.value)
        assert complaint.startswith("s:3:12: READ RECORD of SSSE/EF06")
        assert "tag 08" in complaint
        assert SSSE_NAME not in complaint


def test_a_command_that_was_not_allowed_is_told_with_its_place() -> None:
    class Guarded(Wire):
        def transceive(self, command: bytes) -> bytes:
            raise RuleBroken("VERIFY was not sent")

    with pytest.raises(RuleBroken, match=r"^s:2:1: VERIFY was not sent$"):
        played_on("\n0020000003123456", Dialect.SCRIPTOR, [Guarded()])


class TestRecognition:
    """The kind of a script by what is in it."""

    @pytest.mark.parametrize(
        ("name", "text", "dialect"),
        [
            ("a.txt", "# select\n00 A4 00 00\nreset\n", Dialect.SCRIPTOR),
            ("a", "00A4 \\\n0000\nexit\nWhatever.", Dialect.SCRIPTOR),
            ("a.apdu", "00A40000", Dialect.TAPE),
            ("a.apdu", "powerup;\n0x00 0xA4 0x04 0x00 0x00 0x7F;", Dialect.APDUTOOL),
            ("a.txt", "0 164 4 0 0 127;", Dialect.APDUTOOL),
            ("a.scr", "// hello\nPowerUp ;", Dialect.APDUTOOL),
            ("a.txt", "CPURESET()\n00A40000", Dialect.CPU),
            ("a.txt", "名称=0011", Dialect.CPU),
            ("a.txt", "CPURESET\n00A40000(9000)", Dialect.CPU),
            ("a.txt", "set_cpu（0）", Dialect.CPU),
            ("a.txt", "00B0+0000+0A", Dialect.CPU),
            ("a.apdu", "0084000008(RAM+9000)", Dialect.CPU),
            ("a.txt", ".reset\n00A40000", Dialect.TAPE),
            ("a.txt", "0084000008 [XX*] (9000)", Dialect.TAPE),
            ("a.txt", "0084000008 =9000", Dialect.TAPE),
            ("a.txt", "00A40000023F00(9000) // CPURESET()", Dialect.TAPE),
            ("a.scriptor", "powerup;", Dialect.SCRIPTOR),
            ("a.apdu", "# a card\nreset\n00A40000\n", Dialect.SCRIPTOR),
            ("a.apdu", "00A40000\r\n EXIT \r\nthe rest", Dialect.SCRIPTOR),
            ("a.txt", "00A40000\n00 2O 00 00\nreset", Dialect.SCRIPTOR),
            ("a.txt", "#define SELECT 0 164 4 0\nSELECT 0 0;", Dialect.APDUTOOL),
            ("a.txt", "#define nothing here\n00A40000", Dialect.SCRIPTOR),
            ("a.CPU", "0084000008", Dialect.CPU),
        ],
    )
    def test_names_the_dialect(self, name: str, text: str, dialect: Dialect) -> None:
        assert recognised(text, name) is dialect

    def test_what_is_no_script_is_told(self) -> None:
        with pytest.raises(ScriptSyntaxError, match=r"letter.txt:1:1: .*--format \(tape, scriptor, apdutool, cpu\)"):
            recognised("Dear Sir or Madam", "letter.txt")


class TestEncoding:
    """The text of a file, whoever wrote it."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
    def test_chinese_reads_in_every_encoding(self, encoding: str) -> None:
        text = "密钥=00112233445566778899AABBCCDDEEFF\r\n00A40000+密钥(9000) // 外部认证: 选择应用\r\n"
        assert decoded(text.encode(encoding), "s") == text

    def test_a_western_comment_does_no_harm(self) -> None:
        text = decoded(b"# la cl\xe9\n00840000\n", "s")
        assert sent(text, Dialect.SCRIPTOR) == ["00840000"]

    def test_a_nul_is_named(self) -> None:
        with pytest.raises(ScriptSyntaxError, match="s:2:3: expected text, found a NUL"):
            decoded(b"00840000\n00\x0084", "s")

    def test_too_much_is_refused(self) -> None:
        with pytest.raises(ScriptSyntaxError, match="at most"):
            decoded(bytes(33 * 1024 * 1024), "s")
