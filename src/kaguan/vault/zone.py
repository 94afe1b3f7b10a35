"""Zones: keys that never meet. Each has a zone key, and only under that do its keys travel."""

from __future__ import annotations

from enum import StrEnum

from kaguan.vault.vault import BUREAU_USAGES, KeyInfo, Usage, UsageForbidden


class Zone(StrEnum):
    """Between whom keys are shared: factory and bureau; the bureau's own machines; authority and bureau."""

    TRANSPORT = "transport"
    PERSONALIZATION = "personalization"
    CARD_MASTERS = "card-masters"

    @property
    def usage(self) -> Usage:
        """What the zone's own key is for."""
        return _ZONE_KEYS[self]


_ZONE_KEYS = {
    Zone.TRANSPORT: Usage.TRANSPORT_ZONE,
    Zone.PERSONALIZATION: Usage.PERSONALIZATION_ZONE,
    Zone.CARD_MASTERS: Usage.CARD_MASTER_ZONE,
}
_ZONES = {usage: zone for zone, usage in _ZONE_KEYS.items()}


def zone_of(usage: Usage) -> Zone:
    """The zone that keys of this usage belong to; a zone key belongs to its own."""
    if usage in _ZONES:
        return _ZONES[usage]
    if usage in BUREAU_USAGES:
        return Zone.PERSONALIZATION
    return Zone.TRANSPORT if usage is Usage.TRANSPORT else Zone.CARD_MASTERS


def is_zone_key(usage: Usage) -> bool:
    """Whether keys of this usage are the keys of a zone."""
    return usage in _ZONES


def require_zone(key: KeyInfo, under: KeyInfo) -> None:
    """Nothing happens when the key may travel under this one.

    Raises:
        UsageForbidden: that is no zone key, it is another zone's, or the key to travel is a zone key itself.
    """
    if not is_zone_key(under.usage):
        raise UsageForbidden(
            f"{under.label}: a key for {under.usage} is no zone key, and keys travel under those alone"
        )
    if is_zone_key(key.usage):
        raise UsageForbidden(f"{key.label}: a zone key travels as shares, never under another")
    if zone_of(key.usage) is not zone_of(under.usage):
        zones = f"{zone_of(key.usage)}, {zone_of(under.usage)}"
        raise UsageForbidden(f"{key.label} and {under.label} belong to different zones ({zones}), which never meet")
