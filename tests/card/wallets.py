"""A native card with every key and file of a wallet, built by native commands."""

from __future__ import annotations

from card.cards import Terminal
from card.natives import SERIAL
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile
from kaguan.emulator.native_stock import native_card

LABELS = ("DPK", "DLK", "DULK", "DUK", "DTK", "DAMK", "DPUK", "DRPK")

WALLET = b"walletTest".hex()
WALLET_KEYS = {label: bytes(range(at, at + 16)) for at, label in enumerate(LABELS, 0x20)}
WALLET_TYPES = dict(zip(LABELS, ("3E", "3F", "3D", "3C", "34", "36", "37", "38"), strict=True))
WALLET_CARD = (
    "80E03F01 12 381500F0F095FFFF" + WALLET,
    "00A40400 0A" + WALLET,
    "80E00000 07 3F020095F0FFFF",
    *(
        f"80D40100 15 {WALLET_TYPES[label]}F002{'FF33' if label in ('DAMK', 'DPUK', 'DRPK') else '0001'}{key.hex()}"
        for label, key in WALLET_KEYS.items()
    ),
    "80D40100 08 3AF0EF0133123456",
    "80E00017 07 2C0080F0F0FFFF",
    "00E200BC 30 022E" + "00" * 46,
    "80E00018 07 2E0517F0EFFFFF",
    "80E00002 07 2F0208F000FF18",
    "80E00001 07 2F0208F000FF18",
)


def wallet(profile: str = "fmcos-blank") -> CardImage:
    """A native card built with the commands of a public walk-through for FM1208 cards, and one file more."""
    terminal = Terminal(native_card(load_profile(profile), SERIAL))
    for command in WALLET_CARD:
        assert terminal.send(command)[-4:-2] in ("90", "61"), command
    return terminal.card.image
