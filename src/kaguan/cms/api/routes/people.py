"""People: enrolled, edited, looked at masked, and unmasked for a reason that stays in the audit log."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from kaguan.cms.api.asked import Key, Seen, answers, asks_for, tagged
from kaguan.cms.api.shapes import (
    Bytes,
    DocumentShown,
    PersonName,
    PersonNamed,
    Strict,
    Words,
    bytes_of,
    text,
)
from kaguan.cms.rules.personal import Fact, Relation
from kaguan.cms.services.people import enrolment, guardians, photos
from kaguan.cms.services.people.enrolment import PersonRef
from kaguan.cms.services.people.guardians import Guardianship
from kaguan.cms.services.people.photos import PhotoRef
from kaguan.cms.services.people.reading import Person, look_at_person, unmask_person

router: Final = Router(tags=["people"])

Facts = dict[Fact, Annotated[str, text(200, shortest=0)]]
Number = Annotated[int, Path(ge=1, lt=2**63)]


class Enrolment(PersonNamed):
    """Who is put on the books."""

    name: PersonName
    facts: Annotated[Facts, Field(default_factory=dict)]


class Edit(Strict):
    """What is known anew."""

    facts: Annotated[Facts, Field(min_length=1)]


class Unmasking(Strict):
    """Why somebody has to see it."""

    reason: Words


class GuardianShown(Strict):
    """Who is to act for a minor, with their document."""

    relation: Relation
    name: PersonName
    document: DocumentShown


class PhotoTaken(Strict):
    """A JPEG of the region's size."""

    image: Annotated[Bytes, Field(min_length=4)]


@router.post("", response=answers(PersonRef), operation_id="enrol_person")
def enrol(request: HttpRequest, key: Key, body: Enrolment) -> PersonRef:
    """Put a person on the books."""
    facts = {name.value: told for name, told in body.facts.items()}
    return enrolment.enrol(
        *asks_for(request, key), cert_type=body.cert_type, cert_no=body.cert_no, name=body.name, facts=facts
    )


@router.get("/{holder_id}", response=answers(Person), operation_id="look_at_person")
def look(request: HttpRequest, response: HttpResponse, holder_id: Number) -> Person:
    """Look at a person, masked; the ETag is for If-Match."""
    person = look_at_person(*asks_for(request, uuid4()), holder_id=holder_id)
    tagged(response, person.state_tag)
    return person


@router.post("/{holder_id}/unmasking", response=answers(Person), operation_id="unmask_person")
def unmask(request: HttpRequest, holder_id: Number, key: Key, body: Unmasking) -> Person:
    """Look at a person as the books have them; each look leaves its reason in the audit log."""
    return unmask_person(*asks_for(request, key), holder_id=holder_id, reason=body.reason)


@router.post("/{holder_id}/facts", response=answers(PersonRef), operation_id="edit_person")
def edit(request: HttpRequest, holder_id: Number, key: Key, seen: Seen, body: Edit) -> PersonRef:
    """Change facts about a person; what they were stays in the history."""
    facts = {name.value: told for name, told in body.facts.items()}
    return enrolment.edit_person(*asks_for(request, key, seen), holder_id=holder_id, facts=facts)


@router.post("/{holder_id}/photo", response=answers(PhotoRef), operation_id="take_photo")
def take_photo(request: HttpRequest, holder_id: Number, key: Key, seen: Seen, body: PhotoTaken) -> PhotoRef:
    """Take a portrait that cards are made with."""
    return photos.take_photo(*asks_for(request, key, seen), holder_id=holder_id, image=bytes_of(body.image))


@router.post("/{holder_id}/guardians", response=answers(Guardianship), operation_id="register_guardian")
def register_guardian(
    request: HttpRequest, holder_id: Number, key: Key, seen: Seen, body: GuardianShown
) -> Guardianship:
    """Let a guardian act for a minor."""
    return guardians.register_guardian(
        *asks_for(request, key, seen),
        holder_id=holder_id,
        relation=body.relation,
        name=body.name,
        document=body.document.document(),
    )


@router.post(
    "/{holder_id}/guardians/{guardian_id}/end", response=answers(Guardianship), operation_id="end_guardianship"
)
def end_guardianship(
    request: HttpRequest, holder_id: Number, guardian_id: Number, key: Key, seen: Seen
) -> Guardianship:
    """End a guardianship."""
    return guardians.end_guardianship(*asks_for(request, key, seen), holder_id=holder_id, guardian_id=guardian_id)
