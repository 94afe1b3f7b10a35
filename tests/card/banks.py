"""Bank purses: the profile's test card, and the cards of published exchanges, which their tapes describe."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from kaguan.card_os.image import CardImage, CardKey, Purse, key_address
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.emulator.luck import DealtRandom
from kaguan.emulator.purse_stock import purse_card
from kaguan.vault.ciphers import Algorithm

PROFILE = load_profile("pboc-purse")
SERIAL = bytes.fromhex("200101000001")
MF = bytes.fromhex("3F00")
ADF = PROFILE.path("ADF")
DEPOSIT, WALLET = ADF + b"\x01", ADF + b"\x02"
PIN_ADDRESS = ADF + b"\x00"
SELECT = "00A4040009A0000000038698070100"
VERIFY = "0020000003123456"

PUBLISHED = Path(__file__).parents[1] / "conversations" / "published"
_HEADER = re.compile(r"^# (card|key|purse|random): (.*)$", re.MULTILINE)


@cache
def bank(profile: str = "pboc-purse") -> CardImage:
    """The profile's test card, PIN 123456, without money."""
    return purse_card(load_profile(profile), SERIAL)


@cache
def rich(balance_fen: int = 10_000, profile: str = "pboc-purse") -> CardImage:
    """The same with money in the deposit and in the purse."""
    image = bank(profile)
    purses = {at: purse._replace(balance_fen=balance_fen) for at, purse in image.purses.items()}
    return image._replace(purses=purses)


def bank_key(label: str, profile: CardProfile = PROFILE) -> bytes:
    """The value of the application's key with this label."""
    return profile.key(f"ADF.{label}").value


def said_by(tape: Path) -> tuple[CardImage, DealtRandom]:
    """The card that a published tape was played on, before it was, and its random numbers."""
    image, numbers = bank(), []
    for kind, text in _HEADER.findall(tape.read_text(encoding="utf-8")):
        if kind == "card":
            name, _, serial = text.partition(", serial ")
            image = purse_card(load_profile(name), bytes.fromhex(serial) or SERIAL)
        elif kind == "key":
            image = _with_key(image, *text.split())
        elif kind == "purse":
            image = _with_purse(image, *text.split())
        else:
            numbers += [bytes.fromhex(number) for number in text.split(",")]
    return image, DealtRandom(numbers)


def _with_key(image: CardImage, label: str, *rest: str) -> CardImage:
    spec = load_profile(image.profile).key(f"ADF.{label}")
    value, version = bytes.fromhex(rest[-1]), int(rest[1]) if len(rest) == 3 else spec.version
    algorithm = Algorithm.DES if len(value) == 8 else Algorithm.TDES
    key = CardKey(spec.usage, spec.reference, version, algorithm, value, spec.tries, spec.tries)
    return image._replace(keys={**image.keys, key_address(ADF, key.usage, key.reference): (key,)})


def _with_purse(image: CardImage, purse_type: str, *words: str) -> CardImage:
    at = ADF + bytes.fromhex(purse_type)
    values = {name: int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    purse: Purse = image.purses[at]._replace(
        balance_fen=values.get("balance", 0),
        online_sequence=values.get("online", 0),
        offline_sequence=values.get("offline", 0),
    )
    return image._replace(purses={**image.purses, at: purse})
