"""Bytes of an idle card: 10,000 of them alive in one process, each with memory of its own, each answering at the end.

Cards share what is the same for all of them: the profile, access rules, parameters of files. What counts is what the
process grew by, divided by the cards: Python's own count (tracemalloc, on a hundred cards, because it is slow) and the
resident memory that the operating system sees. A social security card takes 10 ms to personalize: a hundred are made
so, and for the resident count the others are copies of them with nothing shared that cards made so do not share.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.module_stock import security_module
from kaguan.emulator.native_stock import native_card
from kaguan.emulator.purse_stock import purse_card
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.specimen import REGION, specimen_holder, specimen_vault
from kaguan.personalization.station.recipe import make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.script import converse
from scenes import BANKING, SOCIAL

CARDS = 10_000
TRACED_CARDS = 100
AIM_BYTES = 200_000
PHOTO = bytes(range(256)) * 20  # 5 KiB, a card's usual photo
PROFILES = (*SOCIAL, *BANKING, "fmcos-blank", "psam")


def maker(profile: CardProfile) -> Callable[[int], EmulatedCard]:
    """What makes the card of a number: personalized command by command where it can be, with a photo of its own."""
    if profile.name not in SOCIAL:
        images: dict[str, Callable[[CardProfile, bytes], CardImage]] = {
            "fmcos-blank": native_card,
            "psam": security_module,
        }
        image = images.get(profile.name, purse_card)
        return lambda number: EmulatedCard(image(profile, number.to_bytes(6, "big")))
    vault, holder = specimen_vault(profile), specimen_holder(profile)

    def made(number: int) -> EmulatedCard:
        card = EmulatedCard(blank_chip(profile, number.to_bytes(6, "big")))
        record = prepare(profile, holder, number.to_bytes(6, "big") + PHOTO)
        converse(card, make_card(CardKeys(vault, profile, REGION, card.atr), record))
        card.reset()
        return card

    return made


def own(value: bytes) -> bytes:
    """The same bytes, in a place of their own."""
    return bytes(bytearray(value))


def alike(image: CardImage) -> EmulatedCard:
    """Another card with this memory: tables, addresses, keys, PINs, contents and records are its own."""
    return EmulatedCard(
        image._replace(
            atr=own(image.atr),
            dedicated={own(at): item._replace(name=own(item.name)) for at, item in image.dedicated.items()},
            files={
                own(at): file._replace(content=own(file.content), records=tuple(map(own, file.records)))
                for at, file in image.files.items()
            },
            keys={
                own(at): tuple(key._replace(value=own(key.value)) for key in versions)
                for at, versions in image.keys.items()
            },
            pins={own(at): pin._replace(value=own(pin.value)) for at, pin in image.pins.items()},
            purses={own(at): purse._replace(rules=purse.rules._replace()) for at, purse in image.purses.items()},
        )
    )


def questions(profile: CardProfile) -> tuple[bytes, ...]:
    """SELECT and READ, which every card is asked at the end."""
    if profile.name == "fmcos-blank":
        return (bytes.fromhex("00A40000023F00"),)
    application = profile.dedicated[1].df_name
    select = b"\x00\xa4\x04\x0c" + bytes((len(application),)) + application
    if profile.name in SOCIAL:
        return select, bytes.fromhex("00B2072C0B")
    return select, bytes.fromhex("00B09C0001" if profile.name == "psam" else "00B095001E")


def resident_bytes() -> int:
    """What the operating system has given this process."""
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize()


def measure(name: str, count: int) -> None:
    """So many cards are made and asked; print bytes a card by both counts."""
    profile = load_profile(name)
    make, asked = maker(profile), questions(profile)
    first = [make(number) for number in range(50)]  # what all cards share is there from now on
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    traced = [make(number) for number in range(50, 50 + TRACED_CARDS)]
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    per_card = (after - before) / TRACED_CARDS
    cards = first + traced
    gc.collect()
    start, made = resident_bytes(), len(cards)
    copied = name in SOCIAL
    cards += [alike(traced[n % TRACED_CARDS].image) if copied else make(n) for n in range(made, count)]
    gc.collect()
    resident = (resident_bytes() - start) / (count - made)
    for card in cards:
        for question in asked:
            answer = card.transceive(question)
            assert answer[-2:] == b"\x90\x00" or answer[-2] == 0x61, answer.hex()
    verdict = "met" if max(per_card, resident) < AIM_BYTES else "MISSED"
    print(f"  {name:<16}{len(cards):>8,} cards{per_card:>12,.0f}{resident:>12,.0f}   aim {AIM_BYTES:,}: {verdict}")


def main() -> None:
    """Measure each profile in a process of its own."""
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    print(f"{'bytes of an idle card':<30}{'Python':>12}{'resident':>12}", flush=True)
    for name in sys.argv[1:] or PROFILES:
        subprocess.run([sys.executable, __file__, name, str(CARDS)], check=True)


if __name__ == "__main__":
    main()
