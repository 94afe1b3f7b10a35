"""The demo's town: an authority, two banks' outlets, a pharmacy, and who works there."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from kaguan.cms.rules.regions import InstitutionKind, RegionRules
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import Actor
from kaguan.cms.services.set_up import found, register_institution, register_operator

OTHER_BANK = "95599"


@dataclass(frozen=True)
class Town:
    """Who acts in the demo."""

    clerk: Actor
    supervisor: Actor
    teller: Actor
    other_bank_teller: Actor
    pharmacist: Actor


def found_town(region: str, bank: str) -> Town:
    """The region's books are open and everybody is in place; `bank` issues the cards."""
    rules = RegionRules(name=f"demo city {region}", banks=(bank, OTHER_BANK), formal_loss_can_be_released=False)
    administrator = found(uuid4(), region_code=region, region=rules, authority="SSB", administrator="administrator")

    def open_site(code: str, name: str, kind: InstitutionKind, bank_code: str = "") -> None:
        register_institution(
            administrator,
            uuid4(),
            code=code,
            name=name,
            kind=kind,
            bank_code=bank_code,
            designated=kind is InstitutionKind.PHARMACY,
        )

    def employ(code: str, institution: str, role: Role) -> Actor:
        register_operator(administrator, uuid4(), code=code, name=code, institution=institution, roles=[role])
        return Actor(code, institution)

    open_site(f"{bank}-1", "outlet of the card's own bank", InstitutionKind.OUTLET, bank)
    open_site(f"{OTHER_BANK}-1", "outlet of another bank", InstitutionKind.OUTLET, OTHER_BANK)
    open_site("PHARMACY-1", "designated pharmacy", InstitutionKind.PHARMACY)
    return Town(
        clerk=employ("clerk", "SSB", Role.AUTHORITY_CLERK),
        supervisor=employ("supervisor", "SSB", Role.AUTHORITY_SUPERVISOR),
        teller=employ("teller", f"{bank}-1", Role.OUTLET_TELLER),
        other_bank_teller=employ("other-teller", f"{OTHER_BANK}-1", Role.OUTLET_TELLER),
        pharmacist=employ("pharmacist", "PHARMACY-1", Role.CASHIER),
    )
