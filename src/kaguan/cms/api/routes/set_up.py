"""Set-up by an administrator who is signed in: institutions, operators, their accounts and days, and regions."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpRequest
from ninja import Path, Router
from pydantic import Field, StrictBool

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.shapes import (
    Code,
    Day,
    OptionalCode,
    Password,
    PersonNamed,
    Strict,
    Words,
    secret,
    text,
)
from kaguan.cms.rules.choices import InstitutionKind
from kaguan.cms.rules.rights import Level, Role
from kaguan.cms.services import regions, set_up
from kaguan.cms.services.access import day, passwords
from kaguan.cms.services.access.day import BusinessDay
from kaguan.cms.services.access.passwords import AccountRef
from kaguan.cms.services.regions import RegionOpened, VersionsAdded
from kaguan.cms.services.set_up import InstitutionRef, OperatorRef, RegionRef

router: Final = Router(tags=["set-up"])

Named = Annotated[str, Path(min_length=1, max_length=20)]


class InstitutionKnown(Strict):
    """A place that has to do with cards."""

    code: Code
    name: Annotated[str, text(60)]
    kind: InstitutionKind
    parent: OptionalCode = ""
    bank_code: Annotated[str, text(15, shortest=0)] = ""
    designated: StrictBool = False


class OperatorKnown(Strict):
    """Somebody who works with the system."""

    code: Code
    name: Annotated[str, text(100)]
    institution: Code
    roles: Annotated[list[Role], Field(min_length=1, max_length=len(Role))]
    level: Level = Level.TELLER
    own_document: PersonNamed | None = None


class Breach(Strict):
    """What the institution did."""

    breach: Words


class FirstPassword(Strict):
    """What the operator signs in with once, to choose a password of their own."""

    password: Password


class SettingsWanted(Strict):
    """What the region decides otherwise, from which day on; from today when none is given."""

    settings: Annotated[dict[str, Any], Field(min_length=1, max_length=200)]
    valid_from: Day | None = None


class RegionFiles(Strict):
    """Region files in TOML, by their names."""

    texts: Annotated[dict[Annotated[str, text(100)], Annotated[str, text(None)]], Field(min_length=1)]


class RegionWanted(Strict):
    """Which region is opened, with which authority and administrator."""

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    authority: Code
    administrator: Code


@router.post("/institutions", response=answers(InstitutionRef), operation_id="register_institution")
def register_institution(request: HttpRequest, key: Key, body: InstitutionKnown) -> InstitutionRef:
    """Put an institution on the books."""
    return set_up.register_institution(*asks_for(request, key), **body.model_dump())


@router.post(
    "/institutions/{code}/blacklisting", response=answers(InstitutionRef), operation_id="blacklist_institution"
)
def blacklist(request: HttpRequest, code: Named, key: Key, body: Breach) -> InstitutionRef:
    """Let an institution take nothing from personal accounts any more."""
    return set_up.blacklist_institution(*asks_for(request, key), code=code, breach=body.breach)


@router.post("/operators", response=answers(OperatorRef), operation_id="register_operator")
def register_operator(request: HttpRequest, key: Key, body: OperatorKnown) -> OperatorRef:
    """Let somebody work."""
    own = body.own_document
    return set_up.register_operator(
        *asks_for(request, key),
        code=body.code,
        name=body.name,
        institution=body.institution,
        roles=body.roles,
        level=body.level,
        own_document=(own.cert_type, own.cert_no) if own else None,
    )


@router.post("/operators/{code}/password", response=answers(AccountRef), operation_id="give_password")
def give_password(request: HttpRequest, code: Named, key: Key, body: FirstPassword) -> AccountRef:
    """Give an operator a first password; their sessions end."""
    return passwords.give_password(*asks_for(request, key), code=code, password=secret(body.password))


@router.post("/operators/{code}/unlocking", response=answers(AccountRef), operation_id="unlock_account")
def unlock_account(request: HttpRequest, code: Named, key: Key) -> AccountRef:
    """Forget an operator's failures to sign in."""
    return passwords.unlock_account(*asks_for(request, key), code=code)


@router.post("/institutions/{code}/day/close", response=answers(BusinessDay), operation_id="close_day")
def close_day(request: HttpRequest, code: Named, key: Key) -> BusinessDay:
    """Close an institution for today; its operators are signed out."""
    return day.close_day(*asks_for(request, key), institution=code)


@router.post("/institutions/{code}/day/reopening", response=answers(BusinessDay), operation_id="reopen_day")
def reopen_day(request: HttpRequest, code: Named, key: Key) -> BusinessDay:
    """Open an institution again today."""
    return day.reopen_day(*asks_for(request, key), institution=code)


@router.post("/regions", response=answers(RegionOpened), operation_id="open_region")
def open_region(request: HttpRequest, key: Key, body: RegionWanted) -> RegionOpened:
    """Open a region beside one's own, with an authority and an administrator there."""
    return regions.open_region(*asks_for(request, key), **body.model_dump())


@router.post("/regions/files", response=answers(VersionsAdded), operation_id="import_regions")
def import_regions(request: HttpRequest, key: Key, body: RegionFiles) -> VersionsAdded:
    """Put the versions of region files on the books; those there already stay."""
    return regions.import_regions(*asks_for(request, key), texts=body.texts)


@router.post("/regions/own/settings", response=answers(RegionRef), operation_id="set_region")
def set_region(request: HttpRequest, key: Key, body: SettingsWanted) -> RegionRef:
    """Let one's own region decide otherwise from a day on."""
    return set_up.set_region(*asks_for(request, key), settings=body.settings, valid_from=body.valid_from)
