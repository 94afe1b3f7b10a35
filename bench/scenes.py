"""What `card.py` measures: commands for each kind of card, what comes before them, and the cipher work inside them.

Every card's random numbers are zeros, so that a terminal's part can be worked out before the clock runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.image import Address, CardImage, CardKey
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.module_stock import security_module
from kaguan.emulator.native_stock import native_card
from kaguan.emulator.purse_stock import purse_card
from kaguan.personalization.specimen import SERIAL, specimen_card
from kaguan.vault.ciphers import Algorithm, BlockCipher, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, fold, session_key
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import Scheme, protect
from kaguan.vault.vault import Usage

SOCIAL = ("ssc-v1", "ssc-v2", "ssc-v3")
BANKING = ("pboc-purse", "cjt-purse")
MANY = 40
"""How often a scene is played in one run; the loads and purchases of a run are one after the other."""

HOLDERS_PIN = bytes.fromhex("123456")
VERIFY = b"\x00\x20\x00\x00\x03" + HOLDERS_PIN
CHALLENGE = b"\x00\x84\x00\x00\x08"
ZEROS = bytes(8)
FEN = (1).to_bytes(4, "big")
TERMINAL = bytes.fromhex("112233445566")
WHEN = bytes.fromhex("20261101120000")
NUMBER = (1).to_bytes(4, "big")
BALANCE_FEN = 10_000
Crypto = Callable[[], object]


class Scene(NamedTuple):
    """Commands, as often as a run plays them; a fresh card with this image gets `opening` first. `crypto` is the cipher
    work of playing them once, with the ciphers that the card uses; a share of it, or of the dispatch, is aimed at."""

    name: str
    image: CardImage
    opening: tuple[bytes, ...]
    commands: tuple[tuple[bytes, ...], ...]
    crypto: Crypto | None = None
    crypto_aim: float | None = None
    dispatch_aim: float | None = None

    def opened(self) -> EmulatedCard:
        """A card that is ready for the commands."""
        card = EmulatedCard(self.image, random=bytes)
        for command in self.opening:
            accepted(card, command)
        return card


def accepted(card: EmulatedCard, command: bytes) -> bytes:
    """The answer to a command that the card must take."""
    answer = card.transceive(command)
    assert answer[-2:] == b"\x90\x00", f"{command.hex()}: {answer.hex()}"
    return answer[:-2]


def scenes_of(name: str) -> list[Scene]:
    """The scenes of that profile's cards."""
    profile = load_profile(name)
    if name in SOCIAL:
        return list(_social(profile))
    if name in BANKING:
        return list(_bank(profile))
    return list(_module(profile) if name == "psam" else _native(profile))


def _again(*commands: bytes) -> tuple[tuple[bytes, ...], ...]:
    return (commands,) * MANY


def _select(name: bytes) -> bytes:
    return bytes(CommandApdu(0x00, 0xA4, 0x04, 0x00, name, 256))


def _key(image: CardImage, dedicated: Address, usage: Usage, reference: int | None = None) -> CardKey:
    return next(
        versions[0]
        for address, versions in image.keys.items()
        if address[:-2] == dedicated and versions[0].usage is usage and reference in (None, versions[0].reference)
    )


def _worker(key: CardKey, block: bytes) -> BlockCipher:
    return fresh_cipher(session_key(key.value, block), Algorithm.DES)


def _authentication(key: CardKey) -> bytes:
    """EXTERNAL AUTHENTICATE after a challenge of zeros."""
    data = _worker(key, ZEROS).encrypt(ZEROS) + ZEROS
    return bytes(CommandApdu(0x00, 0x82, 0x00, key.reference, data))


def _social(profile: CardProfile) -> Iterator[Scene]:
    image = with_money(specimen_card(profile, random=bytes).image)
    ssse, medical = profile.path("SSSE"), profile.path("DF04")
    here = (_select(profile.by_name["SSSE"].df_name),)
    there = (*here, VERIFY, _select(profile.by_name["DF04"].df_name))
    update, unblock, messaging = (
        _key(image, ssse, usage, reference)
        for usage, reference in (
            (Usage.EXTERNAL_AUTHENTICATION, profile.key("SSSE.UK").reference),
            (Usage.EXTERNAL_AUTHENTICATION, profile.key("SSSE.PUK").reference),
            (Usage.MESSAGING, None),
        )
    )
    select, read = bytes.fromhex("00A4000002EF05"), bytes.fromhex("00B207000B")
    yield Scene("SELECT EF + READ RECORD", image, here, _again(select, read), dispatch_aim=0.4)
    yield Scene("SELECT by name", image, (), _again(*here))
    yield Scene(
        "UPDATE BINARY, 64 bytes",
        image,
        (*here, CHALLENGE, _authentication(update)),
        _again(bytes(CommandApdu(0x00, 0xD6, 0x88, 0x00, bytes(64)))),
    )
    yield Scene("VERIFY", image, here, _again(VERIFY))
    yield Scene(
        "CHALLENGE + EXTERNAL AUTHENTICATE",
        image,
        here,
        _again(CHALLENGE, _authentication(update)),
        lambda: _worker(update, ZEROS).encrypt(ZEROS),
    )
    irk = _key(image, ssse, Usage.INTERNAL_AUTHENTICATION)
    internal = bytes(CommandApdu(0x00, 0x88, 0x00, irk.reference, bytes(16), 8))
    yield Scene("INTERNAL AUTHENTICATE", image, here, _again(internal), lambda: _worker(irk, ZEROS).encrypt(ZEROS))
    stk = cipher(messaging.value, messaging.algorithm)
    unblocking = protect(stk, Scheme.SSC, CommandApdu(0x84, 0x24, 0x00, 0x00), ZEROS, encrypted=False)
    yield Scene(
        "CHALLENGE + PIN UNBLOCK",
        image,
        (*here, CHALLENGE, _authentication(unblock)),
        _again(CHALLENGE, bytes(unblocking)),
        lambda: mac4(_worker(messaging, ZEROS), b"\x84\x24\x00\x00\x04"),
    )
    yield from _purse(image, medical, 0x01, there)


def _bank(profile: CardProfile) -> Iterator[Scene]:
    image, adf = with_money(purse_card(profile, SERIAL)), profile.path("ADF")
    here = (_select(profile.by_name["ADF"].df_name), VERIFY)
    select, read = bytes.fromhex("00A40000020015"), bytes.fromhex("00B000001E")
    yield Scene("SELECT EF + READ BINARY", image, here, _again(select, read), dispatch_aim=0.4)
    yield Scene("VERIFY", image, here, _again(VERIFY))
    key = _key(image, adf, Usage.EXTERNAL_AUTHENTICATION)
    worker = cipher(key.value, key.algorithm)
    external = bytes(CommandApdu(0x00, 0x82, 0x00, key.reference, worker.encrypt(ZEROS)))
    yield Scene(
        "CHALLENGE + EXTERNAL AUTHENTICATE", image, here, _again(CHALLENGE, external), lambda: worker.encrypt(ZEROS)
    )
    for purse in sorted(image.purses):
        yield from _purse(image, adf, purse[-1], here)


def _purse(image: CardImage, dedicated: Address, kind: int, opening: tuple[bytes, ...]) -> Iterator[Scene]:
    """Balance, load and purchase with the deposit (kind 01) or the purse (02)."""
    which = {0x01: "deposit", 0x02: "purse"}[kind]
    start = image.purses[dedicated + bytes((kind,))]
    load, purchase, tac = (_key(image, dedicated, usage) for usage in (Usage.LOAD, Usage.PURCHASE, Usage.TAC))
    folded = cipher(fold(tac.value), Algorithm.DES)
    begin = bytes((load.reference,)) + FEN + TERMINAL
    paid = bytes((purchase.reference,)) + FEN + TERMINAL
    loading, paying = bytes((kind,)), bytes((kind + 4,))  # transaction types
    loads, purchases = [], []
    for step in range(MANY):
        worker = _worker(load, bytes(4) + (start.online_sequence + step).to_bytes(2, "big") + b"\x80\x00")
        credit = WHEN + mac4(worker, FEN + loading + TERMINAL + WHEN)
        loads.append(
            (
                bytes(CommandApdu(0x80, 0x50, 0x00, kind, begin, 16)),
                bytes(CommandApdu(0x80, 0x52, 0x00, 0x00, credit, 4)),
            )
        )
        worker = _worker(purchase, bytes(4) + (start.offline_sequence + step).to_bytes(2, "big") + NUMBER[2:])
        debit = NUMBER + WHEN + mac4(worker, FEN + paying + TERMINAL + WHEN)
        purchases.append(
            (
                bytes(CommandApdu(0x80, 0x50, 0x01, kind, paid, 15)),
                bytes(CommandApdu(0x80, 0x54, 0x01, 0x00, debit, 8)),
            )
        )

    def load_crypto() -> None:
        session = _worker(load, ZEROS)
        mac4(session, FEN + FEN + loading + TERMINAL)
        mac4(session, FEN + loading + TERMINAL + WHEN)
        mac4(folded, FEN + b"\x00\x00" + FEN + loading + TERMINAL + WHEN)

    def purchase_crypto() -> None:
        session = _worker(purchase, ZEROS)
        mac4(session, FEN + paying + TERMINAL + WHEN)
        mac4(session, FEN)
        mac4(folded, FEN + paying + TERMINAL + NUMBER + WHEN)

    yield Scene(f"GET BALANCE, {which}", image, opening, _again(bytes((0x80, 0x5C, 0x00, kind, 0x04))))
    yield Scene(f"load, {which}", image, opening, tuple(loads), load_crypto, crypto_aim=0.5)
    yield Scene(f"purchase, {which}", image, opening, tuple(purchases), purchase_crypto)


def _module(profile: CardProfile) -> Iterator[Scene]:
    image = security_module(profile, SERIAL)
    here = (_select(profile.by_name["DF01"].df_name),)
    yield Scene(
        "SELECT EF + READ BINARY",
        image,
        here,
        _again(bytes.fromhex("00A40000020019"), bytes.fromhex("00B0000004")),
        dispatch_aim=0.4,
    )
    factors = bytes.fromhex("8660200101000001"), bytes.fromhex("3939303130307378")
    signing = bytes(4) + b"\x00\x07" + FEN + b"\x05" + WHEN + bytes(2) + b"".join(factors)
    master = _key(image, profile.path("DF01"), Usage.SECURITY_MODULE)

    def purchase_crypto() -> None:
        key = diversify(diversify(master.value, factors[1]), factors[0])
        session = fresh_cipher(session_key(key, ZEROS), Algorithm.DES)
        mac4(session, FEN + b"\x05" + TERMINAL + WHEN)
        mac4(session, FEN)

    initialize = bytes(CommandApdu(0x80, 0x70, 0x00, 0x00, signing, 8))
    yield Scene("INITIALIZE SAM FOR PURCHASE", image, here, _again(initialize), purchase_crypto)


def _native(profile: CardProfile) -> Iterator[Scene]:
    application = "80E03F010D380800F0FA95FFFF4144463031"
    build = (
        application,
        "00A40000023F01",
        "80E00000073F018F95F0FFFF",  # the key file
        "80D401001539F0F14433" + "39" * 16,
        "80D40100083AF0EF0133" + HOLDERS_PIN.hex(),
        "80E0000507280010F0F1FFFF",  # a transparent file
    )
    card = EmulatedCard(native_card(profile, SERIAL), random=bytes)
    for command in build:
        accepted(card, bytes.fromhex(command))
    image, here = card.image, (bytes.fromhex("00A40000023F01"),)
    select, read = bytes.fromhex("00A40000020005"), bytes.fromhex("00B0000010")
    yield Scene("SELECT EF + READ BINARY", image, here, _again(select, read), dispatch_aim=0.4)
    yield Scene("VERIFY", image, here, _again(VERIFY))
    worker = cipher(b"\x39" * 16, Algorithm.TDES)
    external = bytes(CommandApdu(0x00, 0x82, 0x00, 0x00, worker.encrypt(ZEROS)))
    yield Scene(
        "CHALLENGE + EXTERNAL AUTHENTICATE", image, here, _again(CHALLENGE, external), lambda: worker.encrypt(ZEROS)
    )


def with_money(image: CardImage) -> CardImage:
    """The card with money in every purse."""
    return image._replace(purses={at: purse._replace(balance_fen=BALANCE_FEN) for at, purse in image.purses.items()})
