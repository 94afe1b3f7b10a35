"""Native cards: factory-fresh, and built with native commands; and the terminal's end of their secure messaging."""

from __future__ import annotations

from functools import cache

from card.cards import Terminal
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile
from kaguan.emulator.native_stock import native_card
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.messaging import Scheme, protect

PROFILE = load_profile("fmcos-blank")
SERIAL = bytes.fromhex("200101000001")
MF = bytes.fromhex("3F00")
ADF = bytes.fromhex("3F003F01")
FACTORY_KEY = bytes.fromhex("FF" * 8)
MASTER_KEY = bytes.fromhex("39" * 16)
LINE_KEY = bytes.fromhex("36" * 16)
LOAD_KEY, PURCHASE_KEY, TAC_KEY = (bytes.fromhex(two * 8) for two in ("3F01", "3E01", "3401"))
PIN = "123456"
VERIFY = "0020000003" + PIN

APPLICATION = "80E03F010D380800F0FA95FFFF4144463031"
BUILD = (
    APPLICATION,
    "00A40000023F01",
    "80E00000073F018F95F0FFFF",  # the key file
    "80D401001539F0F14433" + MASTER_KEY.hex(),
    "80D401001536F0F4FF33" + LINE_KEY.hex(),
    "80D40101153EF0F40100" + PURCHASE_KEY.hex(),
    "80D40101153FF0F40100" + LOAD_KEY.hex(),
    "80D401001534F0F40100" + TAC_KEY.hex(),
    "80D40100083AF0EF0133" + PIN,
    "80E0000507280010F0F1FFFF",  # plain
    "80E0000607A80010F0F0FF7F",  # under a MAC
    "80E0000707E80020F0F0FF7F",  # enciphered
    "80E00008072C0030F0F0FFFF",
    "80E00009072A0304F0F0FFFF",
    "80E0000A07AE0304F0F0FF7F",
    "80E00018072E0A17F0EFFFFF",  # the purses' log
    "80E00001072F0208F000FF18",
    "80E00002072F0208F000FF18",
)


@cache
def factory() -> CardImage:
    """The card as the factory delivers it."""
    return native_card(PROFILE, SERIAL)


@cache
def built() -> CardImage:
    """A card with an application that a tester built by native commands: keys, PIN, files, log, both purses."""
    terminal = Terminal(factory())
    assert terminal.go(*BUILD) == "9000"
    return terminal.card.image


@cache
def funded(balance_fen: int = 10_000) -> CardImage:
    """The same with money in both purses."""
    image = built()
    purses = {at: purse._replace(balance_fen=balance_fen) for at, purse in image.purses.items()}
    return image._replace(purses=purses)


def at_application(image: CardImage | None = None, *, state: int = 0) -> Terminal:
    """A terminal in the application of the built card: at state 0, 1 (PIN) or 4 (master key)."""
    terminal = Terminal(image or built())
    terminal.go("00A40000023F01")
    if state == 1:
        assert terminal.send(VERIFY) == "9000"
    elif state == 4:
        assert authenticate(terminal, 0x00, MASTER_KEY) == "9000"
    return terminal


def authenticate(terminal: Terminal, reference: int, key: bytes) -> str:
    """The answer to EXTERNAL AUTHENTICATE with a right cryptogram under this key."""
    challenge = terminal.challenge(8)
    worker = cipher(key, Algorithm.DES if len(key) == 8 else Algorithm.TDES)
    return terminal.send(b"\x00\x82\x00" + bytes((reference, 8)) + worker.encrypt(challenge))


def guarded(terminal: Terminal, key: bytes, command: str, *, encrypted: bool) -> bytes:
    """The command with its protection under this key, for the challenge that it has just asked for."""
    worker = cipher(key, Algorithm.DES if len(key) == 8 else Algorithm.TDES)
    parsed = CommandApdu.parse(bytes.fromhex(command))
    return bytes(protect(worker, Scheme.PBOC, parsed, terminal.challenge(8), encrypted=encrypted))
