"""A station: takes a row and a chip, follows the recipe, checks the card, and keeps it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Protocol

from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost, InputError, KaguanError, LinkError, NoCard, VaultError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.emulator.stock import SERIAL_SIZE, blank_chip
from kaguan.personalization.job.job import Claim, Job
from kaguan.personalization.order.reading import Holder, OrderFile
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.station.check import check_card
from kaguan.personalization.station.recipe import card_ident_code, make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin
from kaguan.vault.vault import KeyVault


class Stock(Protocol):
    """Where chips come from and cards go to."""

    def take(self, chip: int) -> Link:
        """The next blank chip, powered."""
        ...

    def keep(self, link: Link, card_no: str) -> None:
        """The finished card is stored: it survives a crash from now on."""
        ...

    def discard(self, link: Link, card_no: str) -> None:
        """The chip that failed is out of the way."""
        ...

    def finished(self, card_no: str) -> Link | None:
        """The card of that number if an earlier run stored it."""
        ...


class EmulatedStock:
    """Blank emulated chips, numbered through; finished cards become image files in the folder."""

    def __init__(self, profile: CardProfile, folder: Path) -> None:
        self._profile = profile
        self._folder = folder

    def take(self, chip: int) -> Link:
        """A blank chip with this number as its serial number."""
        return EmulatedCard(blank_chip(self._profile, chip.to_bytes(SERIAL_SIZE, "big")))

    def keep(self, link: Link, card_no: str) -> None:
        """The card's memory is in `<card_no>.card`."""
        assert isinstance(link, EmulatedCard)  # noqa: S101 - only `take` makes them
        save_image(self._path(card_no), link.image)

    def discard(self, link: Link, card_no: str) -> None:
        """Nothing is left of the chip: it was in memory alone."""
        link.close()

    def finished(self, card_no: str) -> Link | None:
        """The card in `<card_no>.card`; None when there is none, or it is damaged and must be made again."""
        try:
            return EmulatedCard(load_image(self._path(card_no)))
        except (NoCard, InputError):
            return None

    def _path(self, card_no: str) -> Path:
        return self._folder / f"{card_no}.card"


class Counted(Layer):
    """A link that counts its commands."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.commands = 0

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below, unchanged."""
        self.commands += 1
        return self.link.transceive(command)


class Station:
    """One worker. It writes to nothing but its chip, its stock and its own claims."""

    def __init__(
        self, job: Job, order: OrderFile, vault: KeyVault, profile: CardProfile, region: str, stock: Stock
    ) -> None:
        self._job = job
        self._order = order
        self._vault = vault
        self._profile = profile
        self._region = region
        self._stock = stock

    def work(self, claim: Claim) -> bool:
        """The claim is settled one way or the other; whether its card is good.

        Raises:
            LinkError: there is no reader, or no service for it.
            VaultError: the vault lacks a key, or has another one than the chips.
            OSError: the disk fails.
            In each case the claim is unsettled and another run finishes it.
        """
        holder = claim.holder
        stage = "photo"
        chip: Link | None = None
        try:
            photo = self._order.photo(holder)
            if self._take_finished(claim, photo):
                return True
            stage = "preparation"
            record = prepare(self._profile, holder, photo)
            stage = "chip"
            chip = self._stock.take(claim.chip)
            link = Counted(chip)
            keys = self._keys(chip)
            stage = "write"
            ident_code = converse(link, make_card(keys, record))
            stage = "check"
            link.reset()
            faults = self._faults(link, keys, holder, photo, record.pin)
        except (LinkError, VaultError) as error:
            if not isinstance(error, CardLost):
                raise  # the reader or the keys, and not this row, are at fault
            faults = (str(error),)
        except KaguanError as error:
            faults = (str(error),)
        if faults or chip is None:
            return self._fail(claim, stage, faults, chip)
        atr = chip.atr
        self._stock.keep(chip, holder.card_no)
        return self._job.finish(claim, ident_code, atr, link.commands)

    def _fail(self, claim: Claim, stage: str, faults: tuple[str, ...], chip: Link | None) -> bool:
        self._job.fail(claim, stage, "; ".join(faults))
        if chip is not None:
            self._stock.discard(chip, claim.holder.card_no)
        return False

    def _take_finished(self, claim: Claim, photo: bytes) -> bool:
        """Whether an earlier run had stored this row's card and only its row had not been told."""
        link = self._stock.finished(claim.holder.card_no)
        if link is None:
            return False
        keys = self._keys(link)
        if self._faults(link, keys, claim.holder, photo, self._initial_pin()):
            return False
        atr, ident_code = link.atr, card_ident_code(keys)
        self._stock.keep(link, claim.holder.card_no)
        return self._job.finish(claim, ident_code, atr, 0)

    def _keys(self, link: Link) -> CardKeys:
        return CardKeys(self._vault, self._profile, self._region, link.atr)

    def _initial_pin(self) -> Pin:
        return Pin.of(self._profile.defaults["initial_pin"])

    def _faults(self, link: Link, keys: CardKeys, holder: Holder, photo: bytes, pin: Pin) -> tuple[str, ...]:
        check = check_card(keys, holder, photo, pin, secrets.token_bytes(8), secrets.token_bytes(8))
        return converse(link, check).faults
