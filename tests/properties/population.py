"""Every kind of card there is: each profile with each of its variants, finished, blank, built by hand, and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from random import Random

from card import natives
from card.cards import SERIAL
from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.image import CardImage, CardKey, CardPin, Elementary, Lifecycle, Purse
from kaguan.card_os.profile import CardProfile, FileKind, load_profile, profile_names
from kaguan.emulator.module_stock import security_module
from kaguan.emulator.native_stock import native_card
from kaguan.emulator.purse_stock import purse_card
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.specimen import specimen_card

PIN_BYTES = 6
GREATEST_SEQUENCE = 0xFFFF
COUNTER = bytes.fromhex("3F00DF010019")


def every_profile() -> list[CardProfile]:
    """The profiles, and each once more with each of its variants."""
    plain = [load_profile(name) for name in profile_names()]
    return plain + [load_profile(f"{one.name}+{variant.name}") for one in plain for variant in one.variants]


@cache
def cards() -> Mapping[str, Callable[[], CardImage]]:
    """How to make each kind of card, by its name."""
    made: dict[str, Callable[[], CardImage]] = {}
    for profile in every_profile():
        sets = profile.behaviour.commands
        if CommandSet.SECURITY_MODULE in sets:
            made[profile.name] = partial(security_module, profile, SERIAL)
        elif CommandSet.NATIVE in sets:
            made[profile.name] = partial(native_card, profile, SERIAL)
            made[f"{profile.name}, built"] = natives.built
        elif CommandSet.BANKING in sets:
            made[profile.name] = partial(purse_card, profile, SERIAL)
        else:
            made[profile.name] = partial(_specimen, profile)
            made[f"{profile.name}, blank"] = partial(blank_chip, profile, SERIAL)
    return {name: cache(make) for name, make in made.items()}


@cache
def families() -> tuple[tuple[str, ...], ...]:
    """The kinds of card, those that differ by generation or variant alone together."""
    found: dict[str, list[str]] = {}
    for name in cards():
        profile, _, state = name.partition(", ")
        family = "ssc" if profile.startswith("ssc") else profile.partition("+")[0]
        found.setdefault(f"{family} {state}", []).append(name)
    return tuple(map(tuple, found.values()))


def _specimen(profile: CardProfile) -> CardImage:
    return specimen_card(profile).image


def changed(image: CardImage, random: Random) -> CardImage:
    """The card with keys and PINs that nobody has seen, and counters and money wherever they may stand."""
    values: dict[bytes, bytes] = {}
    for versions in image.keys.values():
        for key in versions:
            values.setdefault(key.value, random.randbytes(len(key.value)))
    few = random.random() < 0.3
    image = image._replace(
        keys={at: tuple(_other(key, values, random, few=few) for key in keys) for at, keys in image.keys.items()},
        pins={at: _other_pin(pin, random, few=few) for at, pin in image.pins.items()},
        purses={at: _other_purse(purse, random) for at, purse in image.purses.items()},
    )
    image = image._replace(files={at: _other_log(file, random) for at, file in image.files.items()})
    if COUNTER in image.files and random.random() < 0.5:
        number = random.choice((0, 0xFFFF, 0xFFFF_FFFE, 0xFFFF_FFFF)).to_bytes(4, "big")
        image = image._replace(files={**image.files, COUNTER: image.files[COUNTER]._replace(content=number)})
    if random.random() < 0.1 and image.dedicated:
        at = random.choice(sorted(image.dedicated))
        lifecycle = random.choice((Lifecycle.DEACTIVATED, Lifecycle.TERMINATED))
        image = image._replace(dedicated={**image.dedicated, at: image.dedicated[at]._replace(lifecycle=lifecycle)})
    return image


def _other(key: CardKey, values: Mapping[bytes, bytes], random: Random, *, few: bool) -> CardKey:
    left = random.randint(0, key.tries_left) if few else key.tries_left
    return key._replace(value=values[key.value], tries_left=left)


def _other_pin(pin: CardPin, random: Random, *, few: bool) -> CardPin:
    size = min(PIN_BYTES, pin.max_bytes)
    digits = "".join(random.choice("0123456789") for _ in range(2 * size))
    left = random.randint(0, pin.tries_left) if few else pin.tries_left
    return pin._replace(value=bytes.fromhex(digits), tries_left=left)


def _other_log(file: Elementary, random: Random) -> Elementary:
    """The file, when it is cyclic, about to turn."""
    if file.kind is not FileKind.CYCLIC:
        return file
    records = random.choice((0, 0, file.size - 1, file.size))
    return file._replace(records=tuple(random.randbytes(file.record_size) for _ in range(records)))


def _other_purse(purse: Purse, random: Random) -> Purse:
    greatest = purse.rules.max_balance_fen
    balance = random.choice((0, 1, 10_000, 10_000, greatest - 1, greatest, random.randint(0, greatest)))
    return purse._replace(
        balance_fen=balance,
        online_sequence=random.choice((0, 0, 0x7FFF, GREATEST_SEQUENCE - 1, GREATEST_SEQUENCE)),
        offline_sequence=random.choice((0, 0, 9_999, GREATEST_SEQUENCE - 1, GREATEST_SEQUENCE)),
        overdraft_limit_fen=random.choice((0, 0, min(balance, 0xFF_FFFF)))
        if str(purse.rules.overdraft) != "never"
        else 0,
    )
