"""Set the system up: its first authority and administrator, then institutions, operators and holders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.utils import timezone

from kaguan.cms import audit
from kaguan.cms.models import Institution, Operator, Region
from kaguan.cms.models.regions import layers_for
from kaguan.cms.rules.layers import SINCE_EVER, Layer, check_code, check_days
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.rules.regions import InstitutionKind, RegionRules, read_region
from kaguan.cms.rules.rights import Level, Right, Role
from kaguan.cms.services.case import Actor, Case
from kaguan.cms.services.regions import add_shipped, add_version, establish
from kaguan.cms.services.transacting import in_transaction
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class RegionRef:
    """A region by its code."""

    code: str


@dataclass(frozen=True, slots=True)
class InstitutionRef:
    """An institution by its code."""

    code: str


@dataclass(frozen=True, slots=True)
class OperatorRef:
    """An operator by their code, with the institution that employs them."""

    code: str
    institution: str


def found(
    request_id: UUID, *, region_code: str, region: RegionRules | None = None, authority: str, administrator: str
) -> Actor:
    """Leave a region, its authority and a first administrator, and return that administrator as an actor.

    What `region` says otherwise than the defaults the region decides since ever; without it, it decides what its file
    says that comes with Kaguan. The regions above have their files.
    Refuses with RuleTableError when the code is none, and with DuplicateRequest when the system has operators already:
    from then on an administrator sets it up.
    """
    check_code(region_code)

    def work() -> Actor:
        if Operator.objects.exists():
            raise DuplicateRequest("the system is founded already: ask one of its administrators")
        at = timezone.now()
        if region is not None:
            add_version(Layer(region_code, SINCE_EVER, region.own_settings()), by=administrator, at=at)
        add_shipped(region_code, by=administrator, at=at)
        roles = [Role.ADMINISTRATOR, Role.FOUNDER]
        place = Region.objects.create(code=region_code)
        establish(place, authority=authority, administrator=administrator, roles=roles)
        audit.append(
            audit.AuditLine(at, administrator, authority, "found", request_id, "done", {"region": region_code})
        )
        return Actor(administrator, authority)

    return in_transaction(work)


@use_case("register institution", Right.SET_UP, InstitutionRef)
def register_institution(
    case: Case,
    /,
    *,
    code: str,
    name: str,
    kind: InstitutionKind,
    parent: str = "",
    bank_code: str = "",
    designated: bool = False,
) -> InstitutionRef:
    """Leave the institution on the books, in the region of the actor's institution.

    Refuses with DuplicateRequest, NotFound (parent), NotEligible (a bank or outlet without a bank of the region).
    """
    case.note(institution=code, kind=kind.value)
    if Institution.objects.filter(pk=code).exists():
        raise DuplicateRequest(f"institution {code} is on the books already")
    region = case.institution.region
    banks = region.rules().banks
    if kind in {InstitutionKind.BANK, InstitutionKind.OUTLET} and (not bank_code or (banks and bank_code not in banks)):
        raise NotEligible(f"{bank_code or 'no bank'} is none of the banks of region {region.code}: {', '.join(banks)}")
    Institution.objects.create(
        code=code,
        name=name,
        kind=kind,
        region=region,
        parent=case.find_institution(parent) if parent else None,
        bank_code=bank_code,
        designated=designated,
    )
    return InstitutionRef(code)


@use_case("register operator", Right.SET_UP, OperatorRef)
def register_operator(
    case: Case,
    /,
    *,
    code: str,
    name: str,
    institution: str,
    roles: Sequence[Role],
    level: Level = Level.TELLER,
    own_document: tuple[str, str] | None = None,
) -> OperatorRef:
    """Leave the operator able to ask; `own_document` (type, number) tells which holder the operator is, if any.

    Nobody makes a founder who is none.
    Refuses with NotAllowed, DuplicateRequest, NotFound, in this order.
    """
    case.note(operator=code, institution=institution, roles=[role.value for role in roles])
    if Role.FOUNDER in roles:
        case.require(Right.OPEN_REGION)
    if Operator.objects.filter(pk=code).exists():
        raise DuplicateRequest(f"operator {code} is on the books already")
    Operator.objects.create(
        code=code,
        name=name,
        institution=case.find_institution(institution),
        roles=[role.value for role in roles],
        level=level,
        holder=case.holder(*own_document) if own_document else None,
    )
    return OperatorRef(code, institution)


@use_case("blacklist institution", Right.SET_UP, InstitutionRef)
def blacklist_institution(case: Case, /, *, code: str, breach: str) -> InstitutionRef:
    """Leave the institution without new purchases from personal accounts; refuse with NotFound."""
    case.note(institution=code, breach=breach)
    institution = case.find_institution(code)
    Institution.objects.filter(pk=institution.pk).update(blacklisted=True)
    return InstitutionRef(code)


@use_case("set region", Right.SET_UP, RegionRef)
def set_region(case: Case, /, *, settings: Mapping[str, object], valid_from: date | None = None) -> RegionRef:
    """Leave the actor's region with other settings from that day on, from today when none is given.

    Refuses with RuleTableError when they make no sense, and with NotEligible when the day is past.
    """
    region = case.institution.region
    day = valid_from or case.today
    case.note(region=region.code, settings=sorted(settings), valid_from=day.isoformat())
    if day < case.today:
        raise NotEligible(
            f"{day} is past: rules of days gone by are not rewritten, date the change {case.today} or later"
        )
    rules = read_region({**region.rules(day).settings(), **settings})
    written = rules.settings()
    layer = Layer(region.code, day, {"name": rules.name} | {name: written[name] for name in settings})
    check_days(region.code, [*layers_for(region.code), layer])
    add_version(layer, by=case.operator.code, at=case.at)
    return RegionRef(region.code)
