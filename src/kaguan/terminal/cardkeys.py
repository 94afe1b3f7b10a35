"""The keys of one card, as references into the vault (LD/T 32: ministry, province, city, card)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import CardProfile
from kaguan.vault.vault import KeyRef, KeyVault, Step, StepKind

TRANSPORT_LABEL = "TK"
"""The transport key's label in the vault: one master, diversified by chip."""

FIRST_VERSION = 1
"""The vault's version of the master keys from which a card's keys of version 0 come."""

_new = tuple.__new__  # as in `apdu.command`

LEVELS = 3
"""Diversifications from a ministry key to a card key."""


def region_factors(region: str) -> tuple[bytes, bytes]:
    """The province's and the city's 8-byte factors for a six-digit region: `PP0000sh` and `CCCCCCsx`.

    Raises:
        CodecError: not six digits.
    """
    if len(region) != 6 or not (region.isascii() and region.isdigit()):
        raise CodecError(f"a region has six digits, '{region}' has not")
    return f"{region[:2]}0000sh".encode(), f"{region}sx".encode()


def card_factor(atr: bytes) -> bytes:
    """The card's 8-byte factor: the end of its ATR."""
    return atr[-8:]


@dataclass(frozen=True)
class CardKeys:
    """Every key of the card with this ATR in this region; `version` is the version of the masters."""

    vault: KeyVault
    profile: CardProfile
    region: str
    atr: bytes
    version: int = FIRST_VERSION

    @cached_property
    def _way_down(self) -> tuple[Step, ...]:
        """The steps from any master key to this card's."""
        factors = (*region_factors(self.region), card_factor(self.atr))
        return tuple(Step(StepKind.DIVERSIFY, factor) for factor in factors)

    @cached_property
    def _transport(self) -> KeyRef:
        return KeyRef(TRANSPORT_LABEL, self.version).diversified(card_factor(self.atr))

    def ref(self, master_label: str, version: int = 0) -> KeyRef:
        """The card's own key under this master, such as `SSSE.STK`, in the card's version of it."""
        return _new(KeyRef, (master_label, self.version + version, self._way_down))

    def transport(self) -> KeyRef:
        """The chip's transport key: it knows no region, the chip's number alone."""
        return self._transport

    def reference(self, master_label: str) -> int:
        """What stands in P2, or in the key index, for this key.

        Raises:
            ProfileError: the profile has no such key.
        """
        return self.profile.key(master_label).reference
