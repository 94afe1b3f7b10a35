"""The authority's commands for what is left open: ask, list, approve."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

import click

from kaguan.cms.asking.cli import Look, Request, changes, looks


@click.group()
def reconcile() -> None:
    """Loads and purchases that neither books nor chip can explain: asked for and approved by two at the authority."""


@reconcile.command("ask")
@click.argument("transfer_id", type=click.UUID)
@click.option("--outcome", type=click.Choice(["settled", "void"]), required=True, help="Done, or given back.")
@click.option("--reason", required=True)
@click.option("--evidence", required=True, help="What shows it, and where it can be looked up.")
@changes
def reconcile_ask(request: Request, transfer_id: UUID, outcome: str, reason: str, evidence: str) -> None:
    """Ask that the open load or purchase TRANSFER_ID ends so; no money moves yet."""
    from kaguan.cms.services.reconciliation import Outcome, ask_reconciliation

    request.show(
        ask_reconciliation(
            request.actor,
            request.request_id,
            transfer_id=transfer_id,
            outcome=Outcome(outcome),
            reason=reason,
            evidence=evidence,
        )
    )


@reconcile.command("approve")
@click.argument("reconciliation_id", type=click.UUID)
@changes
def reconcile_approve(request: Request, reconciliation_id: UUID) -> None:
    """End the transfer as RECONCILIATION_ID asks; whoever asked may not approve."""
    from kaguan.cms.services.reconciliation import approve_reconciliation

    request.show(approve_reconciliation(request.actor, request.request_id, reconciliation_id=reconciliation_id))


@reconcile.command("list")
@looks
def reconcile_list(look: Look) -> None:
    """Show every reconciliation in reach that waits for approval."""
    from kaguan.cms.services.reconciliation import open_reconciliations

    look.show([asdict(waiting) for waiting in open_reconciliations(look.actor, look.request_id)])
