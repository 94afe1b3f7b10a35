"""Every command of a native card that writes, each on a card that is ready for it."""

from __future__ import annotations

from collections.abc import Callable

from card.cards import Terminal
from card.natives import FACTORY_KEY, LINE_KEY, LOAD_KEY, MASTER_KEY, authenticate, built, factory, guarded
from card.oracle import tdes
from properties.scenes import Scene

RECORD = "11223344"


def _opened(command: str) -> Callable[[Terminal], str]:
    def ready(terminal: Terminal) -> str:
        assert authenticate(terminal, 0x00, FACTORY_KEY) == "9000"
        return command

    return ready


def _erased(command: str, *before: str) -> Callable[[Terminal], str]:
    def ready(terminal: Terminal) -> str:
        assert authenticate(terminal, 0x00, FACTORY_KEY) == "9000"
        for one in ("800E000000", *before):
            assert terminal.send(one) == "9000"
        return command

    return ready


def at(command: str, *before: str) -> Callable[[Terminal], str]:
    """In the application, with its master key authenticated; these commands were done before."""

    def ready(terminal: Terminal) -> str:
        terminal.select("3F01")
        assert authenticate(terminal, 0x00, MASTER_KEY) == "9000"
        for one in before:
            assert terminal.send(one) == "9000"
        return command

    return ready


def _guarded(key: bytes, command: str, *, encrypted: bool, before: str = "") -> Callable[[Terminal], bytes]:
    def ready(terminal: Terminal) -> bytes:
        at("", *filter(None, (before,)))(terminal)
        return guarded(terminal, key, command, encrypted=encrypted)

    return ready


def _authentication(key: bytes) -> Callable[[Terminal], bytes]:
    def ready(terminal: Terminal) -> bytes:
        terminal.select("3F01")
        challenge = terminal.challenge(4)
        return b"\x00\x82\x00\x00\x08" + tdes(key, challenge.ljust(8, b"\0"))

    return ready


def _in_application(command: str) -> Callable[[Terminal], str]:
    def ready(terminal: Terminal) -> str:
        terminal.select("3F01")
        return command

    return ready


KEY_FILE, PURSE = "80E00000073F005001F0FFFF", "80E00002072F0208F000FF18"
KEY = "3FF0F40200" + LOAD_KEY.hex()

NATIVE_SCENES: tuple[Scene, ...] = (
    Scene("CREATE FILE master file", factory, _erased("80E03F000D38FFFFF0F001FFFF4141414141")),
    Scene("CREATE FILE first key file", factory, _erased(KEY_FILE)),
    Scene("CREATE FILE application", factory, _opened("80E03F020D380100F0FA95FFFF4144463032")),
    Scene("CREATE FILE binary", built, at("80E0000B07280010F0F0FFFF")),
    Scene("CREATE FILE fixed", built, at("80E0000B072A0304F0F0FFFF")),
    Scene("CREATE FILE variable", built, at("80E0000B072C0010F0F0FFFF")),
    Scene("CREATE FILE cyclic", built, at("80E0000B072E0304F0F0FFFF")),
    Scene("CREATE FILE purse", factory, _erased(PURSE)),
    Scene("ERASE DF master file", built, _opened("800E000000")),
    Scene("WRITE KEY added", built, at("80D4010215" + KEY)),
    Scene("WRITE KEY written over", built, at("80D43F0115" + KEY)),
    Scene("WRITE KEY with MAC", built, _guarded(MASTER_KEY, "84D4010215" + KEY, encrypted=False)),
    Scene("WRITE KEY enciphered", built, _guarded(MASTER_KEY, "84D43F0115" + KEY, encrypted=True)),
    Scene("WRITE KEY PIN", built, at("80D40101083AF0EF0133123456")),
    Scene("WRITE KEY the holder's PIN", factory, _erased("80D40100083AF0EF0133123456", KEY_FILE, PURSE)),
    Scene("EXTERNAL AUTHENTICATE right", built, _authentication(MASTER_KEY)),
    Scene("EXTERNAL AUTHENTICATE wrong", built, _authentication(LOAD_KEY)),
    Scene("UPDATE BINARY", built, at("00D6850003ABCDEF")),
    Scene("UPDATE BINARY with MAC", built, _guarded(LINE_KEY, "04D6860003ABCDEF", encrypted=False)),
    Scene("UPDATE BINARY enciphered", built, _guarded(LINE_KEY, "04D6870003ABCDEF", encrypted=True)),
    Scene("UPDATE RECORD first", built, _in_application("00DC034C04" + RECORD)),
    Scene("UPDATE RECORD again", built, at("00DC034C04AABBCCDD", "00DC034C04" + RECORD)),
    Scene("APPEND RECORD with MAC", built, _guarded(LINE_KEY, "04E2005404" + RECORD, encrypted=False)),
)
