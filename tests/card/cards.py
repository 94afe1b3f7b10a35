"""Test cards: the specimen and others, and a terminal that speaks hex."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cache
from itertools import count

from card.oracle import tdes
from kaguan.card_os.image import Address, CardImage, CardKey, Elementary, key_address
from kaguan.card_os.profile import FileKind, load_profile
from kaguan.card_os.profile.rules import FREE, AccessRule
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.nvm import Storage
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.specimen import SERIAL, specimen_card
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import Usage

PROFILE = load_profile("ssc-v2")

CARD_KEY = bytes.fromhex("5043F22D5FF3CC247F3110B141E2FD7E")
"""Every key of the specimen: master 000102..0F, factors 990000sh, 990100sx and the end of the ATR."""

PIN = "123456"
PIN_TRIES = PROFILE.by_name["SSSE"].pins[0].tries  # regional: 3, 6 and 8 seen
SSSE_NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
SELECT_SSSE = "00A404000F" + SSSE_NAME
SELECT_DF04 = "00A4040006D15600000503"
VERIFY = "0020000003" + PIN

MF = bytes.fromhex("3F00")
SSSE = bytes.fromhex("3F00DDF1")
DF01 = bytes.fromhex("3F00DDF1DF01")
DF04 = bytes.fromhex("3F00DDF1DF04")
PIN_ADDRESS = SSSE + b"\x00"
PURSE_ADDRESS = DF04 + b"\x01"
TERMINAL = "112233445566"
WHEN = "20240101120000"


@cache
def specimen() -> CardImage:
    """The sealed specimen: PIN 123456, an empty wallet."""
    return specimen_card(PROFILE).image


@cache
def blank() -> CardImage:
    """The specimen's chip before anything was written."""
    return blank_chip(PROFILE, SERIAL)


@cache
def funded(balance_fen: int = 10_000) -> CardImage:
    """The specimen with money in its wallet."""
    image = specimen()
    purse = image.purses[PURSE_ADDRESS]._replace(balance_fen=balance_fen)
    return image._replace(purses={**image.purses, PURSE_ADDRESS: purse})


def with_file(image: CardImage, address: Address, file: Elementary) -> CardImage:
    """The image with this elementary file."""
    return image._replace(files={**image.files, address: file})


def with_key(image: CardImage, dedicated: Address, key: CardKey) -> CardImage:
    """The image with this key, the only one at its address."""
    return image._replace(keys={**image.keys, key_address(dedicated, key.usage, key.reference): (key,)})


def a_key(usage: Usage, reference: int, value: bytes, *, version: int = 0, tries: int = 8) -> CardKey:
    """A 3DES key with all its tries."""
    return CardKey(usage, reference, version, Algorithm.TDES, value, tries, tries)


def a_file(
    kind: FileKind,
    *,
    read: AccessRule = FREE,
    update: AccessRule = FREE,
    size: int = 0,
    record_size: int = 0,
    content: bytes = b"",
    records: tuple[bytes, ...] = (),
) -> Elementary:
    """An elementary file, open to all unless said otherwise."""
    return Elementary(kind, read, update, size or len(content), record_size, content, records)


def given(*values: str) -> Callable[[int], bytes]:
    """A source of exactly these random bytes, in this order."""
    left = [bytes.fromhex(value) for value in values]

    def random(size: int) -> bytes:
        value = left.pop(0)
        assert len(value) == size
        return value

    return random


def counted() -> Callable[[int], bytes]:
    """A source of random bytes that are the same every time: 1, 2, 3 .. as numbers."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


class Terminal:
    """A card, and hex at both ends of the wire. `trace` has every command and response."""

    def __init__(
        self,
        image: CardImage | None = None,
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
        storage: Storage | None = None,
    ) -> None:
        self.card = EmulatedCard(image or specimen(), random=random, storage=storage)
        self.trace: list[tuple[bytes, bytes]] = []

    def send(self, command: str | bytes) -> str:
        """The response, in hex."""
        raw = bytes.fromhex(command) if isinstance(command, str) else command
        response = self.card.transceive(raw)
        self.trace.append((raw, response))
        return response.hex().upper()

    def go(self, *commands: str | bytes) -> str:
        """The last response; every one before it was good."""
        for command in commands[:-1]:
            assert self.send(command)[-4:-2] in ("90", "61"), f"{command!r}: {self.trace[-1][1].hex()}"
        return self.send(commands[-1])

    def select(self, *fids: str) -> None:
        """Hop to these identifiers, one after the other."""
        for fid in fids:
            assert self.send("00A4000002" + fid)[-4:-2] in ("90", "61")

    def challenge(self, size: int = 8) -> bytes:
        """The answer to GET CHALLENGE."""
        answer = self.send(f"00840000{size:02X}")
        assert answer.endswith("9000")
        return bytes.fromhex(answer[:-4])

    def external_authenticate(self, reference: int, *, key: bytes = CARD_KEY, version: str = "") -> str:
        """The response to EXTERNAL AUTHENTICATE with a right cryptogram under this key."""
        original = bytes.fromhex("0102030405060708")
        cryptogram = tdes(tdes(key, self.challenge().ljust(8, b"\0")), original)
        body = bytes.fromhex(version) + cryptogram + original
        return self.send(bytes((0x00, 0x82, 0x00, reference, len(body))) + body)

    def authenticated(self, *references: int) -> None:
        """The session holds the rights of these keys."""
        for reference in references:
            assert self.external_authenticate(reference) == "9000"


def terminal(
    image: CardImage | None = None,
    *,
    at: str = "",
    pin: bool = False,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Terminal:
    """A terminal with the card where a test wants it: `at` is `SSSE`, `DF04` or empty for the master file."""
    made = Terminal(image, random=random)
    if at:
        made.go(SELECT_SSSE)
    if pin:
        assert made.send(VERIFY) == "9000"
    if at == "DF04":
        made.go(SELECT_DF04)
    return made
