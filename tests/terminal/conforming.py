"""Cards on the bench of the conformance suite, and what they lose there."""

from __future__ import annotations

from kaguan.apdu.link import Link
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.card_os.writes import Group, PutKey, PutPin
from kaguan.emulator.card import EmulatedCard
from kaguan.personalization.specimen import specimen_keys
from kaguan.terminal.conformance.bench import Bench
from kaguan.terminal.conformance.report import Report
from kaguan.terminal.conformance.suite import judged
from kaguan.terminal.layers import for_conversation
from kaguan.vault.secret import Pin
from terminal.counter import PIN


class LastTries:
    """Where an emulated card stores what it commits: remembers every last try that was spent."""

    def __init__(self) -> None:
        self.spent: list[str] = []

    def append(self, group: Group) -> None:
        for write in group:
            match write:
                case PutPin(pin=pin) if not pin.tries_left:
                    self.spent.append(f"PIN {pin.reference:02X}")
                case PutKey(key=key) if not key.tries_left:
                    self.spent.append(f"{key.usage} {key.reference:02X} version {key.version}")


def judge(
    link: Link,
    atr: bytes,
    profile: CardProfile | str = "ssc-v2",
    *,
    keys: bool = True,
    pin: Pin | None = PIN,
    risk_tries: bool = True,
) -> Report:
    """What the suite finds with the specimen's keys and PIN."""
    if isinstance(profile, str):
        profile = load_profile(profile)
    offered = specimen_keys(profile, atr) if keys else None
    wire = for_conversation(link)
    return judged(wire, Bench(profile, atr, offered, pin, pin_known=True, risk_tries=risk_tries))


def judge_image(image: CardImage, profile: str = "", *, risk_tries: bool = True) -> Report:
    """What the suite finds on the card with this memory, of its own profile unless another is named."""
    return judge(EmulatedCard(image), image.atr, profile or image.profile, risk_tries=risk_tries)


def with_full_tries(image: CardImage) -> CardImage:
    """The image with every try that a PIN or a key can have, to compare all the rest."""
    pins = {at: pin._replace(tries_left=pin.tries) for at, pin in image.pins.items()}
    keys = {at: tuple(key._replace(tries_left=key.tries) for key in found) for at, found in image.keys.items()}
    return image._replace(pins=pins, keys=keys)
