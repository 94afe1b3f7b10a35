"""`kaguan cms person`: enrol, edit, photograph, guard and look at the people on the books."""

from __future__ import annotations

from pathlib import Path

import click

from kaguan.cms.asking.cli import Request, changes, existing_file, names_person, shows_document
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.personal import Fact, Relation


def fact_typed(text: str) -> tuple[str, str]:
    """Return name and text of a fact; it was typed as in phone=19900000000."""
    name, equals, value = text.partition("=")
    if not equals or name not in list(Fact):
        raise click.BadParameter(f"'{name}' is none of {', '.join(Fact)}, as in phone=19900000000")
    return name, value


FACTS = click.argument("facts", metavar="FACT=VALUE...", type=fact_typed, nargs=-1)


@click.group()
def person() -> None:
    """People: their facts, photos and guardians."""


@person.command("enrol")
@names_person
@FACTS
@changes
def person_enrol(request: Request, cert_type: str, cert_no: str, name: str, facts: tuple[tuple[str, str], ...]) -> None:
    """Put a person on the books, with facts as in phone=19900000000."""
    from kaguan.cms.services.people.enrolment import enrol

    asked = {"cert_type": cert_type, "cert_no": cert_no, "name": name}
    request.show(enrol(request.actor, request.request_id, facts=dict(facts), **asked))


@person.command("edit")
@click.argument("holder", type=int)
@FACTS
@changes
def person_edit(request: Request, holder: int, facts: tuple[tuple[str, str], ...]) -> None:
    """Change facts about person HOLDER; what they were stays in the history."""
    from kaguan.cms.services.people.enrolment import edit_person

    request.show(edit_person(request.actor, request.request_id, holder_id=holder, facts=dict(facts)))


@person.command("photo")
@click.argument("holder", type=int)
@click.argument("image", type=existing_file)
@changes
def person_photo(request: Request, holder: int, image: Path) -> None:
    """Take the JPEG IMAGE as the photo of person HOLDER."""
    from kaguan.cms.services.people.photos import take_photo

    request.show(take_photo(request.actor, request.request_id, holder_id=holder, image=image.read_bytes()))


@person.command("guardian")
@click.argument("holder", type=int)
@click.option("--relation", type=click.Choice([relation.value for relation in Relation]), required=True)
@click.option("--name", prompt="Name of the guardian", help="Prompted for if not given.")
@shows_document
@changes
def person_guardian(request: Request, holder: int, relation: str, name: str, document: Document) -> None:
    """Let a guardian, whose document is shown, act for the minor HOLDER."""
    from kaguan.cms.services.people.guardians import register_guardian

    result = register_guardian(
        request.actor,
        request.request_id,
        holder_id=holder,
        relation=Relation(relation),
        name=name,
        document=document,
    )
    request.show(result)


@person.command("end-guardian")
@click.argument("holder", type=int)
@click.argument("guardian", type=int)
@changes
def person_end_guardian(request: Request, holder: int, guardian: int) -> None:
    """End the guardianship GUARDIAN of person HOLDER."""
    from kaguan.cms.services.people.guardians import end_guardianship

    request.show(end_guardianship(request.actor, request.request_id, holder_id=holder, guardian_id=guardian))


@person.command("look")
@click.argument("holder", type=int)
@click.option("--unmask", metavar="REASON", help="Show the data as they are; the reason stays in the audit log.")
@changes
def person_look(request: Request, holder: int, unmask: str | None) -> None:
    """Show person HOLDER, masked."""
    from kaguan.cms.services.people.reading import look_at_person, unmask_person

    if unmask is None:
        request.show(look_at_person(request.actor, request.request_id, holder_id=holder))
    else:
        request.show(unmask_person(request.actor, request.request_id, holder_id=holder, reason=unmask))
