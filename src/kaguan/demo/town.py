"""The demo's town: an authority, its neighbour, two banks' outlets, the places of health care, and who works there."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.choices import PasswordChange
from kaguan.cms.rules.regions import InstitutionKind, RegionRules
from kaguan.cms.rules.rights import Level, Role
from kaguan.cms.services.case import Actor
from kaguan.cms.services.regions import open_region
from kaguan.cms.services.set_up import found, register_institution, register_operator

OTHER_BANK = "95599"
NEIGHBOUR = "990200"
_DESIGNATED = frozenset({InstitutionKind.HOSPITAL, InstitutionKind.PHARMACY})


@dataclass(frozen=True)
class Town:
    """Who acts in the demo.

    `chief` may ask as well as approve. `neighbour` is the clerk of another city's authority in the same database.
    """

    administrator: Actor
    clerk: Actor
    chief: Actor
    supervisor: Actor
    clock: Actor
    portal: Actor
    teller: Actor
    head: Actor
    other_bank_teller: Actor
    centre: Actor
    registrar: Actor
    pharmacist: Actor
    neighbour: Actor


def found_town(region: str, bank: str) -> Town:
    """The region's books and its neighbour's are open and everybody is in place; `bank` issues the cards."""
    rules = RegionRules(
        name=f"demo city {region}",
        banks=(bank, OTHER_BANK),
        approvals_needed=(Action.RELEASE_FORMAL_LOSS, Action.CANCEL, Action.MAKE_AGAIN),
        online_password_change=PasswordChange.SUGGESTED,
    )
    administrator = found(uuid4(), region_code=region, region=rules, authority="SSB", administrator="administrator")
    own, other = f"{bank}-1", f"{OTHER_BANK}-1"
    _open_site(administrator, own, "outlet of the card's own bank", InstitutionKind.OUTLET, bank)
    _open_site(administrator, other, "outlet of another bank", InstitutionKind.OUTLET, OTHER_BANK)
    _open_site(administrator, "CENTRE-1", "card service centre", InstitutionKind.CENTRE)
    _open_site(administrator, "HOSPITAL-1", "designated hospital", InstitutionKind.HOSPITAL)
    _open_site(administrator, "PHARMACY-1", "designated pharmacy", InstitutionKind.PHARMACY)
    return Town(
        administrator=administrator,
        clerk=_employ(administrator, "clerk", "SSB", Role.AUTHORITY_CLERK),
        chief=_employ(administrator, "chief", "SSB", Role.AUTHORITY_CLERK, Role.AUTHORITY_SUPERVISOR),
        supervisor=_employ(administrator, "supervisor", "SSB", Role.AUTHORITY_SUPERVISOR),
        clock=_employ(administrator, "clock", "SSB", Role.CLOCK),
        portal=_employ(administrator, "portal", "SSB", Role.PORTAL),
        teller=_employ(administrator, "teller", own, Role.OUTLET_TELLER),
        head=_employ(administrator, "head", own, Role.OUTLET_HEAD, level=Level.OUTLET),
        other_bank_teller=_employ(administrator, "other-teller", other, Role.OUTLET_TELLER),
        centre=_employ(administrator, "centre-clerk", "CENTRE-1", Role.CENTRE_CLERK),
        registrar=_employ(administrator, "registrar", "HOSPITAL-1", Role.CASHIER),
        pharmacist=_employ(administrator, "pharmacist", "PHARMACY-1", Role.CASHIER),
        neighbour=_open_neighbour(administrator),
    )


def _open_neighbour(administrator: Actor) -> Actor:
    opened = open_region(administrator, uuid4(), code=NEIGHBOUR, authority="SSB-2", administrator="administrator-2")
    return _employ(Actor(opened.administrator, opened.authority), "clerk-2", "SSB-2", Role.AUTHORITY_CLERK)


def _open_site(administrator: Actor, code: str, name: str, kind: InstitutionKind, bank_code: str = "") -> None:
    register_institution(
        administrator,
        uuid4(),
        code=code,
        name=name,
        kind=kind,
        bank_code=bank_code,
        designated=kind in _DESIGNATED,
    )


def _employ(administrator: Actor, code: str, institution: str, *roles: Role, level: Level = Level.TELLER) -> Actor:
    register_operator(administrator, uuid4(), code=code, name=code, institution=institution, roles=roles, level=level)
    return Actor(code, institution)
