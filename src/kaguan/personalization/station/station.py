"""A station: takes a row and a chip, follows the recipe, checks the card, and keeps it.

Law 1. Nothing is written to a chip that is not ours, not blank, or known as used up; that costs no row anything.
Law 2. A chip is sealed only by a station that is sure of its claim.
Law 3. What a chip that turns up again has become, it says itself: a torn one is begun anew, a finished one is checked
       and is the card of the row that the job had it for.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost, KaguanError, LinkError, NoCard, VaultError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.database import DatabaseGone
from kaguan.durable import DiskFailed
from kaguan.personalization.job.claims import Claim, Claims
from kaguan.personalization.job.history import Past
from kaguan.personalization.job.schema import Fate, State
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.preparation.record import PersoRecord
from kaguan.personalization.preparation.sealing import RecordTampered
from kaguan.personalization.station.batch import prepare_cards
from kaguan.personalization.station.check import CheckVerdict, check_card
from kaguan.personalization.station.quickcheck import quick_check
from kaguan.personalization.station.recipe import (
    ChipState,
    NotBlank,
    card_ident_code,
    open_chip,
    seal_card,
    write_card,
)
from kaguan.personalization.station.records import JobRecords
from kaguan.personalization.station.sampling import Sampling
from kaguan.personalization.station.stock import Leaving, Stock
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.reader_errors import CardMute
from kaguan.terminal.script import converse
from kaguan.vault.vault import KeyVault

MOST_STRANGERS = 3
"""Chips in a row that take another transport key than the store's, before the store is thought to be the wrong one."""

_TAKEN_AWAY = "the row was given to another station meanwhile"
_CARD_GONE = (CardLost, NoCard, CardMute)
# the reader, the keys, the database or the disk
_NOT_THE_ROWS_FAULT = (LinkError, VaultError, DatabaseGone, DiskFailed, Leaving)


class ClaimLost(KaguanError):
    """The row was given to another station while this one waited for a chip."""


class Counted(Layer):
    """A link that counts its commands."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.commands = 0

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below, unchanged."""
        self.commands += 1
        return self.link.transceive(command)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a station works with: the records it can open, its keys, the chips, and what to check."""

    records: JobRecords
    vault: KeyVault
    profile: CardProfile
    region: str
    stock: Stock
    sampling: Sampling


class Task(NamedTuple):
    """A row in work: whose it is, and what goes onto the card."""

    claim: Claim
    holder: Holder
    record: PersoRecord


class Opened(NamedTuple):
    """A chip that takes what we write: the link as the stock gave it, the same counted, and how far the chip is."""

    link: Link
    wire: Counted
    state: ChipState


class Station:
    """One worker. It writes to nothing but its chip, its stock and its own claims."""

    def __init__(self, claims: Claims, bench: Bench) -> None:
        self._claims = claims
        self._bench = bench
        self._strangers = 0

    def prepare(self, claims: Sequence[Claim]) -> None:
        """The vault has the keys of these claims' cards at hand, as far as it is known which chips they will be; and
        their PINs are at hand, sealed."""
        self._bench.records.pins.fetch(claim.number for claim in claims)
        serials = [serial for claim in claims if (serial := self._bench.stock.serial(claim.chip)) is not None]
        if serials:
            prepare_cards(self._bench.vault, self._bench.profile, self._bench.region, serials)

    def work(self, claim: Claim) -> bool:
        """The claim is settled one way or the other, or somebody else's; whether its card is good.

        Raises:
            LinkError: there is no reader, or no service for it.
            VaultError: the vault lacks a key, or has another one than the chips.
            DatabaseGone: the database is.
            OSError: the disk fails.
            Leaving: the station was told to end while it waited for a chip.
            In each case the claim is unsettled, and another station finishes it when its time has run out.
        """
        try:
            task = self._task(claim)
        except RecordTampered as error:
            self._claims.fail(claim, "record", str(error))
            return False
        stored = self._bench.stock.stored(task.record.card_no) if claim.attempt > 1 else None
        if stored is not None and self._accepted(task, stored):
            return True
        try:
            made = None
            while made is None:
                chip = self._chip_for(task)
                made = chip is None or self._make(task, chip)
        except ClaimLost:
            return False
        return made

    def _task(self, claim: Claim) -> Task:
        return Task(claim, *self._bench.records.open(claim.number, claim.sealed))

    def _still(self, claim: Claim) -> None:
        if not self._claims.sure(claim):
            raise ClaimLost(_TAKEN_AWAY)

    # chips

    def _chip_for(self, task: Task) -> Opened | None:
        """A chip that takes what we write; None when the row's own finished card came instead.

        Raises:
            ClaimLost: nobody brought one in time.
        """
        while True:
            link = self._bench.stock.take(task.claim.chip, lambda: self._still(task.claim))
            past = self._past(task.claim, link)
            if isinstance(past, str):
                self._refuse(link, past)
                continue
            wire = Counted(link)
            try:
                opened = Opened(link, wire, converse(wire, open_chip(self._keys(link))))
            except NotBlank as error:
                if past is None or past.number is None or not past.ours:
                    self._refuse(link, str(error))
                elif self._took_finished(task, link, past):
                    return None
            except _CARD_GONE:
                link.close()
            except _NOT_THE_ROWS_FAULT:
                raise
            except KaguanError as error:
                self._refuse(link, f"no chip of ours: {error}")
                self._count_stranger(error)
            else:
                self._strangers = 0
                return opened

    def _past(self, claim: Claim, link: Link) -> Past | str | None:
        """What is known of the chip, or why it is refused before it is asked anything."""
        if self._bench.stock.serial(claim.chip) is not None:
            return None  # it is new: its number is the claim's
        profile = self._bench.profile
        if not link.atr.startswith(profile.atr_prefix + profile.historical_bytes):
            return "no chip of ours: another answer to reset"
        past = self._claims.past(link.atr)
        return (past.refusal or past) if past else None

    def _refuse(self, link: Link, reason: str) -> None:
        """The chip is counted as rejected, if it is not counted yet, and lies in the bin."""
        self._claims.turn_away(link.atr, reason)
        self._bench.stock.turn_away(link, reason)

    def _count_stranger(self, error: KaguanError) -> None:
        self._strangers += 1
        if self._strangers >= MOST_STRANGERS:
            raise VaultError(
                f"{self._strangers} chips in a row were none of ours ({error}): is this the store of the key that "
                "the factory has delivered them with?"
            )

    def _took_finished(self, task: Task, link: Link, past: Past) -> bool:
        """Whether the card in the machine, sealed and never told of, is now the card of the row at hand. It may have
        become another row's."""
        assert past.number is not None  # noqa: S101 - see `_chip_for`
        if past.number == task.claim.number:
            return self._accepted(task, link)
        found = self._claims.claim(1, number=past.number)
        if found:
            if not self._accepted(self._task(found[0]), link):
                self._claims.hand_back(found[0])
        elif past.row is State.CLAIMED or past.fate is Fate.AT_WORK:
            self._bench.stock.set_aside(link, "its row is in work: bring it again in a minute")
        else:
            self._refuse(link, "its row was settled without it")
        return False

    def _accepted(self, task: Task, link: Link) -> bool:
        """Whether the finished card of this row, that nobody had been told of, is good: it is then the row's card, and
        else out of the machine."""
        claim, stock = task.claim, self._bench.stock
        if not self._claims.took(claim, link.atr):
            link.close()
            return False
        wire = Counted(link)
        try:
            wire.reset()
            good = self._verdict(task, wire, deep=True).good  # nobody knows when it was made, and with which PIN
        except _CARD_GONE as error:
            self._claims.give_up(claim, str(error), dead=False)
            link.close()
            return False
        if not good:
            self._claims.give_up(claim, "an earlier attempt left it unfinished")
            stock.discard(link, task.record.card_no)
            return False
        return self._hand_over(task, link, card_ident_code(self._keys(link)), wire.commands, deep=True)

    # cards

    def _make(self, task: Task, chip: Opened) -> bool | None:
        """Whether the chip became the row's card; None when it was pulled out between its seal and its check, and is
        awaited again."""
        claim, stock, (link, wire, state) = task.claim, self._bench.stock, chip
        if not self._claims.took(claim, link.atr):
            self._claims.hand_back(claim)
            stock.put_back(link)
            return False
        keys, stage, lost = self._keys(link), "write", False
        try:
            ident_code = converse(wire, write_card(keys, task.record, state))
            if not self._claims.sure(claim):
                self._claims.give_up(claim, _TAKEN_AWAY, dead=False)
                stock.discard(link, task.record.card_no)
                return False
            converse(wire, seal_card(keys.profile))
            stage = "check"
            wire.reset()
            faults = self._verdict(task, wire, deep=self._deep(task)).faults
        except _CARD_GONE as error:
            if stage == "check" and stock.serial(claim.chip) is None:
                self._claims.give_up(claim, str(error), dead=False)
                stock.set_aside(link, "its check was broken off: put it in again")
                return None
            faults, lost = (str(error),), True
        except _NOT_THE_ROWS_FAULT:
            raise
        except KaguanError as error:
            faults = (str(error),)
        if faults:
            self._claims.fail(claim, stage, "; ".join(faults), dead=not lost)
            stock.discard(link, task.record.card_no)
            return False
        return self._hand_over(task, link, ident_code, wire.commands, deep=self._deep(task))

    def _hand_over(self, task: Task, chip: Link, ident_code: bytes, commands: int, *, deep: bool) -> bool:
        """Whether the job takes this chip for the row's card; it then is among the finished ones, else in the bin."""
        claim, stock, card_no = task.claim, self._bench.stock, task.record.card_no
        stock.keep(chip, card_no)
        if self._claims.finish(claim, chip.atr, ident_code, commands, deep=deep):
            stock.hand_out(chip, card_no)
            return True
        self._claims.give_up(claim, _TAKEN_AWAY)
        stock.discard(chip, card_no)
        return False

    def _keys(self, link: Link) -> CardKeys:
        return CardKeys(self._bench.vault, self._bench.profile, self._bench.region, link.atr)

    def _deep(self, task: Task) -> bool:
        return self._bench.sampling.deep(task.claim.number)

    def _verdict(self, task: Task, link: Link, *, deep: bool) -> CheckVerdict:
        keys, holder, record = self._keys(link), task.holder, task.record
        factor, original = secrets.token_bytes(8), secrets.token_bytes(8)
        if deep:
            return converse(link, check_card(keys, holder, record.photo, record.pin, factor, original))
        return converse(link, quick_check(keys, holder, record.photo, factor, original))
