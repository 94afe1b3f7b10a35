"""Native cards as the factory delivers them: a master file, a key file and the transport key, made by the card's own
commands from what the profile says."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import ProfileError
from kaguan.card_os.image import MASTER_FILE, CardImage, Lifecycle
from kaguan.card_os.profile import CardProfile
from kaguan.emulator.card import EmulatedCard

SERIAL_SIZE = 8
ADD_KEY = 0x01


def native_card(profile: CardProfile, serial: bytes) -> CardImage:
    """The card with this serial number, zeros before it up to 8 bytes.

    A card whose profile tells no key file has an empty master file. The ATR is what a PC/SC reader makes of the
    historical bytes of the ATS.

    Raises:
        ProfileError: the card does not take what the profile says.
    """
    atr = profile.atr(serial.rjust(SERIAL_SIZE, b"\0"))
    card = EmulatedCard(CardImage(profile.name, atr, Lifecycle.ACTIVATED, {}, {}, {}, {}, {}))
    native = profile.behaviour.native
    for ins, p1, p2, data in (
        (0xE0, *MASTER_FILE, native.master_file),
        (0xE0, 0x00, 0x00, native.key_file),
        (0xD4, ADD_KEY, 0x00, native.transport_key),
    ):
        if not data:
            continue
        answer = card.transceive(bytes(CommandApdu(0x80, ins, p1, p2, data)))
        if answer != b"\x90\x00":
            raise ProfileError(f"the card answers {answer.hex().upper()} to 80 {ins:02X} {p1:02X} {p2:02X}")
    return card.image


def answer_to_select(profile: CardProfile, image: CardImage) -> bytes:
    """The ATS that a contactless reader is given: the profile's beginning, then the ATR's historical bytes."""
    return profile.behaviour.native.ats_prefix + image.atr[len(profile.atr_prefix) : -1]
