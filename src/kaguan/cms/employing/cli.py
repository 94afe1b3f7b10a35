"""`kaguan cms institution` and `operator`: where work is done, and by whom."""

from __future__ import annotations

import click

from kaguan.cms.asking.cli import Look, Request, changes, looks
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Level, Role


@click.group()
def institution() -> None:
    """Authorities, outlets, clinics, pharmacies."""


@institution.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--kind", type=click.Choice([kind.value for kind in InstitutionKind]), required=True)
@click.option("--bank-code", default="", help="Of a bank, or of the bank that an outlet belongs to.")
@click.option("--parent", default="", help="Code of the institution that it belongs to.")
@click.option("--designated", is_flag=True, help="A clinic, hospital or pharmacy where the medical card pays.")
@changes
def institution_add(
    request: Request, code: str, name: str, kind: str, bank_code: str, parent: str, *, designated: bool
) -> None:
    """Put the institution CODE on the books."""
    from kaguan.cms.services.set_up import register_institution

    result = register_institution(
        request.actor,
        request.request_id,
        code=code,
        name=name,
        kind=InstitutionKind(kind),
        bank_code=bank_code,
        parent=parent,
        designated=designated,
    )
    request.show(result)


@institution.command("list")
@looks
def institution_list(look: Look) -> None:
    """Show the institutions in reach."""
    from kaguan.cms.services.browsing import list_institutions

    look.show_table(list_institutions(look.actor, look.request_id))


@click.group()
def operator() -> None:
    """The people who work with the system."""


@operator.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--at", "employer", required=True, help="Code of the institution that employs them.")
@click.option(
    "--level",
    type=click.Choice([level.name.lower() for level in Level]),
    default="teller",
    show_default=True,
    help="How far they answer for colleagues.",
)
@click.option("--role", "roles", type=click.Choice([role.value for role in Role]), multiple=True, required=True)
@changes
def operator_add(request: Request, code: str, name: str, employer: str, level: str, roles: tuple[str, ...]) -> None:
    """Let the operator CODE work."""
    from kaguan.cms.services.set_up import register_operator

    result = register_operator(
        request.actor,
        request.request_id,
        code=code,
        name=name,
        institution=employer,
        roles=[Role(role) for role in roles],
        level=Level[level.upper()],
    )
    request.show(result)


@operator.command("list")
@looks
def operator_list(look: Look) -> None:
    """Show the colleagues in reach, where they work and what for."""
    from kaguan.cms.services.browsing import list_operators

    look.show_table(list_operators(look.actor, look.request_id))
