"""Put on the books what regions decide, and open a region for business.

Law. The past of a region that is open, or that lies above one, is not rewritten: what is new there begins today at the
earliest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kaguan.cms.models import Institution, Operator, Region, RegionVersion
from kaguan.cms.models.regions import layers_for
from kaguan.cms.regions.shipped import shipped_line
from kaguan.cms.rules.choices import InstitutionKind
from kaguan.cms.rules.layers import Layer, check_code, check_days, line_of
from kaguan.cms.rules.refusals import DuplicateRequest, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regionfile import check_files, parse_region
from kaguan.cms.rules.rights import Level, Right, Role
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class VersionsAdded:
    """How many versions are new on the books, and how many were there already."""

    added: int
    known: int


@dataclass(frozen=True, slots=True)
class RegionOpened:
    """A region that is open for business, its authority, and the administrator there."""

    code: str
    authority: str
    administrator: str


@use_case("import regions", Right.SET_UP, VersionsAdded)
def import_regions(case: Case, /, *, texts: Mapping[str, str]) -> VersionsAdded:
    """Leave the versions of these region files (text by file name) on the books; those there already are left alone.

    Refuses, in this order: RuleTableError (an unsound file, or files that do not hold together with the books),
    NotAllowed (another open region), NotEligible (the past of an open region).
    """
    files = [parse_region(text, file=name) for name, text in texts.items()]
    case.note(regions=sorted(one.code for one in files))
    codes = {place for one in files for place in line_of(one.code)}
    known = [version.layer() for version in RegionVersion.objects.filter(region_code__in=codes).order_by("id")]
    check_files(files, known=known)
    opened = set(Region.objects.values_list("code", flat=True))
    for one in files:
        if one.code in opened and one.code != case.institution.region.code:
            raise NotAllowed(f"{one.file}: region {one.code} is open: its own administrator imports its rules")
    new = [(one, number) for one in files for number, layer in enumerate(one.versions) if layer not in known]
    for one, number in new:
        layer = one.versions[number]
        if layer.valid_from < case.today and any(one.code in line_of(code) for code in opened):
            raise NotEligible(
                f"{one.file}: [[version]] {number + 1}, valid_from: {layer.valid_from} is past, and a region works by "
                f"the rules of {one.code} already: date the change {case.today} or later"
            )
        add_version(layer, by=case.operator.code, at=case.at, note=one.notes[number])
    for code in opened:
        check_days(code, layers_for(code))
    return VersionsAdded(len(new), sum(len(one.versions) for one in files) - len(new))


@use_case("open region", Right.OPEN_REGION, RegionOpened)
def open_region(case: Case, /, *, code: str, authority: str, administrator: str) -> RegionOpened:
    """Leave the region open for business beside the actor's own: with an authority, and an administrator there.

    To open regions is a right of its own, which whoever founded the system has and no administrator after them.
    What comes with Kaguan of the region, and of those above it, is put on the books when nothing is there yet.
    Refuses, in this order: no region code, open already, codes used already, nothing known of it.
    """
    check_code(code)
    case.note(region=code, authority=authority, administrator=administrator)
    if Region.objects.filter(pk=code).exists():
        raise DuplicateRequest(f"region {code} is open already")
    for model, name in ((Institution, authority), (Operator, administrator)):
        if model.objects.filter(pk=name).exists():
            raise DuplicateRequest(f"{name!r} is on the books already: give the region a code of its own")
    add_shipped(code, by=case.operator.code, at=case.at)
    if not RegionVersion.objects.filter(region_code=code).exists():
        raise NotFound(f"nothing is known of region {code}: import its file first")
    place = Region.objects.create(code=code)
    establish(place, authority=authority, administrator=administrator, roles=[Role.ADMINISTRATOR])
    return RegionOpened(code, authority, administrator)


def establish(place: Region, *, authority: str, administrator: str, roles: Sequence[Role]) -> None:
    """Leave the region with an authority, and an administrator who works there in these roles."""
    institution = Institution.objects.create(
        code=authority, name=authority, kind=InstitutionKind.AUTHORITY, region=place
    )
    Operator.objects.create(
        code=administrator,
        name=administrator,
        institution=institution,
        roles=[role.value for role in roles],
        level=Level.ADMINISTRATOR,
    )


def add_shipped(code: str, *, by: str, at: datetime) -> None:
    """Leave on the books what comes with Kaguan of the region and of those above it, where nothing is there yet."""
    there = set(RegionVersion.objects.values_list("region_code", flat=True).distinct())
    for one in shipped_line(code):
        for layer, note in zip(one.versions, one.notes, strict=True):
            if one.code not in there:
                add_version(layer, by=by, at=at, note=note)


def add_version(layer: Layer, *, by: str, at: datetime, note: str = "") -> None:
    """Leave one more version on the books."""
    RegionVersion.objects.create(
        region_code=layer.code,
        valid_from=layer.valid_from,
        settings=dict(layer.settings),
        confidence=dict(layer.confidence),
        inherits=sorted(layer.inherits),
        note=note,
        added_by=by,
        added_at=at,
    )
