"""Where chips come from and cards go to."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kaguan.apdu.errors import InputError, KaguanError, VaultError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.durable import files_like, sync_folder
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.emulator.stock import SERIAL_SIZE, blank_chip

_STORED = ".stored"


class Leaving(KaguanError):
    """The station is to end, and nothing of a chip is half done."""


class Stock(Protocol):
    """A place for one chip after another."""

    def serial(self, chip: int) -> bytes | None:
        """The answer to reset that the chip of this number will have; None when nobody knows which chip comes next."""
        ...

    def take(self, chip: int, waiting: Callable[[], None]) -> Link:
        """The next chip, powered; what it is, nobody has asked yet. `waiting` is called now and then until it comes.

        Raises:
            Leaving, or what `waiting` raises: no chip has come.
        """
        ...

    def turn_away(self, link: Link, reason: str) -> None:
        """The chip, which is not ours to write to, is in the reject bin."""
        ...

    def set_aside(self, link: Link, reason: str) -> None:
        """The chip is out of the machine; it may come again."""
        ...

    def put_back(self, link: Link) -> None:
        """The chip, to which nothing was written, is in the stock again."""
        ...

    def keep(self, link: Link, card_no: str) -> None:
        """The finished card is stored: it survives a crash from now on. Nobody has been told of it yet."""
        ...

    def hand_out(self, link: Link, card_no: str) -> None:
        """The card that the job calls good is with the finished ones."""
        ...

    def discard(self, link: Link, card_no: str) -> None:
        """The chip that failed is in the reject bin."""
        ...

    def stored(self, card_no: str) -> Link | None:
        """The card that an earlier attempt stored, and of which nobody was told."""
        ...


class EmulatedStock:
    """Blank emulated chips, numbered through; finished cards become image files in the folder.

    Law 1. `<card_no>.card` is the card that the job calls good. What nobody has been told of yet has another name.
    Law 2. A file of the other name is one station's: whoever takes an earlier attempt's card up renames it first, so
           that a station that wakes up late throws away nothing but its own.
    """

    def __init__(self, profile: CardProfile, folder: Path) -> None:
        self._profile = profile
        self._folder = folder
        self._mark = secrets.token_hex(4)

    def serial(self, chip: int) -> bytes:
        """The answer to reset of the chip with this number."""
        return self._profile.atr(chip.to_bytes(SERIAL_SIZE, "big"))

    def turn_away(self, link: Link, reason: str) -> None:
        """Never: these chips are all alike.

        Raises:
            VaultError: the store's transport key is not the one of the emulated factory.
        """
        raise VaultError(f"an emulated chip was turned away, as every other would be: {reason}")

    set_aside = turn_away

    def take(self, chip: int, waiting: Callable[[], None]) -> Link:
        """A blank chip with this number as its serial number."""
        return EmulatedCard(blank_chip(self._profile, chip.to_bytes(SERIAL_SIZE, "big")))

    def put_back(self, link: Link) -> None:
        """Nothing is left of the chip: it was in memory alone."""
        link.close()

    def keep(self, link: Link, card_no: str) -> None:
        """The card's memory is in a file that is named after card, chip and this stock."""
        assert isinstance(link, EmulatedCard)  # noqa: S101 - only `take` makes them
        save_image(self._stored_path(link, card_no), link.image)

    def hand_out(self, link: Link, card_no: str) -> None:
        """The card's memory is in `<card_no>.card`."""
        with suppress(FileNotFoundError):  # `sort_stored` was faster
            os.replace(self._stored_path(link, card_no), self._folder / f"{card_no}.card")
        sync_folder(self._folder)

    def discard(self, link: Link, card_no: str) -> None:
        """Nothing is left of the chip."""
        self._stored_path(link, card_no).unlink(missing_ok=True)
        link.close()

    def stored(self, card_no: str) -> Link | None:
        """The card in such a file, which is this stock's from now on; None when there is none, or it is damaged and
        must be made again."""
        for path, _, serial in stored_cards(self._folder, card_no):
            own = self._own_path(card_no, serial)
            try:
                path.replace(own)
                return EmulatedCard(load_image(own))
            except InputError:
                own.unlink()
            except FileNotFoundError:  # its station woke up and has thrown it away
                continue
        return None

    def _stored_path(self, link: Link, card_no: str) -> Path:
        return self._own_path(card_no, link.atr.hex().upper())

    def _own_path(self, card_no: str, serial: str) -> Path:
        return self._folder / f".{card_no}.{serial}.{self._mark}{_STORED}"


def stored_cards(folder: Path, card_no: str = "*") -> Iterator[tuple[Path, str, str]]:
    """Every card in the folder of which nobody was told, or those of this number: file, card number and answer to
    reset."""
    for path in files_like(folder, f".{card_no}.*.*{_STORED}"):
        _, number, serial, *rest = path.name.split(".")
        if len(rest) == 2:
            yield path, number, serial
