"""A second city in the same database, where everybody may do everything, and a province above both."""

from __future__ import annotations

from kaguan.cms.models import Institution, Operator, Region
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Level, Role
from kaguan.cms.services.case import Actor

EVERY_ROLE = [role.value for role in Role]


def neighbour_at(kind: InstitutionKind) -> Actor:
    """Somebody with every role at an institution of that kind in the city next door."""
    city, _ = Region.objects.get_or_create(code="990200")
    code = f"B-{kind.value}"
    site, _ = Institution.objects.get_or_create(
        code=code, name=code, kind=kind, region=city, bank_code="95588", designated=True
    )
    operator = f"nb-{kind.value}"
    Operator.objects.get_or_create(
        code=operator, name=operator, institution=site, roles=EVERY_ROLE, level=Level.ADMINISTRATOR
    )
    return Actor(operator, code)


def province(*cities: str) -> Actor:
    """Somebody at the authority above the authorities of these institutions."""
    place, _ = Region.objects.get_or_create(code="990000")
    above = Institution.objects.create(code="PROVINCE", name="P", kind=InstitutionKind.AUTHORITY, region=place)
    Institution.objects.filter(code__in=cities).update(parent=above)
    Operator.objects.create(code="prov", name="p", institution=above, roles=EVERY_ROLE, level=Level.ADMINISTRATOR)
    return Actor("prov", "PROVINCE")
