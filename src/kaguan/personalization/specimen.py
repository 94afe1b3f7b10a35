"""The specimen card: a sealed card for testers, made by the same recipe as every other card.

Its keys are public: every master key is 000102..0F. Its holder is the profile's own examples, its PIN the profile's
initial PIN, its serial number 200101000001, its city 990100, which does not exist.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.profile import CardProfile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.module_stock import security_module
from kaguan.emulator.native_stock import native_card
from kaguan.emulator.purse_stock import purse_card
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.keystore import add_factory_key, key_orders
from kaguan.personalization.order.reading import FieldKey, Holder
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.station.recipe import make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.script import converse
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault

_READY_MADE = (
    (CommandSet.SECURITY_MODULE, security_module),
    (CommandSet.NATIVE, native_card),
    (CommandSet.BANKING, purse_card),
)

MASTER_KEY = bytes(range(16))
SERIAL = bytes.fromhex("200101000001")
REGION = "990100"


def specimen_vault(profile: CardProfile) -> SoftwareVault:
    """The test vault whose every master key is 000102..0F, and the emulated factory's transport key."""
    vault = SoftwareVault.empty(StoreKind.TEST)
    for order in key_orders(profile):
        value = Secret(MASTER_KEY)
        vault.import_components(
            order.label, order.usage, order.algorithm, [value], None, version=order.version, levels=order.levels
        )
    add_factory_key(vault)
    return vault


def specimen_holder(profile: CardProfile) -> Holder:
    """The holder whose data are the profile's examples."""
    columns = {FieldKey(*address).column: spec.example for address, (_, spec) in profile.fields.items()}
    columns["cert_no"] = columns["ssseef0608"]
    return Holder(line=0, row=1, task_id="", columns=columns)


def specimen_keys(profile: CardProfile, atr: bytes) -> CardKeys:
    """The keys of the specimen with this ATR."""
    return CardKeys(specimen_vault(profile), profile, REGION, atr)


def specimen_card(
    profile: CardProfile, *, serial: bytes = SERIAL, random: Callable[[int], bytes] = secrets.token_bytes
) -> EmulatedCard:
    """The specimen of the profile, made as cards of its kind are: a sealed social security card with an empty wallet
    and no photo, just reset; a purse card; a factory-fresh native card; or a security module."""
    commands = profile.behaviour.commands
    for kind, make in _READY_MADE:
        if kind in commands:
            return EmulatedCard(make(profile, serial), random=random)
    card = EmulatedCard(blank_chip(profile, serial), random=random)
    record = prepare(profile, specimen_holder(profile), b"")
    converse(card, make_card(specimen_keys(profile, card.atr), record))
    card.reset()
    return card
