"""Every command that writes, each on a card that is ready for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from card.cards import CARD_KEY, DF04, SSSE, Terminal, a_file, blank, counted, funded, specimen, with_file
from card.oracle import ssc_protected, tdes
from card.purses import credit, debit, initialize_load, initialize_purchase
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.image import CardImage, Lifecycle
from kaguan.card_os.profile import FREE, FileKind
from kaguan.card_os.profile.fcp import DF_DESCRIPTOR, READ, UPDATE, Fcp
from kaguan.card_os.profile.keydata import KeyHeader
from kaguan.card_os.writes import Group
from kaguan.emulator.stock import FACTORY_TRANSPORT_KEY
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.messaging import Scheme, protect
from kaguan.vault.vault import Usage

_ATR = blank().atr
TRANSPORT = tdes(FACTORY_TRANSPORT_KEY, _ATR[-8:] + bytes(byte ^ 0xFF for byte in _ATR[-8:]))


class Kept:
    """A storage that remembers the groups it was given."""

    def __init__(self) -> None:
        self.groups: list[Group] = []

    def append(self, group: Group) -> None:
        """The group is remembered."""
        self.groups.append(group)


class Stage(NamedTuple):
    """A card just before a command: the terminal, what the storage kept, and the command."""

    terminal: Terminal
    kept: Kept
    command: bytes


class Scene(NamedTuple):
    """A name, a card, and how to get it ready; `ready` gives the command."""

    name: str
    image: Callable[[], CardImage]
    ready: Callable[[Terminal], str | bytes]

    def staged(self) -> Stage:
        """A new card, ready; the same one every time."""
        kept = Kept()
        terminal = Terminal(self.image(), random=counted(), storage=kept)
        command = self.ready(terminal)
        kept.groups.clear()
        return Stage(terminal, kept, bytes.fromhex(command) if isinstance(command, str) else command)


def _at_ssse(then: Callable[[Terminal], str | bytes] | str) -> Callable[[Terminal], str | bytes]:
    def ready(terminal: Terminal) -> str | bytes:
        terminal.select("DDF1")
        return then if isinstance(then, str) else then(terminal)

    return ready


def _at_medical(then: Callable[[Terminal], str | bytes]) -> Callable[[Terminal], str | bytes]:
    def ready(terminal: Terminal) -> str | bytes:
        terminal.select("DDF1")
        assert terminal.send("0020000003123456") == "9000"
        terminal.send("00A4000002DF04")
        return then(terminal)

    return ready


def _authentication(key: bytes) -> Callable[[Terminal], bytes]:
    def ready(terminal: Terminal) -> bytes:
        original = bytes(8)
        return b"\x00\x82\x00\x04\x10" + tdes(tdes(key, terminal.challenge()), original) + original

    return ready


def _with_right(reference: int, command: str) -> Callable[[Terminal], str]:
    def ready(terminal: Terminal) -> str:
        terminal.authenticated(reference)
        return command

    return ready


def _protected(reference: int, header: str, plain: bytes | None = None) -> Callable[[Terminal], bytes]:
    def ready(terminal: Terminal) -> bytes:
        terminal.authenticated(reference)
        return ssc_protected(CARD_KEY, terminal.challenge(), header, plain=plain)

    return ready


def _opened(then: Callable[[Terminal], str | bytes], *, begun: bool = True) -> Callable[[Terminal], str | bytes]:
    def ready(terminal: Terminal) -> str | bytes:
        assert terminal.external_authenticate(0x00, key=TRANSPORT) == "9000"
        if begun:
            assert terminal.send(creation(MASTER)) == "9000"
        return then(terminal)

    return ready


MASTER = Fcp(descriptor=DF_DESCRIPTOR, fid=0x3F00, df_name=b"1PAY.SYS.DDF01")
CREATED = Fcp(descriptor=FileKind.TRANSPARENT, fid=0x0003, size=20, rules={READ: FREE, UPDATE: FREE})


def creation(fcp: Fcp) -> bytes:
    """CREATE FILE with these parameters."""
    raw = bytes(fcp)
    return bytes((0x00, 0xE0, 0x00, 0x00, len(raw))) + raw


def _write_key(terminal: Terminal) -> bytes:
    header = KeyHeader(Usage.EXTERNAL_AUTHENTICATION, 1, 0, Algorithm.TDES, 8)
    command = CommandApdu(0x84, 0xD4, 0x01, 0x00, bytes(header) + CARD_KEY)
    transport = cipher(TRANSPORT, Algorithm.TDES)
    return bytes(protect(transport, Scheme.PBOC, command, terminal.challenge(), encrypted=True))


def _filled(terminal: Terminal) -> str:
    assert terminal.send(creation(CREATED)) == "9000"
    assert terminal.send(_write_key(terminal)) == "9000"
    return "00E40000"


def _blocked() -> CardImage:
    image = specimen()
    medical = image.dedicated[DF04]._replace(lifecycle=Lifecycle.DEACTIVATED)
    return image._replace(dedicated={**image.dedicated, DF04: medical})


def _unblocking(terminal: Terminal) -> bytes:
    terminal.select("DDF1")
    assert terminal.send("00A4000002DF04") == "6A81"
    return _protected(0x83, "84180000")(terminal)


def _open_records() -> CardImage:
    records = a_file(FileKind.LINEAR_VARIABLE, records=(b"\xea\x01a", b"\xeb\x01b"))
    turning = a_file(FileKind.CYCLIC, size=3, record_size=2, records=(b"02", b"01"))
    image = with_file(specimen(), SSSE + bytes.fromhex("EF0C"), records)
    return with_file(image, SSSE + bytes.fromhex("EF0D"), turning)


def _in_file(fid: str, command: str) -> Callable[[Terminal], str]:
    def ready(terminal: Terminal) -> str:
        terminal.select(fid)
        return command

    return ready


SCENES: tuple[Scene, ...] = (
    Scene("VERIFY right", specimen, _at_ssse("0020000003123456")),
    Scene("VERIFY wrong", specimen, _at_ssse("0020000003654321")),
    Scene("CHANGE PIN right", specimen, _at_ssse("805E010007123456FF654321")),
    Scene("CHANGE PIN wrong", specimen, _at_ssse("805E010007000000FF654321")),
    Scene("PIN UNBLOCK", specimen, _at_ssse(_protected(0x06, "84240000"))),
    Scene("RELOAD PIN", specimen, _at_ssse(_protected(0x06, "84240001", bytes.fromhex("654321")))),
    Scene("EXTERNAL AUTHENTICATE right", specimen, _at_ssse(_authentication(CARD_KEY))),
    Scene("EXTERNAL AUTHENTICATE wrong", specimen, _at_ssse(_authentication(bytes(16)))),
    Scene("UPDATE BINARY", specimen, _at_ssse(_with_right(0x04, "00D6880003ABCDEF"))),
    Scene("UPDATE RECORD", specimen, _at_ssse(_with_right(0x04, "00DC022C03020139"))),
    Scene("UPDATE RECORD cyclic", _open_records, _at_ssse(_in_file("EF0D", "00DC0003023033"))),
    Scene("APPEND RECORD", _open_records, _at_ssse(_in_file("EF0C", "00E2000003EC0163"))),
    Scene("APPLICATION BLOCK", specimen, _at_medical(_protected(0x83, "841E0000"))),
    Scene("APPLICATION UNBLOCK", _blocked, _unblocking),
    Scene("CARD BLOCK", specimen, _at_ssse(_protected(0x05, "84160000"))),
    Scene("CREDIT FOR LOAD", funded, _at_medical(lambda t: credit(t.send(initialize_load(700)), 700))),
    Scene("DEBIT FOR PURCHASE", funded, _at_medical(lambda t: debit(t.send(initialize_purchase(700)), 700))),
    Scene("CREATE FILE", blank, _opened(lambda _: creation(MASTER), begun=False)),
    Scene("WRITE KEY", blank, _opened(_write_key)),
    Scene("DELETE FILE", blank, _opened(_filled)),
    Scene("ACTIVATE FILE", blank, _opened(lambda _: "00440000")),
)


def scene(name: str) -> Scene:
    """The scene of that name."""
    return next(one for one in SCENES if one.name == name)


def scenes(*names: str) -> Iterator[Scene]:
    """The scenes of these names."""
    return (scene(name) for name in names)
