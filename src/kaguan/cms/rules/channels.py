"""By which way somebody asks: what an operator's place and roles allow to say, and what the region takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.choices import InstitutionKind
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.terms import Channel

_CENTRE: Final = (Channel.SERVICE_CENTRE, Channel.EMPLOYER, Channel.PORTABLE_MACHINE, Channel.SELF_SERVICE)
_BANK: Final = (Channel.BANK_OUTLET, Channel.PORTABLE_MACHINE, Channel.SELF_SERVICE)
_AFAR: Final = (Channel.WEBSITE, Channel.APP, Channel.WECHAT)

AT_PLACE: Final[Mapping[InstitutionKind, tuple[Channel, ...]]] = MappingProxyType(
    {
        InstitutionKind.AUTHORITY: (*_CENTRE, *_AFAR),
        InstitutionKind.CENTRE: _CENTRE,
        InstitutionKind.BANK: _BANK,
        InstitutionKind.OUTLET: _BANK,
        InstitutionKind.BUREAU: (),
        InstitutionKind.CLINIC: (Channel.HOSPITAL,),
        InstitutionKind.HOSPITAL: (Channel.HOSPITAL,),
        InstitutionKind.PHARMACY: (Channel.PHARMACY,),
    }
)
"""What is asked at each kind of place; the first is meant when nobody says which. An authority's clerks also take what
comes in over its website and its apps."""

OF_ROLE: Final[Mapping[Role, tuple[Channel, ...]]] = MappingProxyType(
    {
        Role.HOTLINE: (Channel.PHONE, Channel.SMS),
        Role.PORTAL: (*_AFAR, Channel.SMS, Channel.SELF_SERVICE),
    }
)
"""What comes to an operator who sits behind no counter."""


def channels_of(kind: str, roles: Collection[str]) -> tuple[Channel, ...]:
    """Return the channels by which somebody may have come to an operator, the usual one first."""
    afar = tuple(channel for role in roles for channel in OF_ROLE.get(Role(role), ()))
    at_counter = any(Role(role) not in OF_ROLE for role in roles)
    return (*(AT_PLACE[InstitutionKind(kind)] if at_counter else ()), *afar)


def channel_taken(
    what: str, said: Channel | None, possible: tuple[Channel, ...], allowed: Collection[Channel], region: str
) -> Channel:
    """Return the channel by which it was asked: the one said, or the usual one of whoever takes it.

    Refuses with NotEligible, in this order: nothing reaches this operator that way, the region takes it in others only.
    """
    channel = said or next(iter(possible), None)
    if channel is None or channel not in possible:
        named = "any channel" if channel is None else channel.value
        raise NotEligible(f"{what} refused: nothing reaches this operator by {named}")
    if channel not in allowed:
        ways = ", ".join(way.value for way in allowed) or "no channel at all"
        raise NotEligible(f"{what} refused: in {region} not by {channel.value}, but by {ways}")
    return channel
