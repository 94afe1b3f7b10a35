"""`kaguan cms case`: where chips and books disagree, or a step with a chip never ended; shown and settled."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

import click

from kaguan.cms.asking.cli import Look, Request, changes, looks
from kaguan.cms.rules.chip_state import Remedy


@click.group("case")
def case_() -> None:
    """Chips that say something else than the books, until two people settle it."""


@case_.command("list")
@click.option("--card-no", default="", help="Of this card alone.")
@click.option("--settled", is_flag=True, help="Those that were settled as well.")
@looks
def case_list(look: Look, card_no: str, *, settled: bool) -> None:
    """Show every open case in reach, oldest first."""
    from kaguan.cms.services.casework import look_at_cases

    found = look_at_cases(look.actor, look.request_id, card_no=card_no, settled=settled)
    look.show([asdict(case) for case in found])


@case_.command("show")
@click.argument("case_id", type=click.UUID)
@looks
def case_show(look: Look, case_id: UUID) -> None:
    """Show CASE_ID: what chip and books say, when it was seen, and what became of it."""
    from kaguan.cms.services.casework import look_at_case

    look.show(asdict(look_at_case(look.actor, look.request_id, case_id=case_id)))


@case_.command("settle")
@click.argument("case_id", type=click.UUID)
@click.option(
    "--remedy",
    type=click.Choice([remedy.value for remedy in Remedy]),
    required=True,
    help="Explained: nothing moves. Or the books' purse becomes what the chip showed.",
)
@click.option("--reason", required=True, help="What was found out, and where it can be looked up.")
@changes
def case_settle(request: Request, case_id: UUID, remedy: str, reason: str) -> None:
    """Ask that CASE_ID be settled so; `approval approve` by somebody else does it."""
    from kaguan.cms.services.approvals.asking import ask_settlement

    asked = ask_settlement(request.actor, request.request_id, case_id=case_id, remedy=Remedy(remedy), reason=reason)
    request.show(asked)
