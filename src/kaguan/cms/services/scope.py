"""How far somebody sees: the regions whose people and cards exist for an institution, and the colleagues in reach.

Law. What lies outside is not there: nobody learns from a refusal that it exists elsewhere.
"""

from __future__ import annotations

from kaguan.cms.models import Institution, Operator
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Level

_ORGANISATIONS = frozenset({InstitutionKind.AUTHORITY, InstitutionKind.BANK})


def regions_in_reach(institution: Institution) -> frozenset[str]:
    """Return the codes of the regions that exist for the institution: its own, and for an authority those below it."""
    own = institution.region.code
    if institution.kind != InstitutionKind.AUTHORITY:
        return frozenset({own})
    below = Institution.objects.filter(pk__in=branch(institution)).values_list("region", flat=True)
    return frozenset({own, *below})


def regions_seen_from(institution_code: str) -> frozenset[str]:
    """Return the regions that exist for the institution with that code; none for an unknown one."""
    institution = Institution.objects.filter(pk=institution_code).first()
    return regions_in_reach(institution) if institution else frozenset()


def institutions_in_reach(operator: Operator) -> frozenset[str]:
    """Return the codes of the institutions whose operators and days the operator answers for, by level."""
    own = operator.institution
    match Level(operator.level):
        case Level.TELLER:
            return frozenset()
        case Level.OUTLET:
            return frozenset({own.code})
        case Level.OUTLET_AND_BELOW:
            return branch(own)
        case Level.ORGANISATION:
            return frozenset({own.code, organisation_of(own).code})
        case Level.ORGANISATION_AND_BELOW:
            return branch(organisation_of(own))
        case Level.ADMINISTRATOR:
            inside = Institution.objects.filter(region__in=regions_in_reach(own))
            return frozenset(inside.values_list("code", flat=True))


def branch(institution: Institution) -> frozenset[str]:
    """Return the codes of the institution and of all below it, however the tree is tangled."""
    found, layer = {institution.code}, {institution.code}
    while layer:
        layer = set(Institution.objects.filter(parent__in=layer).values_list("code", flat=True)) - found
        found |= layer
    return frozenset(found)


def organisation_of(institution: Institution) -> Institution:
    """Return the nearest authority or bank above the institution, or itself; the topmost one when there is neither."""
    seen = {institution.code}
    while institution.kind not in _ORGANISATIONS and institution.parent and institution.parent.code not in seen:
        institution = institution.parent
        seen.add(institution.code)
    return institution
