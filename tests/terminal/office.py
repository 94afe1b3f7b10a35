"""An office with a terminal: cards, security modules and holders who type their PINs."""

from __future__ import annotations

from functools import cache

from card.cards import PROFILE, funded
from card.modules import module
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.personalization.specimen import specimen_card, specimen_vault
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.pin import change_pin
from kaguan.terminal.ministry import Hsm, MinistryTerminal, PinPurpose
from kaguan.terminal.ministry.pinpad import entered
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin

IDENT_CODE = "990100D15600000501000001F846174E"
INFO = f"{IDENT_CODE}|A00000011|"
BASIC = (
    f"990100|990101199003070015|A00000011|{IDENT_CODE}|张三|00815431008660200101000001|2.00|20240101|20340101|"
    "000000000000||"
)
PAYMENT = "0.1|0.2|20240101120000|"
INITIAL, OWN = "123456", "246810"


class Typing:
    """A holder who types these digits; None is a holder who gives up. He types the new PIN twice alike."""

    def __init__(self, current: str = INITIAL, new: str = OWN, again: str | None = None) -> None:
        self._typed = {PinPurpose.CURRENT: current, PinPurpose.NEW: new, PinPurpose.NEW_AGAIN: again or new}
        self.asked: list[PinPurpose] = []

    def ask(self, purpose: PinPurpose) -> Pin:
        self.asked.append(purpose)
        return entered(self._typed[purpose])


@cache
def third_generation(variant: str = "") -> CardImage:
    """A specimen of the third generation."""
    return specimen_card(load_profile("ssc-v3" + variant)).image


@cache
def with_own_pin(balance_fen: int = 1_000) -> CardImage:
    """The specimen of a holder who has changed his PIN."""
    card = EmulatedCard(funded(balance_fen))
    converse(card, select_dedicated(PROFILE.by_name["SSSE"]))
    converse(card, change_pin(entered(INITIAL), entered(OWN)))
    return card.image


@cache
def hsm(variant: str = "") -> Hsm:
    """The authority's module, with the specimens' masters."""
    return Hsm(specimen_vault(load_profile("ssc-v3" + variant)))


def psam() -> EmulatedCard:
    """The security module that goes with the specimens."""
    return EmulatedCard(module())


def info_of(image: CardImage) -> str:
    """pCardInfo of this card."""
    out = MinistryTerminal(EmulatedCard(image)).iReadCardBas_HSM_Step1(1).out.split("|")
    return f"{out[3]}|A00000011|"
