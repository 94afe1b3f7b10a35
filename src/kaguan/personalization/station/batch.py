"""Chips that are known before they are taken: the keys of all their cards are made at once."""

from __future__ import annotations

from collections.abc import Iterable

from kaguan.card_os.profile import CardProfile
from kaguan.personalization.station.recipe import written_keys
from kaguan.terminal.cardkeys import CardKeys
from kaguan.vault.vault import KeyVault


def prepare_cards(vault: KeyVault, profile: CardProfile, region: str, atrs: Iterable[bytes]) -> list[CardKeys]:
    """The keys of a card on each of these chips, all at hand in the vault: one call of a token for each master key,
    one round trip to a key service for all of them.

    Raises:
        KeyAbsent, UsageForbidden: see `KeyVault.prepare`.
    """
    cards = [CardKeys(vault, profile, region, atr) for atr in atrs]
    vault.prepare(ref for keys in cards for ref in written_keys(keys))
    return cards
